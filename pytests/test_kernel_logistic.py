"""kernels/logistic.rs: the same numbers as Python's own loop, with and without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from helpers import Result

Logistic = Callable[[int, float, float], float]

RUNS = {
    "no step": (0, 3.9, 0.3),
    "one step": (1, 3.9, 0.3),
    "ten chaotic steps": (10, 3.9, 0.5),
    "a thousand chaotic steps": (1000, 3.99, 0.1234),
    "a fixed point": (500, 2.5, 0.9),
    "a cycle of two": (501, 3.2, 0.1),
    "a start at zero": (5, 3.7, 0.0),
    "a negative start": (3, 3.7, -0.5),
    "ints as floats": (4, 3, 1),
    "a run to minus infinity": (100, 4.5, 0.5),
    "a run to nan": (100, 0.0, float("-inf")),
}


@pytest.fixture(scope="module")
def kernel_module(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import logistic

    return logistic


@pytest.fixture(params=["logistic", "logistic_nogil"])
def logistic(request: pytest.FixtureRequest, kernel_module: ModuleType) -> Logistic:
    function: Logistic = getattr(kernel_module, request.param)
    return function


def in_python(steps: int, r: float, x: float) -> float:
    for _ in range(steps):
        x = r * x * (1 - x)
    return x


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
def test_it_agrees_with_python_to_the_last_bit(logistic: Logistic, run: tuple[int, float, float]) -> None:
    assert float(logistic(*run)).hex() == float(in_python(*run)).hex()


def test_many_single_steps_are_one_long_run(logistic: Logistic) -> None:
    x = 0.3
    for _ in range(200):
        x = logistic(1, 3.8, x)
    assert x == logistic(200, 3.8, 0.3)


def test_its_arguments_may_be_named(logistic: Logistic) -> None:
    assert logistic(x=0.5, r=2.0, steps=3) == 0.5


@pytest.mark.parametrize("steps", [-1, 2**64])
def test_steps_that_no_loop_can_take_raise_an_error(logistic: Logistic, steps: int) -> None:
    with pytest.raises(OverflowError):
        logistic(steps, 3.9, 0.5)


@pytest.mark.parametrize("run", [(1.5, 3.9, 0.5), (1, "3.9", 0.5), (1, 3.9, None)])
def test_what_is_no_number_raises_an_error(logistic: Logistic, run: tuple[int, float, float]) -> None:
    with pytest.raises(TypeError):
        logistic(*run)


def test_an_endless_run_lets_other_threads_work_and_ends_with_ctrl_c(run: Callable[..., Result]) -> None:
    # The other thread can send the signal only while the kernel runs without the GIL; else this hangs.
    result = run("""
        import os, signal, threading, time
        from rsimport.kernels.logistic import logistic_nogil

        def interrupt():
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)

        try:
            threading.Thread(target=interrupt).start()
            logistic_nogil(2**63, 3.9, 0.5)
        except KeyboardInterrupt:
            print("stopped")
    """)
    assert result.out == "stopped"
