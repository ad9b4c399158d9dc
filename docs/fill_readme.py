"""Writes the tables of README.md that come from elsewhere.

These are the settings as the engine declares them, and the figures that bench.py, loop.py, shipped.py,
native.py and calls.py of benchmarks/ measured last, in the JSON files beside this one.

`make docs` runs it; a test holds the README against the engine.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rsimport import _engine
from rsimport._format import digits, duration

README = Path(__file__).resolve().parent.parent / "README.md"
FIGURES = Path(__file__).resolve().parent / "figures.json"
LOOP = FIGURES.with_name("loop.json")
KERNELS = FIGURES.with_name("kernels.json")
CALLS = FIGURES.with_name("calls.json")
NATIVE = FIGURES.with_name("native.json")


def main() -> None:
    text = README.read_text(encoding="utf-8")
    text = filled(text, "settings", settings())
    if FIGURES.exists():
        text = filled(text, "figures", figures(json.loads(FIGURES.read_text(encoding="utf-8"))))
    if LOOP.exists():
        text = filled(text, "loop", loop(json.loads(LOOP.read_text(encoding="utf-8"))))
    if KERNELS.exists():
        text = filled(text, "kernels", kernels(json.loads(KERNELS.read_text(encoding="utf-8"))))
    if NATIVE.exists():
        text = filled(text, "native", figures(json.loads(NATIVE.read_text(encoding="utf-8"))))
    if CALLS.exists():
        text = filled(text, "calls", calls(json.loads(CALLS.read_text(encoding="utf-8"))))
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


def kernels(report: Any) -> str:
    """One row for each line that has a bar, with the bar and whether it is met."""
    rows = ["| kernel | what | against | median | at most | met |", "|---|---|---|---|---|---|"]
    for name, lines in report["figures"].items():
        for line in (line for line in lines if line["value"] and line["bar"] is not None):
            value, bar = (f"{number:.3g} {line['unit']}" for number in (line["value"]["median"], line["bar"]))
            rows.append(f"| {name} | {line['what']} | {line['against']} | {value} | {bar} | {line['met']} |")
    return "\n".join(rows)


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
    return "\n".join([*lines, "", notes])


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
    return "\n".join([*("| " + " | ".join(row) + " |" for row in rows), "", notes])


def _edit(own: Any) -> str:
    mark = {"new process": " ᴺ", "compiler alone": " ᶜ"}.get(own["where"], "") if own and own["edit"] else ""
    return _time(own and own["edit"]) + mark


def _time(spread: Any) -> str:
    return duration(spread["median"]) if spread else "-"


def filled(text: str, name: str, table: str) -> str:
    """The text with a table between the comments that mark its place."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)


if __name__ == "__main__":
    main()
