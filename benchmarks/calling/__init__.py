"""The contestants of the comparison of calls, by the names of the command line; some have several rows."""

from calling.bindings import Boost, Cython, Nanobind, Pybind11
from calling.capi import Capi
from calling.contestant import Contestant
from calling.foreign import Cffi, Ctypes
from calling.numba_jit import Numba
from calling.python import Python
from calling.rust import ByHand, Pyo3, Rsimport

CONTESTANTS: dict[str, tuple[Contestant, ...]] = {
    "python": (Python(),),
    "capi": (Capi("fastcall"), Capi("o"), Capi("varargs")),
    "rsimport": (Rsimport(), ByHand()),
    "pyo3": (Pyo3(), Pyo3(fat=True)),
    "cython": (Cython(),),
    "nanobind": (Nanobind(),),
    "pybind11": (Pybind11(),),
    "boost": (Boost(),),
    "cffi": (Cffi(),),
    "ctypes": (Ctypes(),),
    "numba": (Numba(),),
}
