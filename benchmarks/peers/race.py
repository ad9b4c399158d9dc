"""The run: at each kernel all contestants take turns, in every round of every column."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from measure import Spread
from place import Place

from peers.contestant import Contestant, Entry
from peers.interpreter import Failed
from peers.kernels import Kernel
from rsimport._format import duration

Column = Literal["first", "new", "edit", "warm"]

SLOW = 5.0
"""A contestant whose new kernel takes longer than this many seconds builds only one."""
NEW = 5
"""New kernels of the others."""
WARM = 4
"""So many warm imports for each edit, where they are compared with Python's own."""


@dataclass
class Track:
    """What one contestant showed at one kernel: seconds by round, None where it gave none."""

    where: str
    times: dict[Column, list[float | None]] = field(
        default_factory=lambda: {"first": [], "new": [], "edit": [], "warm": []}
    )
    notes: list[str] = field(default_factory=list)

    def spread(self, column: Column) -> Spread | None:
        """The median of a column."""
        values = [value for value in self.times[column] if value is not None]
        return Spread.of(values) if values else None


def race(place: Place, kernel: Kernel, contestants: Mapping[str, Contestant], edits: int) -> dict[str, Track]:
    """Measures all columns of a kernel; who fails is out for the rest of the kernel."""
    entries: dict[str, Entry] = {}
    out: set[str] = set()
    tracks: dict[str, Track] = {}
    for short, contestant in contestants.items():
        if kernel.name in contestant.kernels:
            folder = place.folder(f"{kernel.name}-{short}")
            entries[short] = contestant.enter(folder, kernel, dict(entries))
            tracks[short] = Track(entries[short].where)

    def turn(short: str, column: Column, action: Callable[[Entry], float | None]) -> None:
        if short in out:
            return
        track = tracks[short]
        try:
            track.times[column].append(action(entries[short]))
        except Exception as error:
            # Whatever is wrong with one contestant, the others were worth their minutes.
            track.notes.append(f"{column}: {first_line(error)}")
            print(f"{kernel.name}  {contestants[short].name}  {track.notes[-1]}", file=sys.stderr, flush=True)
            out.add(short)

    def edit(number: int, short: str) -> Callable[[Entry], float | None]:
        def action(entry: Entry) -> float | None:
            done = entry.edit(number)
            if done and done.value != number:
                tracks[short].notes.append(f"stale: edit {number} gave {done.value:g}, which is not counted")
                return None
            return done and done.seconds

        return action

    try:
        for short in entries:
            turn(short, "first", lambda entry: entry.first())
            say(kernel, contestants[short], "first build", tracks[short].spread("first"))
        for number in range(2, edits + 2):
            say(kernel, None, f"edit {number - 1} of {edits}", None)
            for short in _shuffled(entries, number):
                turn(short, "edit", edit(number, short))
                entries[short].settle()
        for number in range(NEW):
            for short in _shuffled(entries, number):
                past = tracks[short].times["new"]
                if not past or (past[0] or 0.0) < SLOW:
                    turn(short, "new", lambda entry, number=number: entry.new(9000 + number))
        for number in range(-1, edits * WARM):
            for short in _shuffled(entries, max(number, 0)):
                if number < 0:
                    # Not counted: whatever the first import after an edit brings up to date.
                    turn(short, "warm", lambda entry: entry.warm() and None)
                elif number % WARM == 0 or short in ("rsimport", "cpython"):
                    turn(short, "warm", lambda entry: entry.warm())
    finally:
        for short, entry in entries.items():
            entry.close()
            tracks[short].where = entry.where
            tracks[short].notes += entry.notes
    for short, track in tracks.items():
        for column in ("edit", "new", "warm"):
            say(kernel, contestants[short], column, track.spread(column))
    return tracks


def _shuffled(entries: Mapping[str, Entry], number: int) -> list[str]:
    """The contestants, in another order in each round.

    After a pause a machine is slower for a while, and a compiler that follows another finds it warmed up.
    """
    return random.Random(number).sample(list(entries), len(entries))


def hooks(
    place: Place, contestants: Mapping[str, Contestant], rounds: int
) -> tuple[dict[str, Spread], dict[str, str]]:
    """Imports of the hooks alone; who fails here is out altogether, with the reason."""
    folders = {short: place.folder(f"hook-{short}") for short in contestants}
    times: dict[str, list[float]] = {short: [] for short in contestants}
    failed: dict[str, str] = {}
    for number in range(-1, rounds):
        for short, contestant in contestants.items():
            if short in failed:
                continue
            try:
                seconds = contestant.hook(folders[short])
            except Failed as error:
                failed[short] = first_line(error)
                continue
            if seconds is not None and number >= 0:
                times[short].append(seconds)
    return {short: Spread.of(values) for short, values in times.items() if values}, failed


def say(kernel: Kernel | None, contestant: Contestant | None, what: str, spread: Spread | None) -> None:
    """A line of progress."""
    words = [kernel.name if kernel else "", contestant.name if contestant else "", what]
    taken = duration(spread.median) if spread else ""
    if spread or not contestant:
        print("  ".join(filter(None, (*words, taken))), file=sys.stderr, flush=True)


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # cargo's and rustc's own command is long; what they say begins with "error".
    return next((line for line in lines if line.startswith("error")), lines[0] if lines else repr(error))
