"""What is the same for everybody: a clean environment, downloaded crates, and the versions of the tools."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from crate import Crate, version

_SETTINGS = re.compile(
    r"(RSIMPORT|RUSTIMPORT|CPPIMPORT|MATURIN|NUMBA|CYTHON|PYO3|RUSTC|RUSTDOC)_"
    r"|CARGO_(?!HOME$)|(RUSTFLAGS|RUSTC|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|CC|CXX|LDSHARED)$"
    r"|PYTHON(DONTWRITEBYTECODE|PYCACHEPREFIX|PATH|STARTUP)$|(VIRTUAL_ENV|CONDA_PREFIX)$"
)
"""Variables that change what a contestant does."""


def clean() -> None:
    """Takes the user's settings out of the environment, and puts the interpreter's tools on the path."""
    for name in filter(_SETTINGS.match, list(os.environ)):
        del os.environ[name]
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


def download(folder: Path, crates: Iterable[str]) -> None:
    """Downloads the crates; from then on nobody may use the network."""
    Crate(folder, "", crates=tuple(crates)).fetch()
    os.environ["CARGO_NET_OFFLINE"] = "true"


def versions(distributions: Iterable[str | None], *, compiler: bool = False) -> dict[str, str]:
    """Of the languages, and of everything from PyPI that takes part; of the C++ compiler if it is used."""
    found = {"CPython": platform.python_version(), "rustc": _output("rustc", "--version").split()[1]}
    found["cargo"] = _output("cargo", "--version").split()[1]
    found |= {f"{crate} (crate)": version(crate) for crate in ("pyo3", "numpy")}
    names = set(distributions)
    names |= {"maturin"} if "maturin-import-hook" in names else set()
    names |= {"pybind11"} if "cppimport" in names else set()
    if compiler or names & {"cppimport", "Cython"}:
        found["C++ compiler"] = _output("c++", "--version").partition("\n")[0]
    return found | {name: importlib.metadata.version(name) for name in sorted(filter(None, names))}


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout or "? ?"
    except FileNotFoundError:
        return "- missing"
