"""The result for people, made of the report alone: for the terminal, and as Markdown."""

from __future__ import annotations

from typing import Any

from output import below, raised

from calling.race import RUNS
from rsimport._format import digits

HEADINGS = ("subject", "contestant", *(f"{count:,} calls" for count in RUNS), "ns a call", "x METH_FASTCALL")
HEADINGS = tuple("1 call" if heading == "1 calls" else heading for heading in HEADINGS)
LEGEND = "- is not done; the footnote says why"


def rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row for each contestant at each subject."""
    found = []
    notes = footnotes(report)
    for subject in report["subjects"].values():
        for name, own in subject["contestants"].items():
            texts = (report["contestants"][name]["note"], own["note"])
            marks = "".join(raised(at) for at, text in notes.items() if text in texts)
            found.append((subject["title"], f"{name}{marks}", *_cells(own)))
    return found


def footnotes(report: dict[str, Any]) -> dict[int, str]:
    """By their numbers: how the contestants are built, then what is special about single cells."""
    texts = [contestant["note"] for contestant in report["contestants"].values()]
    texts += [
        own["note"] for subject in report["subjects"].values() for own in subject["contestants"].values()
    ]
    return dict(enumerate(filter(None, dict.fromkeys(texts)), 1))


def text(report: dict[str, Any]) -> list[str]:
    """What is to be read below the table."""
    rounds = "1 round" if report["rounds"] == 1 else f"{report['rounds']} rounds"
    look = f"The look at the clock takes {report['clock'] * 1e9:.0f} ns"
    return below(report, LEGEND, footnotes(report).items(), f"{look}; {rounds}")


def _cells(own: dict[str, Any]) -> tuple[str, ...]:
    if own["steady"] is None:
        return ("-",) * (len(HEADINGS) - 2)
    runs = (f"{digits(spread['median'] * 1e6)} µs" for spread in own["runs"].values())
    steady = f"{own['steady']['median'] * 1e9:.1f} ± {own['steady']['error'] * 1e9:.1f}"
    return (*runs, steady, f"{own['ratio']['median']:.2f}" if own["ratio"] else "-")
