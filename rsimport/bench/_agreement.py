"""Do all sides come to the same result? What is compared otherwise is not the same thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from rsimport._errors import RsimportError
from rsimport.bench._target import Function, Target

SIZES = (1, 10, 1000)
CLOSE = 1e-9
"""Relative difference of two floats that are taken for the same: they may add up in another order."""


def agreement(subject: Target, others: Mapping[str, Function]) -> str | None:
    """At which sizes Python gives what the native function gives, and how closely; None without Python.

    Raises RsimportError, with both results and where they differ, if they do not.
    """
    sizes = sorted({min(size, subject.whole) for size in SIZES})
    exact = True
    for steps in sizes:
        native = subject.call(steps)
        for name, side in others.items():
            exact &= _compared(subject, steps, native, subject.call(steps, side), _called(name, side))
    if "python" not in others:
        return None
    *first, last = (f"{size:,}" for size in sizes)
    listed = f"{', '.join(first)} and {last}" if first else last
    where = f"with {listed} {'step' if last == '1' else 'steps'} a call" if subject.batch else "in one call"
    return f"Python and Rust agree {where}" + (
        ", bit for bit" if exact else f" to within {CLOSE:g} of the value"
    )


def _called(name: str, side: Function) -> str:
    return "Python" if name == "python" else str(getattr(side, "__name__", name))


def _compared(subject: Target, steps: int, native: Any, other: Any, who: str) -> bool:
    """Are two results equal, and not only close? Raises RsimportError where they are not even close."""
    place, mine, theirs = _difference(native, other)
    if place is None:
        return bool(mine)
    where = f"with {subject.batch}={steps:,}" if subject.batch else "in one call"
    message = f"{subject.name} and {who} disagree {where}{place}: Rust gives {mine}, {who} gives {theirs}"
    raise RsimportError(message, hint="a comparison needs two functions that do the same")


def _difference(native: Any, other: Any) -> tuple[str | None, Any, Any]:
    """Where two results differ, and what is there; no place, and whether they are equal, if they do not."""
    if isinstance(native, (dict, str, bytes, type(None))):
        return (None, True, None) if native == other else ("", f"{native!r}", f"{other!r}")
    try:
        left, right = numpy.asarray(native), numpy.asarray(other)
    except ValueError:  # Ragged lists.
        return (None, True, None) if native == other else ("", f"{native!r}", f"{other!r}")
    if left.shape != right.shape:
        return "", f"the shape {left.shape}", f"the shape {right.shape}"
    if left.dtype.kind not in "biufc" or right.dtype.kind not in "biufc":
        return (None, True, None) if bool(numpy.all(left == right)) else ("", f"{native!r}", f"{other!r}")
    same = (left == right) | ((left != left) & (right != right))
    close = same | numpy.isclose(left, right, rtol=CLOSE, atol=0.0, equal_nan=True)
    if bool(numpy.all(close)):
        return None, bool(numpy.all(same)), None
    if left.shape == ():
        return "", f"{native!r}", f"{other!r}"
    index = tuple(int(part) for part in numpy.argwhere(~close)[0])
    at = index[0] if len(index) == 1 else index
    return f" at index {at}", f"{left[index].item()!r}", f"{right[index].item()!r}"
