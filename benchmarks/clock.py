"""A clock for calls: the loop around them is compiled for each statement, and is subtracted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from time import perf_counter

ENOUGH = 5e-3
"""Seconds in a loop, so that the clock and a disturbance do not count."""


class Loop:
    """A statement, repeated and timed; each object has compiled code of its own, which is not warmed up."""

    def __init__(self, statement: str, names: Mapping[str, object]) -> None:
        self._run = _compiled(statement, tuple(names))
        self._values = tuple(names.values())

    def seconds(self, count: int) -> float:
        """What so many repetitions take, the loop and one look at the clock included."""
        return self._run(repeat(None, count), *self._values)

    def calibrated(self, enough: float = ENOUGH) -> int:
        """How many repetitions take long enough, as a power of two."""
        count = 1
        while self.seconds(count) < enough:
            count *= 2
        return count


def per_call(loop: Loop, empty: Loop, count: int) -> float:
    """Seconds that one repetition takes without the loop around it, which `empty` is."""
    return (loop.seconds(count) - empty.seconds(count)) / count


def _compiled(statement: str, names: Iterable[str]) -> Callable[..., float]:
    # As parameters of the function the names are fast locals: looking them up is not what is measured.
    lines = (
        f"def run({', '.join(('_times', *names))}):",
        "    start = clock()",
        "    for _ in _times:",
        f"        {statement}",
        "    return clock() - start",
    )
    scope: dict[str, Callable[..., float]] = {"clock": perf_counter}
    exec("\n".join(lines), scope)
    return scope["run"]
