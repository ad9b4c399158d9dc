"""The same Rust file, imported by rsimport and built by cargo."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

from crate import Crate

from calling.compiler import MODULE, load
from calling.contestant import SOURCES, Contestant

_SOURCE = SOURCES / f"{MODULE}.rs"
_ARRAYS = {"array": "PyReadonlyArray1<f64> of the crate numpy"}


class Rsimport(Contestant):
    """As it comes."""

    name = distribution = "rsimport"
    note = f"sources/{MODULE}.rs, imported; nothing is set, so it is compiled for this CPU"
    notes = _ARRAYS

    def build(self, folder: Path) -> Any:
        """The import statement."""
        return _imported(_SOURCE, folder)


class ByHand(Contestant):
    """What a kernel can do that writes its functions for the C API."""

    name = "rsimport, C API by hand"
    distribution = "rsimport"
    note = "sources/by_hand.rs, imported; METH_FASTCALL by pyo3::ffi, so no panic becomes an exception"
    cannot = MappingProxyType(
        {
            "method": "a class is best left to PyO3",
            "change": "a class is best left to PyO3",
            "array": "the crate numpy takes PyO3's objects",
        }
    )

    def build(self, folder: Path) -> Any:
        """The import statement."""
        return _imported(SOURCES / "by_hand.rs", folder)


def _imported(source: Path, folder: Path) -> Any:
    import rsimport.import_hook  # noqa: F401

    shutil.copy(source, folder)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(source.stem)
    finally:
        sys.path.remove(str(folder))


class Pyo3(Contestant):
    """A crate with the same versions, and what else cargo has for it in its release profile."""

    name = "PyO3 by hand"
    note = "the same file as a crate, cargo build --release, no flags"
    notes = _ARRAYS

    def __init__(self, *, fat: bool = False) -> None:
        self.profile: dict[str, str] = {}
        if fat:
            self.name += ", fat LTO"
            self.note += '; lto = "fat", codegen-units = 1'
            self.profile = {"LTO": "fat", "CODEGEN_UNITS": "1"}

    def build(self, folder: Path) -> Any:
        """A crate by the name of the module."""
        text = _SOURCE.read_text(encoding="utf-8")
        crate = Crate(folder / "crate", text, MODULE, crates=("pyo3", "numpy"), flags="")
        profile = {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in self.profile.items()}
        built = crate.build(folder / "target", **profile)
        return load(built.library)
