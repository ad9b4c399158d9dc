"""What was found out about a crossing, as data, as text and as a table for notebooks."""

from __future__ import annotations

import html
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

    from rich.console import RenderableType


@dataclass(frozen=True)
class Estimate:
    """A median in seconds, the median absolute and the standard deviation, of so many samples."""

    median: float
    mad: float
    stdev: float
    samples: int

    @property
    def error(self) -> float:
        """The standard error of the median, of samples that spread normally but for some outliers.

        That is 1.253 sigma / sqrt(n), and sigma is 1.483 times the median absolute deviation.
        """
        return 1.253 * 1.483 * self.mad / math.sqrt(self.samples)


@dataclass(frozen=True)
class Point:
    """Calls of one batch size."""

    steps: int
    """Steps that one call makes."""
    native: Estimate
    """Seconds of a call of the kernel's function."""
    python: Estimate | None
    """Seconds of the same in Python."""
    nogil: Estimate | None
    """Seconds of a call of the function that releases the GIL."""
    share: float
    """The part of the native call that is spent crossing over, 0 to 1."""
    nogil_share: float | None
    """The same of the call that releases the GIL, which is a part of crossing over then."""


@dataclass(frozen=True)
class Threads:
    """Calls of the largest batch in several threads at once."""

    threads: int
    native: float
    """Steps a second of all threads together."""
    nogil: float | None


@dataclass(frozen=True)
class Crossing:
    """Whether a native function pays: what a call costs, and from how many steps a call on it is worth it.

    All times are in seconds, and all errors are standard errors. A call of `n` steps is taken to cost
    `crossing + n * step`.
    """

    function: str
    arguments: str
    batch: str | None
    points: tuple[Point, ...]
    """One for each batch size, the smallest first."""
    crossing: float
    """The fixed cost of one call."""
    crossing_error: float
    step: float
    """The cost of one step inside of a call; 0 where there is no batch argument."""
    step_error: float
    misfit: float
    """The largest relative difference between a time and `crossing + n * step`."""
    python_call: float | None
    """The fixed cost of one call of the Python function."""
    python_step: float | None
    """The cost of one step in Python."""
    break_even: float | None
    """The number of steps a call from which on the kernel is faster; None without Python.

    It is a call of one function against a call of the other, and `math.inf` where there is no such number.
    """
    break_even_inline: float | None
    """The same against steps in Python that no call is needed for, because they stand where they are used."""
    nogil: str | None
    """The function that releases the GIL."""
    nogil_crossing: float | None
    """The fixed cost of one call of it."""
    threads: tuple[Threads, ...]
    agreement: str | None
    """At which sizes Python and Rust were compared, and how closely they agree."""
    advice: tuple[str, ...]
    left_out: tuple[str, ...]
    """What was not measured, and why."""
    versions: dict[str, str]

    def to_json(self) -> str:
        """Everything, as JSON, which has no infinity: a break-even that there never is, is null there."""
        plain = {
            name: None if isinstance(value, float) and math.isinf(value) else value
            for name, value in asdict(self).items()
        }
        return json.dumps(plain, indent=2, allow_nan=False)

    def plot(self, path: str | PathLike[str] | None = None) -> Any:
        """Draws the time of a step against the batch size, and returns matplotlib's figure.

        With a `path` it is saved there as well, in the format that the suffix names. Raises ConfigError
        without matplotlib, or if there is no batch argument to draw it over.
        """
        from rsimport.bench._plot import draw

        return draw(self, None if path is None else Path(path))

    def report(self) -> list[RenderableType]:
        """The tables and lines that the command line prints, for rich."""
        from rsimport.bench._report import report

        return report(self)

    def __str__(self) -> str:
        from rsimport.bench._report import plain

        return plain(self)

    def _repr_html_(self) -> str:
        from rsimport.bench._plot import svg
        from rsimport.bench._report import columns, lines

        headings, cells = columns(self)
        head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in cells
        )
        text = "".join(f"<p>{html.escape(line)}</p>" for line in lines(self))
        return f"<div><table><tr>{head}</tr>{rows}</table>{text}{svg(self)}</div>"
