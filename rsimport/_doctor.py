"""`rsimport doctor`: whatever a build or an import needs, and what to do about that which is missing."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rsimport import _engine
from rsimport._editor import above, head, mark
from rsimport._errors import ConfigError
from rsimport._finder import install
from rsimport._loader import KernelLoader
from rsimport._marker import advice, is_crate
from rsimport._python import ABI

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    hint: str | None = None


def examine(settings: dict[str, object], files: Sequence[str] = ()) -> list[Finding]:
    """Looks at everything. What is wrong with the settings is a finding as well."""
    python = f"{platform.python_implementation()} {platform.python_version()} ({ABI})"
    findings = [Finding("rsimport", True, _engine.__version__), Finding("python", True, python)]
    try:
        _engine.settings(None, settings)
    except ConfigError as exc:
        findings.append(Finding("settings", False, exc.message, exc.hint))
    for check in _engine.checks(settings):
        findings.append(Finding(check.name, check.ok, check.detail, check.hint))
    return [*findings, _hook(), *_editor(), *map(_file, files)]


def _file(path: str) -> Finding:
    """Would an import find it?"""
    found = advice(path) if not os.path.isdir(path) or is_crate(path) else None
    if found is not None:
        return Finding(path, False, *found)
    source = path if os.path.isfile(path) else _engine.crate_source(os.path.abspath(path))
    if source is None:
        problem = f"{path} is a folder without a marked src/lib.rs"
        return Finding(path, False, problem, "make `// rsimport` the first line of its src/lib.rs")
    name = Path(path).stem
    detail = f"`import {name}` finds it from its folder, once the hook is on: rsimport.install()"
    return Finding(path, True, detail)


def _editor() -> list[Finding]:
    """What is wrong with the file by which an editor knows kernels, if there is one."""
    file = above(os.path.join(os.getcwd(), "kernel.rs"))
    if file is None:
        return []
    said = head(file)
    if said is None:
        # Another tool has written it; whether kernels are in it is not for rsimport to say.
        return [Finding("editor", True, f"{file} is not rsimport's")]
    again = f"rsimport ide {shlex.quote(os.path.relpath(os.path.dirname(file)))}"
    stale = [kernel for kernel, known in said["kernels"].items() if mark(kernel) != known]
    if stale:
        return [Finding("editor", False, f"{file} does not know {stale[0]} as it is", again)]
    with open(file, encoding="utf-8") as opened:
        source = json.load(opened)["sysroot_src"]
    if not os.path.isdir(os.path.join(source, "core")):
        detail = f"the sources of Rust's standard library are not in {source}, without which an editor errs"
        return [Finding("editor", False, detail, "rustup component add rust-src")]
    return [Finding("editor", True, f"{file} is current")]


def _hook() -> Finding:
    """Puts a marked file somewhere and asks Python for it, as an import does."""
    was_there = "rsimport.import_hook" in sys.modules
    with TemporaryDirectory() as folder, install():
        Path(folder, "kernel.rs").write_text("// rsimport\n", encoding="utf-8")
        spec = PathFinder.find_spec("kernel", [folder])
    if spec is not None and isinstance(spec.loader, KernelLoader):
        return Finding(
            "hook",
            True,
            "installed at start-up" if was_there else "`import rsimport.import_hook` installs it",
        )
    others = ", ".join(str(getattr(hook, "__qualname__", hook)) for hook in sys.path_hooks)
    hint = (
        f"one of these answers before it: {others}; install rsimport's hook after it, or use rsimport.imp()"
    )
    return Finding("hook", False, "another import hook hides kernels", hint)
