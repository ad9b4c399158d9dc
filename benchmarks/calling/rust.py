"""The same Rust file, imported by rsimport and built by cargo."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from typing import Any, ClassVar

from crate import Crate

from calling.compiler import MODULE, load
from calling.contestant import SOURCES, Contestant

_SOURCE = SOURCES / f"{MODULE}.rs"
_ARRAYS = {"array": "PyReadonlyArray1<f64> of the crate numpy"}


class Rsimport(Contestant):
    """As it comes."""

    name = distribution = "rsimport"
    note = f"sources/{MODULE}.rs, imported; nothing is set, so it is compiled for this CPU"
    notes: ClassVar = _ARRAYS

    def build(self, folder: Path) -> Any:
        """The import statement."""
        importlib.import_module("rsimport.import_hook")
        shutil.copy(_SOURCE, folder)
        sys.path.insert(0, str(folder))
        try:
            return importlib.import_module(MODULE)
        finally:
            sys.path.remove(str(folder))
            sys.modules.pop(MODULE, None)


class Pyo3(Contestant):
    """A crate with the same versions, in cargo's release profile."""

    name = "PyO3 by hand"
    note = "the same file as a crate, cargo build --release, no flags"
    notes: ClassVar = _ARRAYS
    profile: ClassVar[dict[str, str]] = {}
    """What is changed in it, as cargo's variables name it."""

    def build(self, folder: Path) -> Any:
        """A crate by the name of the module."""
        text = _SOURCE.read_text(encoding="utf-8")
        crate = Crate(folder / "crate", text, MODULE, crates=("pyo3", "numpy"), flags="")
        profile = {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in self.profile.items()}
        return load(crate.build(folder / "target", **profile).library)


class Pyo3Fat(Pyo3):
    """Optimised across crates."""

    name = "PyO3 by hand, fat LTO"
    note = f'{Pyo3.note}; lto = "fat", codegen-units = 1'
    profile: ClassVar = {"LTO": "fat", "CODEGEN_UNITS": "1"}
