"""Measures a crossing: a native function against the same in Python, over batch sizes and threads."""

from __future__ import annotations

import os
import platform
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from time import perf_counter
from typing import Any

import pyperf

from rsimport import _engine
from rsimport._errors import concise
from rsimport.bench._advice import advice
from rsimport.bench._agreement import agreement
from rsimport.bench._clock import Clock, undisturbed
from rsimport.bench._fit import Line, break_even
from rsimport.bench._result import Crossing, Estimate, Point, Threads
from rsimport.bench._target import Function, Target, target

LARGEST = 1_000_000
"""Steps of the largest batch over which the cost of a crossing is fitted."""
TOO_LONG = 0.3
"""Seconds: a size whose single call takes longer is left out."""
ROUNDS, QUICK_ROUNDS = 15, 5
THREADED = 0.05
"""Seconds of work that each thread gets."""
MOST_THREADS = 16

Progress = Callable[[int, int, str], None]


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
    arguments by position, and `nogil` the same function of the kernel with the GIL released; where that is
    not given, it is the one of its module that is called NAME_nogil.

    Both sides have to agree first. Then all of them take turns in random order, 15 rounds of samples of at
    least 5 ms each (5 with `quick`), of which pyperf gives median and deviation. The cost of a crossing and
    of a step are the line of least squares of relative errors through the times of calls of 1, 10, ...
    1,000,000 steps.

    Raises ConfigError for a function, arguments or a batch that do not fit, and RsimportError for a function
    that raises or panics, and where the results disagree, with both of them.
    """
    subject = target(function, arguments, batch)
    nogil = nogil or _sibling(function)
    sides: dict[str, Function] = {"native": function}
    if python is not None:
        sides["python"] = python
    if nogil is not None:
        sides["nogil"] = nogil
    agreed = agreement(subject, {name: side for name, side in sides.items() if name != "native"})
    with undisturbed():
        measured, left_out = _measured(subject, sides, QUICK_ROUNDS if quick else ROUNDS, progress)
        lines = {
            name: Line.through(list(sizes), [each.median for each in sizes.values()])
            for name, sizes in measured.items()
        }
        threads = tuple(_threaded(subject, sides, measured["native"], quick))
    native, other, released = lines["native"], lines.get("python"), lines.get("nogil")
    result = Crossing(
        function=subject.name,
        arguments=", ".join(f"{name}={_short(value)}" for name, value in subject.arguments.items()),
        batch=batch,
        points=tuple(
            Point(
                steps,
                each,
                measured.get("python", {}).get(steps),
                measured.get("nogil", {}).get(steps),
                min(1.0, native.fixed / each.median) if batch else 1.0,
            )
            for steps, each in measured["native"].items()
        ),
        crossing=native.fixed,
        crossing_error=native.fixed_error if batch else measured["native"][1].mad,
        step=native.step,
        python_call=other.fixed if other else None,
        python_step=other.step if other else None,
        break_even=break_even(native, other) if other else None,
        nogil=getattr(nogil, "__name__", None),
        nogil_crossing=released.fixed if released else None,
        threads=threads,
        agreement=agreed,
        advice=(),
        left_out=tuple(left_out),
        versions=_versions(),
    )
    return replace(result, advice=tuple(advice(result, subject)))


def _measured(
    subject: Target, sides: Mapping[str, Function], rounds: int, progress: Progress | None
) -> tuple[dict[str, dict[int, Estimate]], list[str]]:
    """The time of a call of each side at each size, in seconds, and what was left out."""
    clocks: dict[tuple[str, int], Clock] = {}
    left_out = []
    for name, side in sides.items():
        for steps in _sizes(subject):
            start = perf_counter()
            subject.call(steps, side)
            if (taken := perf_counter() - start) > TOO_LONG and steps > 1:
                who = "Python" if name == "python" else getattr(side, "__name__", name)
                left_out.append(f"{who} with {steps:,} steps: one call takes {taken:.2g} s")
                break
            clocks[name, steps] = Clock(side, subject.sized(steps))
    samples: dict[tuple[str, int], list[float]] = {key: [] for key in clocks}
    order = list(clocks)
    for number in range(rounds):
        # Whoever follows a long call finds other caches than who follows a short one.
        for key in random.Random(number).sample(order, len(order)):
            samples[key].append(clocks[key].sample())
        if progress is not None:
            progress(number + 1, rounds, subject.name)
    found: dict[str, dict[int, Estimate]] = {name: {} for name in sides}
    for (name, steps), values in samples.items():
        found[name][steps] = _estimate(values)
    return found, left_out


def _estimate(values: Sequence[float]) -> Estimate:
    run = pyperf.Run(list(values), metadata={"name": "crossing"}, collect_metadata=False)
    benchmark = pyperf.Benchmark([run])
    return Estimate(benchmark.median(), benchmark.median_abs_dev() if len(values) > 1 else 0.0, len(values))


def _sizes(subject: Target) -> list[int]:
    """1, 10, ... and at last all steps that the arguments ask for, but no more than the largest."""
    whole = min(subject.whole, LARGEST)
    sizes = [10**power for power in range(7) if 10**power <= whole]
    return sizes if whole in sizes else [*sizes, whole]


def _threaded(
    subject: Target, sides: Mapping[str, Function], native: Mapping[int, Estimate], quick: bool
) -> Iterator[Threads]:
    """Steps a second with 1 thread, 2 and so on up to the number of processors."""
    steps = max(native)
    cores = min(_processors(), MOST_THREADS)
    arguments = subject.sized(steps)
    calls = max(1, round((THREADED / 5 if quick else THREADED) / native[steps].median))
    for threads in range(1, cores + 1):
        speeds = {
            name: max(_speed(side, arguments, threads, calls) for _ in range(3)) * steps
            for name, side in sides.items()
            if name != "python"
        }
        yield Threads(threads, speeds["native"], speeds.get("nogil"))


def _speed(function: Function, arguments: Sequence[Any], threads: int, calls: int) -> float:
    """Calls a second of so many threads that begin together."""
    ready = Barrier(threads + 1)

    def work() -> None:
        ready.wait()
        for _ in range(calls):
            function(*arguments)

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work) for _ in range(threads)]
        ready.wait()
        start = perf_counter()
        for future in futures:
            future.result()
        return threads * calls / (perf_counter() - start)


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


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
        "machine": f"{platform.system()} {platform.machine()}, {_processors()} processors",
    }
