"""kernels/binary_log.rs: columns as NumPy arrays, and what is computed from them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from log_format import FLOAT, INT, ROWS, TABLE, Number, Read, Table, encode

if TYPE_CHECKING:
    from rsimport.kernels.binary_log import RowReader


class TestColumns:
    def test_are_named(self, reader: RowReader) -> None:
        assert list(reader.columns.items()) == [
            ("timestamp", "int64"),
            ("price", "float64"),
            ("größe", "int64"),
            ("signal", "float64"),
        ]
        assert [reader.id_name(id) for id, _, _ in TABLE] == [name for _, _, name in TABLE]
        for id in (0, 3, 65534):
            with pytest.raises(KeyError, match=f"the log has no id {id}"):
                reader.id_name(id)
        for id in (-1, 65536):
            with pytest.raises(OverflowError):
                reader.id_name(id)

    def test_have_a_value_for_every_row_and_a_mask_for_the_missing(self, reader: RowReader) -> None:
        pytest.importorskip("numpy")
        for id, kind, name in TABLE[1:]:
            gap = 0 if kind == INT else math.nan
            want = [values.get(id, gap) for _, values in ROWS]
            assert repr(reader.values(name).tolist()) == repr(want)
            assert reader.mask(name).tolist() == [id in values for _, values in ROWS]
        assert reader.timestamps().tolist() == [timestamp for timestamp, _ in ROWS]
        assert reader.mask("timestamp").tolist() == [True] * 4
        dtypes = [str(reader.values(name).dtype) for name in reader.columns]
        assert dtypes == list(reader.columns.values())

    def test_share_their_memory_and_cannot_be_changed(self, reader: RowReader) -> None:
        pytest.importorskip("numpy")
        for make in (lambda: reader.values("price"), lambda: reader.mask("price"), reader.timestamps):
            first, second = make(), make()
            assert first.ctypes.data == second.ctypes.data
            assert first.base is reader
            with pytest.raises(ValueError, match="read-only"):
                first[0] = 1
            with pytest.raises(ValueError):
                first.flags.writeable = True

    def test_without_the_name_raise_an_error(self, reader: RowReader) -> None:
        calls: list[Callable[[], object]] = [
            lambda: reader.values("x"),
            lambda: reader.mask("x"),
            lambda: reader.rows_where("x", ">", 1),
            lambda: reader.mean_change_by("x", "price"),
            lambda: reader.mean_change_by("price", "x"),
        ]
        for call in calls:
            with pytest.raises(KeyError, match='the log has no column "x"'):
                call()

    def test_of_a_log_without_rows_are_empty(self, read: Read) -> None:
        pytest.importorskip("numpy")
        reader = read(encode(TABLE, []))
        assert (len(reader.rows), list(reader.rows), reader.mean_change_by("größe", "signal")) == (0, [], [])
        assert reader.values("price").shape == reader.mask("price").shape == reader.timestamps().shape == (0,)
        assert reader.rows_where("price", "<", 1).indices().shape == (0,)

    def test_of_one_late_value_in_each_are_right(self, read: Read) -> None:
        pytest.importorskip("numpy")
        table: Table = [(0, INT, "timestamp"), *((id, FLOAT, f"c{id}") for id in range(1, 40))]
        records: list[tuple[int, Number]] = []
        for row in range(40):
            records += [(0, row), *([(row, row / 2)] if row else [])]
        reader = read(encode(table, records))
        for id in range(1, 40):
            assert [i for i, there in enumerate(reader.mask(f"c{id}")) if there] == [id]
            assert reader.values(f"c{id}")[id] == id / 2


def mean_change_in_python(reader: RowReader, by: str, of: str) -> list[tuple[Number, int, float]]:
    counts: dict[Number, int] = {}
    sums: dict[Number, Number] = {}
    before = None
    for row in reader.rows:
        value, key = row.get(of), row.get(by)
        if None not in (before, value, key) and key == key:
            counts[key] = counts.get(key, 0) + 1
            sums[key] = sums.get(key, 0) + (value - before)
        before = value
    return [(key, counts[key], sums[key] / counts[key]) for key in sorted(counts)]


class TestMeanChangeBy:
    @pytest.mark.parametrize("by", ["size", "price", "timestamp", "signal"])
    @pytest.mark.parametrize("of", ["signal", "size", "price"])
    def test_is_what_a_loop_over_the_rows_gives(self, trades: RowReader, by: str, of: str) -> None:
        groups = trades.mean_change_by(by, of)
        assert groups == mean_change_in_python(trades, by, of)
        assert sum(count for _, count, _ in groups) == 4999

    def test_passes_over_missing_values(self, read: Read) -> None:
        rng = random.Random(5)
        table: Table = [(0, INT, "timestamp"), (1, INT, "int"), (2, FLOAT, "float"), (3, FLOAT, "value")]
        records: list[tuple[int, Number]] = []
        for time in range(3000):
            row = [
                (1, rng.randrange(-2, 2)),
                (2, rng.choice([0.0, -0.0, 1.5, math.nan])),
                (3, rng.uniform(-1, 1)),
            ]
            records += [(0, time), *(record for record in row if rng.random() < 0.7)]
        reader = read(encode(table, records))
        for by, of in (
            ("int", "value"),
            ("float", "value"),
            ("value", "int"),
            ("float", "int"),
            ("int", "int"),
        ):
            groups = reader.mean_change_by(by, of)
            assert groups == mean_change_in_python(reader, by, of)
            assert len(groups) > 1

    def test_does_not_wrap_around(self, read: Read) -> None:
        table: Table = [(0, INT, "timestamp"), (1, INT, "x")]
        low, high = -(2**63), 2**63 - 1
        records: list[tuple[int, Number]] = [(0, 5), (1, low), (0, 5), (1, high), (0, 6), (1, low)]
        reader = read(encode(table, records))
        assert reader.mean_change_by("timestamp", "x") == [(5, 1, 2.0**64), (6, 1, -(2.0**64))]
