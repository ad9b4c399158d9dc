"""The kernel logistic_map: many values of r at once, orbits, bifurcations, Lyapunov exponents."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import ModuleType

import pytest

np = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def kernel(shared_cache: object) -> ModuleType:
    from rsimport.kernels import logistic_map

    return logistic_map


@pytest.fixture(scope="module")
def scalar(shared_cache: object) -> Callable[[int, float, float], float]:
    from rsimport.kernels import logistic

    return logistic.logistic


def in_python(steps: int, r: float, x: float) -> float:
    for _ in range(steps):
        x = r * x * (1.0 - x)
    return x


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 500])
@pytest.mark.parametrize("steps", [0, 1, 10, 1000])
def test_every_lane_gives_the_bits_of_the_scalar_kernel(kernel, scalar, count, steps):
    rs = np.linspace(-1.0, 4.5, count)
    assert kernel.final_values(rs, steps, 0.3).tolist() == pytest.approx(
        [scalar(steps, r, 0.3) for r in rs], rel=0, abs=0, nan_ok=True
    )


def test_few_steps_agree_with_python(kernel):
    rs = np.linspace(2.0, 4.0, 7)
    assert kernel.final_values(rs, 10) == pytest.approx([in_python(10, r, 0.5) for r in rs], rel=1e-12)


def test_lists_ints_and_strided_arrays_are_taken_and_left_alone(kernel):
    rs = np.linspace(2.0, 4.0, 11)
    before = rs.copy()
    assert kernel.final_values(rs[::2], 5).tolist() == kernel.final_values(rs[::2].tolist(), 5).tolist()
    assert kernel.final_values([3, 2], 1).tolist() == [0.75, 0.5]
    assert (rs == before).all()


@pytest.mark.parametrize("part", [slice(None), slice(None, None, 3), slice(None, None, -1), slice(0, 0)])
def test_an_orbit_is_written_into_the_callers_array_and_nowhere_else(kernel, part):
    base = np.full(30, -1.0)
    out = base[part]
    last = kernel.iterate_into(out, 3.9, 0.5)
    assert out.tolist() == [in_python(step + 1, 3.9, 0.5) for step in range(len(out))]
    assert last == (out[-1] if len(out) else 0.5)
    assert (base == -1.0).sum() == 30 - len(out)


def test_an_array_that_cannot_take_an_orbit_is_refused(kernel):
    frozen = np.zeros(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out cannot be written to"):
        kernel.iterate_into(frozen, 3.9, 0.5)
    for wrong in (np.zeros(3, "f4"), np.zeros((2, 2)), [0.0], None):
        with pytest.raises(TypeError, match="out has to be a 1-D array of float64"):
            kernel.iterate_into(wrong, 3.9, 0.5)


def test_a_bifurcation_has_the_values_after_the_warm_up(kernel, scalar):
    rs = np.linspace(2.9, 4.0, 40)
    visited = kernel.bifurcation(rs, 100, 5, 0.4)
    assert visited.shape == (40, 5) and visited.flags.c_contiguous
    assert visited.tolist() == [[scalar(101 + at, r, 0.4) for at in range(5)] for r in rs]


@pytest.mark.parametrize(("count", "keep"), [(0, 5), (3, 0), (0, 0)])
def test_a_bifurcation_without_values_is_empty(kernel, count, keep):
    assert kernel.bifurcation(np.full(count, 3.0), 1, keep).shape == (count, keep)


def test_the_periods_double_where_they_should(kernel):
    visited = kernel.bifurcation([2.9, 3.2, 3.5, 3.55], 20_000, 64)
    assert [len(set(row.round(6))) for row in visited] == [1, 2, 4, 8]


def test_the_exponent_tells_chaos_from_order(kernel):
    stable, chaotic, empty = *kernel.lyapunov([3.2, 4.0], 200_000), kernel.lyapunov([3.0], 0)[0]
    assert stable < -0.5
    assert chaotic == pytest.approx(math.log(2), abs=1e-3)
    assert math.isnan(empty)
    assert kernel.lyapunov([2.0], 1, 0.5)[0] == -math.inf


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: m.final_values([[3.0]], 1), TypeError),
        (lambda m: m.final_values("abc", 1), ValueError),
        (lambda m: m.final_values([3.0], -1), OverflowError),
        (lambda m: m.bifurcation([3.0, 3.1], 1, -1), OverflowError),
        (lambda m: m.bifurcation([3.0, 3.1], 1, 2**62), MemoryError),
        (lambda m: m.lyapunov(None, 1), TypeError),
    ],
)
def test_arguments_that_make_no_sense_are_errors(kernel, call, error):
    with pytest.raises(error):
        call(kernel)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize(
    "call", ["final_values([3.9] * 64, 2**60)", "lyapunov([3.9], 2**60)", "bifurcation([3.9], 2**60)"]
)
def test_ctrl_c_ends_a_long_run(kernel, call):
    code = f"from rsimport.kernels import logistic_map as m; print('on', flush=True); m.{call}"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout and process.stdout.readline() == "on\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    finally:
        process.kill()
