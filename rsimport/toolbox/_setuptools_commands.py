"""Commands of setuptools with what kernels need: `build_ext` compiles, `build_py` takes the sources along."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import BaseError

from rsimport._errors import RsimportError
from rsimport.toolbox import _manylinux
from rsimport.toolbox._packaged import Kernel, is_library, kernels, options

if TYPE_CHECKING:
    from setuptools import Distribution


def add_commands(distribution: Distribution, given: dict[str, Any]) -> None:
    """Has a distribution built with the libraries of its kernels."""
    sources, cpu = options(given, "[tool.setuptools-rsimport]")
    root = os.getcwd()
    found = kernels(root)
    classes: dict[str, Any] = distribution.cmdclass
    python = classes.get("build_py", build_py)
    extensions = classes.get("build_ext", build_ext)
    classes["build_py"] = type("build_py", (_WithSources, python), {"kernels": found, "sources": sources})
    classes["build_ext"] = type("build_ext", (_WithLibraries, extensions), {"kernels": found, "cpu": cpu})
    with suppress(BaseError):
        wheel = distribution.get_command_class("bdist_wheel")
        classes["bdist_wheel"] = type("bdist_wheel", (_ForLinux, wheel), {})
    # What has libraries is for one platform; which packages there are is known only later.
    has_others = distribution.has_ext_modules
    distribution.has_ext_modules = lambda: has_others() or bool(_shipped(distribution, found))


class _WithSources:
    """A `build_py` that knows the files of kernels, which are data of the package that they lie in."""

    kernels: list[Kernel]
    sources: bool

    def run(self: Any) -> None:
        super().run()  # type: ignore[misc]
        if not _owners(self, self.kernels):
            self.warn("rsimport: there is no marked kernel in the packages of this project")
        if self.sources:
            return
        for kernel, owner in _owners(self, self.kernels):
            folder = os.path.normpath(self.get_package_dir(owner))
            for part in kernel.sources():
                # An earlier build may have put it there.
                stale = os.path.join(self.build_lib, *owner.split("."), os.path.relpath(part, folder))
                if os.path.isfile(stale):
                    os.remove(stale)

    def find_data_files(self: Any, package: str, src_dir: str) -> list[str]:
        found: list[str] = super().find_data_files(package, src_dir)  # type: ignore[misc]
        if not self.sources:
            left_out = {os.path.normpath(part) for kernel in self.kernels for part in kernel.sources()}
            return [path for path in found if os.path.normpath(path) not in left_out]
        known = set(map(os.path.normpath, found))
        inside = os.path.normpath(src_dir) + os.sep
        owned = [kernel for kernel, owner in _owners(self, self.kernels) if owner == package]
        parts = {part for kernel in owned for part in kernel.parts() if part.startswith(inside)}
        return [*found, *sorted(parts - known)]


class _WithLibraries:
    """A `build_ext` that compiles kernels, unless the package is installed to be edited: then imports do."""

    kernels: list[Kernel]
    cpu: str

    def run(self: Any) -> None:
        if self.extensions:
            super().run()  # type: ignore[misc]
        if self.inplace or getattr(self, "editable_mode", False):
            return
        for kernel, target in self._libraries():
            self.announce(f"rsimport: compiling {kernel.path}", level=2)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            try:
                kernel.build(target, self.cpu)
            except RsimportError as error:
                raise SystemExit(f"error: {error}") from None

    def get_source_files(self: Any) -> list[str]:
        found: list[str] = super().get_source_files() if self.extensions else []  # type: ignore[misc]
        return [*found, *(part for kernel in self.kernels for part in kernel.parts())]

    def get_outputs(self: Any) -> list[str]:
        found: list[str] = super().get_outputs() if self.extensions else []  # type: ignore[misc]
        if self.inplace or getattr(self, "editable_mode", False):
            return found
        return [*found, *(target for _, target in self._libraries())]

    def get_output_mapping(self: Any) -> dict[str, str]:
        return super().get_output_mapping() if self.extensions else {}  # type: ignore[misc]

    def _libraries(self: Any) -> list[tuple[Kernel, str]]:
        command = self.get_finalized_command("build_py")
        found = []
        for kernel, owner in _owners(command, self.kernels):
            folder = os.path.normpath(command.get_package_dir(owner))
            below = os.path.relpath(kernel.library, folder)
            found.append((kernel, os.path.join(self.build_lib, *owner.split("."), below)))
        return found


class _ForLinux:
    """A `bdist_wheel` whose tag says on which Linux the wheel runs, unless its platform was named."""

    def get_tag(self: Any) -> tuple[str, str, str]:
        python, abi, platform = super().get_tag()  # type: ignore[misc]
        if self.plat_name_supplied:
            return python, abi, platform
        files = [os.path.join(at, name) for at, _, names in os.walk(self.bdist_dir) for name in names]
        return python, abi, _manylinux.tag(platform, filter(is_library, files))


def _shipped(distribution: Distribution, found: list[Kernel]) -> list[tuple[Kernel, str]]:
    """The same before there is a command that knows all packages."""
    command = build_py(distribution)
    command.packages = distribution.packages
    command.package_dir = distribution.package_dir or {}
    return _owners(command, found)


def _owners(command: Any, found: list[Kernel]) -> list[tuple[Kernel, str]]:
    """The kernels that lie in packages, each with the package that is nearest to it."""
    folders = {
        package: os.path.normpath(command.get_package_dir(package)) for package in command.packages or ()
    }
    owned = []
    for kernel in found:
        around = [name for name, folder in folders.items() if kernel.path.startswith(folder + os.sep)]
        if around:
            owned.append((kernel, max(around, key=lambda name: len(folders[name]))))
    return owned
