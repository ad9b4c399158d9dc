"""The run: at each subject all contestants take turns, in every round."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calling.subject import Subject
from rsimport.bench._clock import Clock, Loop, undisturbed

RUNS = (1, 10, 100, 1000)
"""So many calls in a loop that was compiled for them."""
FRESH = 10
"""Fresh loops of each length in one round."""


@dataclass
class Track:
    """What one contestant took at one subject: seconds, by round."""

    steady: list[float] = field(default_factory=list)
    """For a call."""
    runs: dict[int, list[float]] = field(default_factory=lambda: {count: [] for count in RUNS})
    """For so many calls."""


def race(subject: Subject, modules: Mapping[str, Any], rounds: int) -> dict[str, Track]:
    """Measures a subject; the modules of all contestants that can do it, whose results have been checked."""
    names = {name: subject.names(module) for name, module in modules.items()}
    tracks = {name: Track() for name in names}
    with undisturbed():
        clocks = {name: Clock(subject.statement, names[name]) for name in names}
        for number in range(rounds):
            for name in _shuffled(names, number):
                tracks[name].steady.append(clocks[name].sample())
        for number in range(rounds * FRESH):
            for name in _shuffled(names, number):
                for count, times in tracks[name].runs.items():
                    times.append(Loop(subject.statement, names[name]).seconds(count))
    return tracks


def clock(rounds: int) -> float:
    """What looking at the clock takes, which is in the time of every run: the median of empty loops."""
    with undisturbed():
        times = sorted(Loop("pass", {}).seconds(0) for _ in range(rounds * FRESH))
    return times[len(times) // 2]


def _shuffled(names: Mapping[str, object], number: int) -> list[str]:
    """Another order in each round: a call finds the caches as the one before has left them."""
    return random.Random(number).sample(list(names), len(names))
