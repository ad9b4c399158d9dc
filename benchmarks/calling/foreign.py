"""Calling a C library that knows nothing of Python."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from calling.compiler import load, run
from calling.contestant import SOURCES, Contestant

NO_CLASSES = MappingProxyType({"method": "C has no classes"})
WIDE = "as wchar_t *, which is a copy; char * takes only bytes"


class Cffi(Contestant):
    """API mode: a module in C, generated from declarations."""

    name = "cffi, API mode"
    distribution = "cffi"
    needs = "from Python 3.12 on it also needs setuptools"
    flags = ("-O3", "-DNDEBUG")
    note = f"sources/subjects.h, ffi.compile with Python's own flags and {' '.join(flags)}"
    cannot = NO_CLASSES
    notes = MappingProxyType(
        {
            "text": WIDE,
            "array": "a Python function looks at the dtype and calls with ffi.from_buffer",
        }
    )

    def build(self, folder: Path) -> Any:
        """The library's functions, but for arrays one around it."""
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

        return SimpleNamespace(increment=lib.increment, logistic=lib.logistic, length=lib.length, total=total)


class Ctypes(Contestant):
    """With argtypes and restype set."""

    name = "ctypes"
    flags = ("-O3", "-DNDEBUG")
    note = f"sources/subjects.h, cc {' '.join(flags)}; argtypes and restype are set"
    cannot = NO_CLASSES
    notes = MappingProxyType(
        {
            "text": WIDE,
            "array": "numpy.ctypeslib.ndpointer, and a Python function that adds the size",
        }
    )

    def build(self, folder: Path) -> Any:
        """The library's functions, but for arrays one around it."""
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

        return SimpleNamespace(increment=lib.increment, logistic=lib.logistic, length=lib.length, total=total)


def _declare(function: Any, result: Any, *arguments: Any) -> None:
    function.restype, function.argtypes = result, arguments
