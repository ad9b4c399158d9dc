"""The figures as tables and lines, for a terminal and for whatever reads plain text."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from rsimport._format import digits, duration

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rsimport.bench._result import Crossing, Point

HEADINGS = (
    "steps a call",
    "Python, a step",
    "Rust, a step",
    "crossing",
    "Rust is",
    "GIL released, a step",
    "crossing",
)
NOTHING = "-"
WIDTH = 110


def report(result: Crossing) -> list[RenderableType]:
    """What the command line prints."""
    title = f"{result.function}({result.arguments})" + (
        f", batched by {result.batch}" if result.batch else ""
    )
    headings, rows = columns(result)
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    return [Text(title, style="bold"), table, *map(Text, lines(result))]


def plain(result: Crossing) -> str:
    """The same as text."""
    target = io.StringIO()
    Console(file=target, width=WIDTH, highlight=False).print(Group(*report(result)))
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines())


def columns(result: Crossing) -> tuple[list[str], list[list[str]]]:
    """Headings and a row for each batch size; times are medians, divided by the number of steps.

    What was not measured at any size has no column.
    """
    rows = [_row(point) for point in result.points]
    shown = [n for n in range(len(HEADINGS)) if any(row[n] != NOTHING for row in rows)]
    return [HEADINGS[n] for n in shown], [[row[n] for n in shown] for row in rows]


def lines(result: Crossing) -> Iterator[str]:
    """Sentences about the whole."""
    if result.agreement:
        yield result.agreement
    error = f" ± {result.crossing_error * 1e9:.1f}" if result.crossing_error else ""
    words = [f"one crossing costs {result.crossing * 1e9:.1f}{error} ns"]
    if result.nogil_crossing is not None:
        words.append(f"{result.nogil_crossing * 1e9:.1f} ns with the GIL released ({result.nogil})")
    if result.step:
        words.append(f"a step {duration(result.step)} in Rust")
    if result.batch and result.python_step is not None:
        words.append(f"{duration(result.python_step)} in Python")
    yield ", ".join(words)
    if result.batch and result.nogil is None:
        yield f"no function {result.function}_nogil was found to compare with; --nogil names another"
    if result.batch and result.python_step is None:
        yield "without a function in Python there is no break-even; --python names one"
    elif result.batch:
        inline = _break_even(result.break_even_inline)
        yield f"break-even: {_break_even(result.break_even)}; against the same steps without a call: {inline}"
    if len(result.threads) > 1:
        speeds = (
            f"{each.threads}: {digits(each.native / 1e6)}"
            + (f" ({digits(each.nogil / 1e6)} released)" if each.nogil else "")
            for each in result.threads
        )
        yield f"threads, million steps a second: {', '.join(speeds)}"
    yield from (f"left out: {what}" for what in result.left_out)
    yield from (f"-> {sentence}" for sentence in result.advice)


def _break_even(steps: float | None) -> str:
    if steps is None or math.isinf(steps):
        return "never"
    return "from the first step on" if steps == 1 else f"{steps:,} steps a call"


def _row(point: Point) -> tuple[str, ...]:
    def each(estimate: object) -> str:
        return NOTHING if estimate is None else duration(estimate.median / point.steps)  # type: ignore[attr-defined]

    factor = (
        NOTHING if point.python is None else f"{digits(point.python.median / point.native.median)} x as fast"
    )
    share, released = (
        NOTHING if part is None else f"{part:.0%}" for part in (point.share, point.nogil_share)
    )
    native, python, nogil = each(point.native), each(point.python), each(point.nogil)
    return (f"{point.steps:,}", python, native, share, factor, nogil, released)
