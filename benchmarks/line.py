"""A line of the table: what was measured, against what, and what it should be."""

from __future__ import annotations

from dataclasses import dataclass

from measure import Comparison, Spread


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

    @property
    def met(self) -> bool | None:
        """Is the median within the bar? None where there is no bar or no value."""
        return None if self.bar is None or self.value is None else self.value.median <= self.bar


def ratio(what: str, against: str, comparison: Comparison, bar: float | None = None) -> Line:
    """A line for a ratio, with the times of both sides as its note."""
    sides = f"{duration(comparison.ours.median)} against {duration(comparison.theirs.median)}"
    return Line(what, against, comparison.ratio, "x", bar, sides)


def milliseconds(what: str, values: Spread, bar: float | None = None) -> Line:
    """A line for a time that is bounded in itself; the values are seconds."""
    return Line(what, "-", Spread(*(value * 1e3 for value in values)), "ms", bar)


def duration(seconds: float) -> str:
    """Seconds in a unit that suits their size."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
