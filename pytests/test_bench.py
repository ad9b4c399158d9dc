"""`rsimport.bench`: what a crossing costs, what comes of it, and what is said of what does not fit."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from functools import partial

import pytest

pytest.importorskip("pyperf", reason="the extra `bench` is not installed")

import numpy

import rsimport
from rsimport.bench import Estimate, _advice, crossing
from rsimport.bench._advice import MANY, advice
from rsimport.bench._agreement import agreement
from rsimport.bench._clock import LONG_ENOUGH, Clock
from rsimport.bench._crossing import _points
from rsimport.bench._fit import Line, ahead_below, break_even
from rsimport.bench._race import QUICK_ROUNDS, TOO_LONG, race
from rsimport.bench._target import Target, evaluated, target

TOTAL = """
#[pyfunction]
fn total(values: Vec<f64>) -> f64 {
    values.iter().sum()
}
"""


def logistic(steps: int, r: float, x: float) -> float:
    for _ in range(steps):
        x = r * x * (1.0 - x)
    return x


@pytest.mark.parametrize(("fixed", "step"), [(40e-9, 1.6e-9), (0.0, 1e-6), (1e-3, 1e-12), (5e-8, 0.0)])
def test_the_cost_of_a_crossing_and_of_a_step_is_found_in_times_that_are_exact(fixed, step):
    sizes = [10**power for power in range(7)]
    line = Line.through(sizes, [fixed + step * size for size in sizes])
    assert math.isclose(line.fixed, fixed, rel_tol=1e-6, abs_tol=1e-12)
    assert math.isclose(line.step, step, rel_tol=1e-3, abs_tol=1e-14)


@pytest.mark.parametrize(
    ("native", "python", "expected"),
    [
        ((50, 1), (0, 11), 5),
        ((50, 1), (0, 50), 2),
        ((5, 1), (10, 10), 1),
        ((50, 1), (50, 1.5), 1),
        ((50, 10), (0, 9), math.inf),
        ((50, 10), (0, 10), math.inf),
        ((50, 10), (90, 9), math.inf),
    ],
)
def test_the_break_even_is_where_the_lines_cross(native, python, expected):
    lines = [Line(fixed * 1e-9, step * 1e-9, 0.0, 0.0) for fixed, step in (native, python)]
    found = break_even(*lines)
    assert found == expected
    if found < math.inf:
        assert lines[0].at(found) <= lines[1].at(found) * (1 + 1e-9)
        assert found == 1 or lines[0].at(found - 1) > lines[1].at(found - 1)


def test_slower_steps_with_a_cheaper_call_are_ahead_in_small_batches_only():
    native, python = Line(10e-9, 2e-9), Line(100e-9, 1e-9)
    assert ahead_below(native, python) == 90
    assert native.at(89) < python.at(89) and native.at(91) > python.at(91)
    assert ahead_below(python, native) == 0


@pytest.mark.parametrize(
    ("sizes", "seconds", "errors", "expected"),
    [
        ([1, 11], [20.0, 120.0], [0.0, 0.0], (10.0, 10.0, 0.0, 0.0)),
        ([5], [20.0], [1.0], (0.0, 4.0, 0.0, 0.2)),
    ],
)
def test_few_sizes_make_a_line_too(sizes, seconds, errors, expected):
    line = Line.through(sizes, seconds, errors)
    found = (line.fixed, line.step, line.fixed_error, line.step_error)
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_errors_of_a_line_are_those_of_the_times_or_of_what_it_misses():
    sizes = [1, 10, 100, 1000]
    exact = [50.0 + 2.0 * size for size in sizes]
    noisy = Line.through(sizes, exact, [0.01 * value for value in exact])
    noisier = Line.through(sizes, exact, [0.02 * value for value in exact])
    assert noisier.fixed_error == pytest.approx(2 * noisy.fixed_error) and noisy.fixed_error > 0.1
    uneven = Line.through(sizes, [*exact[:-1], 2 * exact[-1]], [0.0] * 4)
    assert uneven.misfit > 0.2 and uneven.step_error > 0 and noisy.misfit < 1e-9


def test_an_estimate_has_the_standard_error_of_a_median():
    assert Estimate(1.0, 0.1, 0.2, 100).error == pytest.approx(0.1 * 1.483 * 1.253 / 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps=1_000, r=3.9", {"steps": 1000, "r": 3.9}),
        ("x=math.pi, values=[1.0] * 3", {"x": math.pi, "values": [1.0, 1.0, 1.0]}),
        ("", {}),
    ],
)
def test_arguments_are_python(text, expected):
    assert evaluated(text) == expected


@pytest.mark.parametrize("text", ["steps=", "1 2", "steps=nowhere", "steps=1)(", "steps=1/0"])
def test_what_is_no_python_is_said(text):
    with pytest.raises(rsimport.ConfigError, match="cannot be read"):
        evaluated(text)


@pytest.mark.parametrize(
    ("arguments", "batch", "said"),
    [
        ("steps=3", None, "missing a required argument: 'r'"),
        ("steps=3, r=1.0, x=0.5, y=1", None, "unexpected keyword argument 'y'"),
        ("steps=3, r=1.0, x=0.5", "nope", "has no argument `nope`"),
        ("steps=3, r=1.0, x=0.5", "r", "`r` is a float"),
        ("steps=0, r=1.0, x=0.5", "steps", "`steps` is 0"),
        ("steps='abc', r=1.0, x=0.5", "steps", "`steps` is a str"),
        ("steps=[], r=1.0, x=0.5", "steps", "`steps` is empty"),
        ("steps=1, r=1.0, x=0.5", "steps", "at least 2 steps"),
        ("steps={'a': 1}, r=1.0, x=0.5", "steps", "`steps` is a dict"),
        ("steps=np.array(3), r=1.0, x=0.5", "steps", "`steps` is a ndarray"),
    ],
)
def test_what_does_not_fit_a_function_is_said(arguments, batch, said):
    with pytest.raises(rsimport.ConfigError, match=said):
        target(logistic, arguments, batch)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda steps, r, x: logistic(steps, r, x) + 1e-6, "disagree with steps=1: Rust gives 0.975"),
        (lambda steps, r, x: "no", "disagree"),
        (lambda steps, r, x: [logistic(steps, r, x)], "the shape"),
        (lambda steps, r, x: 1 / 0, "raises ZeroDivisionError"),
    ],
)
def test_results_that_differ_are_shown(other, said):
    subject = target(logistic, "steps=1_000, r=3.9, x=0.5", "steps")
    with pytest.raises(rsimport.RsimportError, match=said):
        agreement(subject, {"python": other})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("n=8, last=3", (8, "second", 3, "word")),
        ("n=8, word=4, second=2", (8, 2, "last", 4)),
    ],
)
def test_an_argument_that_is_left_out_moves_no_other(arguments, expected):
    def function(n, second="second", last="last", *, word="word"):
        return n, second, last, word

    subject = target(function, arguments, "n")
    assert subject.call(8)[0] == expected
    timed = []
    clock = subject.calling(lambda *args, **kwargs: timed.append(function(*args, **kwargs)), "f").clock(8)
    assert clock.calls >= 1 and set(timed) == {expected}


def doubled(values):
    for place, value in enumerate(values):
        values[place] = 2 * value


def tripled(values):
    for place, value in enumerate(values):
        values[place] = 3 * value


@pytest.mark.parametrize("text", ["values=[1.0, 2.0, 3.0]", "values=np.arange(1.0, 4.0)"])
def test_what_is_changed_in_place_is_compared_and_each_side_has_its_own(text):
    subject = target(doubled, text, "values")
    assert (agreement(subject, {"python": doubled}) or "").endswith("bit for bit")
    assert list(subject.arguments["values"]) == [1.0, 2.0, 3.0]
    with pytest.raises(rsimport.RsimportError, match=r"in `values` afterwards at index 0: Rust gives 2\.0"):
        agreement(subject, {"python": tripled})


def test_whole_numbers_agree_only_if_they_are_equal():
    subject = target(lambda n: 10**12, "n=1", None)
    with pytest.raises(rsimport.RsimportError, match="1000000000001"):
        agreement(subject, {"python": lambda n: 10**12 + 1})


def test_a_size_that_would_take_too_long_is_left_out_without_being_tried():
    tried = set()

    def slow(n):
        tried.add(n)
        end = time.perf_counter() + n * TOO_LONG / 50
        while time.perf_counter() < end:
            pass

    subject = target(slow, "n=10_000", "n")
    times, left_out = race({"native": subject}, quick=False)
    assert list(times["native"]) == [1, 10] and tried == {1, 10}
    assert len(left_out) == 1 and left_out[0].startswith("slow with 100 steps and more")


def test_a_function_that_fails_late_is_told_in_one_sentence():
    calls = iter(range(200))
    with pytest.raises(rsimport.RsimportError, match=r"late raises StopIteration") as caught:

        def late(n):
            return next(calls)

        crossing(late, "n=10", "n", quick=True)
    assert isinstance(caught.value.__cause__, StopIteration)


def test_all_sides_take_turns():
    calls = []

    def side(name):
        def call():
            calls.append(name)
            time.sleep(LONG_ENOUGH)

        return target(call, "", None)

    names = ("native", "python", "nogil")
    race({name: side(name) for name in names}, quick=True)
    rounds = [calls[first : first + 3] for first in range(0, len(calls), 3)]
    assert len(rounds) == 1 + QUICK_ROUNDS and all(sorted(turn) == sorted(names) for turn in rounds)


def test_the_shares_of_a_crossing_are_parts_of_the_calls_with_and_without_the_gil():
    def times(**sizes):
        return {int(size[1:]): Estimate(seconds, 0.0, 0.0, 5) for size, seconds in sizes.items()}

    measured = {"native": times(_1=2.0, _10=8.0), "nogil": times(_1=5.0)}
    found = list(_points(measured, {"native": Line(2.0, 0.6), "nogil": Line(4.0, 0.6)}))
    assert [(point.share, point.nogil_share) for point in found] == [(1.0, 0.8), (0.25, None)]


def test_a_clock_takes_the_loop_off_what_a_call_takes():
    taken = []
    clock = Clock.of_call(taken.append, [None])
    assert clock.calls > 1 and 0 < clock.sample() < 1e-3
    assert len(taken) > clock.calls and set(taken) == {None}


def test_arrays_that_differ_are_shown_where_they_do():
    subject = target(lambda n: [1.0, 2.0, float("nan")], "n=1", None)
    assert agreement(subject, {"python": lambda n: (1.0, 2.0, float("nan"))}).endswith("bit for bit")
    close = agreement(subject, {"python": lambda n: [1.0, 2.0 + 1e-12, float("nan")]})
    assert close is not None and "within" in close
    with pytest.raises(rsimport.RsimportError, match=r"at index 1: Rust gives 2.0, Python gives 3.0"):
        agreement(subject, {"python": lambda n: [1.0, 3.0, float("nan")]})


def test_a_crossing_is_measured_and_told(shared_cache, project):
    pytest.importorskip("matplotlib")
    from rsimport.kernels import logistic as shipped

    found = crossing(shipped.logistic, "steps=1_000, r=3.9, x=0.5", "steps", python=logistic, quick=True)
    assert [point.steps for point in found.points] == [1, 10, 100, 1000]
    assert all(point.python is not None and 0 <= point.share <= 1 for point in found.points)
    assert 0 < found.crossing < 1e-3 and 0 < found.step < found.python_step
    assert found.agreement and "bit for bit" in found.agreement
    assert {thread.threads for thread in found.threads} >= {1}
    assert found.advice and found.break_even is not None
    assert json.loads(found.to_json())["break_even"] == found.break_even
    assert "break-even" in str(found) and "<svg" in found._repr_html_()
    for name in ("a.svg", "a.png", "a.pdf"):
        found.plot(project / name)
        assert (project / name).stat().st_size > 1000
    with pytest.raises(rsimport.ConfigError, match="pictures can be"):
        found.plot(project / "a.gif")


def test_the_function_that_releases_the_gil_is_found_and_measured_too(shared_cache):
    from rsimport.kernels import logistic as shipped

    found = crossing(shipped.logistic, {"steps": 100, "r": 3.9, "x": 0.5}, "steps", quick=True)
    assert found.nogil == "logistic_nogil" and found.nogil_crossing > 0
    assert all(point.nogil is not None and 0 <= point.nogil_share <= 1 for point in found.points)
    assert all(thread.native > 0 and thread.nogil > 0 for thread in found.threads)
    assert "(logistic_nogil)" in str(found) and found.break_even is None


class SetClock:
    """Tells the time that it is set to, whatever it is to time."""

    def __init__(self, seconds: float) -> None:
        self.sample = lambda: seconds

    def of_call(self, *_: object) -> SetClock:
        return self


def test_a_list_is_batched_by_its_length(kernel, monkeypatch):
    module = rsimport.imp_from_filepath(kernel("summed", TOTAL), tier="optimized")
    items, whole = [1.0] * 50, MANY * 1e-9
    found = crossing(module.total, {"values": items}, "values", python=sum, quick=True)
    assert [point.steps for point in found.points] == [1, 10, 50]
    largest = replace(found.points[-1], native=Estimate(2e-6, 0.0, 0.0, 1))
    found = replace(found, step=10e-9, points=(*found.points[:-1], largest))
    as_array, as_list = (target(module.total, {"values": kind}, "values") for kind in (numpy.ones(50), items))
    for subject, of_other, of_items, said in [
        (as_list, 9e-6, 6 * whole, "reading the list item by item is most of the 10.0 ns of a step"),
        (as_list, 9e-6, 4 * whole, None),
        (as_list, 1e-6, 6 * whole, "pass an array, which is 2.0 times as fast as a list"),
        (as_array, 1e-6, 0.0, "the array is read item by item, and a list of its items is 2.0 times as"),
        (as_array, 1.9e-6, 0.0, None),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(_advice, "Clock", SetClock(of_items))
            patch.setattr(Target, "clock", staticmethod(partial(lambda clock, _: clock, SetClock(of_other))))
            sentences = [one for one in advice(found, subject) if "item by item" in one or "array" in one]
        assert len(sentences) == (said is not None) and all(said in one for one in sentences), sentences


def test_without_a_batch_a_single_call_is_measured(shared_cache):
    from rsimport.kernels import logistic as shipped

    found = crossing(shipped.logistic, "steps=1, r=3.9, x=0.5", quick=True)
    assert [point.steps for point in found.points] == [1] and found.step == 0 and found.break_even is None
    with pytest.raises(rsimport.ConfigError, match="nothing to draw"):
        found.plot()
