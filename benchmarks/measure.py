"""The measurement: two sides take turns in one run, so that whatever slows the machine down slows both.

The ratio is taken of neighbours, one of each side, and its median is what counts. Times drift from machine
to machine and from minute to minute; ratios of neighbours hardly do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from statistics import median, quantiles
from time import perf_counter, sleep
from typing import NamedTuple, TypeVar

Sample = TypeVar("Sample")
SAMPLE = 0.05
"""How long a sample of something short lasts, in seconds."""
LONGEST_END = 0.1
"""How long a process may take to end, in seconds."""


class Spread(NamedTuple):
    """What several measurements of one thing gave."""

    median: float
    low: float
    high: float
    error: float
    """Half the width of the interval in which the true median lies, with a probability of about 95 %."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Sums values up. The error is that of notched box plots, which outliers do not move."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 0.0)
        lower, _, upper = quantiles(values, n=4, method="inclusive")
        error = 1.57 * (upper - lower) / len(values) ** 0.5
        return cls(median(values), min(values), max(values), error)


class Comparison(NamedTuple):
    """Two sides in seconds, and the ratio of neighbours."""

    ratio: Spread
    ours: Spread
    theirs: Spread


class Cost(NamedTuple):
    """What something takes, in seconds: on the clock, and of the processors, which others do not disturb."""

    wall: float
    processor: float


def alternate(
    runs: int, ours: Callable[[], Sample], theirs: Callable[[], Sample]
) -> tuple[list[Sample], list[Sample]]:
    """Lets two sides take turns."""
    pairs = [(ours(), theirs()) for _ in range(runs)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def compare(ours: Sequence[float], theirs: Sequence[float]) -> Comparison:
    """Compares the seconds of two sides that took turns."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Comparison(Spread.of(ratios), Spread.of(ours), Spread.of(theirs))


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    return cost(action).wall


def steady(action: Callable[[], object]) -> Callable[[], float]:
    """A measurement of an action that follows itself, in seconds for each time.

    As with pyperf's calibrated loops, a sample is as many times as take `SAMPLE`. A single short time would
    in good part be what it takes to get back into the caches what the other side has driven out of them.
    """
    action()
    times = max(1, round(SAMPLE / seconds(action)))

    def sample() -> float:
        start = perf_counter()
        for _ in range(times):
            action()
        return (perf_counter() - start) / times

    return sample


def cost(action: Callable[[], object]) -> Cost:
    """What an action costs, the processes that it starts included."""
    used, start = _processor(), perf_counter()
    action()
    wall = perf_counter() - start
    _wait_for_children()
    return Cost(wall, _processor() - used)


def _wait_for_children() -> None:
    """A compiler whose library is loaded already may still be giving back its memory."""
    until = perf_counter() + LONGEST_END
    with suppress(ChildProcessError):  # There are none any more.
        while perf_counter() < until:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            sleep(0.001)


def _processor() -> float:
    usages = (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
