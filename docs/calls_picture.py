"""Draws docs/calls.svg from what `benchmarks/calls.py --json docs/calls.json` measured.

Two groups of bars, the cheapest call first, on a logarithmic axis of nanoseconds a call.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from picture import STYLE, digits, text

HERE = Path(__file__).resolve().parent
SHOWN = ("increment", "logistic")
OURS = "rsimport"
WIDTH, LEFT, RIGHT, TOP, BAR, TITLE = 760, 190, 90, 48, 18, 30


def main() -> None:
    report = json.loads((HERE / "calls.json").read_text(encoding="utf-8"))
    ElementTree(picture(report)).write(HERE / "calls.svg", encoding="utf-8")


def picture(report: Any) -> Element:
    """The drawing of a report."""
    groups = [(report["subjects"][key]["title"], _rows(report["subjects"][key])) for key in SHOWN]
    times = [nanoseconds for _, rows in groups for nanoseconds, _ in rows]
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))

    def at(nanoseconds: float) -> float:
        return LEFT + math.log10(nanoseconds / low) / math.log10(high / low) * (WIDTH - LEFT - RIGHT)

    height = TOP + sum(TITLE + BAR * len(rows) for _, rows in groups) + 30
    box = {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "width": str(WIDTH), "height": str(height)}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **box})
    SubElement(root, "style").text = STYLE
    text(root, WIDTH / 2, 18, "What a call from Python costs, logarithmic", "middle")
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        x = f"{at(10.0**power):.1f}"
        SubElement(root, "line", {"x1": x, "x2": x, "y1": str(TOP - 16), "y2": str(height - 24)})
        text(root, at(10.0**power), height - 8, f"{10**power:,} ns", "middle", small=True)
    top = TOP
    for title, rows in groups:
        text(root, LEFT, top + 8, title, "start")
        top += TITLE - 12
        for nanoseconds, name in rows:
            text(root, LEFT - 8, top + 12, name, "end", small=name != OURS)
            size = {"width": f"{at(nanoseconds) - LEFT:.1f}", "height": str(BAR - 4), "rx": "2"}
            kind = "ours" if name == OURS else "theirs"
            SubElement(root, "rect", {"class": kind, "x": str(LEFT), "y": str(top), **size})
            text(
                root, at(nanoseconds) + 6, top + 12, f"{digits(nanoseconds)} ns", "start", small=name != OURS
            )
            top += BAR
        top += 12
    indent(root)
    return root


def _rows(subject: Any) -> list[tuple[float, str]]:
    contestants = subject["contestants"].items()
    return sorted((own["steady"]["median"] * 1e9, name) for name, own in contestants if own["steady"])


if __name__ == "__main__":
    main()
