"""The picture of a crossing: the time of a step against the number of steps a call, both logarithmic."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rsimport._errors import ConfigError
from rsimport._format import digits

if TYPE_CHECKING:
    from rsimport.bench._result import Crossing

FORMATS = (".svg", ".png", ".pdf")
RUST, PYTHON, REST = "#c7622d", "#4584b6", "#808080"
"""Colours that can be seen on white and on black."""
SIZE = (7.2, 4.2)
BEYOND = 10
"""A break-even is marked up to so many times the largest batch that was measured."""


def check(path: Path, batch: str | None) -> None:
    """Raises ConfigError where nothing could be drawn into a file, before anything is measured."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{path}: pictures can be {', '.join(FORMATS)}", hint="the suffix names the format")
    if batch is None:
        raise ConfigError("there is nothing to draw without a batch", hint="--batch names the argument")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path}: there is no such folder")
    _matplotlib()


def draw(result: Crossing, path: Path | None) -> Any:
    """Draws a crossing on a transparent ground, and saves it if there is a path."""
    if path is not None:
        check(path, result.batch)
    elif result.batch is None:
        raise ConfigError("there is nothing to draw without a batch", hint="batch= names the argument")
    figure = _figure(result)
    if path is not None:
        figure.savefig(path, transparent=True)
    return figure


def svg(result: Crossing) -> str:
    """The picture as SVG for a page; empty where it cannot be drawn."""
    try:
        figure = draw(result, None)
    except ConfigError:
        return ""
    return _markup(figure)


def _markup(figure: Any) -> str:
    target = io.StringIO()
    figure.savefig(target, format="svg", transparent=True)
    text = target.getvalue()
    return text[text.index("<svg") :]


def _figure(result: Crossing) -> Any:
    _matplotlib()
    # A figure of its own, without pyplot, so that nobody's window or backend is touched.
    from matplotlib.figure import Figure
    from numpy import geomspace

    class Picture(Figure):
        """A figure that a notebook shows, whether or not a backend was chosen there."""

        def _repr_html_(self) -> str:
            return _markup(self)

    figure = Picture(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log")
    axes.patch.set_alpha(0.0)
    steps = [point.steps for point in result.points]
    even = result.break_even
    # Farther out than the next size there would be, the lines are a guess.
    marked = even if even is not None and 1 < even <= BEYOND * max(steps) else None
    last = max(*steps, 10, marked or 1)
    smooth = geomspace(1, last, 200)
    axes.plot(smooth, [(result.crossing / n + result.step) * 1e9 for n in smooth], color=RUST, lw=1.6)
    for name, colour, shape in (("native", RUST, "o"), ("nogil", RUST, "^"), ("python", PYTHON, "s")):
        _points(result, axes, name, colour, shape)
    if result.step > 0:
        floor = result.step * 1e9
        axes.axhline(floor, color=REST, lw=1, ls=":")
        # Beside the axes, where no point can lie.
        text, along = f" the work\n alone:\n {digits(floor)} ns", axes.get_yaxis_transform()
        axes.text(1, floor, text, color=REST, va="center", fontsize=9, transform=along)
    if result.python_step is not None and result.python_call is not None:
        line = [(result.python_call / n + result.python_step) * 1e9 for n in smooth]
        axes.plot(smooth, line, color=PYTHON, lw=1.6)
    if marked is not None:
        axes.axvline(marked, color=REST, lw=1, ls="--")
        # Above the axes, where no point can lie.
        text, across = f"break-even: {marked:,}", axes.get_xaxis_transform()
        part = math.log(marked) / math.log(last)
        side = "left" if part < 0.25 else "right" if part > 0.75 else "center"
        axes.text(marked, 1.01, text, color=REST, va="bottom", ha=side, fontsize=9, transform=across)
    _label(axes, result)
    return figure


def _points(result: Crossing, axes: Any, name: str, colour: str, shape: str) -> None:
    found = [(point.steps, getattr(point, name)) for point in result.points]
    shown = [(steps, each.median / steps * 1e9, each.mad / steps * 1e9) for steps, each in found if each]
    if shown:
        labels = {"native": "Rust", "nogil": "Rust, GIL released", "python": "Python"}
        sizes, times, errors = zip(*shown, strict=True)
        fill = "none" if name == "nogil" else colour
        style = {"color": colour, "markerfacecolor": fill, "ms": 5, "label": labels[name]}
        axes.errorbar(sizes, times, yerr=errors, fmt=shape, **style)


def _label(axes: Any, result: Crossing) -> None:
    axes.set_title(
        f"{result.function}: one crossing costs {result.crossing * 1e9:.0f} ns", color=REST, pad=20
    )
    axes.set_xlabel(f"steps a call ({result.batch})", color=REST)
    axes.set_ylabel("ns a step", color=REST)
    _ticks(axes)
    axes.tick_params(which="both", colors=REST)
    for spine in axes.spines.values():
        spine.set_color(REST)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    # Below the axes, because no corner inside is free of points for every kernel.
    legend = axes.figure.legend(frameon=False, loc="outside lower center", ncols=3)
    for text in legend.get_texts():
        text.set_color(REST)


def _ticks(axes: Any) -> None:
    """Writes 1,000 instead of a power of ten, and 2 and 5 too where an axis has few of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    written = FuncFormatter(lambda value, _: f"{value:,.12g}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(written)
        low, high = axis.get_view_interval()
        if high < 100 * low:
            axis.set_minor_locator(LogLocator(subs=(2, 5)))
            axis.set_minor_formatter(written)


def _matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as exc:
        hint = 'pip install "rsimport[bench]"'
        raise ConfigError("a picture needs matplotlib, which is not installed", hint=hint) from exc
