"""A sketch of many keys, by one process and on Dask clusters of this machine, beside numba's same loop.

    python benchmarks/cluster.py [--keys 100000000] [--workers 2 4]

Each part of the keys is made where it is counted, which costs about as much as to count it: the least
work that there can be for a worker, and so the dearest case for Dask. What is compared is the time until
the result is there, and processor time: that of the threads that run tasks (making, counting and merging),
and that of all processes together, scheduler and client among them, less what the same processes take in as
much time with nothing to do, right afterwards. Workers are started, and code is compiled, before that.
The table is printed as Markdown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
import psutil
from distributed import Client, LocalCluster

import rsimport.dask
from rsimport.kernels.count_min_sketch import CountMinSketch

WIDTH, DEPTH = 20_000, 5
PART = 4_000_000
SPLIT = 8


@dataclass
class Cost:
    """Seconds by the clock, of the threads that run tasks, and of all processors together without idling."""

    clock: float
    tasks: float
    processor: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Sketch many keys on Dask clusters of this machine.")
    parser.add_argument("--keys", type=int, default=100_000_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4], metavar="N", help="default: 2 4")
    given = parser.parse_args(arguments)
    parts = max(1, given.keys // PART)
    kinds: dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {"rsimport": (alone, spread)}
    if numba_count() is not None:
        kinds["numba"] = (numba_alone, numba_spread)
    print(f"{parts * PART:,} keys\n")
    print("| what | workers | time | tasks' processor time | all but idling | the same counters |")
    print("|---|---|---|---|---|---|")
    for name, (one, many) in kinds.items():
        one(1)
        before, whole = measured(lambda one=one: one(parts))
        print(f"| {name} | one process | 1 | 1 | 1 | |", flush=True)
        for workers in given.workers:
            cost, found = on_cluster(workers, many, parts)
            same = "yes" if found == whole else "NO"
            ratios = (cost.clock / before.clock, cost.tasks / before.tasks, cost.processor / before.processor)
            shown = " | ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"| {name} | {workers} | {shown} | {same} |", flush=True)


def on_cluster(workers: int, many: Callable[[int], Any], parts: int) -> tuple[Cost, bytes]:
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        many(2 * workers)
        client.run(numba_count)

        def all_spent() -> float:
            return spent() + sum(client.run(spent).values())

        def by_tasks() -> float:
            return sum(client.run(of_tasks).values())

        used, ran = all_spent(), by_tasks()
        cost, found = measured(lambda: many(parts))
        used, ran = all_spent() - used, by_tasks() - ran
        idle = all_spent()
        time.sleep(cost.clock)
        idle = all_spent() - idle
        return Cost(cost.clock, ran, used - idle), found


def measured(action: Callable[[], bytes]) -> tuple[Cost, bytes]:
    clock, used = time.perf_counter(), spent()
    found = action()
    clock, used = time.perf_counter() - clock, spent() - used
    return Cost(clock, used, used), found


def of_tasks(dask_worker: Any) -> float:
    """What the threads of a worker have spent that run its tasks."""
    running = {thread.native_id for thread in dask_worker.executors["default"]._threads}
    times = [found for found in psutil.Process().threads() if found.id in running]
    return float(sum(found.user_time + found.system_time for found in times))


def spent() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def keys(part: int) -> Any:
    return np.random.default_rng(part).integers(0, 2**63, PART) % (1 + part % 1000 * 1000)


def alone(parts: int) -> bytes:
    sketch = CountMinSketch(WIDTH, DEPTH)
    for part in range(parts):
        sketch.insert_many(keys(part))
    return sketch.to_bytes()


def spread(parts: int) -> bytes:
    batches = [dask.delayed(keys)(part) for part in range(parts)]
    sketch = rsimport.dask.count_min(batches, WIDTH, DEPTH, split_every=SPLIT)
    found: bytes = sketch.compute().to_bytes()
    return found


def numba_alone(parts: int) -> bytes:
    table = np.zeros((DEPTH, WIDTH), np.uint32)
    for part in range(parts):
        numba_count()(table, keys(part))
    return table.tobytes()


def numba_spread(parts: int) -> bytes:
    batches = [dask.delayed(keys)(part) for part in range(parts)]
    tables = [dask.delayed(numba_part)(batch) for batch in batches]
    while len(tables) > 1:
        tables = [dask.delayed(numba_sum)(tables[at : at + SPLIT]) for at in range(0, len(tables), SPLIT)]
    found: bytes = tables[0].compute().tobytes()
    return found


def numba_part(batch: Any) -> Any:
    table = np.zeros((DEPTH, WIDTH), np.uint32)
    numba_count()(table, batch)
    return table


def numba_sum(tables: list[Any]) -> Any:
    return np.sum(tables, axis=0, dtype=np.uint32)


_compiled: list[Any] = []


def numba_count() -> Any:
    """The loop that numba compiles, once in each process; None without numba."""
    if not _compiled:
        try:
            import numba
        except ImportError:
            return None

        @numba.njit(nogil=True)
        def count(table, batch):  # type: ignore[no-untyped-def]
            depth, width = table.shape
            for key in batch:
                # The last steps of MurmurHash3, and two numbers of that for all rows, as in the kernel.
                at = np.uint64(key)
                at = (at ^ (at >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
                at = (at ^ (at >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
                at ^= at >> np.uint64(33)
                step = (at * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)
                for row in range(depth):
                    table[row, ((at >> np.uint64(32)) * np.uint64(width)) >> np.uint64(32)] += 1
                    at += step

        count(np.zeros((1, 1), np.uint32), np.zeros(1, np.int64))
        _compiled.append(count)
    return _compiled[0]


if __name__ == "__main__":
    main()
