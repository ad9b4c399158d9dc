"""kernels/hot_loop.rs: Python functions and native ones give the same integral, to the last bit."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from helpers import Result

NATIVE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)

RANGES = [
    (0.0, 1.0, 1),
    (0.0, 1.0, 10),
    (-2.0, 3.0, 1001),
    (3.0, -2.0, 64),
    (0.5, 0.5, 5),
    (0.0, 1e3, 40_000),
]


@pytest.fixture(scope="module")
def hot_loop(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import hot_loop

    return hot_loop


def bell(x: float) -> float:
    return 4.0 / (1.0 + x * x)


def in_python(f: Callable[[float], float], a: float, b: float, n: int) -> float:
    step = (b - a) / n
    total = 0.0
    for i in range(n):
        total += f(a + (i + 0.5) * step)
    return total * step


def capsule(name: bytes | None, address: int) -> Any:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return new(address, name, None)


@pytest.mark.parametrize("limits", RANGES)
def test_all_ways_agree_with_python_to_the_last_bit(
    hot_loop: ModuleType, limits: tuple[float, float, int]
) -> None:
    expected = in_python(bell, *limits)
    assert hot_loop.integrate(bell, *limits) == expected
    assert hot_loop.integrate_native(hot_loop.native_example(), *limits) == expected
    assert hot_loop.integrate_at_address(hot_loop.native_example_address(), *limits) == expected


@pytest.mark.parametrize(
    ("f", "a", "b", "integral"),
    [(math.sin, 0, math.pi, 2.0), (math.exp, -1, 1, math.e - 1 / math.e), (lambda x: 3, 2, 6, 12.0)],
)
def test_it_comes_close_to_the_true_integral(
    hot_loop: ModuleType, f: Callable[[float], float], a: float, b: float, integral: float
) -> None:
    coarse, fine = (abs(hot_loop.integrate(f, a, b, n) - integral) for n in (100, 1000))
    assert fine < 1e-5
    assert fine <= coarse / 50


def test_native_functions_of_ctypes_and_of_the_file_are_called(hot_loop: ModuleType) -> None:
    exported = NATIVE(("hot_loop_example", ctypes.CDLL(hot_loop.__file__)))
    assert exported(1.0) == 2.0
    assert ctypes.cast(exported, ctypes.c_void_p).value == hot_loop.native_example_address()
    called_back = NATIVE(bell)
    for function in (exported, called_back):
        address = ctypes.cast(function, ctypes.c_void_p).value
        assert hot_loop.integrate_at_address(address, 0.0, 1.0, 1000) == in_python(bell, 0.0, 1.0, 1000)
        named = capsule(b"double (double)", address)
        assert hot_loop.integrate_native(named, 0.0, 1.0, 1000) == in_python(bell, 0.0, 1.0, 1000)


def test_a_number_that_is_none_goes_into_the_result(hot_loop: ModuleType) -> None:
    assert math.isnan(hot_loop.integrate(lambda x: math.nan, 0, 1, 3))
    assert hot_loop.integrate(lambda x: math.inf, 0, 1, 3) == math.inf
    assert math.isnan(hot_loop.integrate_native(hot_loop.native_example(), 0, math.nan, 3))


def test_an_exception_of_the_function_ends_the_loop(hot_loop: ModuleType) -> None:
    calls = []

    def fail(x: float) -> float:
        calls.append(x)
        raise KeyError(x)

    with pytest.raises(KeyError):
        hot_loop.integrate(fail, 0, 1, 10)
    assert calls == [0.05]
    with pytest.raises(TypeError):
        hot_loop.integrate(str, 0, 1, 10)


def test_only_a_capsule_that_names_the_signature_is_a_native_function(hot_loop: ModuleType) -> None:
    address = hot_loop.native_example_address()
    for wrong in (capsule(b"double (int)", address), capsule(None, address), address, bell, None):
        with pytest.raises(TypeError, match=r'f must be a capsule of the name "double \(double\)"'):
            hot_loop.integrate_native(wrong, 0, 1, 10)


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (-1, OverflowError), (2**64, OverflowError)])
def test_a_number_of_points_that_makes_no_sense_is_an_error(
    hot_loop: ModuleType, n: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        hot_loop.integrate(bell, 0, 1, n)
    with pytest.raises(error):
        hot_loop.integrate_native(hot_loop.native_example(), 0, 1, n)
    with pytest.raises(error):
        hot_loop.integrate_at_address(hot_loop.native_example_address(), 0, 1, n)


def test_an_address_that_can_be_none_is_an_error(hot_loop: ModuleType) -> None:
    with pytest.raises(ValueError, match="address must not be 0"):
        hot_loop.integrate_at_address(0, 0, 1, 10)
    for wrong in (-1, 2**64):
        with pytest.raises(OverflowError):
            hot_loop.integrate_at_address(wrong, 0, 1, 10)


@pytest.mark.parametrize(
    "endless",
    ["integrate(float, 0, 1, 2**63)", "integrate_native(native_example(), 0, 1, 2**63)"],
)
def test_ctrl_c_ends_it(run: Callable[..., Result], endless: str) -> None:
    result = run(f"""
        import os, signal, threading, time
        from rsimport.kernels.hot_loop import *

        # A process of its own sends the signal: with a function in C, the GIL may never be let go.
        if os.fork() == 0:
            time.sleep(0.2)
            os.kill(os.getppid(), signal.SIGINT)
            os._exit(0)
        try:
            {endless}
        except KeyboardInterrupt:
            print("stopped")
    """)
    assert result.out == "stopped"
