"""The result for programs, and the bars in it. The table and the picture are made of nothing else."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from line import Line, ratio
from measure import Spread, compare

from peers.contestant import Contestant
from peers.kernels import Kernel
from peers.race import Column, Track

METHOD = (
    "Medians of one run in which the contestants took turns in every round, in a shuffled order, each in its "
    "own folder with its own cache; all in release mode with the settings named, everything else as "
    "installed, and what the user had set in the environment taken out.",
    "All Rust contestants compile the same text with the same pyo3 and numpy crates, downloaded beforehand, "
    "without the network. Only rsimport and numba compile for this CPU by default (target-cpu=native).",
    "hook: the statements that install it, in a fresh interpreter. first build: the import statement with "
    "empty caches, once. new kernel: the import statement of another file with the same dependencies.",
    "edit: from the saved file to the value of a call, which is compared with what the edit should give: "
    "importlib.reload in the running process; in a new process, its start and the hook's included; or the "
    "compiler alone, without any import.",
    "warm: the import statement in a fresh interpreter, nothing to be built, no garbage collection.",
)

_BARS: tuple[tuple[str, str, Column, str, float], ...] = (
    ("edit", "logistic", "edit", "rustc", 0.65),
    ("edit", "count_min_sketch", "edit", "cargo", 0.6),
    ("edit", "generated", "edit", "cargo", 0.5),
    ("new kernel", "logistic", "new", "rustimport", 1 / 40),
    ("warm import", "logistic", "warm", "cpython", 1.15),
    ("warm import", "count_min_sketch", "warm", "cpython", 1.15),
    ("warm import", "generated", "warm", "cpython", 1.15),
)


def report(
    contestants: Mapping[str, Contestant],
    kernels: Mapping[str, Kernel],
    hooks: Mapping[str, Spread],
    results: Mapping[str, Mapping[str, Track]],
    **rest: Any,
) -> dict[str, Any]:
    """Everything that was measured, in seconds."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        **rest,
        "method": METHOD,
        "contestants": {
            short: {"name": contestant.name, "note": contestant.note, "hook": _dict(hooks.get(short))}
            for short, contestant in contestants.items()
        },
        "kernels": {
            name: {
                "lines": kernels[name].lines,
                "contestants": {short: _track(track) for short, track in tracks.items()},
            }
            for name, tracks in results.items()
        },
        "bars": [
            {**asdict(line), "value": _dict(line.value), "met": line.met}
            for line in _lines(contestants, results)
        ],
    }


def _lines(contestants: Mapping[str, Contestant], results: Mapping[str, Mapping[str, Track]]) -> list[Line]:
    lines = []
    for what, kernel, column, other, bar in _BARS:
        tracks = results.get(kernel, {})
        if "rsimport" not in tracks or other not in tracks:
            continue
        ours, theirs = (tracks[short].times[column] for short in ("rsimport", other))
        if len(theirs) == 1:
            # The slow side ran once; its neighbours are all of ours.
            theirs = theirs * len(ours)
        pairs = [(our, their) for our, their in zip(ours, theirs, strict=False) if our and their]
        name, against = f"{what}, {kernel}", contestants[other].name
        if pairs:
            lines.append(ratio(name, against, compare(*map(list, zip(*pairs, strict=True))), bar))
        else:
            lines.append(Line(name, against, None, bar=bar, note="not measured"))
    return lines


def _track(track: Track) -> dict[str, Any]:
    columns: tuple[Column, ...] = ("first", "new", "edit", "warm")
    spreads = {
        column: _dict(track.spread(column), sum(time is not None for time in track.times[column]))
        for column in columns
    }
    return {"where": track.where, **spreads, "notes": track.notes}


def _dict(spread: Spread | None, count: int | None = None) -> dict[str, float] | None:
    if spread is None:
        return None
    return spread._asdict() | ({"count": count} if count is not None else {})
