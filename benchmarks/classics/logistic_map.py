"""The logistic map over many values of r, against one at a time, numpy, numba and one thread."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from tempfile import gettempdir

import numpy as np
from line import Line, ratio
from measure import alternate, compare, seconds

RUNS = 20
COUNT, STEPS = 4_096, 2_000
X = 0.5


def lines(runs: int) -> list[Line]:
    """Measures final values of all r in one call."""
    from rsimport.kernels import logistic, logistic_map

    rs = np.linspace(2.5, 4.0, COUNT)
    expected = logistic_map.final_values(rs, STEPS, X)

    def one_by_one() -> object:
        return np.array([logistic.logistic(STEPS, r, X) for r in rs.tolist()])

    def vectorised() -> object:
        x = np.full_like(rs, X)
        for _ in range(STEPS):
            x = rs * x * (1.0 - x)
        return x

    def against(what: str, other: Callable[[], object], bar: float | None = None) -> Line:
        if not np.array_equal(other(), expected):
            raise RuntimeError(f"{what} gives other values")
        sides = alternate(
            runs,
            lambda: seconds(lambda: logistic_map.final_values(rs, STEPS, X)),
            lambda: seconds(other),
        )
        return ratio(f"{COUNT:,} values of r, {STEPS:,} steps each", what, compare(*sides), bar)

    found = [
        against("logistic, one r a call", one_by_one),
        against("numpy, all r a step", vectorised),
    ]
    if importlib.util.find_spec("numba"):
        found.append(against("numba, prange over r", _numba(rs)))
    else:
        found.append(
            Line("final_values", "numba, prange over r", None, note="skipped: numba is not installed")
        )
    return [*found, _threads(runs)]


def _numba(rs: np.ndarray) -> Callable[[], object]:
    import numba

    @numba.njit(parallel=True)
    def iterated(rs: np.ndarray, steps: int, x: float) -> np.ndarray:
        out = np.empty_like(rs)
        for at in numba.prange(rs.size):
            value, r = x, rs[at]
            for _ in range(steps):
                value = r * value * (1.0 - value)
            out[at] = value
        return out

    return lambda: iterated(rs, STEPS, X)


def _threads(runs: int) -> Line:
    # The number of threads is read once in a process.
    def timed(threads: int) -> float:
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        command = [sys.executable, "-c", _ONE, str(COUNT), str(4 * STEPS)]
        # Elsewhere than in the checkout, whose package has no engine.
        done = subprocess.run(
            command, cwd=gettempdir(), env=environment, capture_output=True, text=True, check=True
        )
        return float(json.loads(done.stdout))

    processors = os.cpu_count() or 1
    sides = alternate(max(3, runs // 4), lambda: timed(processors), lambda: timed(1))
    return ratio(f"final_values, {processors} threads", "one thread", compare(*sides))


_ONE = """
import sys
from time import perf_counter
import numpy as np
from rsimport.kernels import logistic_map
rs, steps = np.linspace(2.5, 4.0, int(sys.argv[1])), int(sys.argv[2])
logistic_map.final_values(rs, 10)
times = []
for _ in range(5):
    start = perf_counter()
    logistic_map.final_values(rs, steps)
    times.append(perf_counter() - start)
print(min(times))
"""
