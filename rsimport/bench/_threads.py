"""How many steps a second several threads make together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import perf_counter

from rsimport.bench._race import TOO_LONG, Times, estimated
from rsimport.bench._result import Threads
from rsimport.bench._target import Target

ROUNDS = 5
QUICK_ROUNDS = 3
WORK, QUICK_WORK = 0.06, 0.02
"""Seconds of work that all threads share."""
ONE_BY_ONE = 8
"""Up to as many threads each number is measured, above it the powers of two."""


def throughput(sides: Mapping[str, Target], measured: Times, *, quick: bool) -> Iterator[Threads]:
    """Steps a second of the native function, and of the one that releases the GIL, with 1 thread and more.

    All threads together make the same number of calls, of the largest batch that does not take too long when
    they stand in a queue. Each has a batch of its own. Raises RsimportError for a function that raises.
    """
    times = measured["native"]
    cores = processors()
    short = [steps for steps, each in times.items() if each.median * cores < TOO_LONG]
    steps = max(short, default=min(times))
    calls = (QUICK_WORK if quick else WORK) / times[steps].median
    rivals = [side for side in ("native", "nogil") if side in sides]
    for threads in _numbers(cores):
        each = max(1, round(calls / threads))
        seconds: dict[str, list[float]] = {side: [] for side in rivals}
        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            for side in rivals:
                seconds[side].append(_seconds(sides[side], steps, threads, each))
        speeds = {side: threads * each * steps / estimated(seconds[side]).median for side in rivals}
        yield Threads(threads, speeds["native"], speeds.get("nogil"))


def processors() -> int:
    """The processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _numbers(cores: int) -> list[int]:
    powers = {1 << power for power in range(cores.bit_length()) if 1 << power > ONE_BY_ONE}
    return sorted({*range(1, min(cores, ONE_BY_ONE) + 1), *powers, cores})


def _seconds(subject: Target, steps: int, threads: int, calls: int) -> float:
    """Seconds that so many threads take which begin together."""
    ready = Barrier(threads + 1)
    given = [subject.at(steps, own=True) for _ in range(threads)]

    def work(number: int) -> None:
        function, args, kwargs = subject.function, given[number].args, given[number].kwargs
        ready.wait()
        for _ in range(calls):
            function(*args, **kwargs)

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, number) for number in range(threads)]
        ready.wait()
        start = perf_counter()
        with subject.guarded():
            for future in futures:
                future.result()
        return perf_counter() - start
