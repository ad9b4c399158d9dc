"""All sides at all sizes take turns in one run, so that whatever slows the machine down slows all of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import pyperf

from rsimport.bench._clock import Clock
from rsimport.bench._result import Estimate
from rsimport.bench._target import Target

LARGEST = 1_000_000
"""Steps of the largest batch over which the cost of a crossing is fitted."""
TOO_LONG, QUICK_TOO_LONG = 0.3, 0.05
"""Seconds: a size whose single call takes longer is left out."""
ROUNDS, QUICK_ROUNDS = 15, 5
LEAST_ROUNDS = 5
BUDGET = 5.0
"""Seconds after which no further round begins, but for the least."""

Progress = Callable[[int, int, str], None]
Times = dict[str, dict[int, Estimate]]
"""Of each side, the time of a call of each size in seconds."""


def race(
    sides: Mapping[str, Target], *, quick: bool, progress: Progress | None = None
) -> tuple[Times, list[str]]:
    """Times every side at 1, 10, ... 1,000,000 steps a call; returns what was left out too, and why.

    Raises RsimportError for a function that raises.
    """
    clocks, left_out = _clocks(sides, QUICK_TOO_LONG if quick else TOO_LONG)
    samples: dict[tuple[str, int], list[float]] = {key: [] for key in clocks}
    # A sample is the calls and the same loop without them, which takes no longer.
    longest = sum(clock.calls * clock.rough for clock in clocks.values()) * 1.5
    most = QUICK_ROUNDS if quick else ROUNDS
    rounds = max(LEAST_ROUNDS, min(most, int(BUDGET / longest)))
    order = list(clocks)
    for number in range(rounds):
        # Whoever follows a long call finds other caches than who follows a short one.
        for side, steps in random.Random(number).sample(order, len(order)):
            with sides[side].guarded():
                samples[side, steps].append(clocks[side, steps].sample())
        if progress is not None:
            progress(number + 1, rounds, sides["native"].name)
    found: Times = {side: {} for side in sides}
    for (side, steps), values in samples.items():
        clock = clocks[side, steps]
        found[side][steps] = estimated(values, warmups=[(clock.calls, clock.rough)])
    return found, left_out


def estimated(values: Sequence[float], warmups: Sequence[tuple[int, float]] = ()) -> Estimate:
    """What pyperf makes of samples, at least two; warm-ups, with their numbers of calls, do not count."""
    run = pyperf.Run(
        list(values), warmups=list(warmups), metadata={"name": "crossing"}, collect_metadata=False
    )
    benchmark = pyperf.Benchmark([run])
    return Estimate(benchmark.median(), benchmark.median_abs_dev(), benchmark.stdev(), len(values))


def _clocks(sides: Mapping[str, Target], too_long: float) -> tuple[dict[tuple[str, int], Clock], list[str]]:
    clocks: dict[tuple[str, int], Clock] = {}
    left_out = []
    for side, subject in sides.items():
        before = None
        for steps in _sizes(subject):
            # It is not called to find out: of a slow function that might take hours.
            expected = clocks[side, before].rough * steps / before if before else 0.0
            if expected > too_long:
                what = f"one call would take about {expected:.2g} s"
                left_out.append(f"{subject.name} with {steps:,} steps and more: {what}")
                break
            clocks[side, steps] = subject.clock(steps)
            before = steps
    return clocks, left_out


def _sizes(subject: Target) -> list[int]:
    """1, 10, ... and at last all steps that the arguments ask for, but no more than the largest."""
    whole = min(subject.whole, LARGEST)
    sizes = [10**power for power in range(7) if 10**power <= whole]
    return sizes if whole in sizes else [*sizes, whole]
