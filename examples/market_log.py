"""Read a market log: how much does a signal change with trades of each size?

Run `python examples/market_log.py [--rows N] [--log FILE]`. The log of N made-up trades is written first, to
FILE or to a folder that is removed again. The question is answered twice, by a loop over the rows in Python
and by one call that goes through the columns in Rust; both must give the same table, to the last bit.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypeVar

from rsimport.kernels.binary_log import LogError, RowReader, write_trades

SEED = 20
Result = TypeVar("Result")
Groups = list[tuple[int | float, int, float]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Read a log of made-up trades in two ways.")
    parser.add_argument("--rows", type=positive, default=1_000_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep the log in this file")
    given = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        path = given.log or Path(folder) / "market.rowlog"
        write_trades(path, given.rows, SEED)
        try:
            seconds, reader = timed(lambda: RowReader(path))
        except LogError as error:
            sys.exit(f"damaged from byte {error.offset} on: {error}")
    columns = ", ".join(f"{name} ({kind})" for name, kind in reader.columns.items())
    print(f"{len(reader.rows):,} rows in {seconds * 1e3:,.1f} ms: {columns}")
    print(f"the first: {reader.rows[0]}")
    print(f"signal above 1: {len(reader.rows_where('signal', '>', 1)):,} rows\n")
    compare(reader)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def compare(reader: RowReader) -> None:
    """Prints the table and the times of both ways; ends the program if they disagree."""
    loop, groups = timed(lambda: mean_change(reader))
    columns, again = timed(lambda: reader.mean_change_by("size", "signal"))
    if groups != again:
        sys.exit(f"the two ways disagree: {groups} by rows, {again} by columns")
    print(f"{'size':>6}  {'trades':>9}  {'signal change':>13}")
    for size, count, mean in groups:
        print(f"{size:>6}  {count:>9,}  {mean:>+13.6f}")
    print("\nrows in Python and columns in Rust agree")
    print(f"rows in Python   {loop * 1e3:>9,.2f} ms")
    print(f"columns in Rust  {columns * 1e3:>9,.2f} ms, {loop / columns:,.0f} times as fast")


def mean_change(reader: RowReader) -> Groups:
    """What `mean_change_by` does, where every row has all values."""
    counts: defaultdict[int | float, int] = defaultdict(int)
    changes: defaultdict[int | float, float] = defaultdict(float)
    rows = iter(reader.rows)
    before = next(rows)["signal"]
    for row in rows:
        size, signal = row["size"], row["signal"]
        counts[size] += 1
        changes[size] += signal - before
        before = signal
    return [(size, counts[size], changes[size] / counts[size]) for size in sorted(counts)]


def timed(action: Callable[[], Result]) -> tuple[float, Result]:
    start = perf_counter()
    result = action()
    return perf_counter() - start, result


if __name__ == "__main__":
    main()
