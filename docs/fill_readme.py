"""Writes the tables of README.md that come from elsewhere.

These are the settings as the engine declares them, and the figures that `benchmarks/bench.py --json
docs/figures.json` measured last.

`make docs` runs it; a test holds the README against the engine.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rsimport import _engine

README = Path(__file__).resolve().parent.parent / "README.md"
FIGURES = Path(__file__).resolve().parent / "figures.json"


def main() -> None:
    text = README.read_text(encoding="utf-8")
    text = filled(text, "settings", settings())
    if FIGURES.exists():
        text = filled(text, "figures", figures(json.loads(FIGURES.read_text(encoding="utf-8"))))
    README.write_text(text, encoding="utf-8")


def settings() -> str:
    """One row for each declared setting."""
    rows = ["| setting | default | variable | in a kernel | what it does |", "|---|---|---|---|---|"]
    for setting in _engine.settings_table():
        where = "yes" if setting.in_kernel else "no"
        default = json.dumps(setting.default)
        rows.append(f"| `{setting.name}` | `{default}` | `{setting.env}` | {where} | {setting.help} |")
    return "\n".join(rows)


def figures(report: Any) -> str:
    """One row for each line that the benchmark measured."""
    rows = ["| figure | against | median | times |", "|---|---|---|---|"]
    for line in (line for group in report["figures"].values() for line in group if line["value"]):
        value = f"{line['value']['median']:.3g} {line['unit']}"
        rows.append(f"| {line['what']} | {line['against']} | {value} | {line['note']} |")
    return "\n".join(rows)


def filled(text: str, name: str, table: str) -> str:
    """The text with a table between the comments that mark its place."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)


if __name__ == "__main__":
    main()
