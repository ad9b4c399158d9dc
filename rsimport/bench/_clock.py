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


class Loop:
    """A statement in a loop; each object has compiled code of its own, which nothing has warmed up.

    Its names are local variables, as they are where somebody writes such a loop: looking them up is not what
    is measured.
    """

    def __init__(self, statement: str, names: Mapping[str, object]) -> None:
        self._run = _compiled(statement, names)

    def seconds(self, count: int) -> float:
        """What so many turns take, the loop and one look at the clock included."""
        return self._run(count)


class Clock:
    """Times a statement in a loop that is compiled for it.

    A sample takes 5 ms or one turn, whichever is longer, and the time of the same loop around nothing is
    taken off it.
    """

    def __init__(self, statement: str, names: Mapping[str, object]) -> None:
        self._loop = Loop(statement, names)
        self._empty = Loop("pass", names)
        self._passes: list[float] = []
        self.calls = 1
        """Turns of one sample."""
        self.rough = 0.0
        """Seconds of one turn as the first samples had it, which warm up whatever there is to warm up."""
        self._calibrate()

    @classmethod
    def of_call(
        cls,
        function: Callable[..., object],
        arguments: Sequence[object],
        keywords: Mapping[str, object] | None = None,
    ) -> Clock:
        """A clock for calls of a function, always with the same arguments."""
        keywords = keywords or {}
        places = [f"a{number}" for number in range(len(arguments))]
        words = [f"k{number}" for number in range(len(keywords))]
        given = [*places, *(f"{word}={name}" for word, name in zip(keywords, words, strict=True))]
        values = dict(zip([*places, *words], [*arguments, *keywords.values()], strict=True))
        return cls(f"function({', '.join(given)})", {"function": function, **values})

    def sample(self) -> float:
        """Seconds of one turn, the mean of `calls` turns."""
        # The median of all so far: an interrupted empty loop would make a call look cheaper than it is.
        self._passes.append(self._empty.seconds(self.calls))
        taken = self._loop.seconds(self.calls) - median(self._passes)
        # A clock cannot tell less from nothing.
        return max(taken / self.calls, 1e-11)

    def _calibrate(self) -> None:
        while (taken := self._loop.seconds(self.calls)) < LONG_ENOUGH and self.calls < MOST_CALLS:
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


def _compiled(statement: str, names: Mapping[str, object]) -> Callable[[int], float]:
    code = f"""
def run(_count{"".join(f", {name}={name}" for name in names)}):
    turns = _repeat(None, _count)
    start = _clock()
    for _ in turns:
        {statement}
    return _clock() - start
"""
    space: dict[str, Any] = {"_repeat": repeat, "_clock": perf_counter, **names}
    exec(code, space)
    run: Callable[[int], float] = space["run"]
    return run
