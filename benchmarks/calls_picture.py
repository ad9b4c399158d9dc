"""Draws docs/calls.svg, four subjects of what `benchmarks/calls.py --json docs/calls.json` measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bars import Bar, draw

DOCS = Path(__file__).resolve().parents[1] / "docs"
SHOWN = ("increment", "logistic", "change", "array")
OURS = "rsimport"


def main() -> None:
    subjects = json.loads((DOCS / "calls.json").read_text(encoding="utf-8"))["subjects"]
    groups = [(subjects[key]["title"], _bars(subjects[key])) for key in SHOWN if key in subjects]
    draw(DOCS / "calls.svg", "What a call from Python costs, logarithmic", groups, left=190, right=90)


def _bars(subject: Any) -> list[Bar]:
    contestants = subject["contestants"].items()
    return [
        Bar(own["steady"]["median"], name, ours=name == OURS) for name, own in contestants if own["steady"]
    ]


if __name__ == "__main__":
    main()
