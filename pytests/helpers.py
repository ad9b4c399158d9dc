"""What the tests share: kernel texts, ways to look at a folder, and ways to make a machine misbehave."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

LIMIT = 300.0
"""Seconds after which a program counts as hung. No test measures speed."""

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Result:
    """What a finished program printed."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def out(self) -> str:
        return self.stdout.strip()

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


def value(number: object, name: str = "value") -> str:
    """The smallest function: it returns one number, so a test sees which text was compiled."""
    return f"#[pyfunction]\nfn {name}() -> i64 {{\n    {number}\n}}\n"


def block(*lines: str) -> str:
    """A manifest block as it stands in a kernel."""
    return "".join(f"//! {line}".rstrip() + "\n" for line in ("```cargo", *lines, "```"))


ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""The environment of a pytest within a test: the plugins of other packages take half a second to load."""


def package(name: str) -> str:
    """The beginning of a Cargo.toml."""
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'


def line_of(path: Path, needle: str) -> int:
    """The 1-based line on which `needle` first stands in a file."""
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if needle in line)


def names_line(text: str, path: Path, line: int) -> bool:
    """Whether a message names this file and this line of it."""
    return (
        str(path) in text and re.search(rf"{re.escape(path.name)}:{line}\b|line {line}\b", text) is not None
    )


QUICK = """
[profile.release]
codegen-units = 256
[profile.release.package."*"]
opt-level = 0
"""
"""The profile that dependencies have for stubs. A PyO3 other than that of all kernels is compiled in half the
time with it, and once, where it has this profile everywhere."""

AS_FOR_STUBS = (
    """
[target.'cfg(all())'.dependencies]
pyo3 = { version = "0.30", features = ["experimental-inspect"] }
[build-dependencies]
pyo3-build-config = { version = "0.30", features = ["resolve-config"] }
"""
    + QUICK
)
"""The end of a crate's Cargo.toml, with which it shares PyO3 with the stubs of kernels."""


def write(folder: Path, files: dict[str, str]) -> None:
    """Writes several files, with their parent folders."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def snapshot(folder: Path) -> dict[str, str]:
    """Every path below a folder with a digest of its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        kind = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = kind
    return found


def rlibs(cache: Path, crate: str) -> dict[Path, int]:
    """The compiled copies of a dependency in a cache, with the moment each was written."""
    return {path: path.stat().st_mtime_ns for path in cache.rglob(f"lib{crate}-*.rlib")}


def wait_for(path: Path, seconds: float = LIMIT) -> None:
    """Waits until another process has made a file that is not empty."""
    end = time.monotonic() + seconds
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.005)


def shown(terminal: int) -> str:
    """Everything that a terminal was shown by programs that have left it; it comes in any number of parts."""
    text = b""
    # Linux fails where nobody has the other end any more.
    with suppress(OSError):
        while part := os.read(terminal, 100_000):
            text += part
    os.close(terminal)
    return text.decode(errors="replace")


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # It may end between opening and reading.
        return False


def end_users_of(cache: Path) -> None:
    """Ends the processes that have been told to use a cache, such as builds in the background."""
    told = f"RSIMPORT_CACHE_DIR={cache}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if told in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def gone(pids: Iterable[int], seconds: float = LIMIT) -> bool:
    """Whether all these processes end soon."""
    end = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


REPORT = """
import json, rsimport, rsimport.import_hook
try:
    import k
except rsimport.RsimportError as error:
    assert isinstance(error, ImportError)
    diagnostics = [
        {n: getattr(d, n) for n in ("level", "code", "message", "file", "line", "column", "rendered", "ansi")}
        for d in getattr(error, "diagnostics", [])
    ]
    print(json.dumps({
        "kind": type(error).__name__, "text": str(error), "hint": error.hint, "kernel": error.kernel,
        "name": error.name, "diagnostics": diagnostics,
    }))
else:
    print(json.dumps({"kind": None}))
"""
"""Imports `k` and prints as JSON what was raised."""


class Barrier:
    """Holds rustc in the middle of a kernel's compilation, and counts how often the kernel was compiled.

    A procedural macro in a path dependency does it: it notes the compiler's process id in `started`, then
    waits for the file `go`. So a test can act at a moment that is known to lie within a build.
    """

    def __init__(self, crate: Path, folder: Path) -> None:
        self.folder = folder
        self.started = folder / "started"
        self.block = block("[dependencies]", f"barrier = {{ path = {json.dumps(str(crate))} }}")
        self.wait = f"barrier::wait!({json.dumps(str(folder))});\n"

    def compilers(self) -> list[int]:
        """The process ids of the compilers that came by."""
        return [int(line) for line in self.started.read_text().split()] if self.started.exists() else []

    def reached(self) -> None:
        wait_for(self.started)

    def go(self) -> None:
        (self.folder / "go").touch()


