"""C by hand, in the three calling conventions that take arguments."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from calling.compiler import extension
from calling.contestant import SOURCES, Contestant

FLAGS = ("-O3", "-DNDEBUG", "-fwrapv")


class _Capi(Contestant):
    note = f"sources/capi.c, cc {' '.join(FLAGS)}; arrays by NumPy's C API"
    convention: str
    """As the names in the source end."""

    def build(self, folder: Path) -> Any:
        """The functions of this convention, without the endings of their names."""
        module = extension(folder, (*FLAGS, f"-I{np.get_include()}"), SOURCES / "capi.c")
        ending = f"_{self.convention}"
        found = {
            name.removesuffix(ending): value for name, value in vars(module).items() if name.endswith(ending)
        }
        return SimpleNamespace(**found)


class Fastcall(_Capi):
    """Arguments in a C array: what the others are measured against."""

    name = "C API, METH_FASTCALL"
    convention = "fastcall"


class One(_Capi):
    """One argument, as it is."""

    name = "C API, METH_O"
    convention = "o"
    cannot: ClassVar = {"logistic": "METH_O takes one argument"}


class Varargs(_Capi):
    """Arguments in a tuple."""

    name = "C API, METH_VARARGS"
    convention = "varargs"
