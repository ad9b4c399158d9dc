"""Measures a crossing: a native function against the same in Python, over batch sizes and threads."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rsimport import _engine
from rsimport._errors import RsimportError, concise
from rsimport.bench._advice import advice
from rsimport.bench._agreement import agreement, called
from rsimport.bench._clock import undisturbed
from rsimport.bench._fit import Line, break_even
from rsimport.bench._race import Progress, Times, race
from rsimport.bench._result import Crossing, Point, Threads
from rsimport.bench._target import Function, target
from rsimport.bench._threads import processors, throughput


@concise
def crossing(
    function: Function,
    arguments: str | Mapping[str, Any],
    batch: str | None = None,
    *,
    python: Function | None = None,
    nogil: Function | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> Crossing:
    """Measures what a call of a native function costs, and from how many steps a call on it pays.

    `arguments` are a dict, or a text like `"steps=10_000_000, r=3.9, x=0.5"` of Python expressions. `batch`
    names the one of them that says how many steps a call makes: an int, or a list or array, of which a part
    is taken. Without it, one call is one step. `python` is the same function in Python, called with the same
    arguments, by position up to the first that is left to its default, and `nogil` the same function of the
    kernel with the GIL released; where that is not given, it is the one of its module that is called
    NAME_nogil.

    All sides have to agree first. Then they take turns in random order, 15 rounds of samples of at least 5 ms
    each (5 with `quick`, or where a round takes long), of which pyperf gives median and deviations. The cost
    of a crossing and of a step are the line of least squares of relative errors through the times of calls
    of 1, 10, ... 1,000,000 steps. Sizes of which one call would take longer than 0.3 s (0.05 s with `quick`)
    are left out. `progress` is called with the rounds that are done, those that there are, and a name.

    Raises ConfigError for a function, arguments or a batch that do not fit, and RsimportError for a function
    that raises or panics, and where the results disagree, with both of them.
    """
    subject = target(function, arguments, batch)
    nogil = nogil or _sibling(function)
    others = {name: side for name, side in (("python", python), ("nogil", nogil)) if side is not None}
    sides = {"native": subject} | {
        name: subject.calling(side, called(name, side)) for name, side in others.items()
    }
    agreed = agreement(subject, others)
    with undisturbed():
        measured, left_out = race(sides, quick=quick, progress=progress)
        threads: tuple[Threads, ...] = ()
        if batch is not None:
            try:
                threads = tuple(throughput(sides, measured, quick=quick))
            except RsimportError as exc:  # Such as for an array that only one call may borrow.
                left_out.append(f"threads: {exc.message}")
    if batch is None:
        # A single size, which is all crossing where nothing says how much of it is work.
        lines = {name: Line(each[1].median, 0.0, each[1].error) for name, each in measured.items()}
    else:
        lines = {
            name: Line.through(
                list(sizes),
                [each.median for each in sizes.values()],
                [each.error for each in sizes.values()],
            )
            for name, sizes in measured.items()
        }
    native, other, released = lines["native"], lines.get("python"), lines.get("nogil")
    result = Crossing(
        function=subject.name,
        arguments=", ".join(f"{name}={_short(value)}" for name, value in subject.arguments.items()),
        batch=batch,
        points=tuple(_points(measured, lines)),
        crossing=native.fixed,
        crossing_error=native.fixed_error,
        step=native.step,
        step_error=native.step_error,
        misfit=native.misfit,
        python_call=other.fixed if other else None,
        python_step=other.step if other else None,
        break_even=break_even(native, other) if other and batch else None,
        break_even_inline=break_even(native, replace(other, fixed=0.0)) if other and batch else None,
        nogil=getattr(nogil, "__name__", None),
        nogil_crossing=released.fixed if released else None,
        threads=threads,
        agreement=agreed,
        advice=(),
        left_out=tuple(left_out),
        versions=_versions(),
    )
    with undisturbed():
        return replace(result, advice=tuple(advice(result, subject)))


def _points(measured: Times, lines: Mapping[str, Line]) -> Iterator[Point]:
    for steps, native in measured["native"].items():
        found = {side: sizes[steps] for side, sizes in measured.items() if steps in sizes}
        # Without a batch a line is all fixed cost, and so is a call.
        shares = {side: min(1.0, lines[side].fixed / each.median) for side, each in found.items()}
        python, nogil = found.get("python"), found.get("nogil")
        yield Point(steps, native, python, nogil, shares["native"], shares.get("nogil"))


def _sibling(function: Function) -> Function | None:
    """The function of the same module that is called NAME_nogil."""
    module = sys.modules.get(getattr(function, "__module__", None) or "") or getattr(
        function, "__self__", None
    )
    found = getattr(module, f"{getattr(function, '__name__', '')}_nogil", None)
    return found if callable(found) else None


def _short(value: Any) -> str:
    if hasattr(value, "__len__") and not isinstance(value, str):
        return f"<{type(value).__name__} of {len(value):,}>"
    return f"{value:_}" if isinstance(value, int) and not isinstance(value, bool) else repr(value)


def _versions() -> dict[str, str]:
    return {
        "rsimport": _engine.__version__,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{platform.system()} {platform.machine()}, {processors()} processors",
    }
