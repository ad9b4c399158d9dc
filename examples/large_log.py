"""Who asks most, and for how much: an access log of any size, in the memory that a few of its lines take.

Run `python examples/large_log.py [--rows N] [--by pyarrow|polars|dask] [--workers N] [--log FILE]`. The log
is a CSV file, made up, which another process writes first if it is not there; 10,000,000 rows are about
600 MB. It is read batch after batch, or on a Dask cluster part after part, and never as a whole. Every 16th
line is of one robot, so that what the sketches say of it can be checked.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rsimport.dask
from rsimport.kernels.count_min_sketch import CountMinSketch, HeavyHitters

WIDTH, DEPTH = 20_000, 5
TOP = 3
ROBOT, EVERY = "203.0.113.7", 16
PART = 250_000
"""Rows that are written at a time."""

Found = tuple[CountMinSketch, CountMinSketch, HeavyHitters]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Sketch an access log that may be larger than the memory.")
    parser.add_argument("--rows", type=positive, default=1_000_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--by", choices=sorted(READERS), default="pyarrow", help="default: %(default)s")
    parser.add_argument("--workers", type=positive, default=2, metavar="N", help="default: %(default)s")
    parser.add_argument("--log", type=Path, metavar="FILE", help="default: one that is removed again")
    parser.add_argument("--write", action="store_true", help="only write the log")
    given = parser.parse_args(arguments)
    if given.write:
        write(given.log, given.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        log = given.log or Path(folder) / "access.csv"
        if not log.exists():
            # In another process, whose memory is not that of this one.
            writing = [sys.executable, __file__, "--write", "--log", str(log), "--rows", str(given.rows)]
            subprocess.run(writing, check=True)
        before = peak()
        visits, traffic, busiest = READERS[given.by](log, given.workers)
        report(log, visits, traffic, busiest)
        print(f"memory: {before / 1e6:,.0f} MB before, {peak() / 1e6:,.0f} MB at most in this process")


def by_pyarrow(log: Path, workers: int) -> Found:
    from pyarrow import csv

    visits, traffic, busiest = new()
    with csv.open_csv(log) as reader:
        # `visits.insert_many(reader, column="ip")` reads it all for one column.
        for batch in reader:
            visits.insert_many(batch, column="ip")
            busiest.insert_many(batch, column="ip")
            traffic.insert_many(batch["ip"], batch["bytes"])
    return visits, traffic, busiest


def by_polars(log: Path, workers: int) -> Found:
    import polars

    visits, traffic, busiest = new()
    for frame in polars.scan_csv(log).select("ip", "bytes").collect_batches(chunk_size=100_000):
        visits.insert_many(frame, column="ip")
        busiest.insert_many(frame, column="ip")
        traffic.insert_many(frame["ip"], frame["bytes"])
    return visits, traffic, busiest


def by_dask(log: Path, workers: int) -> Found:
    import dask
    from dask import dataframe
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        lines = dataframe.read_csv(log, usecols=["ip", "bytes"], blocksize="16MB")
        visits = rsimport.dask.count_min(lines, WIDTH, DEPTH, column="ip")
        traffic = rsimport.dask.count_min(lines, WIDTH, DEPTH, counter_bits=64, column="ip", weights="bytes")
        busiest = rsimport.dask.heavy_hitters(lines, TOP, WIDTH, column="ip")
        found: Found = dask.compute(visits, traffic, busiest)
        peaks = ", ".join(f"{each / 1e6:,.0f}" for each in client.run(peak).values())
        print(f"the workers took {peaks} MB at most")
    return found


READERS: dict[str, Callable[[Path, int], Found]] = {
    "dask": by_dask,
    "polars": by_polars,
    "pyarrow": by_pyarrow,
}


def new() -> Found:
    return (
        CountMinSketch(WIDTH, DEPTH),
        CountMinSketch(WIDTH, DEPTH, counter_bits=64),
        HeavyHitters(TOP, WIDTH),
    )


def report(log: Path, visits: CountMinSketch, traffic: CountMinSketch, busiest: HeavyHitters) -> None:
    rows = visits.total
    print(f"{rows:,} lines, {log.stat().st_size / 1e6:,.0f} MB, {traffic.total / 1e9:,.1f} GB sent")
    for address, count in busiest.top():
        print(f"{address:<16}  {count:>12,} lines  {traffic.count(address) / 1e6:>12,.1f} MB")
    exact = -(-rows // EVERY)
    print(f"the robot: {visits.count(ROBOT):,} lines by the sketch, {exact:,} in the log")
    digest = hashlib.sha256(visits.to_bytes() + traffic.to_bytes()).hexdigest()
    print(f"the counters: {digest[:16]}")


def peak() -> int:
    """Bytes that this process has taken at most."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size


def write(log: Path, rows: int) -> None:
    """A line for each row: when, who, what, how it went, and how many bytes."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

    rng = np.random.default_rng(7)
    people = np.array([f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(100_000)])
    kind = pa.schema(
        {
            "time": pa.int64(),
            "ip": pa.string(),
            "path": pa.string(),
            "status": pa.int64(),
            "bytes": pa.int64(),
        }
    )
    with csv.CSVWriter(log, kind) as writer:
        for start in range(0, rows, PART):
            number = np.arange(start, min(rows, start + PART))
            senders = people[rng.zipf(1.2, len(number)) % len(people)].astype(object)
            senders[number % EVERY == 0] = ROBOT
            pages = rng.zipf(1.5, len(number)) % 5000
            columns: list[Any] = [
                1_767_225_600_000 + number,
                senders,
                [f"/articles/page-{page}.html" for page in pages],
                np.where(number % 50 == 1, 404, 200),
                rng.integers(200, 60_000, len(number)),
            ]
            writer.write_table(pa.table([pa.array(column) for column in columns], kind))


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    main()
