"""Do all sides come to the same result? What is compared otherwise is not the same thing."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy

from rsimport._errors import RsimportError
from rsimport.bench._target import Function, Target

SIZES = (1, 10, 1000)
CLOSE = 1e-9
"""Relative difference of two floats that are taken for the same: they may add up in another order."""
TINY = 1e-12
"""The same where a result is next to nothing, because what it is the difference of was close."""
PATIENCE = 1.0
"""Seconds: a larger size is not compared where all sides together would take longer."""


def agreement(subject: Target, others: Mapping[str, Function]) -> str | None:
    """At which sizes Python gives what the native function gives, and how closely; None without Python.

    A batch that the functions change in place is compared as well; each gets its own. Raises RsimportError,
    with both results and where they differ, if they do not agree, or for a function that raises.
    """
    exact = True
    compared: list[int] = []
    taken = 0.0
    for steps in sorted({min(size, subject.whole) for size in SIZES}):
        if compared and taken * steps / compared[-1] > PATIENCE:
            break
        start = perf_counter()
        native = subject.call(steps)
        for name, side in others.items():
            found = subject.calling(side, called(name, side)).call(steps)
            exact &= _compared(subject, steps, native, found, "Python" if name == "python" else side.__name__)
        taken = perf_counter() - start
        compared.append(steps)
    if "python" not in others:
        return None
    *first, last = (f"{size:,}" for size in compared)
    listed = f"{', '.join(first)} and {last}" if first else last
    where = f"with {listed} {'step' if last == '1' else 'steps'} a call" if subject.batch else "in one call"
    return f"Python and Rust agree {where}" + (
        ", bit for bit" if exact else f" to within {CLOSE:g} of the value"
    )


def called(side: str, function: Function) -> str:
    """What messages call the function of a side."""
    name = getattr(function, "__name__", repr(function))
    return f"Python's {name}" if side == "python" else name


def _compared(subject: Target, steps: int, native: tuple[Any, Any], other: tuple[Any, Any], who: str) -> bool:
    """Are two outcomes equal, and not only close? Raises RsimportError where they are not even close."""
    exact = True
    where = f"with {subject.batch}={steps:,}" if subject.batch else "in one call"
    for left, right, what in zip(native, other, ("", f" in `{subject.batch}` afterwards"), strict=True):
        place, mine, theirs = _difference(left, right)
        if place is not None:
            message = (
                f"{subject.name} and {who} disagree {where}{what}{place}: Rust gives {mine}, "
                f"{who} gives {theirs}"
            )
            raise RsimportError(message, hint="a comparison needs two functions that do the same")
        exact &= bool(mine)
    return exact


def _difference(native: Any, other: Any) -> tuple[str | None, Any, Any]:
    """Where two results differ, and what is there; no place, and whether they are equal, if they do not."""
    if isinstance(native, (dict, str, bytes, type(None))):
        return _whole(native, other)
    try:
        left, right = numpy.asarray(native), numpy.asarray(other)
    except ValueError:  # Ragged lists.
        return _whole(native, other)
    if left.shape != right.shape:
        return "", f"the shape {left.shape}", f"the shape {right.shape}"
    kinds = left.dtype.kind + right.dtype.kind
    if not set(kinds) <= set("biufc") or not set(kinds) & set("fc"):
        same = close = numpy.asarray(left == right, dtype=bool)
    else:
        same = (left == right) | ((left != left) & (right != right))
        close = same | numpy.isclose(left, right, rtol=CLOSE, atol=TINY, equal_nan=True)
    if bool(numpy.all(close)):
        return None, bool(numpy.all(same)), None
    if left.shape == ():
        return "", f"{native!r}", f"{other!r}"
    index = tuple(int(part) for part in numpy.argwhere(~close)[0])
    at = index[0] if len(index) == 1 else index
    return f" at index {at}", f"{_plain(left[index])!r}", f"{_plain(right[index])!r}"


def _whole(native: Any, other: Any) -> tuple[str | None, Any, Any]:
    return (None, True, None) if native == other else ("", f"{native!r}", f"{other!r}")


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
