"""The result for people, made of the report alone: for the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from line import duration

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


def bars(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row for each bar."""
    found = []
    for bar in report["bars"]:
        value = f"{bar['value']['median']:.3f} x" if bar["value"] else "-"
        found.append((bar["what"], bar["against"], value, f"{bar['bar']:g} x", _met(bar["met"]), bar["note"]))
    return found


BAR_HEADINGS = ("rsimport's", "against", "ratio", "at most", "bar", "times")


def text(report: dict[str, Any]) -> list[str]:
    """Lines below the table."""
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    return [
        LEGEND,
        *(f"{at}) {words}" for at, _, words in footnotes(report)),
        *(f"left out: {name}: {reason}" for name, reason in report["left_out"].items()),
        *report["method"],
        f"{report['edits']} edits a kernel; {report['machine']}; {versions}; the run took "
        f"{report['seconds'] / 60:.1f} minutes",
    ]


def markdown(report: dict[str, Any]) -> str:
    """Everything, for a page."""
    parts = [
        markdown_table(HEADINGS, rows(report)),
        markdown_table(BAR_HEADINGS, bars(report)),
        *text(report),
    ]
    return "\n\n".join(parts) + "\n"


def markdown_table(headings: tuple[str, ...], cells: list[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [headings, ("---",) * len(headings), *cells]
    return "\n".join("|" + "|".join(f" {cell} " for cell in line) + "|" for line in lines)


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


def _met(met: str) -> str:
    return {"yes": "met", "no": "not met"}.get(met, met)


def raised(number: int) -> str:
    """The mark of a footnote."""
    return " " + str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
