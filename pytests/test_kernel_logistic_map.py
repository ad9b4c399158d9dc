"""The kernel logistic_map: many values of r at once, orbits, bifurcations, Lyapunov exponents."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest
from helpers import LIMIT

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


@pytest.mark.parametrize("count", [0, 1, 8, 9, 31, 32, 33, 500])
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


def test_growth_rates_are_read_from_any_memory_layout(kernel):
    packed = np.zeros(40, dtype=[("flag", "u1"), ("r", "<f8")])
    packed["r"] = np.linspace(2.0, 4.0, 40)
    expected = kernel.final_values(packed["r"].tolist(), 7).tolist()
    assert kernel.final_values(packed["r"], 7).tolist() == expected
    assert kernel.final_values(packed["r"][::-1], 7).tolist() == expected[::-1]
    assert kernel.final_values(packed["r"].astype(">f8"), 7).tolist() == expected
    assert kernel.final_values(np.broadcast_to(3.7, 40), 7).tolist() == [in_python(7, 3.7, 0.5)] * 40


def test_the_result_is_the_callers_alone(kernel):
    rs = np.linspace(2.0, 4.0, 40)
    values = kernel.final_values(rs, 0, 0.25)
    assert not np.shares_memory(values, rs) and values.flags.writeable and values.flags.c_contiguous
    assert (values == 0.25).all()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.lib.stride_tricks.as_strided(np.zeros(1), (3,), (0,)), "the items of out share memory"),
        (np.zeros(3, dtype=[("flag", "u1"), ("x", "<f8")])["x"], "out is not aligned to 8 bytes"),
        (np.zeros(25, "u1")[1:].view("<f8"), "out is not aligned to 8 bytes"),
        (np.broadcast_to(0.5, 3), "out is read-only"),
    ],
    ids=["one item for all", "a packed field", "an odd address", "a broadcast"],
)
def test_an_array_of_a_layout_that_no_slice_of_rust_has_is_refused(kernel, out, message):
    with pytest.raises(ValueError, match=message):
        kernel.iterate_into(out, 3.9, 0.5)


def test_an_array_that_cannot_take_an_orbit_is_refused(kernel):
    frozen = np.zeros(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        kernel.iterate_into(frozen, 3.9, 0.5)
    assert frozen.tolist() == [0.0, 0.0, 0.0]
    for wrong in (np.zeros(3, "f4"), np.zeros(3, ">f8"), np.zeros((2, 2)), [0.0], None):
        with pytest.raises(TypeError, match="out has to be a 1-D array of float64"):
            kernel.iterate_into(wrong, 3.9, 0.5)


def test_a_bifurcation_has_the_values_after_the_warm_up(kernel, scalar):
    rs = np.linspace(2.9, 4.0, 40)
    visited = kernel.bifurcation(rs, 100, 5, 0.4)
    assert visited.shape == (40, 5) and visited.flags.c_contiguous
    assert visited.tolist() == [[scalar(101 + at, r, 0.4) for at in range(5)] for r in rs]


@pytest.mark.parametrize("count", [1, 8, 9, 33])
@pytest.mark.parametrize("keep", [1, 31, 32, 33, 100])
def test_a_bifurcation_has_its_values_whatever_their_number(kernel, count, keep):
    rs = np.linspace(2.9, 4.0, count)
    by_columns = [kernel.final_values(rs, 3 + at + 1, 0.4) for at in range(keep)]
    assert np.array_equal(kernel.bifurcation(rs, 3, keep, 0.4), np.stack(by_columns, axis=1))


@pytest.mark.parametrize(("count", "keep"), [(0, 5), (3, 0), (0, 0)])
def test_a_bifurcation_without_values_is_empty_at_once(kernel, count, keep):
    assert kernel.bifurcation(np.full(count, 3.0), 2**63, keep).shape == (count, keep)


def test_the_periods_double_where_they_should(kernel):
    visited = kernel.bifurcation([2.9, 3.2, 3.5, 3.55], 20_000, 64)
    assert [len(set(row.round(6))) for row in visited] == [1, 2, 4, 8]


def test_the_exponent_tells_chaos_from_order(kernel):
    stable, chaotic, empty = *kernel.lyapunov([3.2, 4.0], 200_000), kernel.lyapunov([3.0], 0)[0]
    assert stable < -0.5
    assert chaotic == pytest.approx(math.log(2), abs=1e-3)
    assert math.isnan(empty)
    assert kernel.lyapunov([2.0], 1, 0.5)[0] == -math.inf


@pytest.mark.parametrize("steps", [1, 7, 999, 1000, 1001, 5000])
@pytest.mark.parametrize("count", [1, 9, 70])
def test_the_exponent_is_the_mean_of_the_logarithms(kernel, steps, count):
    rs = np.linspace(0.5, 4.0, count)
    x, total = np.full(count, 0.3), np.zeros(count)
    for _ in range(steps):
        total += np.log(np.abs(rs * (1.0 - 2.0 * x)))
        x = rs * x * (1.0 - x)
    assert kernel.lyapunov(rs, steps, 0.3) == pytest.approx(total / steps, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(
    ("r", "x", "steps"),
    [
        (2.0, 0.5, 3000),  # On 1/2 for ever.
        (4.5, 0.5, 3000),  # Over 1/2 and away.
        (5.0, 0.3, 3000),  # Away, with factors that overflow.
        (5.0, 0.3, 9),  # Not yet away, with factors of very different sizes.
        (0.0, 0.3, 10),
        (1e-310, 0.3, 10),  # Subnormal factors.
        (1e200, 0.1, 2),
        (math.nan, 0.3, 10),
        (3.7, math.inf, 10),
        (-1.9, 0.3, 10),
    ],
)
def test_the_exponent_is_what_the_logarithms_give_in_odd_cases_too(kernel, r, x, steps):
    total, at = np.float64(0.0), np.float64(x)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            total += np.log(np.abs(r * (1.0 - 2.0 * at)))
            at = r * at * (1.0 - at)
    assert kernel.lyapunov([r], steps, x)[0] == pytest.approx(total / steps, rel=1e-12, nan_ok=True)
    # The same in a lane among others, which it does not disturb.
    among = kernel.lyapunov([3.9] * 20 + [r] + [3.9] * 20, steps, x)
    assert np.array_equal(among[[0, 20, 40]], kernel.lyapunov([3.9, r, 3.9], steps, x), equal_nan=True)


@pytest.mark.parametrize("threads", [1, 2, 3, 10**6])
def test_the_number_of_threads_does_not_change_the_result(kernel, threads):
    rs = np.linspace(2.9, 4.0, 1000)
    steps = 20_000
    assert np.array_equal(kernel.final_values(rs, steps), kernel.final_values(rs, steps, threads=threads))
    assert np.array_equal(kernel.lyapunov(rs, steps), kernel.lyapunov(rs, steps, threads=threads))
    some = kernel.bifurcation(rs, steps, 40, threads=threads)
    assert np.array_equal(some, kernel.bifurcation(rs, steps, 40))


def test_batches_between_signals_join_without_a_seam(kernel, scalar):
    # More steps than lie between two looks at the signals, so that the orbits are put down and taken up.
    steps = (1 << 27) // 3 + 5
    assert kernel.final_values([3.7, 3.8, 3.9], steps).tolist() == [
        scalar(steps, r, 0.5) for r in (3.7, 3.8, 3.9)
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_threads_too(kernel, run):
    result = run("""
        import os, warnings
        import numpy as np
        from rsimport.kernels import logistic_map

        rs = np.linspace(2.9, 4.0, 1000)
        here = logistic_map.final_values(rs, 20_000)
        warnings.simplefilter("ignore")
        child = os.fork()
        if child == 0:
            os._exit(3 if np.array_equal(logistic_map.final_values(rs, 20_000), here) else 4)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert result.out == "3"