BARRIER = {
    "Cargo.toml": package("barrier") + "[lib]\nproc-macro = true\n",
    "src/lib.rs": """
        use proc_macro::TokenStream;
        use std::{fs, io::Write, path::Path, thread, time::Duration};

        #[proc_macro]
        pub fn wait(folder: TokenStream) -> TokenStream {
            let literal = folder.to_string();
            let folder = Path::new(literal.trim_matches('"'));
            let mut log = fs::OpenOptions::new();
            let mut log = log.create(true).append(true).open(folder.join("started")).unwrap();
            log.write_all(format!("{}\\n", std::process::id()).as_bytes()).unwrap();
            for _ in 0..40_000 {
                if folder.join("go").exists() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
            TokenStream::new()
        }
    """,
}


SLOW_SCRIPT = """
fn main() {
    let folder = std::path::Path::new(FOLDER);
    std::fs::write(folder.join("started"), std::process::id().to_string()).unwrap();
    for _ in 0..40_000 {
        if folder.join("go").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
"""
"""A build script that waits for the barrier."""


# Ways to make a machine misbehave. Each is a list of words to put before a command.


def bound() -> list[str]:
    """A process for which permission bits hold: root without the capabilities that override them."""
    if os.getuid() != 0:
        return []
    words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner,-chown"]
    if not _runs(*words, "true"):
        pytest.skip("permission bits do not bind root, and setpriv cannot drop its capabilities here")
    return words


def read_only(folder: Path) -> list[str]:
    """A process that sees this folder on a read-only file system."""
    return _mounted('mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', folder)


def small(folder: Path, size: str) -> list[str]:
    """A process that sees an empty file system of this size at the folder."""
    return _mounted(f'mount -t tmpfs -o size={size},mode=700 none "$0" && exec "$@"', folder)


def strace(*words: str) -> list[str]:
    """A process under strace."""
    if not _runs("strace", "-o", "/dev/null", "true"):
        pytest.skip("strace is missing or may not trace here")
    return ["strace", *words]


def _mounted(script: str, folder: Path) -> list[str]:
    if os.getuid() != 0 or not _runs("unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"):
        pytest.skip("needs root and a private mount namespace")
    return ["unshare", "-m", "sh", "-c", script, str(folder)]


@cache
def _runs(*words: str) -> bool:
    if shutil.which(words[0]) is None:
        return False
    return subprocess.run(words, capture_output=True, timeout=LIMIT).returncode == 0


def without_rust(folder: Path) -> dict[str, str | None]:
    """An environment in which neither cargo nor rustc can be found."""
    folder.mkdir(exist_ok=True)
    unset = dict.fromkeys(("CARGO", "RUSTC", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"))
    return {"PATH": str(folder), "HOME": str(folder), "CARGO_HOME": str(folder / "cargo"), **unset}


def without_waiting(folder: Path) -> dict[str, str | None]:
    """An environment with the user's downloads, in which no other cargo holds the lock on them."""
    folder.mkdir()
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for path in home.iterdir():
        if not path.name.startswith(".package-cache"):
            (folder / path.name).symlink_to(path)
    return {"CARGO_HOME": str(folder)}


def without_network(folder: Path) -> dict[str, str | None]:
    """An environment in which no registry can be reached and none was read before."""
    (folder / "cargo").mkdir(parents=True, exist_ok=True)
    proxy = "http://127.0.0.1:9"
    return {
        "CARGO_HOME": str(folder / "cargo"),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
        "CARGO_HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "CARGO_NET_RETRY": "0",
    }


def needs(module: str) -> None:
    """Skips the tests of a file where a package is missing, which most workers never import."""
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed", allow_module_level=True)


@cache
def other_pythons() -> list[str]:
    """Interpreters of other versions on this machine that the abi3 engine supports."""
    names = [f"python3.{minor}" for minor in range(10, 15)]
    roots = [Path.home() / ".pyenv/versions", Path.home() / ".local/share/uv/python"]
    # What pyenv puts in their place takes longer than they do, and they are among its versions.
    candidates = [path for path in map(shutil.which, names) if path and ".pyenv/shims" not in path]
    candidates += [str(path) for root in roots for path in sorted(root.glob("*/bin/python3"))]
    versions: dict[str, str] = {}
    for candidate in candidates:
        ask = [candidate, "-c", "import sys; print(sys.implementation.name, *sys.version_info[:2])"]
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=LIMIT).stdout.split()
        if answer[:2] == ["cpython", "3"] and 10 <= int(answer[2]) != sys.version_info[1]:
            versions.setdefault(answer[2], candidate)
    return list(versions.values())
