"""Tests of NAME.rs: run `pytest` in this folder."""

import pytest
import rsimport.import_hook  # noqa: F401

# isort: split
# The hook has to be there before the kernel is imported.
import NAME


def test_the_mean_follows_the_numbers() -> None:
    running = NAME.RunningMean()
    means = []
    for value in (4.0, 8.0, 3.0):
        running.push(value)
        means.append(running.mean)
    assert means == [4.0, 6.0, 5.0]
    assert running.count == 3


def test_a_new_object_has_no_mean() -> None:
    assert NAME.RunningMean().mean is None


def test_the_count_is_read_only() -> None:
    with pytest.raises(AttributeError):
        NAME.RunningMean().count = 7


def test_it_prints_what_it_holds() -> None:
    running = NAME.RunningMean()
    running.push(1.5)
    assert repr(running) == "RunningMean(count=1, sum=1.5)"
