"""Draws docs/loop.svg from what `benchmarks/loop.py --json docs/loop.json` measured.

One group of bars for each thing that one waits for, the fastest first, on a logarithmic axis of time.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from picture import STYLE, duration, text

HERE = Path(__file__).resolve().parent
GROUPS = (
    ("logistic", "edit", "An edit of logistic"),
    ("count_min_sketch", "edit", "An edit of count_min_sketch, with rust-numpy"),
    ("generated", "edit", "An edit of one function among many"),
    ("logistic", "new", "The next new kernel"),
)
WHERE = {"same process": "", "new process": ", new process", "compiler alone": ", no import"}
WIDTH, LEFT, RIGHT, TOP, BAR, TITLE = 760, 270, 140, 48, 18, 30


def main() -> None:
    report = json.loads((HERE / "loop.json").read_text(encoding="utf-8"))
    ElementTree(picture(report)).write(HERE / "loop.svg", encoding="utf-8")


def picture(report: Any) -> Element:
    """The drawing of a report."""
    groups = [(title, rows) for *where, title in GROUPS if (rows := _rows(report, *where))]
    times = [seconds for _, rows in groups for seconds, *_ in rows]
    low, high = 10 ** math.floor(math.log10(min(times))), 10 ** math.ceil(math.log10(max(times)))

    def at(seconds: float) -> float:
        return LEFT + math.log10(seconds / low) / math.log10(high / low) * (WIDTH - LEFT - RIGHT)

    height = TOP + sum(TITLE + BAR * len(rows) for _, rows in groups) + 30
    box = {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "width": str(WIDTH), "height": str(height)}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **box})
    SubElement(root, "style").text = STYLE
    text(root, WIDTH / 2, 18, "Seconds until an edit or a new kernel can be called, logarithmic", "middle")
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        x = f"{at(10.0**power):.1f}"
        SubElement(root, "line", {"x1": x, "x2": x, "y1": str(TOP - 16), "y2": str(height - 24)})
        text(root, at(10.0**power), height - 8, duration(10.0**power), "middle", small=True)
    top = TOP
    for title, rows in groups:
        text(root, LEFT, top + 8, title, "start")
        top += TITLE - 12
        for seconds, name, where, ours in rows:
            text(root, LEFT - 8, top + 12, name, "end", small=not ours)
            size = {"width": f"{at(seconds) - LEFT:.1f}", "height": str(BAR - 4), "rx": "2"}
            kind = "ours" if ours else "theirs"
            SubElement(root, "rect", {"class": kind, "x": str(LEFT), "y": str(top), **size})
            text(root, at(seconds) + 6, top + 12, duration(seconds) + where, "start", small=not ours)
            top += BAR
        top += 12
    indent(root)
    return root


def _rows(report: Any, kernel: str, column: str) -> list[tuple[float, str, str, bool]]:
    tracks = report["kernels"].get(kernel, {"contestants": {}})["contestants"]
    return sorted(
        (
            track[column]["median"],
            report["contestants"][short]["name"],
            WHERE[track["where"]] if column == "edit" else "",
            short == "rsimport",
        )
        for short, track in tracks.items()
        if track[column]
    )


if __name__ == "__main__":
    main()
