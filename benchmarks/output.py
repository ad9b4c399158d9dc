"""What the comparisons with peers have in common on their way out: arguments, tables, Markdown, JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 150
"""Of a table where the output is no terminal."""

BAR_HEADINGS = ("rsimport's", "against", "ratio", "at most", "bar", "times")

Cells = Sequence[tuple[str, ...]]
Titled = tuple[str, Sequence[str], Cells]
"""A table: title, headings, rows."""


def parser(description: str | None, examples: str, contestants: Iterable[str]) -> argparse.ArgumentParser:
    """A parser for who takes part and how it is shown."""
    made = argparse.ArgumentParser(
        description=description, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = list(contestants)
    made.add_argument("--only", nargs="+", choices=names, default=names, metavar="CONTESTANT")
    made.add_argument("--markdown", action="store_true", help="print Markdown")
    made.add_argument("--json", type=Path, metavar="FILE", help="write everything to this file as well")
    return made


def positive(text: str) -> int:
    """A number of runs, rounds or edits, for the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def publish(given: argparse.Namespace, report: dict[str, Any], medians: Titled, lines: Sequence[str]) -> None:
    """Shows a report as it was asked for: a table of medians, one of the bars, lines below them."""
    tables = (medians, ("The bars: ratios of neighbours in this run", BAR_HEADINGS, _bars(report)))
    if given.markdown:
        print("\n\n".join((*(_markdown(*table) for table in tables), *lines)))
    else:
        _show(tables, lines)
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def below(
    report: dict[str, Any], legend: str, footnotes: Iterable[tuple[int, str]], counted: str
) -> list[str]:
    """What is to be read below the tables; `counted` says how often was measured."""
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    return [
        legend,
        *(f"{at}) {words}" for at, words in footnotes),
        *(f"left out: {name}: {reason}" for name, reason in report["left_out"].items()),
        *report["method"],
        f"{counted}; {report['machine']}; {versions}; the run took {report['seconds'] / 60:.1f} minutes",
    ]


def raised(number: int) -> str:
    """The mark of a footnote."""
    return " " + str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _bars(report: dict[str, Any]) -> list[tuple[str, ...]]:
    found = []
    for bar in report["bars"]:
        value = f"{bar['value']['median']:.3f} x" if bar["value"] else "-"
        met = {"yes": "met", "no": "not met"}.get(bar["met"], bar["met"])
        found.append((bar["what"], bar["against"], value, f"{bar['bar']:g} x", met, bar["note"]))
    return found


def _markdown(title: str, headings: Sequence[str], cells: Cells) -> str:
    lines = [headings, ("---",) * len(headings), *cells]
    rows = ("|" + "|".join(f" {cell} " for cell in line) + "|" for line in lines)
    return "\n".join((f"## {title}", "", *rows))


def _show(tables: Iterable[Titled], lines: Iterable[str]) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    for title, headings, cells in tables:
        table = Table(title=title)
        for heading in headings:
            table.add_column(heading)
        firsts = [first for first, *_ in cells]
        # Rows that begin alike are a section.
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
