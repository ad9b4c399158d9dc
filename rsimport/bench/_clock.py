"""The clock: what a call takes, without the loop around it."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import Any

LONG_ENOUGH = 0.005
"""Seconds that one sample takes at least: the clock's own steps and a short interruption vanish in it."""
MOST_CALLS = 10_000_000

Loop = Callable[[int], float]


class Clock:
    """Times a function with fixed arguments, in a loop that is compiled for it.

    The arguments are local variables, as they are where somebody writes such a loop. A sample takes 5 ms or
    one call, whichever is longer, and the time of the same loop without the call is taken off it.
    """

    def __init__(
        self,
        function: Callable[..., object],
        arguments: Sequence[object],
        keywords: Mapping[str, object] | None = None,
    ) -> None:
        self._loop = _loop(function, arguments, keywords or {})
        self._empty = _loop(None, arguments, keywords or {})
        self._passes: list[float] = []
        self.calls = 1
        """Calls of one sample."""
        self.rough = 0.0
        """Seconds of one call as the first samples had it, which warm up whatever there is to warm up."""
        self._calibrate()

    def sample(self) -> float:
        """Seconds of one call, the mean of `calls` calls."""
        # The median of all so far: an interrupted empty loop would make a call look cheaper than it is.
        self._passes.append(self._empty(self.calls))
        taken = self._loop(self.calls) - median(self._passes)
        # A clock cannot tell less from nothing.
        return max(taken / self.calls, 1e-11)

    def _calibrate(self) -> None:
        while (taken := self._loop(self.calls)) < LONG_ENOUGH and self.calls < MOST_CALLS:
            grow = LONG_ENOUGH / max(taken, LONG_ENOUGH / 100) * 1.2
            self.calls = min(MOST_CALLS, math.ceil(self.calls * max(grow, 2.0)))
        self.rough = taken / self.calls


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keeps Python's garbage collector out of the samples."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _loop(function: object, arguments: Sequence[object], keywords: Mapping[str, object]) -> Loop:
    names = [f"a{number}" for number in range(len(arguments) + len(keywords))]
    words = [f"{word}={name}" for word, name in zip(keywords, names[len(arguments) :], strict=True)]
    body = "pass" if function is None else f"function({', '.join([*names[: len(arguments)], *words])})"
    code = f"""
def loop(calls, function=function{"".join(f", {name}={name}" for name in names)}):
    turns = repeat(None, calls)
    start = perf_counter()
    for _ in turns:
        {body}
    return perf_counter() - start
"""
    space: dict[str, Any] = {"repeat": repeat, "perf_counter": perf_counter, "function": function}
    space.update(zip(names, [*arguments, *keywords.values()], strict=True))
    exec(code, space)
    loop: Loop = space["loop"]
    return loop
