"""What follows from the figures, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from rsimport._errors import RsimportError
from rsimport.bench._clock import Clock
from rsimport.bench._fit import Line, even_from
from rsimport.bench._result import Crossing
from rsimport.bench._target import Target

SMALL_SHARE = 0.05
"""A crossing that takes less of a call than this is not worth a thought."""
WORTH_TELLING = 1.5
"""How many times faster something has to be to be advised."""
SCALES = 1.5


def advice(result: Crossing, subject: Target) -> Iterator[str]:
    """Sentences for the user; each follows from what was measured."""
    if result.batch is None:
        if result.python_call is not None:
            yield _one_call(result)
        yield from _released(result)
        return
    line = Line(result.crossing, result.step, 0.0, 0.0)
    if result.python_step is not None:
        yield _against_python(result)
    if result.step > 0:
        enough = even_from(line, result.crossing * (1 / SMALL_SHARE - 1))
        yield (
            f"one call costs as much as {even_from(line, result.crossing):,} steps: with {enough:,} a call, "
            f"crossing over takes {SMALL_SHARE:.0%} of the time"
        )
    yield from _released(result)
    yield from _converted(result, subject)


def _one_call(result: Crossing) -> str:
    assert result.python_call is not None
    if result.crossing < result.python_call:
        return f"a call of Rust is {result.python_call / result.crossing:.1f} times as fast as one of Python"
    return (
        "Python is faster here: the call costs more than the work; do more in one call, or pass many at once"
    )


def _against_python(result: Crossing) -> str:
    assert result.python_step is not None
    if result.break_even is None:
        return (
            "Rust never overtakes Python: a step costs it as much or more; look at the work, not at the call"
        )
    gain = f"{result.python_step / result.step:,.0f} times" if result.step > 0 else "many times"
    if result.break_even == 1:
        return f"Rust is faster from the first step on, and {gain} as fast in large batches"
    least = f"batch at least {result.break_even:,} steps, below which Python is faster"
    return f"{least}; large batches are {gain} as fast"


def _released(result: Crossing) -> Iterator[str]:
    if result.nogil_crossing is None:
        return
    extra = result.nogil_crossing - result.crossing
    if extra > 0 and result.step > 0:
        line = Line(result.crossing, result.step, 0.0, 0.0)
        yield (
            f"releasing the GIL costs {extra * 1e9:,.0f} ns a call, more than the work below "
            f"{even_from(line, extra):,} steps"
        )
    last = result.threads[-1] if result.threads else None
    if last is not None and last.nogil is not None and last.threads > 1:
        gain = last.nogil / last.native
        if gain >= SCALES:
            what = f"makes large batches {gain:.1f} times as fast"
        else:
            what = "gains nothing in batches of this size"
        yield f"with {last.threads} threads, releasing the GIL {what}"


def _converted(result: Crossing, subject: Target) -> Iterator[str]:
    """Is it the conversion of a list that takes the time? An array of the same values tells."""
    assert result.batch is not None
    value: Any = subject.arguments[result.batch]
    if not isinstance(value, (list, tuple)):
        return
    steps = result.points[-1].steps
    arrays = {**subject.arguments, result.batch: numpy.asarray(value)}
    other = Target(subject.function, subject.name, arrays, subject.batch)
    try:
        other.call(steps)
    except RsimportError:
        each = result.step * 1e9
        yield (
            f"a list is converted item by item, which is a part of the {each:,.1f} ns of a step: a parameter "
            "of the type `PyReadonlyArray1` takes NumPy's arrays as they are"
        )
        return
    array = Clock(other.function, other.sized(steps))
    ratio = result.points[-1].native.median / min(array.sample() for _ in range(5))
    if ratio >= WORTH_TELLING:
        kind = type(value).__name__
        yield f"NumPy conversion dominates: pass an array, which is {ratio:.1f} times as fast as a {kind}"
