"""`rsimport cache`: what it holds, why a kernel would be built, and what of it may go."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal

from rsimport import _engine
from rsimport._api import at
from rsimport._cli_options import given, setting_options
from rsimport._cli_output import complain, moment, show
from rsimport._errors import ConfigError
from rsimport._python import ABI

if TYPE_CHECKING:
    from rsimport._engine import CacheEntry, Swept


class Limit(click.ParamType[str]):
    """A limit as its setting takes it."""

    def __init__(self, setting: str, name: str) -> None:
        self.setting = setting
        self.name = name

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            _engine.settings(None, {self.setting: value})
        except ConfigError as exc:
            _, _, said = exc.message.partition(f"`{self.setting}` ")
            if said:
                self.fail(f"it {said}", param, ctx)
        return value


@click.group(
    epilog="""\b
    Examples:
      rsimport cache list           what is in it, and what it takes
      rsimport cache why step.rs    would `import step` compile, and what for?
      rsimport cache gc             remove what nobody has used for long
    """
)
def command() -> None:
    """Look at the cache of compiled kernels, and keep it in order."""


@command.command(
    "dir",
    epilog="""\b
    Examples:
      rsimport cache dir
      du -sh "$(rsimport cache dir)"
    """,
)
@setting_options("cache_dir")
def folder(**options: Any) -> None:
    """Print the cache's folder."""
    path = _engine.cache_dir(given(options))
    # Whatever reads a pipe wants the name as it is.
    click.echo(_engine.shown(path) if sys.stdout.isatty() else path)


@command.command(
    "list",
    epilog="""\b
    Examples:
      rsimport cache list
      rsimport cache list | grep strings.rs
    """,
)
@setting_options("cache_dir")
def listing(**options: Any) -> None:
    """List the kernels in the cache, the newest first, and what all of it takes of the disk.

    A pipe gets whole lines; a terminal gets what fits.
    """
    settings = given(options)
    entries = sorted(_engine.cache_entries(settings), key=lambda entry: -entry.created)
    if sys.stdout.isatty():
        rows = [
            [_brief(entry), decimal(entry.bytes), moment(entry.created), _near(entry)] for entry in entries
        ]
        show(["for", "size", "built", "source"], rows, elided="source")
    else:
        rows = [
            [
                entry.module,
                entry.profile,
                entry.abi,
                decimal(entry.bytes),
                moment(entry.created),
                entry.source,
            ]
            for entry in entries
        ]
        show(["kernel", "profile", "abi", "size", "built", "source"], rows)
    parts = _engine.cache_parts(settings)
    sizes = [
        [part.name, "" if part.count is None else str(part.count), decimal(part.bytes)] for part in parts
    ]
    click.echo()
    show(["part", "number", "size"], [*sizes, ["total", "", decimal(sum(part.bytes for part in parts))]])


@command.command(
    epilog="""\b
    Examples:
      rsimport cache why logistic.rs
      rsimport cache why logistic.rs --profile dev
    """
)
@click.argument("kernel", type=click.Path(exists=True))
@setting_options()
def why(kernel: str, **options: Any) -> None:
    """Say what an import of KERNEL would be built for, input by input, or that it is cached.

    Nothing is built. An input is compared with what it was at the last build for this Python.
    """
    loader = at(kernel, None, given(options))
    found = _engine.cache_why(loader.kernel, loader.name, ABI, given(options))
    rows = []
    for name, now, before, differs in found.inputs:
        value = now if before is None else f"{before or '-'} -> {now or '-'}"
        rows.append(["changed" if differs else "", name, value or ("" if differs else "-")])
    cached = found.library is not None
    click.echo(_engine.shown(f"{kernel}: {'cached' if cached else f'would be built: {found.verdict}'}"))
    if found.library is not None:
        click.echo(f"library: {_engine.shown(found.library)}")
    show(["", "input", "value"], rows)


