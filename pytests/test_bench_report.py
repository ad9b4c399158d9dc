"""What `rsimport bench` shows of a crossing: as text, as JSON and as a picture."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

pytest.importorskip("pyperf", reason="the extra `bench` is not installed")

from rsimport.bench import Crossing, Estimate, Point, Threads
from rsimport.bench._report import digits

MADE_UP = Crossing(
    function="f",
    arguments="n=10",
    batch="n",
    points=tuple(Point(n, Estimate(5e-8 + n * 1e-9, 1e-9, 1e-9, 5), None, None, 0.5, None) for n in (1, 10)),
    crossing=5e-8,
    crossing_error=1e-9,
    step=1e-9,
    step_error=1e-11,
    misfit=0.0,
    python_call=None,
    python_step=None,
    break_even=None,
    break_even_inline=None,
    nogil=None,
    nogil_crossing=None,
    threads=(Threads(1, 1e9, None), Threads(2, 2e9, None)),
    agreement=None,
    advice=("do this",),
    left_out=("that",),
    versions={},
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "there is no break-even; --python names one"),
        ({"python_call": 0.0, "python_step": 1e-8, "break_even": 7}, "break-even: 7 steps a call"),
        ({"python_call": 0.0, "python_step": 1e-8, "break_even": 1}, "break-even: from the first step on"),
        ({"python_call": 0.0, "python_step": 1e-10, "break_even": math.inf}, "break-even: never"),
        (
            {"python_call": 5e-8, "python_step": 1e-8, "break_even": 1, "break_even_inline": 6},
            "against the same steps without a call: 6 steps a call",
        ),
        (
            {"threads": (Threads(1, 6e8, 6e8), Threads(2, 6e8, 1.194e9))},
            "1: 600 (600 released), 2: 600 (1,190 released)",
        ),
        ({"nogil": "f_nogil", "nogil_crossing": 1e-7}, "100.0 ns with the GIL released (f_nogil)"),
    ],
)
def test_the_report_says_what_was_found(changes, said):
    text = str(replace(MADE_UP, **changes))
    assert said in text and "left out: that" in text and "-> do this" in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0123, "0.0123"),
        (1.637, "1.64"),
        (20.0, "20"),
        (999.6, "1,000"),
        (1194.0, "1,190"),
        (1.2e6, "1,200,000"),
    ],
)
def test_figures_have_three_digits_and_no_exponent(value, expected):
    assert digits(value) == expected


def test_what_was_not_measured_has_no_column():
    assert "GIL" not in str(MADE_UP) and "Rust is" not in MADE_UP._repr_html_()
    points = tuple(replace(point, python=point.native) for point in MADE_UP.points)
    text = str(replace(MADE_UP, points=points))
    assert "GIL" not in text and "Rust is" in text and "1 x as fast" in text


def test_a_notebook_shows_the_picture_and_its_figures_are_written_out():
    pytest.importorskip("matplotlib")
    figure = MADE_UP.plot()
    assert figure._repr_html_().startswith("<svg")
    figure.canvas.draw()
    (axes,) = figure.axes
    written = [text.get_text() for text in axes.get_xticklabels() + axes.get_yticklabels(minor=True)]
    assert {"1", "10", "2", "5"} <= set(written)


@pytest.mark.parametrize("even", [2, 7, 50, 100])
def test_a_break_even_is_marked_inside_the_picture(even):
    pytest.importorskip("matplotlib")
    marked, python = f"break-even: {even}", {"python_call": 0.0, "python_step": 1e-9 + 5e-8 / even}
    figure = replace(MADE_UP, break_even=even, **python).plot()
    figure.canvas.draw()
    (axes,) = figure.axes
    (text,) = (text for text in axes.texts if text.get_text().strip() == marked)
    inside, drawn = axes.get_window_extent(), text.get_window_extent()
    assert inside.x0 <= drawn.x0 < drawn.x1 <= inside.x1 and axes.get_xlim()[0] < even < axes.get_xlim()[1]
    points = [axes.transData.transform(at) for found in axes.containers for at in found.lines[0].get_xydata()]
    assert points and not any(
        label.get_window_extent().contains(*at) for label in axes.texts for at in points
    )
    # Both lines reach it, and meet there.
    curves = [dict(zip(*line.get_data(), strict=True)) for line in axes.lines if len(line.get_xdata()) > 2]
    assert len(curves) == 2 and all(max(curve) >= even for curve in curves)


@pytest.mark.parametrize("even", [1, 10**6, math.inf])
def test_a_break_even_that_is_nowhere_near_is_not_marked(even):
    pytest.importorskip("matplotlib")
    figure = replace(MADE_UP, break_even=even, python_call=0.0, python_step=1e-9).plot()
    assert not any("break-even" in text.get_text() for text in figure.axes[0].texts)


def test_a_break_even_that_there_never_is_can_be_compared_and_is_valid_json():
    never = replace(MADE_UP, break_even=math.inf)
    assert not never.break_even < 1000
    assert json.loads(never.to_json(), parse_constant=pytest.fail)["break_even"] is None
