"""What follows from the figures, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy

from rsimport._errors import RsimportError
from rsimport._format import digits
from rsimport.bench._clock import Clock
from rsimport.bench._fit import Line, ahead_below, even_from
from rsimport.bench._result import Crossing
from rsimport.bench._target import Target

SMALL_SHARE = 0.05
"""A crossing that takes less of a call than this is not worth a thought."""
WORTH_TELLING = 1.5
"""How many times faster something has to be to be advised."""
MANY = 1000
"""Items of a list that is read for comparison."""
UNEVEN = 0.3
"""A misfit that makes the line a rough picture of the times."""


def advice(result: Crossing, subject: Target) -> Iterator[str]:
    """Sentences for the user; each follows from what was measured."""
    if result.batch is None:
        if result.python_call is not None:
            yield _one_call(result)
        yield from _released(result)
        return
    line = _native(result)
    if result.python_step is not None:
        yield _against_python(result)
    if result.step > 2 * result.step_error and result.crossing > 2 * result.crossing_error:
        enough = even_from(line, result.crossing * (1 / SMALL_SHARE - 1))
        yield (
            f"one call costs as much as {even_from(line, result.crossing):,} steps: with {enough:,} a call, "
            f"crossing over takes {SMALL_SHARE:.0%} of the time"
        )
    elif result.step > 0:
        yield "what a call costs cannot be told from the noise here: the work outweighs it, or hardly grows"
    if result.misfit > UNEVEN:
        yield (
            f"a cost for each call and each step misses the times by up to {result.misfit:.0%}: "
            "the work does not grow evenly with the batch, or the machine was busy"
        )
    yield from _released(result)
    yield from _converted(result, subject)


def _native(result: Crossing) -> Line:
    return Line(result.crossing, result.step, result.crossing_error, result.step_error)


def _one_call(result: Crossing) -> str:
    assert result.python_call is not None
    if result.crossing < result.python_call:
        return f"a call of Rust is {result.python_call / result.crossing:.1f} times as fast as one of Python"
    return (
        "Python is faster here: the call costs more than the work; do more in one call, or pass many at once"
    )


def _against_python(result: Crossing) -> str:
    assert result.python_step is not None and result.python_call is not None
    assert result.break_even is not None
    if math.isinf(result.break_even):
        below = ahead_below(_native(result), Line(result.python_call, result.python_step))
        if below > 1:
            return (
                f"Rust is faster below {below:,} steps only, as its calls cost less and its steps cost more: "
                "look at the work, not at the call"
            )
        return (
            "Rust never overtakes Python: a step costs it as much or more; look at the work, not at the call"
        )
    gain = f"{digits(result.python_step / result.step)} times" if result.step > 0 else "many times"
    if result.break_even == 1:
        return f"Rust is faster from the first step on, and {gain} as fast in large batches"
    least = f"batch at least {result.break_even:,} steps, below which Python is faster"
    return f"{least}; large batches are {gain} as fast"


def _released(result: Crossing) -> Iterator[str]:
    if result.nogil_crossing is None:
        return
    extra = result.nogil_crossing - result.crossing
    if extra > 0 and result.step > 0:
        yield (
            f"releasing the GIL costs {extra * 1e9:,.0f} ns a call, more than the work below "
            f"{even_from(_native(result), extra):,} steps"
        )
    elif extra > 0 and result.batch is None:
        yield f"releasing the GIL costs {extra * 1e9:,.0f} ns a call"
    last = result.threads[-1] if result.threads else None
    if last is not None and last.nogil is not None and last.threads > 1:
        gain = last.nogil / last.native
        if gain >= WORTH_TELLING:
            what = f"makes large batches {gain:.1f} times as fast"
        else:
            what = "gained nothing in this run: the batches are small, or other processes had the processors"
        yield f"with {last.threads} threads, releasing the GIL {what}"


def _converted(result: Crossing, subject: Target) -> Iterator[str]:
    """Is it the conversion of the batch that takes the time? The same values as another type tell."""
    assert result.batch is not None
    value: Any = subject.arguments[result.batch]
    kind = type(value).__name__
    if isinstance(value, numpy.ndarray):
        if value.ndim == 1 and (ratio := _gain(result, subject, value.tolist())) >= WORTH_TELLING:
            yield (
                f"the array is read item by item, and a list of its items is {ratio:.1f} times as fast: a "
                "parameter of the type `PyReadonlyArray1` takes NumPy's arrays as they are"
            )
        return
    if not isinstance(value, (list, tuple)) or numpy.asarray(value[:1]).dtype.kind not in "biufc":
        return
    ratio = _gain(result, subject, numpy.asarray(value))
    if ratio >= WORTH_TELLING:
        yield f"NumPy conversion dominates: pass an array, which is {ratio:.1f} times as fast as a {kind}"
        return
    # NumPy does nothing but read the items, which is what every other reader does at least. Among so many the
    # cost of its call is lost.
    items = value[:MANY] * math.ceil(MANY / len(value))
    clock = Clock.of_call(numpy.asarray, [items])
    each = min(clock.sample() for _ in range(5)) / len(items)
    if each >= result.step / 2:
        yield (
            f"reading the {kind} item by item is most of the {result.step * 1e9:,.1f} ns of a step: "
            "a parameter of the type `PyReadonlyArray1` takes NumPy's arrays as they are"
        )


def _gain(result: Crossing, subject: Target, value: Any) -> float:
    """How many times as fast the largest batch is with the same values as another type; 0 if not taken."""
    steps, native = result.points[-1].steps, result.points[-1].native
    try:
        clock = subject.batching(value).clock(steps)
    except RsimportError:
        return 0.0
    return native.median / min(clock.sample() for _ in range(5))
