"""The hooks for Rust files: rsimport, rustimport, maturin-import-hook."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import kernel as shipped
from crate import version

from peers.hook import Hook
from peers.kernels import Kernel


class Rsimport(Hook):
    """As it comes."""

    name = distribution = "rsimport"
    note = "as installed: release profile with incremental data, target-cpu=native"
    code = "import rsimport.import_hook"

    def write(self, folder: Path, module: str, kernel: Kernel, number: int) -> None:
        """The manifest block names what PyO3 does not bring."""
        crates = [f'//! {crate} = "{version(crate)}"\n' for crate in kernel.crates if crate != "pyo3"]
        block = "".join(("//! ```cargo\n//! [dependencies]\n", *crates, "//! ```\n//!\n")) if crates else ""
        text = kernel.edited(number).removeprefix("// rsimport\n")
        (folder / f"{module}.rs").write_text(f"// rsimport\n{block}{text}", encoding="utf-8")

    def variables(self, folder: Path) -> dict[str, str]:
        """Nothing but the cache."""
        return {"RSIMPORT_CACHE_DIR": str(folder / "cache")}

    def settle(self) -> None:
        """The optimised build starts a second after an edit and goes on in a process of its own."""
        time.sleep(1.2)
        while (
            subprocess.run(["pgrep", "-f", "rsimport._background"], stdout=subprocess.DEVNULL).returncode == 0
        ):
            time.sleep(0.1)


class Rustimport(Hook):
    """With release binaries."""

    name = distribution = "rustimport"
    note = "RUSTIMPORT_RELEASE_BINARIES=true"
    code = "import rustimport.import_hook"

    def write(self, folder: Path, module: str, kernel: Kernel, number: int) -> None:
        """Its header is the whole manifest; PyO3 has the feature that rustimport's own template asks for."""
        dependencies = "\n".join(_dependencies(kernel, extension=True))
        manifest = _MANIFEST.replace("NAME", module).format(dependencies=dependencies)
        header = "".join(f"//: {line}\n" for line in manifest.splitlines())
        text = f"// rustimport\n{header}{shipped.with_module(kernel.edited(number), module)}"
        (folder / f"{module}.rs").write_text(text, encoding="utf-8")

    def variables(self, folder: Path) -> dict[str, str]:
        """Release, a cache, and the interpreter for PyO3's build script."""
        return {
            "RUSTIMPORT_RELEASE_BINARIES": "true",
            "RUSTIMPORT_CACHE_DIR": str(folder / "cache"),
            "PYO3_PYTHON": sys.executable,
        }


class MaturinImportHook(Hook):
    """Its importer of single files, in release mode."""

    name = distribution = "maturin-import-hook"
    note = (
        "MaturinSettings(release=True), and the same crates in the project that it generates; compiles them "
        "again with every edit, so the longer kernels are measured with CARGO_TARGET_DIR only"
    )
    kernels = (shipped.NAME,)

    def write(self, folder: Path, module: str, kernel: Kernel, number: int) -> None:
        """It knows no manifest in the file, so that stands beside it."""
        manifest = _MANIFEST.format(dependencies="\n".join(_dependencies(kernel)))
        (folder / "manifest.toml").write_text(manifest, encoding="utf-8")
        text = shipped.with_module(kernel.edited(number), module)
        (folder / f"{module}.rs").write_text(text, encoding="utf-8")

    code = '''
import maturin_import_hook.rust_file_importer as importer
from maturin_import_hook.settings import MaturinSettings
from pathlib import Path

class Importer(importer.MaturinRustFileImporter):
    """The documented way to say what a single file depends on."""

    def generate_project_for_single_rust_file(self, module_path, project_dir, rust_file, settings):
        project = super().generate_project_for_single_rust_file(module_path, project_dir, rust_file, settings)
        text = Path(folder, "manifest.toml").read_text().replace("NAME", rust_file.stem)
        (project / "Cargo.toml").write_text(text)
        return project

import sys
Path(folder, "cache").mkdir(exist_ok=True)
sys.meta_path.insert(0, Importer(settings=MaturinSettings(release=True), build_dir=Path(folder, "cache")))
'''


class Shared(Hook):
    """A hook with one target folder for all kernels, which is no default but one variable away."""

    def __init__(self, hook: Hook, kernels: Iterable[str]) -> None:
        self._hook = hook
        self.kernels = tuple(kernels)
        self.name = f"{hook.name}, CARGO_TARGET_DIR"
        self.note = "no default: one target folder for all kernels"
        self.code = hook.code
        self.distribution = hook.distribution

    def write(self, folder: Path, module: str, kernel: Kernel, number: int) -> None:
        """As the hook without the variable."""
        self._hook.write(folder, module, kernel, number)

    def variables(self, folder: Path) -> dict[str, str]:
        """One more variable."""
        return {**self._hook.variables(folder), "CARGO_TARGET_DIR": str(folder / "target")}

    def hook(self, folder: Path) -> None:
        """The same as without the variable."""


_MANIFEST = """[package]
name = "NAME"
version = "0.1.0"
edition = "2024"

[lib]
name = "NAME"
crate-type = ["cdylib"]

[dependencies]
{dependencies}
"""


def _dependencies(kernel: Kernel, *, extension: bool = False) -> list[str]:
    lines = []
    for crate in kernel.crates:
        features = ', features = ["extension-module"]' if extension and crate == "pyo3" else ""
        lines.append(f"{crate} = {{ version = {json.dumps('=' + version(crate))}{features} }}")
    return lines
