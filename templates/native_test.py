"""Tests of NAME.rs: run `pytest` in this folder."""

import math

import pytest
import rsimport
import rsimport.import_hook

# isort: split
# The hook has to be there before the kernel is imported.
import NAME

native = rsimport.native(NAME)


@pytest.mark.parametrize(("x", "value"), [(0.0, 0.0), (0.5, 0.5), (3.0, 9.0), (3.5, 12.5)])
def test_native_callers_and_python_get_the_same_value(x: float, value: float) -> None:
    assert native.ctypes("interpolate_native")(x) == value
    assert NAME.interpolate(x) == value


def test_a_panic_is_nan_for_native_callers_and_an_exception_in_python() -> None:
    assert math.isnan(native.ctypes("interpolate_native")(99.0))
    with pytest.raises(BaseException, match="out of bounds"):
        NAME.interpolate(99.0)


def test_scipy_and_cython_find_it_by_its_signature() -> None:
    assert native.signature("interpolate_native") == "double (double)"
    assert "interpolate_native" in NAME.__pyx_capi__
