"""Tests of NAME.rs: run `pytest` in this folder."""

import pytest
import rsimport.import_hook  # noqa: F401

# isort: split
# The hook has to be there before the kernel is imported.
import NAME


def test_the_mean_lies_in_the_middle() -> None:
    assert NAME.mean([1.0, 2.0, 6.0]) == 3.0


def test_no_numbers_raise_an_error() -> None:
    with pytest.raises(ValueError, match="no numbers"):
        NAME.mean([])


def test_text_is_not_a_number() -> None:
    with pytest.raises(TypeError):
        NAME.mean(["one"])
