"""kernels/binary_log.rs: rows, which are found and which live as long as they are used."""

from __future__ import annotations

import gc
import math
import operator
import random
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from helpers import Result
from log_format import FLOAT, INT, LOG, ROWS, Number, Read, Table, encode

if TYPE_CHECKING:
    from rsimport.kernels.binary_log import RowReader


class TestRows:
    def test_are_those_of_the_file(self, reader: RowReader) -> None:
        assert [(row.timestamp, row.items) for row in reader.rows] == [
            (timestamp, list(values.items())) for timestamp, values in ROWS
        ]
        assert [len(row) for row in reader.rows] == [3, 0, 2, 1]
        assert [row.index for row in reader.rows] == [0, 1, 2, 3]
        assert math.copysign(1, reader.rows[3]["price"]) == -1

    def test_give_values_by_name(self, reader: RowReader) -> None:
        row = reader.rows[0]
        assert (row["price"], row["größe"], row["signal"], row["timestamp"]) == (1.5, -3, 0.25, 1000)
        assert [type(row[name]) for name in ("price", "größe")] == [float, int]
        assert (row.get("price"), reader.rows[1].get("price"), reader.rows[1].get("price", 8)) == (
            1.5,
            None,
            8,
        )
        assert [name in reader.rows[3] for name in ("price", "signal", "timestamp", "no")] == [1, 0, 1, 0]

    def test_raise_key_errors_for_what_they_do_not_have(self, reader: RowReader) -> None:
        with pytest.raises(KeyError, match='row 1 has no "price"'):
            reader.rows[1]["price"]
        for lookup in (reader.rows[0].__getitem__, reader.rows[0].get):
            with pytest.raises(KeyError, match='the log has no column "prize"'):
                lookup("prize")

    def test_are_a_sequence(self, reader: RowReader) -> None:
        rows = reader.rows
        assert len(rows) == 4
        assert [rows[place].index for place in (0, 3, -1, -4)] == [0, 3, 3, 0]
        assert [row.index for row in reversed(rows)] == [3, 2, 1, 0]
        for place in (4, -5, 2**62):
            with pytest.raises(IndexError):
                rows[place]
        for place in ("0", 1.0, None):
            with pytest.raises(TypeError):
                rows[place]

    def test_can_be_sliced_like_a_list(self, trades: RowReader) -> None:
        rng = random.Random(1)
        ends = [None, 0, 1, -1, 7, -7, 60, -60, 10**20, -(10**20), 2**62]
        parts = [trades.rows[:50], trades.rows_where("size", ">=", 50)[:50]]
        for rows in parts:
            expected = [row.index for row in rows]
            for _ in range(300):
                part, want = rows, expected
                for _ in range(2):
                    cut = slice(rng.choice(ends), rng.choice(ends), rng.choice([None, 1, -1, 3, -4, 2**62]))
                    part, want = part[cut], want[cut]
                assert [row.index for row in part] == want == part.indices().tolist(), cut
        with pytest.raises(ValueError):
            trades.rows[::0]

    def test_iterators_count_down_and_stay_at_the_end(self, reader: RowReader) -> None:
        rows = iter(reader.rows)
        assert iter(rows) is rows
        assert [(operator.length_hint(rows), next(rows).index) for _ in range(4)] == [
            (4, 0),
            (3, 1),
            (2, 2),
            (1, 3),
        ]
        assert next(rows, None) is next(rows, None) is None

    def test_are_shown_with_their_names(self, reader: RowReader) -> None:
        assert repr(reader.rows[0]) == "<row 0: timestamp=1000 price=1.5 größe=-3 signal=0.25>"
        assert repr(reader.rows) == "<4 rows of a log of 4>"
        assert repr(reader).endswith("some.rowlog: 4 rows, 4 columns>")


OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class TestRowsWhere:
    @pytest.mark.parametrize("comparison", OPERATORS)
    def test_compares_as_python_does(self, read: Read, comparison: str) -> None:
        ints = [0, 1, -1, 2, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**62]
        floats = [0.0, -0.0, 0.5, -0.5, 1.0, 2.0**53, -(2.0**53) - 2, 2.0**63, -(2.0**63), 1e300, -1e300]
        floats += [math.inf, -math.inf, math.nan, 2.0**63 - 1024]
        table: Table = [(0, INT, "timestamp"), (1, INT, "int"), (2, FLOAT, "float")]
        records: list[tuple[int, Number]] = []
        for int_, float_ in zip(ints + [0] * 5, floats, strict=True):
            records += [(0, 0), (1, int_), (2, float_), (0, 0)]
        reader = read(encode(table, records))
        for name in ("int", "float", "timestamp"):
            for x in ints + floats:
                found = reader.rows_where(name, comparison, x)
                holds = OPERATORS[comparison]
                want = [row.index for row in reader.rows if name in row and holds(row[name], x)]
                assert [row.index for row in found] == want, (name, x)

    def test_returns_rows_that_share_their_numbers(self, trades: RowReader) -> None:
        numpy = pytest.importorskip("numpy")
        found = trades.rows_where("signal", ">", 0.5)
        assert 0 < len(found) < len(trades.rows)
        assert found.indices().tolist() == numpy.flatnonzero(trades.values("signal") > 0.5).tolist()
        assert found.indices().ctypes.data == found.indices().ctypes.data
        assert not found.indices().flags.writeable
        assert all(row["signal"] > 0.5 for row in found)
        assert trades.rows_where("size", ">", numpy.int64(499)).indices().tolist() == [
            row.index for row in trades.rows if row["size"] == 500
        ]

    def test_refuses_what_cannot_be_compared(self, reader: RowReader) -> None:
        for comparison in ("=", "", "=>", "> "):
            with pytest.raises(ValueError, match="the comparison must be <, <=, >, >=, == or !="):
                reader.rows_where("price", comparison, 1)
        with pytest.raises(OverflowError):
            reader.rows_where("price", ">", 2**63)
        for x in ("1", None, [1]):
            with pytest.raises(TypeError):
                reader.rows_where("price", ">", x)


class TestLifetime:
    def test_rows_and_iterators_outlive_the_reader(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "t.rowlog"
        kernel.write_trades(path, 2000, seed=1)

        def make() -> tuple[Iterator[object], object, list[object]]:
            reader = kernel.RowReader(path)
            rows = iter(reader.rows)
            next(rows)
            found = reader.rows_where("size", "==", 500)
            return rows, found, [row.items for row in reader.rows]

        rows, found, items = make()
        path.unlink()
        gc.collect()
        bytearray(10**7)
        assert [row.items for row in rows] == items[1:]
        assert [row.items for row in found] == [items[row.index] for row in found]
        assert {row["size"] for row in found} == {500}

    def test_arrays_keep_what_they_show(self, kernel: ModuleType, tmp_path: Path) -> None:
        pytest.importorskip("numpy")
        kernel.write_trades(tmp_path / "t.rowlog", 2000, seed=1)
        reader = kernel.RowReader(tmp_path / "t.rowlog")
        arrays = [reader.values("price"), reader.mask("price"), reader.timestamps()[5:]]
        arrays.append(reader.rows_where("size", ">", 1).indices())
        copies = [array.tolist() for array in arrays]
        del reader
        gc.collect()
        assert [array.tolist() for array in arrays] == copies

    def test_nothing_keeps_the_numbers_when_all_are_gone(self, read: Read) -> None:
        pytest.importorskip("numpy")
        rows = read(LOG).rows_where("größe", "<", 0)
        gone = weakref.ref(rows.indices())
        assert gone() is None


def test_threads_read_and_compute_together(kernel: ModuleType, tmp_path: Path) -> None:
    def work(seed: int) -> list[tuple[Number, int, float]]:
        path = tmp_path / f"{seed}.rowlog"
        kernel.write_trades(path, 20_000, seed)
        groups: list[tuple[Number, int, float]] = kernel.RowReader(path).mean_change_by("size", "signal")
        return groups

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [work(seed) for seed in range(3)]


def test_long_work_lets_other_threads_run(run: Callable[..., Result], tmp_path: Path) -> None:
    # Python itself switches no threads here, so the other one runs only where the kernel lets it.
    result = run(f"""
        import sys, threading
        from rsimport.kernels.binary_log import RowReader, write_trades

        path = {str(tmp_path / "t.rowlog")!r}
        write_trades(path, 200_000)
        reader = RowReader(path)
        works = {{
            "read": lambda: RowReader(path),
            "write": lambda: write_trades(path + "2", 10_000),
            "mean": lambda: reader.mean_change_by("price", "signal"),
            "where": lambda: reader.rows_where("signal", ">", 0),
        }}
        sys.setswitchinterval(1000)
        for name, work in works.items():
            gate, ran = threading.Lock(), []
            gate.acquire()
            thread = threading.Thread(target=lambda: (gate.acquire(), ran.append(name)))
            thread.start()
            gate.release()
            for _ in range(500):
                work()
                if ran:
                    break
            print(*ran)
            thread.join()
    """)
    assert result.out.split() == ["read", "write", "mean", "where"]
