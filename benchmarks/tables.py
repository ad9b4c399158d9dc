"""Writes the tables of figures into README.md and pages of docs/, between comments for that.

    python benchmarks/tables.py [--check]

The figures are those that bench.py, loop.py, shipped.py, native.py, calls.py and cluster_faults.py measured
last, in the JSON files of docs/. `make docs` runs it; `--check` writes nothing and fails where a table is not
current, as a test does.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from rsimport._format import digits, duration

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
FEW = (
    "warm import, the first of a process",
    "edit to imported",
    "another new kernel",
    "first kernel on an empty cache",
    "logistic.logistic, a batched call",
)
"""What README.md shows of the figures, in this order."""


def main() -> int:
    report = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(DOCS.glob("*.json"))}
    pages = {
        REPOSITORY / "README.md": {"few": few(report["figures"])},
        DOCS / "performance.md": {
            "figures": figures(report["figures"]),
            "loop": loop(report["loop"]),
            "calls": calls(report["calls"]),
            "kernels": kernels(report["kernels"]),
            "native": figures(report["native"]),
        },
        DOCS / "clusters.md": {"faults": faults(report["cluster_faults"])},
    }
    stale = []
    for page, tables in pages.items():
        before = text = page.read_text(encoding="utf-8")
        for name, table in tables.items():
            text = filled(text, name, table)
        if text != before:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"not current: {', '.join(stale)}")
        return 1
    return 0


def few(report: Any) -> str:
    """The rows of `figures` that say most."""
    rows = figures(report).splitlines()
    return "\n".join([*rows[:2], *(next(row for row in rows if f"| {what} |" in row) for what in FEW)])


def figures(report: Any) -> str:
    """One row for each line that the benchmark measured."""
    rows = ["| figure | against | median | times |", "|---|---|---|---|"]
    for line in (line for group in report["figures"].values() for line in group if line["value"]):
        value = f"{line['value']['median']:.3g} {line['unit']}"
        rows.append(f"| {line['what']} | {line['against']} | {value} | {line['note']} |")
    return "\n".join(rows)


def kernels(report: Any) -> str:
    """One row for each line that has a bar, with the bar and whether it is met."""
    rows = ["| kernel | what | against | median | at most | met |", "|---|---|---|---|---|---|"]
    for name, lines in report["figures"].items():
        for line in (line for line in lines if line["value"] and line["bar"] is not None):
            value, bar = (f"{number:.3g} {line['unit']}" for number in (line["value"]["median"], line["bar"]))
            rows.append(f"| {name} | {line['what']} | {line['against']} | {value} | {bar} | {line['met']} |")
    return "\n".join(rows)


def faults(report: Any) -> str:
    """One row for each figure of a cluster, with its bar and whether it is met."""
    rows = ["| what | measured | at most | met |", "|---|---|---|---|"]
    for line in report["figures"]:
        value, bar = (f"{line[name]:.3g} {line['unit']}".strip() for name in ("figure", "bar"))
        rows.append(f"| {line['what']} | {value} | {bar} | {line['met']} |")
    return "\n".join([*rows, "", *_wrapped(f"On {report['machine']}; {report['versions']}.")])


def loop(report: Any) -> str:
    """One row for each contestant: what the smallest kernel takes, and an edit of each kernel."""
    kernels = report["kernels"]
    smallest = min(kernels, key=lambda name: kernels[name]["lines"])
    edits = [f"edit, {name} ({kernel['lines']:,} lines)" for name, kernel in kernels.items()]
    headings = ["", "import of the hook", "first build", "new kernel", "warm import", *edits]
    rows = [headings, ["---"] * len(headings)]
    for short, contestant in report["contestants"].items():
        of = [kernel["contestants"].get(short) for kernel in kernels.values()]
        own = kernels[smallest]["contestants"].get(short) or {}
        cells = [contestant["hook"], *(own.get(column) for column in ("first", "new", "warm"))]
        rows.append([contestant["name"], *map(_time, cells), *map(_edit, of)])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    bars = [
        f"{bar['what']}: {bar['value']['median']:.3g} x {bar['against']}"
        for bar in report["bars"]
        if bar["value"]
    ]
    used = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    notes = (
        f"Medians of {report['edits']} edits. ᴺ in a new process, because a reload keeps the old code; ᶜ the "
        f"compiler alone, no import. rsimport's times in others': {'; '.join(bars)}. {used}."
    )
    return "\n".join([*lines, "", *_wrapped(notes)])


def calls(report: Any) -> str:
    """One row for each contestant: nanoseconds of a call of each subject."""
    subjects = report["subjects"].values()
    headings = ["ns a call", *(subject["title"] for subject in subjects)]
    rows = [headings, ["---"] * len(headings)]
    for name in report["contestants"]:
        found = [subject["contestants"][name]["steady"] for subject in subjects]
        rows.append([name, *(digits(steady["median"] * 1e9) if steady else "-" for steady in found)])
    used = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    notes = f"Medians of {report['rounds']} rounds on {report['machine']}. {used}."
    return "\n".join([*("| " + " | ".join(row) + " |" for row in rows), "", *_wrapped(notes)])


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 120, break_on_hyphens=False)


def _edit(own: Any) -> str:
    mark = {"new process": " ᴺ", "compiler alone": " ᶜ"}.get(own["where"], "") if own and own["edit"] else ""
    return _time(own and own["edit"]) + mark


def _time(spread: Any) -> str:
    return duration(spread["median"]) if spread else "-"


def filled(text: str, name: str, table: str) -> str:
    """The text with a table between the comments that mark its place."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    assert begin in text and end in text, f"no place for the table {name}"
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n\n{table}\n\n{end}", text, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
