"""Groups of bars on a logarithmic axis, the smallest first, in the colours of a light or a dark page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from picture import ground, text

from rsimport._format import duration

WIDTH, TOP, BAR, TITLE = 760, 48, 18, 30


class Bar(NamedTuple):
    """One bar."""

    seconds: float
    name: str
    note: str = ""
    """Behind its figure."""
    ours: bool = False


def draw(
    path: Path, title: str, groups: Sequence[tuple[str, Sequence[Bar]]], *, left: int, right: int
) -> None:
    """Writes a picture of groups, each with a title; `left` and `right` is the room for names and figures."""
    times = [bar.seconds for _, bars in groups for bar in bars]
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))

    def at(seconds: float) -> float:
        return left + math.log10(seconds / low) / math.log10(high / low) * (WIDTH - left - right)

    height = TOP + sum(TITLE + BAR * len(bars) for _, bars in groups) + 30
    box = {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "width": str(WIDTH), "height": str(height)}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **box})
    ground(root)
    text(root, WIDTH / 2, 18, title, "middle")
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        x = f"{at(10.0**power):.1f}"
        SubElement(root, "line", {"x1": x, "x2": x, "y1": str(TOP - 16), "y2": str(height - 24)})
        text(root, at(10.0**power), height - 8, duration(10.0**power), "middle", small=True)
    top = TOP
    for heading, bars in groups:
        text(root, left, top + 8, heading, "start")
        top += TITLE - 12
        for seconds, name, note, ours in sorted(bars):
            text(root, left - 8, top + 12, name, "end", small=not ours)
            size = {"width": f"{at(seconds) - left:.1f}", "height": str(BAR - 4), "rx": "2"}
            kind = "ours" if ours else "theirs"
            SubElement(root, "rect", {"class": kind, "x": str(left), "y": str(top), **size})
            text(root, at(seconds) + 6, top + 12, duration(seconds) + note, "start", small=not ours)
            top += BAR
        top += 12
    indent(root)
    ElementTree(root).write(path, encoding="utf-8")
