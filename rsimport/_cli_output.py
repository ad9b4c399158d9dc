"""What commands print: tables, moments and complaints, the same for all of them."""

from __future__ import annotations

import os
import time
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS
from typing import TYPE_CHECKING

import click

from rsimport import _engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], *, elided: str = "") -> None:
    """Prints a table. On a terminal the column `elided` gives up its beginning, so that a row is one line."""
    # A third of what all other commands would take to start.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        # Whatever reads a pipe wants one line for each row, however long.
        console.width = 10_000
    lines = [[_engine.shown(cell) for cell in row] for row in rows]
    if elided and console.is_terminal:
        at = columns.index(elided)
        widths = [max(map(len, cells)) for cells in zip(columns, *lines, strict=True)]
        room = max(len(elided), console.width - sum(widths) + widths[at] - 2 * (len(columns) - 1))
        for line in lines:
            line[at] = line[at] if len(line[at]) <= room else "…" + line[at][1 - room :]
    table = Table(*columns, box=None, pad_edge=False)
    for line in lines:
        table.add_row(*map(Text, line))
    console.print(table)


def moment(seconds: float) -> str:
    """A time as people write it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def complain(error: object) -> None:
    """Says on stderr what is wrong."""
    refused = (_full(error) or _refused(error)) if isinstance(error, OSError) else None
    click.echo(f"error: {refused or error}", err=True)


def _full(error: OSError) -> str | None:
    """What cannot be written where there is no space left."""
    if error.errno not in (ENOSPC, EDQUOT):
        return None
    return f"{error.filename2 or error.filename} cannot be written: {error.strerror}"


def _refused(error: OSError) -> str | None:
    """Which folder does not let a command write; by itself it names a file that is there for a moment."""
    file = error.filename
    is_refusal = error.errno in (EACCES, EPERM, EROFS)
    if not is_refusal or not isinstance(file, str) or os.path.lexists(file):
        return None
    return f"{os.path.dirname(os.path.abspath(file))} cannot be written to: {error.strerror}"
