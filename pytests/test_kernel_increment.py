"""kernels/increment.rs: Python's `i + 1`, as far as 64 bits go."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def increment(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import increment

    return increment


@pytest.mark.parametrize("i", [0, 1, -1, -2, 41, 2**31 - 1, 2**32, 2**53, 2**63 - 2, -(2**63), True])
def test_it_adds_one(increment: ModuleType, i: int) -> None:
    assert increment.increment(i) == i + 1


def test_its_argument_may_be_named(increment: ModuleType) -> None:
    assert increment.increment(i=6) == 7


@pytest.mark.parametrize("i", [2**63 - 1, 2**63, -(2**63) - 1, 10**30])
def test_a_number_that_does_not_fit_raises_an_error(increment: ModuleType, i: int) -> None:
    with pytest.raises(OverflowError):
        increment.increment(i)


@pytest.mark.parametrize("i", [1.0, "1", None, [1]])
def test_what_is_no_int_raises_an_error(increment: ModuleType, i: object) -> None:
    with pytest.raises(TypeError):
        increment.increment(i)


@pytest.mark.parametrize(("i", "expected"), [(0, 1), (-1, 0), (2**63 - 2, 2**63 - 1), (2**63 - 1, -(2**63))])
def test_native_callers_reach_it_by_its_address(increment: ModuleType, i: int, expected: int) -> None:
    native = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(increment.increment_address())
    assert native(i) == expected


def test_native_callers_find_it_by_its_name_too(increment: ModuleType) -> None:
    exported = ctypes.CDLL(increment.__file__).increment_native
    assert ctypes.cast(exported, ctypes.c_void_p).value == increment.increment_address()


def test_native_callers_need_no_gil(increment: ModuleType) -> None:
    # What a CFUNCTYPE calls runs with the GIL released.
    native = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(increment.increment_address())
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(native, range(1000))) == list(range(1, 1001))
