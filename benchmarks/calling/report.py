"""The result for programs, and the bar in it. The table and the picture are made of nothing else."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from line import Line
from measure import Spread

from calling.contestant import Contestant
from calling.race import Track
from calling.subject import SUBJECTS

AGAINST = "C API, METH_FASTCALL"
"""The contestant in whose times the others are expressed."""

METHOD = (
    "One process, no garbage collection. In every round all contestants take turns at a subject, in a "
    "shuffled order, each in a loop that was compiled for it; before that each result was compared with the "
    "expected one, and the arrays' function had to refuse float32.",
    "ns a call: the median of loops of at least 5 ms, without what the same loop takes around `pass`; ± is "
    "half the interval in which the true median lies with a probability of about 95 %. x is the median of "
    f"the ratios to {AGAINST} in the same round.",
    "1 to 1000 calls: the median of the total times of loops that were compiled for just these calls, with "
    "one look at the clock in them.",
)

_BARS = (
    ("logistic", "rsimport", AGAINST, 1.1),
    ("method", "rsimport", AGAINST, 1.3),
    ("change", "rsimport", AGAINST, 1.3),
    ("array", "rsimport", "PyO3 by hand", 0.5),
)


def report(
    contestants: Mapping[str, Contestant], results: Mapping[str, Mapping[str, Track]], **rest: Any
) -> dict[str, Any]:
    """Everything that was measured, in seconds; contestants by name."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, {_processor()}",
        **rest,
        "method": METHOD,
        "against": AGAINST,
        "contestants": {name: {"note": contestant.note} for name, contestant in contestants.items()},
        "subjects": {
            key: {
                "title": SUBJECTS[key].title,
                "contestants": {
                    name: _cell(tracks, name)
                    | {"note": contestant.cannot.get(key) or contestant.notes.get(key, "")}
                    for name, contestant in contestants.items()
                },
            }
            for key, tracks in results.items()
        },
        "bars": [
            {**asdict(line), "value": line.value and line.value._asdict(), "met": line.met}
            for line in _lines(results)
        ],
    }


def _cell(tracks: Mapping[str, Track], name: str) -> dict[str, Any]:
    track, ratio = tracks.get(name), _ratio(tracks, name)
    return {
        "steady": track and Spread.of(track.steady)._asdict(),
        "ratio": ratio and ratio._asdict(),
        "runs": track and {count: Spread.of(times)._asdict() for count, times in track.runs.items()},
    }


def _ratio(tracks: Mapping[str, Track], name: str, against: str = AGAINST) -> Spread | None:
    if name not in tracks or against not in tracks:
        return None
    pairs = zip(tracks[name].steady, tracks[against].steady, strict=True)
    return Spread.of([ours / theirs for ours, theirs in pairs])


def _lines(results: Mapping[str, Mapping[str, Track]]) -> list[Line]:
    lines = []
    for key, name, against, bar in _BARS:
        tracks = results.get(key, {})
        if value := _ratio(tracks, name, against):
            ours, theirs = (Spread.of(tracks[one].steady).median for one in (name, against))
            note = f"{ours * 1e9:.1f} ns against {theirs * 1e9:.1f} ns"
            title = f"{name}, {SUBJECTS[key].title}"
            lines.append(Line(title, against, value, bar=bar, note=note, seconds=(ours, theirs)))
    return lines


def _processor() -> str:
    """What the system calls it, where it says so in a file."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
