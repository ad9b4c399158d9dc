"""The model of `rust-project.json`: crates with their dependencies, from what cargo says of kernels."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from rsimport._errors import ToolchainError
from rsimport.toolbox._project import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARIES = {"lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"}
DYNAMIC = (".so", ".dylib", ".dll")

Json = dict[str, Any]


class Crates:
    """Crates, each once, however many kernels use it with the same features and dependencies."""

    def __init__(self, sources: Json) -> None:
        self.sources = sources
        """Where files of kernels may lie; one for all, since what lies in two is known to neither."""
        self.crates: list[Json] = []
        self._places: dict[str, int] = {}

    def add(self, kernel: Kernel) -> str | None:
        """Adds a kernel with all that it depends on. Returns what cargo said of it if it does not compile."""
        project = kernel.project
        run = kernel.run("check")
        host = f"--filter-platform={_host(project.sysroot)}" if _host(project.sysroot) else None
        said = kernel.run("metadata", ["--format-version=1", *([host] if host else [])])
        lines = [line for line in said.output if line.startswith("{")]
        if not said.success or not lines:
            raise (
                run.failure
                or said.failure
                or ToolchainError(
                    f"{kernel.path}: cargo does not tell its dependencies: {said.text.strip()}",
                    hint="`rsimport doctor` checks the toolchain",
                )
            )
        metadata = json.loads(lines[0])
        told = _Told(run.output)
        packages = {package["id"]: package for package in metadata["packages"]}
        nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
        root = metadata["resolve"]["root"]
        placed: dict[str, int] = {}
        for found in _below(root, nodes):
            target = _library(packages[found])
            if target is not None:
                crate = _crate(packages[found], target, nodes[found], told, placed)
                if found == root:
                    self._own(crate, kernel)
                placed[found] = self._place(crate)
        return str(run.failure) if run.failure is not None else None

    def _own(self, crate: Json, kernel: Kernel) -> None:
        """What differs in a kernel from a package of somebody else."""
        project = kernel.project
        crate["root_module"] = project.source
        crate["display_name"] = project.crate_name
        crate["is_workspace_member"] = True
        # Tests are a part of what is edited, and checks of overflows are on in them.
        crate["cfg"] = ["debug_assertions", "test", *crate["cfg"]]
        crate["source"] = self.sources
        folder = os.path.dirname(project.source)
        crate["env"]["CARGO_MANIFEST_DIR"] = kernel.path if os.path.isdir(kernel.path) else folder
        crate["build"] = {"label": kernel.path, "build_file": project.source, "target_kind": "lib"}

    def _place(self, crate: Json) -> int:
        text = json.dumps(crate, sort_keys=True)
        if text not in self._places:
            self._places[text] = len(self.crates)
            self.crates.append(crate)
        return self._places[text]


class _Told:
    """What cargo's messages say of packages."""

    def __init__(self, lines: list[str]) -> None:
        self.macros: dict[str, str] = {}
        self.scripts: dict[str, Json] = {}
        for line in lines:
            if not line.startswith("{"):
                continue
            message = json.loads(line)
            if message["reason"] == "build-script-executed":
                self.scripts[message["package_id"]] = message
            elif message["reason"] == "compiler-artifact" and "proc-macro" in message["target"]["kind"]:
                files = [file for file in message["filenames"] if file.endswith(DYNAMIC)]
                if files:
                    self.macros[message["package_id"]] = files[0]


def _below(root: str, nodes: dict[str, Json]) -> Iterator[str]:
    """A package and all that it depends on, each after its own dependencies."""
    done: set[str] = set()
    waiting: list[tuple[str, bool]] = [(root, False)]
    while waiting:
        found, ready = waiting.pop()
        if ready:
            yield found
        elif found not in done:
            done.add(found)
            waiting.append((found, True))
            waiting += [(dep["pkg"], False) for dep in nodes[found]["deps"] if _is_normal(dep)]


def _is_normal(dependency: Json) -> bool:
    return any(kind["kind"] is None for kind in dependency["dep_kinds"])


def _library(package: Json) -> Json | None:
    return next((target for target in package["targets"] if LIBRARIES & set(target["kind"])), None)


def _crate(package: Json, target: Json, node: Json, told: _Told, placed: dict[str, int]) -> Json:
    folder = os.path.dirname(package["manifest_path"])
    script = told.scripts.get(package["id"], {})
    features = [f'feature="{feature}"' for feature in node["features"]]
    dependencies = [dep for dep in node["deps"] if _is_normal(dep) and dep["pkg"] in placed]
    crate: Json = {
        "display_name": target["name"],
        "root_module": target["src_path"],
        "edition": target["edition"],
        "version": package["version"],
        "deps": [{"crate": placed[dep["pkg"]], "name": dep["name"]} for dep in dependencies],
        "is_workspace_member": False,
        "cfg": [*features, *script.get("cfgs", [])],
        "env": {**_variables(package, target, folder), **dict(script.get("env", []))},
        "is_proc_macro": "proc-macro" in target["kind"],
        "source": {"include_dirs": [folder], "exclude_dirs": []},
    }
    if script.get("out_dir"):
        crate["env"]["OUT_DIR"] = script["out_dir"]
        crate["source"]["include_dirs"].append(script["out_dir"])
    if package["id"] in told.macros:
        crate["proc_macro_dylib_path"] = told.macros[package["id"]]
    return crate


def _variables(package: Json, target: Json, folder: str) -> dict[str, str]:
    """What cargo tells a crate about itself."""
    numbers, _, pre = package["version"].partition("+")[0].partition("-")
    major, minor, patch = numbers.split(".")
    return {
        "CARGO_PKG_NAME": package["name"],
        "CARGO_PKG_VERSION": package["version"],
        "CARGO_PKG_VERSION_MAJOR": major,
        "CARGO_PKG_VERSION_MINOR": minor,
        "CARGO_PKG_VERSION_PATCH": patch,
        "CARGO_PKG_VERSION_PRE": pre,
        "CARGO_PKG_AUTHORS": ":".join(package["authors"]),
        "CARGO_PKG_DESCRIPTION": package["description"] or "",
        "CARGO_CRATE_NAME": target["name"].replace("-", "_"),
        "CARGO_MANIFEST_DIR": folder,
    }


def _host(sysroot: str) -> str | None:
    """The target whose standard library is there, if it is only one."""
    folder = os.path.join(sysroot, "lib", "rustlib")
    targets = [name for name in os.listdir(folder) if os.path.isdir(os.path.join(folder, name, "lib"))]
    return targets[0] if len(targets) == 1 else None
