"""A build hook for hatchling: wheels have the libraries of the package's kernels.

In pyproject.toml: `[build-system] requires = ["hatchling", "rsimport"]`, and the table
`[tool.hatch.build.hooks.rsimport]`.
"""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from rsimport._errors import RsimportError
from rsimport.toolbox import _manylinux
from rsimport.toolbox._packaged import Kernel, is_library, kernels, options

OF_HATCH = ("dependencies", "enable-by-default", "require-runtime-dependencies", "require-runtime-features")


class KernelsHook(BuildHookInterface):  # type: ignore[misc, type-arg, unused-ignore]
    """Compiles the marked kernels among the files of a wheel.

    Editable installs compile on import, and an sdist has the sources.
    """

    PLUGIN_NAME = "rsimport"

    _folder: TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        try:
            self._add(build_data)
        except RsimportError as error:
            self.app.abort(str(error))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def _add(self, build_data: dict[str, Any]) -> None:
        given = {name: value for name, value in self.config.items() if name not in OF_HATCH}
        sources, cpu = options(given, "[tool.hatch.build.hooks.rsimport]")
        files = list(self.build_config.builder.recurse_included_files())
        included = {file.relative_path: file.distribution_path for file in files}
        shipped = [kernel for kernel in kernels(self.root) if kernel.mark in included]
        if not shipped:
            self.app.display_warning("rsimport: there is no marked kernel among the files of the wheel")
            return
        self._folder = TemporaryDirectory(prefix="rsimport-")
        libraries = [str(file.path) for file in files if is_library(file.relative_path)]
        for kernel in shipped:
            self.app.display_info(f"rsimport: compiling {kernel.path}")
            library = os.path.join(self._folder.name, kernel.library)
            os.makedirs(os.path.dirname(library), exist_ok=True)
            kernel.build(library, cpu)
            build_data["force_include"][library] = kernel.library
            libraries.append(library)
            if not sources:
                self._leave_out(kernel, included)
        build_data["pure_python"] = False
        python, abi, platform = self.build_config.builder.get_best_matching_tag().split("-")
        build_data["tag"] = f"{python}-{abi}-{_manylinux.tag(platform, libraries)}"

    def _leave_out(self, kernel: Kernel, included: dict[str, str]) -> None:
        reserved = {included[part] for part in kernel.sources() if part in included}
        self.build_config.build_reserved_paths.update(reserved)


@hookimpl  # type: ignore[untyped-decorator]
def hatch_register_build_hook() -> type[KernelsHook]:
    """Where hatchling asks."""
    return KernelsHook
