"""What the build hooks for packages share: the kernels of a project, and their libraries."""

from __future__ import annotations

import os
from dataclasses import dataclass

from rsimport import _engine
from rsimport._api import at, finished
from rsimport._errors import ConfigError
from rsimport._python import ABI
from rsimport.toolbox import _portable

OF_CARGO = ("Cargo.toml", "Cargo.lock")

OPTIONS = {"sources": True, "cpu": _portable.GENERIC}
SAID = {bool: "true or false", str: 'a string, as "x86-64-v3"'}
"""What a value has to be, as TOML writes it."""


@dataclass(frozen=True)
class Kernel:
    """A marked kernel in a project, by paths that start from the project's folder."""

    root: str
    path: str

    @property
    def library(self) -> str:
        """Where its library belongs."""
        return self.path.removesuffix(".rs") + ABI

    @property
    def mark(self) -> str:
        """The file by which it is known."""
        return self.path if self.path.endswith(".rs") else os.path.join(self.path, "Cargo.toml")

    def parts(self) -> list[str]:
        """The files in the project that it is made of, as far as its text names them."""
        found = _engine.parts(os.path.join(self.root, self.path))
        below = [os.path.relpath(path, os.path.realpath(self.root)) for path in found]
        return sorted(path for path in below if not path.startswith(os.pardir))

    def sources(self) -> list[str]:
        """Those of them that are of no use where there is a library; data may be for Python too."""
        return [path for path in self.parts() if path.endswith(".rs") or os.path.basename(path) in OF_CARGO]

    def build(self, target: str, cpu: str) -> None:
        """Writes its library to a file: optimised, not for this CPU alone, with what it was made from."""
        kernel = os.path.join(self.root, self.path)
        with _portable.environment(os.path.dirname(kernel), cpu):
            loader = at(kernel, None, _portable.settings_for(kernel, cpu))
            _engine.inplace(finished(loader), kernel, loader.settings, target)


def kernels(root: str) -> list[Kernel]:
    """All marked kernels of a project."""
    found = [os.path.relpath(path, root) for path in _engine.kernels(root)]
    return [Kernel(root, path) for path in sorted(found)]


def is_library(path: str) -> bool:
    """May a file of a wheel be one that the machine runs?"""
    name = os.path.basename(path)
    return name.endswith(".so") or ".so." in name


def options(given: object, table: str) -> tuple[bool, str]:
    """The options of a hook: do the sources ship too, and for which CPU is it?

    Raises ConfigError for an option that there is not, and for what is no table.
    """
    if not isinstance(given, dict):
        raise ConfigError(f"{table} has to be a table", hint=f"a line {table} is all that it needs")
    for name, value in given.items():
        kind = type(OPTIONS[name]) if name in OPTIONS else None
        if kind is None:
            raise ConfigError(
                f"{table}: there is no option {name}", hint=f"the options are {', '.join(OPTIONS)}"
            )
        if not isinstance(value, kind):
            raise ConfigError(f"{table}: {name} has to be {SAID[kind]}")
    chosen = {**OPTIONS, **given}
    return bool(chosen["sources"]), str(chosen["cpu"])
