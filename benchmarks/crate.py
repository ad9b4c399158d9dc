"""What a kernel is measured against: a crate with the same PyO3, profile and flags, built by cargo."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kernel import NAME, REPOSITORY, with_module

_LOCK = REPOSITORY / "templates" / "Cargo.lock"
"""The versions that a kernel gets from rsimport."""


class Build(NamedTuple):
    """What cargo made, and how."""

    library: Path
    rustc: list[str]
    """The command by which cargo compiled the crate itself."""


class Crate:
    """A crate in a folder of its own, which compiles a kernel's text."""

    def __init__(
        self,
        folder: Path,
        kernel: str,
        name: str = NAME,
        *,
        crates: Sequence[str] = ("pyo3",),
        dependencies: str = "",
        flags: str = "-Ctarget-cpu=native",
    ) -> None:
        self.folder = folder
        self.name = name
        self.flags = flags
        (folder / "src").mkdir(parents=True)
        (folder / "Cargo.toml").write_text(_manifest(name, crates, dependencies), encoding="utf-8")
        (folder / "Cargo.lock").write_bytes(_LOCK.read_bytes())
        self.write(kernel)

    @classmethod
    def of_kernel(cls, folder: Path, source: Path) -> Crate:
        """A shipped kernel with its parts and with the dependencies that its manifest block names."""
        text = source.read_text(encoding="utf-8")
        crate = cls(folder, text, source.stem, dependencies=_block(text))
        if source.with_suffix("").is_dir():
            shutil.copytree(source.with_suffix(""), folder / "src" / source.stem)
        return crate

    def write(self, kernel: str) -> None:
        """Replaces the text."""
        (self.folder / "src" / "lib.rs").write_text(with_module(kernel, self.name), encoding="utf-8")

    def fetch(self) -> None:
        """Downloads the dependencies, so that no build has to."""
        self._cargo("fetch")

    def build(self, target: Path, **variables: str) -> Build:
        """Builds it into a target folder, in a changed environment."""
        done = self._cargo(
            *("build", "--release", "--verbose", "--message-format=json", "--target-dir", str(target)),
            **variables,
        )
        calls = re.findall(rf"Running `(.* --crate-name {self.name} .*)`", done.stderr)
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        built = [
            message for message in messages if message.get("target", {}).get("crate_types") == ["cdylib"]
        ]
        return Build(Path(built[-1]["filenames"][0]), shlex.split(calls[-1]))

    def rustc(self, command: list[str]) -> None:
        """Repeats the compiler's command."""
        _run(command, self.folder, os.environ)

    def _cargo(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        # By default for this processor, as rsimport compiles, and neither side links Python's own library.
        # Everything else PyO3's build script asks the interpreter, as it does for anybody who builds by hand.
        flags = f"{os.environ.get('RUSTFLAGS', '')} {self.flags}".strip()
        python = {"PYO3_PYTHON": sys.executable, "PYO3_BUILD_EXTENSION_MODULE": "1"}
        unset = ("PYO3_CONFIG_FILE", "CARGO_ENCODED_RUSTFLAGS")
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        return _run(
            ["cargo", *arguments], self.folder, {**inherited, **python, "RUSTFLAGS": flags, **variables}
        )


def version(crate: str) -> str:
    """The version of a crate that a kernel gets from rsimport."""
    found = re.search(rf'name = "{crate}"\nversion = "([^"]+)"', _LOCK.read_text(encoding="utf-8"))
    assert found, f"{_LOCK} has no {crate}"
    return found[1]


def _block(text: str) -> str:
    """The dependencies in a kernel's manifest block, as lines of TOML."""
    found = re.search(r"^//! ```cargo\n//! \[dependencies\]\n(.*?)^//!(?: ```)?$", text, re.M | re.S)
    return re.sub(r"^//! ?", "", found[1], flags=re.M) if found else ""


def _manifest(name: str, crates: Sequence[str], more: str) -> str:
    dependencies = "".join(f'{crate} = "{version(crate)}"\n' for crate in crates) + more
    return f'''
[package]
name = "{name}"
version = "0.0.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
{dependencies}
[workspace]
'''


def _run(
    command: list[str], folder: Path, environment: os._Environ[str] | dict[str, str]
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stderr}")
    return done
