"""The binary log: an analysis by columns and by rows, a reader in plain Python, and threads.

The analysis is the average change of a signal by the size of the trade, over a million made-up rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from line import Line, costs, ratio
from measure import Comparison, alternate, compare, cost, seconds

from classics import _struct_log

if TYPE_CHECKING:
    from rsimport.kernels.binary_log import RowReader

RUNS = 7
ROWS = 1_000_000
CALLS = 20
"""Calls of what takes milliseconds: one alone would hardly be comparable with a loop of half a second."""
LOGS = 3
HASHED = 50_000_000
BAR = 0.02
"""The columns shall be 50 times as fast as a loop over the rows."""

Groups = list[tuple[int | float, int, float]]


class Row(Protocol):
    """A row of the kernel, or a dict."""

    def __getitem__(self, name: str, /) -> int | float: ...


def lines(runs: int) -> list[Line]:
    """Measures all."""
    from rsimport.kernels.binary_log import RowReader, write_trades

    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.rowlog" for number in range(LOGS)]
        for seed, path in enumerate(paths):
            write_trades(path, ROWS, seed)
        reader = RowReader(paths[0])

        def by_columns() -> Groups:
            return reader.mean_change_by("size", "signal")

        def by_rows() -> Groups:
            return mean_change(reader.rows)

        def whole() -> Groups:
            return RowReader(paths[0]).mean_change_by("size", "signal")

        def whole_by_rows() -> Groups:
            return mean_change(RowReader(paths[0]).rows)

        def whole_in_python() -> Groups:
            return mean_change(_struct_log.read(paths[0]))

        def in_turn() -> None:
            for path in paths:
                RowReader(path)

        def together() -> None:
            list(pool.map(RowReader, paths))

        # What the processors that are free just now make possible: nothing is shared here.
        buffers = [bytes([number]) * HASHED for number in range(LOGS)]

        def hash_in_turn() -> None:
            for buffer in buffers:
                sha256(buffer)

        def hash_together() -> None:
            list(pool.map(sha256, buffers))

        agree(by_columns, by_rows, whole, whole_in_python)
        few = max(1, runs // 2)
        with ThreadPoolExecutor(LOGS) as pool:
            read = alternate(runs, lambda: cost(together), lambda: cost(in_turn))
            hashed = alternate(runs, lambda: cost(hash_together), lambda: cost(hash_in_turn))
        return [
            ratio("mean_change_by", "a loop over the rows", versus(runs, by_columns, by_rows, CALLS), BAR),
            numpy_line(runs, reader, by_rows),
            ratio("read, mean_change_by", "read, loop over the rows", versus(few, whole, whole_by_rows)),
            ratio("read, mean_change_by", "struct, loop over dicts", versus(few, whole, whole_in_python)),
            costs("read three logs in three threads", "one after the other", *read),
            costs("hash three buffers in three threads", "one after the other", *hashed),
        ]


def mean_change(rows: Iterable[Row]) -> Groups:
    """The analysis as one writes it in Python."""
    counts: defaultdict[int | float, int] = defaultdict(int)
    changes: defaultdict[int | float, float] = defaultdict(float)
    rows = iter(rows)
    before = next(rows)["signal"]
    for row in rows:
        size, signal = row["size"], row["signal"]
        counts[size] += 1
        changes[size] += signal - before
        before = signal
    return [(size, counts[size], changes[size] / counts[size]) for size in sorted(counts)]


def numpy_line(runs: int, reader: RowReader, by_rows: Callable[[], Groups]) -> Line:
    """The same with numpy, on the arrays that share the reader's memory."""
    what, against = "numpy on the columns", "a loop over the rows"
    try:
        import numpy as np
    except ImportError:
        return Line(what, against, value=None, note="skipped: numpy is not installed")

    def by_numpy() -> Groups:
        sizes, changes = reader.values("size")[1:], np.diff(reader.values("signal"))
        counts, sums = np.bincount(sizes), np.bincount(sizes, weights=changes)
        found = np.flatnonzero(counts)
        means = sums[found] / counts[found]
        return list(zip(found.tolist(), counts[found].tolist(), means.tolist(), strict=True))

    agree(by_numpy, by_rows)
    return ratio(what, against, versus(runs, by_numpy, by_rows, CALLS))


def versus(runs: int, ours: Callable[[], object], theirs: Callable[[], object], calls: int = 1) -> Comparison:
    """Lets one call of theirs take turns with the mean of some calls of ours."""

    def ours_again() -> None:
        for _ in range(calls):
            ours()

    return compare(*alternate(runs, lambda: seconds(ours_again) / calls, lambda: seconds(theirs)))


def agree(*ways: Callable[[], Groups]) -> None:
    """Only what gives the same result is worth comparing."""
    first, *others = [way() for way in ways]
    if any(other != first for other in others):
        raise RuntimeError("the ways to compute the mean changes disagree")
