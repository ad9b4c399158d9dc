"""Draws docs/figures.svg from what `benchmarks/bench.py --json docs/figures.json` measured.

Pairs of bars on a logarithmic axis of time: rsimport, and what each figure is measured against. The colours
follow the reader's light or dark page.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from rsimport._format import duration

DOCS = Path(__file__).resolve().parents[1] / "docs"
SHOWN = {
    "warm import, the first of a process": ("cached kernel, imported", "CPython, the same library"),
    "edit to imported": ("edit, reloaded", "rustc alone, no import"),
    "another new kernel": ("another new kernel", "cargo, dependencies ready"),
    "first kernel on an empty cache": ("first kernel ever", "cargo, nothing ready"),
}
"""Lines of the benchmark: what the picture calls them, and what it calls the other side."""

LOW, HIGH = 1e-4, 1e2
WIDTH, LEFT, RIGHT, TOP, BAR, GROUP = 760, 190, 70, 40, 15, 56
STYLE = """
.page { fill: #ffffff }
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .small { font-size: 11px; fill: #59636e }
.ours { fill: #b7410e } .theirs { fill: #9aa4ae } line { stroke: #d1d9e0 }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 }
  text { fill: #f0f6fc } .small { fill: #9198a1 } .ours { fill: #f0883e } .theirs { fill: #656c76 }
  line { stroke: #3d444d }
}"""


def main() -> None:
    figures = json.loads((DOCS / "figures.json").read_text(encoding="utf-8"))
    lines = {line["what"]: line for group in figures["figures"].values() for line in group if line["seconds"]}
    rows = [(*SHOWN[what], *lines[what]["seconds"]) for what in SHOWN if what in lines]
    ElementTree(picture(rows)).write(DOCS / "figures.svg", encoding="utf-8")


def picture(rows: list[tuple[str, str, float, float]]) -> Element:
    """The drawing; a row is the name of a figure, of the other side, and the seconds of both."""
    height = TOP + GROUP * len(rows) + 24
    box = {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "width": str(WIDTH), "height": str(height)}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **box})
    ground(root)
    text(root, WIDTH / 2, 18, "Seconds until a kernel can be called, logarithmic", "middle")
    for power in range(round(math.log10(LOW)), round(math.log10(HIGH)) + 1):
        at = _at(10.0**power)
        SubElement(
            root, "line", {"x1": f"{at:.1f}", "x2": f"{at:.1f}", "y1": str(TOP - 8), "y2": str(height - 22)}
        )
        text(root, at, height - 6, duration(10.0**power), "middle", small=True)
    for number, (name, other, ours, theirs) in enumerate(rows):
        top = TOP + GROUP * number
        text(root, LEFT - 8, top + 12, name, "end")
        text(root, LEFT - 8, top + 29, other, "end", small=True)
        for seconds, kind, y in ((ours, "ours", top), (theirs, "theirs", top + BAR + 3)):
            size = {"width": f"{_at(seconds) - LEFT:.1f}", "height": str(BAR), "rx": "2"}
            SubElement(root, "rect", {"class": kind, "x": str(LEFT), "y": str(y), **size})
            text(root, _at(seconds) + 6, y + 12, duration(seconds), "start", small=kind == "theirs")
    indent(root)
    return root


def _at(seconds: float) -> float:
    share = math.log10(seconds / LOW) / math.log10(HIGH / LOW)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def ground(root: Element) -> None:
    """Adds the colours, and a ground of its own: the page around may not be of the reader's usual scheme."""
    SubElement(root, "style").text = STYLE
    SubElement(root, "rect", {"class": "page", "width": "100%", "height": "100%", "rx": "6"})


def text(root: Element, x: float, y: float, words: str, anchor: str, *, small: bool = False) -> None:
    """Adds words to a drawing."""
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    SubElement(root, "text", {**place, **({"class": "small"} if small else {})}).text = words


if __name__ == "__main__":
    main()
