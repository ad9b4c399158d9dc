"""`rsimport ide`: what makes rust-analyzer, and so an editor, understand kernels."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rsimport import _engine, _writing
from rsimport._cli_options import given, setting_options
from rsimport._cli_output import complain
from rsimport._editor import GENERATOR, NAME, head, mark
from rsimport._errors import ConfigError, RsimportError
from rsimport.toolbox._project import Kernel
from rsimport.toolbox._rust_project import Crates

if TYPE_CHECKING:
    from collections.abc import Sequence

SKIPPED = ("target", "node_modules", "build", "dist")
"""Folders in which there is nothing of the user's, but perhaps much."""


@click.command(
    epilog="""\b
    Examples:
      rsimport ide                          for all kernels in this folder and below
      rsimport ide src/kernels
      rsimport ide --out /tmp/rust-project.json    and say how an editor is told of it
      rsimport ide --no-flycheck            for a rust-analyzer that calls `flycheck` unknown
    """
)
@click.argument("path", type=click.Path(exists=True), default=".")
@click.option("--out", type=click.Path(dir_okay=False), help=f"Another file than {NAME} in PATH.")
@click.option(
    "--flycheck/--no-flycheck",
    default=True,
    help="Whether the file says how to check what is saved. Versions before 2025 refuse a file that does.",
)
@setting_options()
def command(path: str, out: str | None, flycheck: bool, **options: Any) -> int:
    """Write rust-project.json, by which rust-analyzer knows the kernels in PATH and their dependencies.

    Completion, types and definitions then work in every editor that runs rust-analyzer, without settings.
    The dependencies are checked once, as cargo does for an editor. After a build the file is brought up to
    date by itself where kernels or their dependencies have changed. A file of that name that rsimport has not
    written is never overwritten.
    """
    root = os.path.abspath(path if os.path.isdir(path) else os.path.dirname(os.path.abspath(path)))
    file = os.path.abspath(out) if out else os.path.join(root, NAME)
    said = head(file)
    if os.path.exists(file) and said is None:
        raise ConfigError(
            f"{file} was not written by rsimport and is left alone",
            hint=f"rsimport ide {shlex.quote(path)} --out rsimport-{NAME}",
        )
    kernels = _engine.kernels(root)
    if os.path.isfile(path) and os.path.abspath(path) not in kernels:
        kernels.append(os.path.abspath(path))
    if not kernels:
        hint = "the first line of a kernel is `// rsimport`; a kernel that is named itself needs no marker"
        raise ConfigError(f"there is no marked kernel in {path}", hint=hint)
    project, problems = build(root, kernels, given(options), flycheck=flycheck)
    if not project["crates"]:
        return 1
    changed = write(file, project)
    crates, count = len(project["crates"]), len(project["kernels"])
    click.echo(
        f"{'wrote' if changed else 'current:'} {_engine.shown(os.path.relpath(file))}: "
        f"{count} {'kernel' if count == 1 else 'kernels'}, {crates} crates"
    )
    for line in [*advice(project, kernels), *_sharing(file, root, elsewhere=out is not None)]:
        click.echo(_engine.shown(line, lines=True), err=True)
    return 1 if problems else 0


def build(
    root: str, kernels: Sequence[str], settings: dict[str, Any], *, flycheck: bool
) -> tuple[dict[str, Any], int]:
    """The content of the file, and how many kernels are not in it since cargo does not accept them."""
    crates = Crates({"include_dirs": [root], "exclude_dirs": _excluded(root)})
    known: dict[str, int] = {}
    sysroot = ""
    problems = 0
    complained: set[str] = set()
    for path in kernels:
        try:
            kernel = Kernel(path, settings, own_macros=True)
            failure = crates.add(kernel)
        except RsimportError as exc:
            # Where there is no cargo, it is missing for each of them.
            if str(exc) not in complained:
                complain(exc)
            complained.add(str(exc))
            problems += 1
            continue
        # One that does not compile is what an editor is for.
        if failure is not None:
            click.echo(
                _engine.shown(f"note: {path} does not compile now; its macros may be missing"), err=True
            )
        sysroot, known[path] = kernel.project.sysroot, mark(path)
    source = os.environ.get("RUST_SRC_PATH") or os.path.join(
        sysroot, "lib", "rustlib", "src", "rust", "library"
    )
    check = ["check", "--message-format=json", "{saved_file}"]
    test = ["test", "{label}", "{test_id}", "--exact"]
    kinds = [*([("flycheck", check)] if flycheck else []), ("testOne", test)]
    runnables = [
        {"kind": kind, "program": sys.executable, "args": ["-m", "rsimport", *words], "cwd": root}
        for kind, words in kinds
    ]
    return {
        "generator": GENERATOR,
        "kernels": known,
        "settings": settings,
        "flycheck": flycheck,
        "sysroot": sysroot,
        "sysroot_src": source,
        "runnables": runnables,
        "crates": crates.crates,
    }, problems


