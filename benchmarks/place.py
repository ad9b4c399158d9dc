"""The folder of one run: everything that is generated lies in it, and it is removed at the end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cached_property
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import kernel


class Place:
    """A folder with a cache of its own; nothing outside of it is written to, and no setting of the user counts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._count = 0
        self.cache = self.folder("cache")
        for name in [name for name in os.environ if name.startswith("RSIMPORT_")]:
            del os.environ[name]
        # Without bytecode on the disk, an import would measure Python's compiler.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["RSIMPORT_CACHE_DIR"] = str(self.cache)

    def folder(self, name: str) -> Path:
        """A new empty folder."""
        self._count += 1
        path = self.root / f"{self._count:03}-{name}"
        path.mkdir()
        return path

    @cached_property
    def kernels(self) -> Path:
        """A folder with two kernels, which are in the cache."""
        folder = self.folder("kernels")
        for name in (kernel.OTHER, kernel.NAME):
            (folder / f"{name}.rs").write_text(kernel.text(name), encoding="utf-8")
            self._built[name] = Path(
                self.python(
                    "import json, sys, rsimport; print(json.dumps([rsimport.build_filepath(sys.argv[1])]))",
                    folder / f"{name}.rs",
                )[0]
            )
        return folder

    @cached_property
    def libraries(self) -> Path:
        """A folder with the same two as plain extension modules."""
        folder = self.folder("libraries")
        for name, path in self.artifacts.items():
            shutil.copyfile(path, folder / f"{name}{EXTENSION_SUFFIXES[0]}")
        return folder

    @property
    def artifacts(self) -> dict[str, Path]:
        """The libraries of the two kernels in the cache, by name."""
        assert self.kernels
        return self._built

    @cached_property
    def _built(self) -> dict[str, Path]:
        return {}

    @cached_property
    def _empty(self) -> Path:
        return self.folder("empty")

    def python(self, code: str, *arguments: object, prefix: tuple[str, ...] = ()) -> list[object]: ...
