"""A sketch of many keys, by one process and on Dask clusters of this machine, beside numba's same loop.

    python benchmarks/cluster.py [--keys 100000000] [--workers 2 4] [--rounds 3]

Each part of the keys is made where it is counted, which costs about as much as to count it: the least
work that there can be for a worker, and so the dearest case for Dask. One process and the cluster take turns,
and after each turn the same processes have as much time with nothing to do, so that whatever else the machine
does is in all of them. What is compared is the time until the result is there, and processor time: that of
the threads that run tasks (making, counting and merging), that of all processes together, scheduler and
client among them, less that of their idling, and with it. Workers are started, and code is compiled, before.
The table is printed as Markdown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
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
    """Seconds by the clock, of the threads that run tasks, of all processors together, and these idling."""

    clock: float = 0.0
    tasks: float = 0.0
    processor: float = 0.0
    idle: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Sketch many keys on Dask clusters of this machine.")
    parser.add_argument("--keys", type=int, default=100_000_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4], metavar="N", help="default: 2 4")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: %(default)s")
    given = parser.parse_args(arguments)
    parts = max(1, given.keys // PART)
    kinds: dict[str, tuple[Callable[[int], bytes], Callable[[int], bytes]]] = {"rsimport": (alone, spread)}
    if numba_count() is not None:
        kinds["numba"] = (numba_alone, numba_spread)
    print(f"{parts * PART:,} keys, {given.rounds} rounds\n")
    print(
        "| what | workers | time | tasks' processor time | all but idling | with idling | the same counters |"
    )
    print("|---|---|---|---|---|---|---|")
    for workers in given.workers:
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as client,
        ):
            for name, (one, many) in kinds.items():
                one(1)
                many(2 * workers)
                client.run(numba_count)
                before, cost, same = Cost(), Cost(), True
                for _ in range(given.rounds):
                    mine, whole = in_one_process(one, parts)
                    its, found = on_cluster(client, many, parts)
                    before, cost, same = before + mine, cost + its, same and found == whole
                shown = " | ".join(f"{ratio:.2f}" for ratio in ratios(cost, before))
                print(f"| {name} | {workers} | {shown} | {'yes' if same else 'NO'} |", flush=True)


def ratios(cost: Cost, before: Cost) -> tuple[float, ...]:
    """A cluster's seconds in those of one process."""
    base = before.processor
    busy = cost.processor - cost.idle
    return cost.clock / before.clock, cost.tasks / base, busy / base, cost.processor / base


def in_one_process(one: Callable[[int], bytes], parts: int) -> tuple[Cost, bytes]:
    """The scheduler is in this process too, so what counts is this thread."""
    clock, used = time.perf_counter(), time.thread_time()
    found = one(parts)
    clock, used = time.perf_counter() - clock, time.thread_time() - used
    return Cost(clock, used, used), found


def on_cluster(client: Client, many: Callable[[int], bytes], parts: int) -> tuple[Cost, bytes]:
    def all_spent() -> float:
        return spent() + sum(client.run(spent).values())

    def by_tasks() -> float:
        return sum(client.run(of_tasks).values())

    ran, used, clock = by_tasks(), all_spent(), time.perf_counter()
    found = many(parts)
    clock, used, ran = time.perf_counter() - clock, all_spent() - used, by_tasks() - ran
    idle = all_spent()
    time.sleep(clock)
    return Cost(clock, ran, used, all_spent() - idle), found


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
