"""Tables on the terminal, with the lines that belong below them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

WIDTH = 150
"""Of a table where the output is no terminal."""

Cells = Sequence[tuple[str, ...]]


def show(tables: Iterable[tuple[str, Sequence[str], Cells]], lines: Iterable[str]) -> None:
    """Prints tables of a title, headings and rows; rows that begin alike are a section."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    for title, headings, cells in tables:
        table = Table(title=title)
        for heading in headings:
            table.add_column(heading)
        firsts = [first for first, *_ in cells]
        has_sections = len(set(firsts)) < len(firsts)
        last = ""
        for first, *others in cells:
            if first != last and last and has_sections:
                table.add_section()
            table.add_row("" if first == last else first, *others)
            last = first
        console.print(table)
    for line in lines:
        console.print(line, markup=False)