@command.command(
    epilog="""\b
    Examples:
      rsimport cache verify
      rsimport cache verify && echo intact
    """
)
@setting_options("cache_dir")
def verify(**options: Any) -> int:
    """Read every compiled kernel whole and compare it with the checksum and the metadata of its build.

    What is damaged is removed, so that the next import builds it again, and the exit code is 1. Compiled
    dependencies are not looked at: cargo and rustc compile those again that do not fit.
    """
    count, damages = _engine.cache_mend(given(options))
    for found in damages:
        done = "removed; the next import builds it again" if found.removed else "it could not be removed"
        complain(_engine.shown(f"{found.folder}: {found.what}: {done}"))
    intact = count - len(damages)
    click.echo(f"{intact} of {count} {_plural(count, 'entry', 'entries')} intact")
    return 1 if damages else 0


@command.command(
    epilog="""\b
    Examples:
      rsimport cache gc --dry-run
      rsimport cache gc --max-size 2G
      rsimport cache gc --max-age 30d --max-size none
    """
)
@click.option(
    "--max-size",
    "cache_max_size",
    type=Limit("cache_max_size", "size"),
    metavar="SIZE",
    help="What the cache may keep, as 500M or 5G. [default: the setting cache_max_size]",
)
@click.option(
    "--max-age",
    "cache_max_age",
    type=Limit("cache_max_age", "age"),
    metavar="AGE",
    help="What was unused for longer goes, as 12h or 90d. [default: the setting cache_max_age]",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@setting_options("cache_dir")
def gc(dry_run: bool, **options: Any) -> None:
    """Remove what nobody has used for long, and of what is too much that which was unused for longest.

    First to go is what an older rsimport has kept, then sets of compiled dependencies, then what builds keep
    for the next one, then kernels, and the texts of cells with them. A kernel without them still loads; only
    an edit compiles more. What was used within a day stays, and so does what a build has locked or a running
    process has loaded. Once a day this happens after a build by itself.
    """
    swept = _engine.cache_gc(given(options), dry_run)
    rows = [[kind, decimal(size), moment(used), label] for kind, label, size, used in swept.removed]
    if rows:
        show(["would go" if dry_run else "removed", "size", "last used", "which"], rows, elided="which")
    _summary(swept, dry_run=dry_run)


@command.command(
    epilog="""\b
    Examples:
      rsimport cache clear
      rsimport cache clear --older-than 30
    """
)
@click.option(
    "--older-than",
    type=float,
    metavar="DAYS",
    help="Only what was last used longer ago than this: kernels, dependencies, work folders.",
)
@setting_options("cache_dir")
def clear(older_than: float | None, **options: Any) -> None:
    """Remove what is in the cache; the next import builds it again."""
    swept = _engine.cache_clear(given(options), older_than)
    _summary(swept)


def _summary(swept: Swept, *, dry_run: bool = False) -> None:
    kinds = [kind for kind, *_ in swept.removed]
    parts = [
        f"{kinds.count(kind)} {_plural(kinds.count(kind), kind, f'{kind}s')}"
        for kind in ("kernel", "dependency set", "work folder", "kernel text", "older layout")
        if kind in kinds
    ]
    freed = decimal(swept.before - swept.after)
    said = f"{'would remove' if dry_run else 'removed'} {', '.join(parts) or 'nothing'}"
    click.echo(f"{said}; {freed} {'less' if dry_run else 'freed'}, {decimal(swept.after)} left")
    if swept.busy:
        click.echo(
            f"{swept.busy} that had to go {_plural(swept.busy, 'is', 'are')} in use and left for later"
        )
    if swept.limit is not None and swept.after > swept.limit:
        click.echo(f"that is more than {decimal(swept.limit)}: the rest was used within a day or is in use")


def _brief(entry: CacheEntry) -> str:
    """The Python that it is for, and the profile if it is not the usual one."""
    # `.cpython-311-x86_64-linux-gnu.so` names the machine too, which is this one.
    tags = entry.abi.strip(".").split("-")
    python = f"{tags[0]} {tags[1]}" if len(tags) > 1 else tags[0].split(".")[0]
    return python if entry.profile == "release" else f"{python} {entry.profile}"


def _near(entry: CacheEntry) -> str:
    """The source as seen from here, or from the user's home."""
    for base, start in ((os.getcwd(), ""), (os.path.expanduser("~"), "~/")):
        if entry.source.startswith(base + os.sep):
            return start + os.path.relpath(entry.source, base)
    return entry.source


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
