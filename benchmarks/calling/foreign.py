"""Calling a C library that knows nothing of Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from calling.compiler import load, run
from calling.contestant import SOURCES, Contestant


class Library(Contestant):
    """What is called is plain C."""

    flags = ("-O3", "-DNDEBUG")
    cannot = MappingProxyType(dict.fromkeys(("method", "change"), "C has no classes"))
    arrays: str
    """How arrays are passed."""

    def __init__(self) -> None:
        text = "as wchar_t *, which is a copy; char * takes only bytes"
        self.notes = MappingProxyType({"text": text, "array": self.arrays})

    def _offered(self, lib: Any, total: Callable[..., float]) -> SimpleNamespace:
        """The library's functions, but for arrays one around it."""
        return SimpleNamespace(increment=lib.increment, logistic=lib.logistic, length=lib.length, total=total)


class Cffi(Library):
    """API mode: a module in C, generated from declarations."""

    name = "cffi, API mode"
    distribution = "cffi"
    needs = "from Python 3.12 on it also needs setuptools"
    note = f"sources/subjects.h, ffi.compile with Python's own flags and {' '.join(Library.flags)}"
    arrays = "a Python function looks at the dtype and calls with ffi.from_buffer"

    def build(self, folder: Path) -> Any:
        """The module that cffi generates."""
        from cffi import FFI

        ffi = FFI()
        ffi.cdef("""
            int64_t increment(int64_t i);
            double logistic(uint64_t steps, double r, double x);
            double total(const double *values, size_t count);
            size_t length(const wchar_t *text);
        """)
        where = {"include_dirs": [str(SOURCES)], "extra_compile_args": list(self.flags)}
        ffi.set_source("_crossings", '#include "subjects.h"', **where)
        module = load(Path(ffi.compile(tmpdir=str(folder))), "_crossings")
        lib, from_buffer, sum_up = module.lib, module.ffi.from_buffer, module.lib.total

        def total(values: npt.NDArray[np.float64]) -> float:
            if values.dtype != np.float64:
                raise TypeError("expected float64")
            result: float = sum_up(from_buffer("double[]", values), values.size)
            return result

        return self._offered(lib, total)


class Ctypes(Library):
    """With argtypes and restype set."""

    name = "ctypes"
    note = f"sources/subjects.h, cc {' '.join(Library.flags)}; argtypes and restype are set"
    arrays = "numpy.ctypeslib.ndpointer, and a Python function that adds the size"

    def build(self, folder: Path) -> Any:
        """A library of the functions alone."""
        path = folder / "subjects.so"
        source = str(SOURCES / "subjects.h")
        run("cc", *self.flags, "-shared", "-fPIC", "-DSUBJECT=", "-xc", source, "-o", str(path))
        lib = ctypes.CDLL(str(path))
        vector = np.ctypeslib.ndpointer(np.float64, ndim=1, flags="C_CONTIGUOUS")
        _declare(lib.increment, ctypes.c_int64, ctypes.c_int64)
        _declare(lib.logistic, ctypes.c_double, ctypes.c_uint64, ctypes.c_double, ctypes.c_double)
        _declare(lib.length, ctypes.c_size_t, ctypes.c_wchar_p)
        _declare(lib.total, ctypes.c_double, vector, ctypes.c_size_t)
        sum_up = lib.total

        def total(values: npt.NDArray[np.float64]) -> float:
            try:
                result: float = sum_up(values, values.size)
            except ctypes.ArgumentError as error:
                raise TypeError(str(error)) from error
            return result

        return self._offered(lib, total)


def _declare(function: Any, result: Any, *arguments: Any) -> None:
    function.restype, function.argtypes = result, arguments
