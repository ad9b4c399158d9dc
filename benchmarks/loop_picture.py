"""Draws docs/loop.svg from what `benchmarks/loop.py --json docs/loop.json` measured.

One group of bars for each thing that one waits for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bars import Bar, draw

DOCS = Path(__file__).resolve().parents[1] / "docs"
GROUPS = (
    ("logistic", "edit", "An edit of logistic"),
    ("count_min_sketch", "edit", "An edit of count_min_sketch, with rust-numpy"),
    ("generated", "edit", "An edit of one function among many"),
    ("logistic", "new", "The next new kernel"),
)
WHERE = {"same process": "", "new process": ", new process", "compiler alone": ", no import"}


def main() -> None:
    report = json.loads((DOCS / "loop.json").read_text(encoding="utf-8"))
    groups = [(title, bars) for *where, title in GROUPS if (bars := _bars(report, *where))]
    title = "Seconds until an edit or a new kernel can be called, logarithmic"
    draw(DOCS / "loop.svg", title, groups, left=270, right=140)


def _bars(report: Any, kernel: str, column: str) -> list[Bar]:
    tracks = report["kernels"].get(kernel, {"contestants": {}})["contestants"]
    return [
        Bar(
            track[column]["median"],
            report["contestants"][short]["name"],
            WHERE[track["where"]] if column == "edit" else "",
            short == "rsimport",
        )
        for short, track in tracks.items()
        if track[column]
    ]


if __name__ == "__main__":
    main()
