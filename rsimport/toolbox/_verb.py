"""What the commands share that run a tool of Rust's on kernels."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from rsimport import _engine
from rsimport._errors import ConfigError

DEPTH = 5
"""So many folders above a file are searched for the kernel that it belongs to."""


class Verb(click.Command):
    """A command that hands what stands behind `--` to the tool that it starts, as its parameter `behind`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        behind = args[at + 1 :]
        rest = super().parse_args(ctx, args[:at])
        ctx.params["behind"] = behind
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- ARGS]..."]


def kernels(paths: Sequence[str]) -> list[str]:
    """The kernels that paths stand for: files, crates, or all that are marked in a folder and below."""
    return [kernel for path in paths for kernel in _kernels(path)]


def _kernels(path: str) -> list[str]:
    if not os.path.isdir(path):
        if not path.endswith(".rs"):
            hint = "name a .rs file, the folder of a marked crate, or a folder with kernels"
            raise ConfigError(f"{path} is no kernel", hint=hint)
        return [owner(path)]
    if _engine.crate_source(path):
        return [path]
    found = _engine.kernels(os.path.abspath(path))
    if not found:
        hint = "the first line of a kernel is `// rsimport`; a kernel that is named itself needs no marker"
        raise ConfigError(f"there is no marked kernel in {path}", hint=hint)
    return found


def owner(path: str) -> str:
    """The kernel that a file is a part of: an editor names the file that was saved, be it one of a module's.

    A file that belongs to no marked one is a kernel itself.
    """
    file = os.path.realpath(path)
    folders = list(Path(file).parents)[:DEPTH]
    for folder in folders:
        root = _engine.crate_source(str(folder))
        if root and file in (os.path.realpath(root), *_engine.module_files(str(folder))):
            return str(folder)
    if _engine.marked(path):
        return path
    for folder in folders:
        for candidate in sorted(folder.glob("*.rs")):
            if _engine.marked(str(candidate)) and file in _engine.module_files(str(candidate)):
                return str(candidate)
    return path


def kernel(path: str) -> str:
    """The one kernel that a path stands for."""
    found = kernels([path])
    if len(found) > 1:
        raise ConfigError(f"{path} has {len(found)} kernels", hint=f"name one of them: {near(found[0])}")
    return found[0]


def tell(text: str) -> None:
    """Prints a line of ours."""
    click.echo(_engine.shown(text))


def near(path: str) -> str:
    """A path as seen from here, where it lies here or below."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def pasted(path: str) -> str:
    """The same as a word of a shell's, for a hint that is to be pasted."""
    return shlex.quote(near(path))


def plural(count: int, what: str) -> str:
    """`1 warning`, `2 warnings`."""
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
