"""The folder of one run: everything that is generated lies in it, and it is removed at the end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import kernel
from crate import Crate


class Place:
    """A folder with a cache of its own. Nothing is written outside of it; no setting of the user counts."""

    def __init__(self, root: Path, cache: Path | None = None) -> None:
        self.root = root
        self._folders = 0
        for name in [name for name in os.environ if name.startswith("RSIMPORT_")]:
            del os.environ[name]
        # Without bytecode on the disk, an import would measure Python's compiler.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.cache = cache or self.folder("cache")
        os.environ["RSIMPORT_CACHE_DIR"] = str(self.cache)

    def folder(self, name: str) -> Path:
        """A new empty folder."""
        self._folders += 1
        path = self.root / f"{self._folders:03}-{name}"
        path.mkdir()
        return path

    @cached_property
    def kernels(self) -> Path:
        """A folder with two kernels."""
        folder = self.folder("kernels")
        for name in (kernel.OTHER, kernel.NAME):
            (folder / f"{name}.rs").write_text(kernel.text(name), encoding="utf-8")
        return folder

    @cached_property
    def artifacts(self) -> dict[str, Path]:
        """The same two kernels, built into the cache."""
        build = "import sys, rsimport; print(rsimport.build_filepath(sys.argv[1]), end='')"
        return {path.stem: Path(self.output(build, path)) for path in sorted(self.kernels.iterdir())}

    @cached_property
    def libraries(self) -> Path:
        """A folder with copies of their artifacts, which Python imports without rsimport."""
        folder = self.folder("libraries")
        for name, path in self.artifacts.items():
            shutil.copyfile(path, folder / f"{name}{EXTENSION_SUFFIXES[0]}")
        return folder

    @cached_property
    def crate(self) -> Crate:
        """The kernel as a crate whose dependencies have been downloaded."""
        crate = Crate(self.folder("crate"), kernel.text())
        crate.fetch()
        return crate

    def times(self, code: str, *arguments: object, cache: Path | None = None) -> list[float]:
        """Runs code in a fresh interpreter; it prints a list of nanoseconds, which come back as seconds."""
        return [time * 1e-9 for time in json.loads(self.output(code, *arguments, cache=cache))]

    def output(
        self, code: str, *arguments: object, before: Sequence[str] = (), cache: Path | None = None
    ) -> str:
        """Runs code in a fresh interpreter, under the program `before` if given, and returns its output."""
        command = [*before, sys.executable, "-c", code, *map(str, arguments)]
        # The interpreter finds the installed package, whatever folder the benchmark was started from.
        done = subprocess.run(
            command,
            cwd=self._nowhere,
            env={**os.environ, "RSIMPORT_CACHE_DIR": str(cache or self.cache)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"a measured program failed:\n{code}\n{done.stderr}")
        return done.stdout

    @cached_property
    def _nowhere(self) -> Path:
        return self.folder("nowhere")