def test_two_calls_do_not_write_to_one_array_at_once(kernel):
    out = np.zeros(20_000_000)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(kernel.iterate_into, out, 3.9, 0.5)
        refused = False
        while not first.done() and not refused:
            try:
                kernel.iterate_into(out[:0:-1], 3.9, 0.5)
            except ValueError as error:
                refused = str(error) == "another call writes to out"
        first.result()
    assert refused


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: m.final_values([[3.0]], 1), TypeError),
        (lambda m: m.final_values("abc", 1), TypeError),
        (lambda m: m.final_values(["3.9"], 1), TypeError),
        (lambda m: m.final_values([3.9 + 1j], 1), TypeError),
        (lambda m: m.final_values([[3.0], []], 1), ValueError),
        (lambda m: m.final_values([3.0], 1, threads=0), ValueError),
        (lambda m: m.final_values([3.0], 1, threads=-1), OverflowError),
        (lambda m: m.lyapunov([3.0], 2**64), OverflowError),
        (lambda m: m.final_values([3.0], -1), OverflowError),
        (lambda m: m.bifurcation([3.0, 3.1], 1, -1), OverflowError),
        (lambda m: m.bifurcation([3.0, 3.1], 1, 2**62), MemoryError),
        (lambda m: m.bifurcation([3.0, 3.1], 1, 2**63), MemoryError),
        (lambda m: m.bifurcation([3.0], 1, 2**55), MemoryError),
        (lambda m: m.lyapunov(None, 1), TypeError),
    ],
)
def test_arguments_that_make_no_sense_are_errors(kernel, call, error):
    with pytest.raises(error):
        call(kernel)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize(
    "call",
    [
        "final_values([3.9] * 64, 2**60)",
        "lyapunov([3.9], 2**60)",
        "bifurcation([3.9], 2**60)",
    ],
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
        assert "KeyboardInterrupt" in process.communicate(timeout=LIMIT)[1]
    finally:
        process.kill()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that signal")
def test_a_signal_ends_a_long_orbit_with_its_beginning_written(kernel, run):
    result = run("""
        import signal
        import numpy as np
        from rsimport.kernels import logistic_map

        out = np.zeros(1 << 25)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            logistic_map.iterate_into(out, 3.9, 0.5)
        except KeyboardInterrupt:
            written = np.count_nonzero(out)
            print(out[:written].all() and not out[written:].any() and written < out.size)
    """)
    assert result.out == "True"
