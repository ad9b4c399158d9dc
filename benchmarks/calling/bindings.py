"""Extension modules that are generated: by Cython from its own language, by three libraries for C++."""

from __future__ import annotations

import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

from calling.capi import FLAGS
from calling.compiler import extension, includes, run, tool
from calling.contestant import SOURCES, Contestant


class Cython(Contestant):
    """Typed arguments, everything else as it comes."""

    name = "Cython"
    distribution = "Cython"
    note = f"sources/crossings.pyx, no directives, cc {' '.join(FLAGS)}"
    notes = MappingProxyType({"array": "const double[::1], a typed memoryview"})

    def build(self, folder: Path) -> Any:
        """By way of C."""
        source = folder / "crossings.c"
        tool("cython", "-3", str(SOURCES / "crossings.pyx"), "--output-file", str(source))
        return extension(folder, FLAGS, source)


class Pybind11(Contestant):
    """As its documentation builds without CMake."""

    name = distribution = "pybind11"
    flags = ("-O3", "-Wall", "-std=c++17")
    note = f"sources/pybind11.cpp, c++ {' '.join(flags)} -fvisibility=hidden"
    notes = MappingProxyType({"array": "array_t<double, c_style>, noconvert"})

    def build(self, folder: Path) -> Any:
        """One file."""
        import pybind11

        flags = (*self.flags, "-fvisibility=hidden", f"-I{pybind11.get_include()}")
        return extension(folder, flags, SOURCES / "pybind11.cpp", compiler="c++")


class Nanobind(Contestant):
    """As its source nb_combined.cpp says it is built without CMake."""

    name = distribution = "nanobind"
    flags = ("-std=c++17", "-fvisibility=hidden", "-DNDEBUG", "-DNB_COMPACT_ASSERTIONS")
    core = ("-O3", "-fno-strict-aliasing", "-ffunction-sections", "-fdata-sections")
    note = f"sources/nanobind.cpp, c++ {' '.join(flags)} -Os, its own library with {' '.join(core)}"
    notes = MappingProxyType({"array": "ndarray<const double, ndim<1>, c_contig, device::cpu>, noconvert"})

    def build(self, folder: Path) -> Any:
        """Its library, the module, and both together."""
        import nanobind

        root = Path(nanobind.source_dir()).parent
        headers = (f"-I{nanobind.include_dir()}", f"-I{root / 'ext' / 'robin_map' / 'include'}")
        common = (*self.flags, "-fPIC", *headers, *includes())
        core, module = folder / "core.o", folder / "module.o"
        run("c++", *common, *self.core, "-c", str(root / "src" / "nb_combined.cpp"), "-o", str(core))
        run("c++", *common, "-Os", "-c", str(SOURCES / "nanobind.cpp"), "-o", str(module))
        return extension(folder, ("-Wl,-s", "-Wl,--gc-sections"), module, core, compiler="c++")


class Boost(Contestant):
    """With the library of the system's packages."""

    name = "Boost.Python"
    needs = "Debian and Ubuntu have it as libboost-python-dev, for their own version of Python"
    flags = ("-O3", "-DNDEBUG", "-std=c++17")
    note = f"sources/boost.cpp, c++ {' '.join(flags)}, the system's libboost_python"
    notes = MappingProxyType(
        {"array": "the buffer protocol by hand: Boost.NumPy is built for one version of NumPy"}
    )

    def build(self, folder: Path) -> Any:
        """One file, and a library that is named after Python's version."""
        library = f"-lboost_python{sys.version_info.major}{sys.version_info.minor}"
        source = SOURCES / "boost.cpp"
        module = extension(folder, self.flags, source, compiler="c++", libraries=[library])
        self.note += f", version {module.version}"
        return module