def write(file: str, project: dict[str, Any]) -> bool:
    """Writes the file whole or not at all; not if it says so already, since an editor would read it again."""
    first = {name: project[name] for name in ("generator", "kernels", "settings", "flycheck")}
    rest = {name: value for name, value in project.items() if name not in first}
    text = json.dumps(first)[:-1] + ",\n" + json.dumps(rest, indent=1)[1:].lstrip("\n") + "\n"
    place = Path(file)
    if place.exists() and place.read_text(encoding="utf-8") == text:
        return False
    _writing.write(place, text)
    return True


def refresh(file: str) -> None:
    """Brings a file up to date that rsimport has written, as it was asked for."""
    said = head(file)
    if said is None:
        return
    root = os.path.dirname(file)
    kernels = _engine.kernels(root)
    single = [kernel for kernel in said["kernels"] if kernel not in kernels and os.path.exists(kernel)]
    project, _ = build(root, [*kernels, *single], said["settings"], flycheck=said["flycheck"])
    if project["crates"]:
        write(file, project)


def main() -> None:
    """The process that does so after a build: its only argument is the file."""
    from rsimport._background import obey

    obey()
    with suppress(RsimportError, OSError, KeyboardInterrupt):
        refresh(json.loads(sys.argv[1]))


def advice(project: dict[str, Any], kernels: Sequence[str]) -> list[str]:
    """What an editor would get wrong, and what to do about it."""
    lines = []
    if not os.path.isfile(os.path.join(project["sysroot_src"], "core", "src", "lib.rs")):
        lines.append(
            f"warning: the sources of Rust's standard library are not in {project['sysroot_src']}: "
            "rust-analyzer takes right code for wrong without them\nhint: rustup component add rust-src"
        )
    for kernel in kernels:
        source = kernel if os.path.isfile(kernel) else os.path.join(kernel, "src", "lib.rs")
        text = Path(source).read_text(encoding="utf-8", errors="replace")
        if "#[py" in text and not re.search(r"^\s*(pub\s+)?use\s+(::)?pyo3\b", text, re.M):
            lines.append(
                f"warning: {source} does not say `use pyo3::prelude::*;`: rsimport adds it, which "
                "rust-analyzer does not know\nhint: write that line above the first `use`"
            )
    return lines


def _excluded(root: str) -> list[str]:
    found = []
    for folder, below, files in os.walk(root):
        skipped = [name for name in below if name.startswith(".") or name in SKIPPED]
        below[:] = [name for name in below if name not in skipped]
        found += [os.path.join(folder, name) for name in skipped]
        if "pyvenv.cfg" in files and folder != root:
            found.append(folder)
            below.clear()
    return sorted(found)


def _sharing(file: str, root: str, *, elsewhere: bool) -> list[str]:
    """How an editor finds it, and that it is not for others."""
    if elsewhere:
        setting = json.dumps({"rust-analyzer.linkedProjects": [file]})
        return [f"note: an editor is told of it by {setting}"]
    for folder in [Path(root), *Path(root).parents]:
        ignored = folder / ".gitignore"
        if ignored.is_file() and NAME in ignored.read_text(encoding="utf-8", errors="replace"):
            return []
        if (folder / ".git").exists():
            return [f"hint: it names paths of this machine: echo {NAME} >> {shlex.quote(str(ignored))}"]
    return []
