"""An integral over a million points: what a callback from a hot loop costs, in Python and native."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from line import Line, ratio
from measure import alternate, compare, seconds

RUNS = 9
POINTS = 1_000_000
REPEATS = 10
"""The native loop is short for a clock that others disturb, so it runs several times."""

Integral = Callable[[], float]


def lines(runs: int) -> list[Line]:
    from rsimport.kernels import hot_loop

    def bell(x: float) -> float:
        return 4.0 / (1.0 + x * x)

    def called_back() -> float:
        return hot_loop.integrate(bell, 0.0, 1.0, POINTS)

    capsule = hot_loop.native_example()

    def native(points: int = POINTS) -> float:
        return hot_loop.integrate_native(capsule, 0.0, 1.0, points)

    def in_python() -> float:
        step, total = 1.0 / POINTS, 0.0
        for i in range(POINTS):
            total += bell((i + 0.5) * step)
        return total * step

    found = [
        against(runs, "native function by capsule", native, "Python function called from Rust", called_back),
        against(runs, "Python function called from Rust", called_back, "a loop in Python", in_python),
    ]
    try:
        from numba import cfunc
    except ImportError:
        what = "a function compiled by Numba, by address"
        return [*found, Line(what, "-", None, note="skipped: numba is not installed")]

    compiled = cfunc("float64(float64)")(bell)
    by_address = partial(hot_loop.integrate_at_address, compiled.address, 0.0, 1.0)
    what = "a function compiled by Numba, by address"
    many = POINTS * REPEATS
    return [
        *found,
        against(runs, what, partial(by_address, POINTS), "Python function called from Rust", called_back),
        against(runs, what, partial(by_address, many), "native function by capsule", partial(native, many)),
    ]


def against(runs: int, what: str, ours: Integral, name: str, theirs: Integral) -> Line:
    for integral in (ours, theirs):
        if not math.isclose(integral(), math.pi, rel_tol=1e-9):
            raise AssertionError("an integral is wrong")
    return ratio(what, name, compare(*alternate(runs, partial(seconds, ours), partial(seconds, theirs))))
