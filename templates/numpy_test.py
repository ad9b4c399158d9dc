"""Tests of NAME.rs: run `pytest` in this folder."""

import numpy as np
import pytest
import rsimport.import_hook  # noqa: F401

# isort: split
# The hook has to be there before the kernel is imported.
import NAME


def test_each_row_gets_its_weighted_sum() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    sums = NAME.weighted_sums(rows, np.array([10.0, 1.0]))
    assert sums.tolist() == [12.0, 34.0, 56.0]


def test_a_transposed_array_needs_no_copy() -> None:
    rows = np.arange(6.0).reshape(2, 3).T
    weights = np.array([1.0, -1.0])
    np.testing.assert_allclose(NAME.weighted_sums(rows, weights), rows @ weights)


def test_the_arguments_stay_as_they_were() -> None:
    rows = np.ones((2, 2))
    rows.flags.writeable = False
    NAME.weighted_sums(rows, np.ones(2))
    assert (rows == 1.0).all()


def test_shapes_that_do_not_fit_raise_an_error() -> None:
    with pytest.raises(ValueError, match="2 columns but 3 weights"):
        NAME.weighted_sums(np.ones((4, 2)), np.ones(3))


def test_another_dtype_raises_an_error() -> None:
    with pytest.raises(TypeError):
        NAME.weighted_sums(np.ones((2, 2), dtype=np.float32), np.ones(2))
