"""A line of the table: what was measured, against what, and what it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from measure import Comparison, Cost, Spread, compare

from rsimport._format import duration


@dataclass(frozen=True)
class Line:
    """One figure, or a part of one."""

    what: str
    against: str
    value: Spread | None
    """None where it could not be measured; the note says why."""
    unit: str = "x"
    bar: float | None = None
    """The value should be at most this. None: there is no bar, the line is there to explain another."""
    note: str = ""
    seconds: tuple[float, float] | None = None
    """The medians of both sides of a ratio."""

    @property
    def met(self) -> Literal["yes", "no", "unclear", "-"]:
        """Is the value within the bar? Unclear where the noise is larger than the distance to it."""
        if self.bar is None or self.value is None:
            return "-"
        if abs(self.value.median - self.bar) < self.value.error:
            return "unclear"
        return "yes" if self.value.median <= self.bar else "no"


def ratio(what: str, against: str, comparison: Comparison, bar: float | None = None) -> Line:
    """A line for a ratio, with the times of both sides as its note."""
    ours, theirs = comparison.ours.median, comparison.theirs.median
    note = f"{duration(ours)} against {duration(theirs)}"
    return Line(what, against, comparison.ratio, "x", bar, note, (ours, theirs))


def costs(
    what: str, against: str, ours: Sequence[Cost], theirs: Sequence[Cost], bar: float | None = None
) -> Line:
    """A line for work that is long enough to be disturbed; the note has the processor time too."""
    line = ratio(what, against, compare([c.wall for c in ours], [c.wall for c in theirs]), bar)
    processor = compare([c.processor for c in ours], [c.processor for c in theirs]).ratio
    return replace(line, note=f"{line.note}; processor {processor.median:.3f} ± {processor.error:.3f} x")


def milliseconds(what: str, values: Spread, bar: float | None = None) -> Line:
    """A line for a time that is bounded in itself; the values are seconds."""
    return Line(what, "-", Spread(*(value * 1e3 for value in values)), "ms", bar)
