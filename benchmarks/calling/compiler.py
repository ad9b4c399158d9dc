"""Compiling C and C++, and loading what came out."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from calling.contestant import SOURCES

MODULE = "crossings"
"""The name of every contestant's module."""


def extension(
    folder: Path,
    flags: Sequence[str],
    *sources: Path | str,
    compiler: str = "cc",
    libraries: Sequence[str] = (),
) -> ModuleType:
    """Compiles sources and objects to an extension module, and imports it."""
    path = folder / f"{MODULE}{sysconfig.get_config_var('EXT_SUFFIX')}"
    run(compiler, *flags, "-shared", "-fPIC", *includes(), *map(str, sources), "-o", str(path), *libraries)
    return load(path)


def includes() -> tuple[str, ...]:
    """Where Python's header is, and the subjects'."""
    return f"-I{sysconfig.get_path('include')}", f"-I{SOURCES}"


def load(path: Path, name: str = MODULE) -> ModuleType:
    """Imports a file, which need not be on the path. Nobody else gets it, for all have the same name."""
    spec = spec_from_file_location(name, path)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    # Modules of an older kind enter themselves.
    sys.modules.pop(name, None)
    return module


def run(*command: str) -> None:
    """Runs a compiler; RuntimeError says what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RuntimeError(f"error: there is no {command[0]}") from None
    if done.returncode:
        raise RuntimeError(done.stderr or f"error: {command[0]} ended with code {done.returncode}")


def tool(module: str, *arguments: str) -> None:
    """Runs an installed Python package."""
    run(sys.executable, "-m", module, *arguments)
