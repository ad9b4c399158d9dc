"""C by hand, in the three calling conventions that take arguments."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from calling.compiler import extension
from calling.contestant import SOURCES, Contestant

FLAGS = ("-O3", "-DNDEBUG", "-fwrapv")


class Capi(Contestant):
    """One convention."""

    note = f"sources/capi.c, cc {' '.join(FLAGS)}; arrays by NumPy's C API"

    def __init__(self, convention: str) -> None:
        self.convention = convention
        self.name = f"C API, METH_{convention.upper()}"
        if convention == "o":
            self.cannot = {"logistic": "METH_O takes one argument"}

    def build(self, folder: Path) -> Any:
        """The functions of this convention, without the endings of their names."""
        module = extension(folder, (*FLAGS, f"-I{np.get_include()}"), SOURCES / "capi.c")
        ending = f"_{self.convention}"
        found = {
            name.removesuffix(ending): value for name, value in vars(module).items() if name.endswith(ending)
        }
        return SimpleNamespace(**found)
