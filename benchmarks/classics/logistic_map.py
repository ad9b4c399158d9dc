"""The logistic map over many values of r, against one at a time, numpy, numba and one thread.

Every pair of sides makes the same steps, so a ratio of their times is one of times per step, and their
results have to be equal: bit for bit, but for the sums of logarithms.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from time import sleep

import numpy as np
import numpy.typing as npt
from line import Line, ratio
from measure import alternate, compare, seconds

RUNS = 20
COUNT, STEPS, KEEP = 4_096, 8_000, 200
X = 0.3

Array = npt.NDArray[np.float64]


def lines(runs: int) -> list[Line]:
    """Measures the batched functions, in one thread and in all."""
    from rsimport.kernels import logistic, logistic_map

    rs = np.linspace(2.5, 4.0, COUNT)
    steps = f"{COUNT:,} values of r, {STEPS:,} steps each"

    def final(threads: int | None) -> Callable[[], object]:
        return lambda: logistic_map.final_values(rs, STEPS, X, threads)

    def one_by_one() -> object:
        return np.array([logistic.logistic(STEPS, r, X) for r in rs.tolist()])

    found = []
    for threads, label in ((1, "one thread"), (None, f"{os.cpu_count()} threads")):
        what = f"final_values, {steps}, {label}"
        found += [
            _line(runs, what, "logistic, one r a call", final(threads), one_by_one),
            _line(runs, what, "numpy, all r a step", final(threads), lambda: _numpy_final(rs)),
            _numba(runs, what, rs, threads, final(threads)),
        ]
    found.append(_line(runs, f"final_values, {os.cpu_count()} threads", "one thread", final(None), final(1)))
    found.append(
        _line(
            runs,
            f"bifurcation, {COUNT:,} values of r, {KEEP:,} values each, one thread",
            "numpy, all r a step",
            lambda: logistic_map.bifurcation(rs, 0, KEEP, X, 1),
            lambda: _numpy_bifurcation(rs),
        )
    )
    found.append(
        _line(
            runs,
            f"lyapunov, {COUNT:,} values of r, {KEEP:,} steps each, one thread",
            "numpy, all r a step",
            lambda: logistic_map.lyapunov(rs, KEEP, X, 1),
            lambda: _numpy_lyapunov(rs),
            tolerance=1e-12,
        )
    )
    return found


def _line(
    runs: int,
    what: str,
    against: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    tolerance: float = 0.0,
    pause: float = 0.0,
) -> Line:
    if not np.allclose(ours(), theirs(), rtol=tolerance, atol=tolerance):
        raise RuntimeError(f"{what}: {against} gives other values")

    def after_a_pause() -> float:
        sleep(pause)
        return seconds(ours)

    return ratio(what, against, compare(*alternate(runs, after_a_pause, lambda: seconds(theirs))))


def _numpy_final(rs: Array) -> Array:
    x = np.full_like(rs, X)
    for _ in range(STEPS):
        x = rs * x * (1.0 - x)
    return x


def _numpy_bifurcation(rs: Array) -> Array:
    points = np.empty((rs.size, KEEP))
    x = np.full_like(rs, X)
    for column in range(KEEP):
        x = rs * x * (1.0 - x)
        points[:, column] = x
    return points


def _numpy_lyapunov(rs: Array) -> Array:
    x, total = np.full_like(rs, X), np.zeros_like(rs)
    for _ in range(KEEP):
        total += np.log(np.abs(rs * (1.0 - 2.0 * x)))
        x = rs * x * (1.0 - x)
    return total / KEEP


def _numba(runs: int, what: str, rs: Array, threads: int | None, ours: Callable[[], object]) -> Line:
    against = "numba, prange over r"
    if not importlib.util.find_spec("numba"):
        return Line(what, against, None, note="skipped: numba is not installed")
    import numba

    @numba.njit(parallel=True)  # type: ignore[untyped-decorator]
    def iterated(rs: Array, steps: int, x: float) -> Array:
        out = np.empty_like(rs)
        for at in numba.prange(rs.size):
            value, r = x, rs[at]
            for _ in range(steps):
                value = r * value * (1.0 - value)
            out[at] = value
        return out

    numba.set_num_threads(threads or numba.config.NUMBA_NUM_THREADS)
    # OpenMP's threads wait for the next loop by spinning, and would take a processor from what follows.
    return _line(runs, what, against, ours, lambda: iterated(rs, STEPS, X), pause=0.05)
