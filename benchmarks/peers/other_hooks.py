"""Peers for other languages, with the logistic map: cppimport, pyximport, numba."""

from __future__ import annotations

from pathlib import Path

import kernel as shipped

from peers.hook import Hook
from peers.kernels import Kernel


class _Logistic(Hook):
    kernels = (shipped.NAME,)
    suffix: str
    text: str
    """With NUMBER and KERNEL_NAME in it."""

    def write(self, folder: Path, module: str, kernel: Kernel, number: int) -> None:
        text = self.text.replace("NUMBER", str(number)).replace("KERNEL_NAME", module)
        (folder / f"{module}{self.suffix}").write_text(text, encoding="utf-8")

    def variables(self, folder: Path) -> dict[str, str]:
        # The user's ~/.pydistutils.cfg does not count.
        return {"HOME": str(folder)}


class Cppimport(_Logistic):
    """C++ with pybind11."""

    name = "cppimport (C++)"
    distribution = "cppimport"
    note = "C++ with pybind11, extra_compile_args -O3"
    code = "import cppimport.import_hook"
    suffix = ".cpp"
    text = """// cppimport
#include <cstdint>
#include <pybind11/pybind11.h>

static double logistic(std::uint64_t steps, double r, double x) {
    for (std::uint64_t step = 0; step < steps; ++step) {
        x = r * x * (1.0 - x) + NUMBER.0;
    }
    return x;
}

PYBIND11_MODULE(KERNEL_NAME, m) {
    m.def("logistic", &logistic, "Iterate the logistic map and return the last x.");
}
/*
<%
setup_pybind11(cfg)
cfg['extra_compile_args'] = ['-O3']
%>
*/
"""


class Pyximport(_Logistic):
    """Cython."""

    name = "pyximport (Cython)"
    distribution = "Cython"
    note = "install(reload_support=True), extra_compile_args -O3"
    code = """
import pyximport
pyximport.install(build_dir=folder + "/cache", reload_support=True, language_level=3)
"""
    suffix = ".pyx"
    text = """
def logistic(unsigned long long steps, double r, double x):
    cdef unsigned long long step
    for step in range(steps):
        x = r * x * (1.0 - x) + NUMBER.0
    return x
"""

    def write(self, folder: Path, module: str, kernel: Kernel, number: int) -> None:
        """The file, and beside it how it is to be compiled."""
        super().write(folder, module, kernel, number)
        build = folder / f"{module}.pyxbld"
        # It is an input as well: a newer one would compile the kernel anew.
        if not build.exists():
            build.write_text(_PYXBLD, encoding="utf-8")


_PYXBLD = """
from distutils.extension import Extension

def make_ext(modname, pyxfilename):
    return Extension(name=modname, sources=[pyxfilename], extra_compile_args=["-O3"])
"""


class Numba(_Logistic):
    """Compiles at the first call; redefining the function is a reload of the module."""

    name = "numba (Python)"
    distribution = "numba"
    note = "@njit(cache=True), compiles at the first call, which is counted in every column; for this CPU"
    code = "import numba"
    lazy = True
    suffix = ".py"
    text = """import numba


@numba.njit(cache=True)
def logistic(steps, r, x):
    for _ in range(steps):
        x = r * x * (1.0 - x) + NUMBER.0
    return x
"""

    def variables(self, folder: Path) -> dict[str, str]:
        """Its own cache."""
        return {**super().variables(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
