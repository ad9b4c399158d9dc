"""The result for people, made of the report alone: for the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from output import below, raised

from rsimport._format import duration

HEADINGS = ("kernel", "contestant", "hook", "first build", "new kernel", "edit to result", "warm import")
_MARKS = {"same process": "", "new process": " ᴺ", "compiler alone": " ᶜ"}
LEGEND = "ᴺ in a new process, ᶜ the compiler alone without any import, - makes no sense or was not measured"


def rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row for each contestant at each kernel."""
    found = []
    notes = footnotes(report)
    for kernel, result in report["kernels"].items():
        for short, contestant in report["contestants"].items():
            name, own = contestant["name"], result["contestants"].get(short)
            marks = "".join(raised(at) for at, key, _ in notes if key in ((kernel, short), ("", short)))
            if own is None:
                cells = (_cell(contestant["hook"]), "-", "-", "-", "-")
            else:
                edit = _cell(own["edit"])
                edit += _MARKS[own["where"]] if own["edit"] else ""
                cells = (
                    *(_cell(contestant["hook"]), _cell(own["first"]), _cell(own["new"])),
                    *(edit, _cell(own["warm"])),
                )
            found.append((f"{kernel}, {result['lines']:,} lines", f"{name}{marks}", *cells))
    return found


def footnotes(report: dict[str, Any]) -> list[tuple[int, tuple[str, str], str]]:
    """Number, kernel and contestant that it belongs to (no kernel: all of them), text."""
    return [(at, key, text) for at, (key, text) in enumerate(_notes(report), 1)]


def text(report: dict[str, Any]) -> list[str]:
    """Lines below the table."""
    notes = ((at, words) for at, _, words in footnotes(report))
    return below(report, LEGEND, notes, f"{report['edits']} edits a kernel")


def _notes(report: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for short, contestant in report["contestants"].items():
        if contestant["note"]:
            yield ("", short), f"{contestant['name']}: {contestant['note']}"
    for kernel, result in report["kernels"].items():
        for short, own in result["contestants"].items():
            for note in dict.fromkeys(own["notes"]):
                yield (kernel, short), f"{report['contestants'][short]['name']}, {kernel}: {note}"


def _cell(spread: dict[str, float] | None) -> str:
    return duration(spread["median"]) if spread else "-"
