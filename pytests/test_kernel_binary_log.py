"""kernels/binary_log.rs against a reader in plain Python, damaged files, threads and early ends."""

from __future__ import annotations

import gc
import math
import operator
import os
import pickle
import random
import struct
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import pytest
from helpers import Result

if TYPE_CHECKING:
    from rsimport.kernels.binary_log import RowReader

MAGIC = b"\x89ROWLOG\n"
INT, FLOAT = 1, 2
HEADER = 20

Number = int | float
Table = list[tuple[int, int, str]]

TABLE: Table = [(7, INT, "timestamp"), (300, FLOAT, "price"), (2, INT, "größe"), (65535, FLOAT, "signal")]
RECORDS: list[tuple[int, Number]] = [
    (7, 1000),
    (300, 1.5),
    (2, -3),
    (65535, 0.25),
    (7, 900),
    (7, 2**63 - 1),
    (65535, math.inf),
    (2, -(2**63)),
    (7, -5),
    (300, -0.0),
]
ROWS: list[tuple[int, dict[int, Number]]] = [
    (1000, {300: 1.5, 2: -3, 65535: 0.25}),
    (900, {}),
    (2**63 - 1, {65535: math.inf, 2: -(2**63)}),
    (-5, {300: -0.0}),
]


def encode_table(table: Table) -> bytes:
    return b"".join(
        struct.pack("<HBB", id, kind, len(name.encode())) + name.encode() for id, kind, name in table
    )


def encode(table: Table, records: list[tuple[int, Number]]) -> bytes:
    """A log, written from the description of the format."""
    kinds = {id: kind for id, kind, _ in table}
    body = (struct.pack("<Hq" if kinds.get(id, INT) == INT else "<Hd", id, value) for id, value in records)
    head = MAGIC + struct.pack("<HHQ", 1, len(table), len(records))
    return head + encode_table(table) + b"".join(body)


LOG = encode(TABLE, RECORDS)
BODY = HEADER + len(encode_table(TABLE))


@pytest.fixture(scope="module")
def kernel(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import binary_log

    return binary_log


Read = Callable[[bytes], "RowReader"]


@pytest.fixture
def read(kernel: ModuleType, tmp_path: Path) -> Read:
    """Reads a log from its bytes."""

    def read(log: bytes) -> RowReader:
        path = tmp_path / "some.rowlog"
        path.write_bytes(log)
        reader: RowReader = kernel.RowReader(path)
        return reader

    return read


@pytest.fixture
def reader(read: Read) -> RowReader:
    return read(LOG)


@pytest.fixture(scope="module")
def trades(kernel: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> RowReader:
    path = tmp_path_factory.mktemp("trades") / "trades.rowlog"
    kernel.write_trades(path, 5000, seed=3)
    reader: RowReader = kernel.RowReader(path)
    return reader


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


class Damage(NamedTuple):
    log: bytes
    offset: int
    message: str


def damages() -> dict[str, Damage]:
    def table(*table: tuple[int, int, str]) -> bytes:
        return encode(list(table), [])

    def patched(at: int, new: bytes) -> bytes:
        return LOG[:at] + new + LOG[at + len(new) :]

    time = (0, INT, "timestamp")
    latin = table(time, (1, INT, "xy"))
    return {
        "an empty file": Damage(b"", 0, "not a log"),
        "another file": Damage(b"PK\3\4" + bytes(100), 0, "not a log"),
        "a text transfer": Damage(LOG.replace(b"\n", b"\r\n", 1), 0, "not a log"),
        "half a header": Damage(LOG[:15], 15, "ends within the header"),
        "a later version": Damage(patched(8, b"\2\0"), 8, "version 2 of the format is unknown"),
        "an unfinished log": Damage(patched(12, b"\xff" * 8), 12, "never finished"),
        "no records where many are announced": Damage(
            patched(12, b"\xfe" + b"\xff" * 7), len(LOG), "ends early"
        ),
        "a huge table": Damage(patched(10, b"\xff\xff"), len(LOG), "ends early"),
        "a record too few": Damage(LOG[:-10], len(LOG) - 10, "ends early"),
        "a byte too few": Damage(LOG[:-1], len(LOG) - 1, "ends early"),
        "a byte too many": Damage(LOG + b"\0", len(LOG), "goes on"),
        "much too many": Damage(LOG + bytes(10**4), len(LOG), "goes on"),
        "half a table": Damage(
            MAGIC + struct.pack("<HHQ", 1, 2, 0) + encode_table([time, (1, INT, "abcdefg")])[:-3],
            41,
            "the table",
        ),
        "an unknown type": Damage(table(time, (1, 3, "x")), 35, "3 is no type"),
        "an empty name": Damage(table(time, (1, INT, "")), 36, "no name"),
        "a name that is no text": Damage(latin[:-1] + b"\xff", 37, "not UTF-8"),
        "an id twice": Damage(table(time, (1, INT, "x"), (1, INT, "y")), 38, "two columns have the id 1"),
        "a name twice": Damage(
            table(time, (1, INT, "x"), (2, INT, "x")), 42, 'two columns have the name "x"'
        ),
        "no timestamp": Damage(table((1, INT, "x")), 25, 'no column has the name "timestamp"'),
        "a float for a timestamp": Damage(
            table((1, FLOAT, "timestamp")), 22, "timestamp is not of type int64"
        ),
        "an unknown id": Damage(patched(BODY + 20, b"\x03\0"), BODY + 20, "no id 3"),
        "an id above all": Damage(
            encode([time, (1, INT, "x")], [(0, 1), (65535, 1)]), HEADER + 13 + 5 + 10, "no id 65535"
        ),
        "a value before the first row": Damage(patched(BODY, b"\x02\0"), BODY, "before the first timestamp"),
        "a value twice in a row": Damage(
            patched(BODY + 30, struct.pack("<H", 300)), BODY + 30, 'a row has two values of "price"'
        ),
    }


class TestDamage:
    @pytest.mark.parametrize("damage", damages().values(), ids=damages().keys())
    def test_is_found_and_its_place_is_told(self, kernel: ModuleType, read: Read, damage: Damage) -> None:
        with pytest.raises(kernel.LogError) as caught:
            read(damage.log)
        assert isinstance(caught.value, ValueError)
        assert caught.value.offset == damage.offset
        assert damage.message in str(caught.value)
        assert str(caught.value).endswith(f", at byte {damage.offset}")
        assert pickle.loads(pickle.dumps(caught.value)).offset == damage.offset

    def test_by_truncation_is_always_found(self, kernel: ModuleType, read: Read) -> None:
        for size in range(len(LOG)):
            with pytest.raises(kernel.LogError) as caught:
                read(LOG[:size])
            assert 0 <= caught.value.offset <= size

    def test_of_any_kind_is_an_error_or_another_log(self, kernel: ModuleType, read: Read) -> None:
        rng = random.Random(9)
        read_well = 0
        for _ in range(3000):
            log = bytearray(LOG)
            for _ in range(rng.randrange(1, 4)):
                log[rng.randrange(len(log))] = rng.choice([0, 1, 2, 3, 255, rng.randrange(256)])
            try:
                reader = read(bytes(log))
            except kernel.LogError as error:
                assert 0 <= error.offset <= len(log)
            else:
                read_well += 1
                for row in reader.rows:
                    assert [row[reader.id_name(id)] for id, _ in row.items] == [
                        pytest.approx(value, nan_ok=True) for _, value in row.items
                    ]
        assert 0 < read_well < 3000

    def test_that_announces_much_does_not_take_memory(
        self, run: Callable[..., Result], tmp_path: Path
    ) -> None:
        pytest.importorskip("resource")
        # Each of many columns has its only value in the last of many rows: tables of all would take 20 GB.
        columns, rows = 50_000, 50_000
        table: Table = [(0, INT, "timestamp"), *((id, INT, str(id)) for id in range(1, columns))]
        records: list[tuple[int, Number]] = [(0, 0)] * rows + [(id, id) for id in range(1, columns)]
        (tmp_path / "wide.rowlog").write_bytes(encode(table, records))
        (tmp_path / "huge.rowlog").write_bytes(LOG[:12] + struct.pack("<Q", 2**60) + LOG[20:])
        with open(tmp_path / "sparse.rowlog", "wb") as file:
            # A file of 640 GiB that takes no room on the disk: a timestamp of zero, again and again.
            start = encode([(0, INT, "timestamp")], [])
            file.write(start[:12] + struct.pack("<Q", 2**36) + start[20:])
            file.truncate(len(start) + 10 * 2**36)
        result = run(f"""
            import resource
            from rsimport.kernels.binary_log import LogError, RowReader

            with open("/proc/self/statm") as file:
                used = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
            reader = RowReader({str(tmp_path / "wide.rowlog")!r})
            print(len(reader.rows[-1]), reader.rows[-1]["49999"])
            for name in ("huge", "sparse"):
                try:
                    RowReader({str(tmp_path)!r} + f"/{{name}}.rowlog")
                except (LogError, MemoryError) as error:
                    print(type(error).__name__)
        """)
        assert result.out.splitlines() == ["49999 49999", "LogError", "MemoryError"]

    def test_is_not_looked_for_in_what_is_no_file(self, kernel: ModuleType, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            kernel.RowReader(tmp_path / "none")
        assert caught.value.filename == str(tmp_path / "none")
        assert caught.value.strerror == os.strerror(caught.value.errno)
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
            with pytest.raises(kernel.LogError, match="not a regular file"):
                kernel.RowReader(path)
        for path in (1, None, b"x"):
            with pytest.raises(TypeError):
                kernel.RowReader(path)


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


COLUMNS = {"price": "float64", "size": "int64"}


class TestWriter:
    def test_writes_the_bytes_of_the_format(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"
        with kernel.RowWriter(path, COLUMNS) as writer:
            writer.append(10, {"price": 2, "size": 3})
            writer.append(-1, {})
            writer.append(timestamp=12, values={"size": 2**63 - 1})
        table: Table = [(0, INT, "timestamp"), (1, FLOAT, "price"), (2, INT, "size")]
        records = [(0, 10), (1, 2.0), (2, 3), (0, -1), (0, 12), (2, 2**63 - 1)]
        assert path.read_bytes() == encode(table, records)
        assert os.listdir(tmp_path) == ["new.rowlog"]

    def test_shows_nothing_before_the_end(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"
        path.write_bytes(b"old")
        writer = kernel.RowWriter(path, COLUMNS)
        for number in range(20_000):
            writer.append(number, {"size": number})
        assert path.read_bytes() == b"old"
        (hidden,) = set(os.listdir(tmp_path)) - {"new.rowlog"}
        half = (tmp_path / hidden).read_bytes()
        assert len(half) > 10_000
        (tmp_path / "half.rowlog").write_bytes(half)
        with pytest.raises(kernel.LogError, match="never finished"):
            kernel.RowReader(tmp_path / "half.rowlog")
        writer.close()
        assert kernel.RowReader(path).values("size").tolist() == list(range(20_000))
        assert sorted(os.listdir(tmp_path)) == ["half.rowlog", "new.rowlog"]

    def test_leaves_the_old_log_after_an_exception(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"
        path.write_bytes(b"old")
        with pytest.raises(LookupError), kernel.RowWriter(path, COLUMNS) as writer:
            writer.append(1, {"size": 1})
            raise LookupError
        abandoned = kernel.RowWriter(path, COLUMNS)
        del abandoned
        discarded = kernel.RowWriter(path, COLUMNS)
        discarded.discard()
        discarded.close()
        assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["new.rowlog"])

    def test_is_of_no_use_after_the_end(self, kernel: ModuleType, tmp_path: Path) -> None:
        writer = kernel.RowWriter(tmp_path / "new.rowlog", COLUMNS)
        assert repr(writer).endswith("new.rowlog, open>")
        writer.close()
        assert repr(writer).endswith("new.rowlog, ended>")
        writer.close()
        for call in (lambda: writer.append(1, {}), writer.__enter__):
            with pytest.raises(ValueError, match="the log is closed"):
                call()

    def test_leaves_no_part_of_a_row_that_is_wrong(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"
        with kernel.RowWriter(path, COLUMNS) as writer:
            wrong = [
                (KeyError, 1, {"price": 1.0, "prize": 1.0}),
                (KeyError, 1, {"timestamp": 1}),
                (TypeError, 1, {"price": 1.0, "size": 1.0}),
                (TypeError, 1, {"price": "1"}),
                (TypeError, 1, {1: 1}),
                (TypeError, 1.0, {}),
                (OverflowError, 1, {"size": 2**63}),
                (OverflowError, 2**63, {}),
            ]
            for error, timestamp, values in wrong:
                with pytest.raises(error):
                    writer.append(timestamp, values)
            writer.append(7, {"price": 0.5})
        (row,) = kernel.RowReader(path).rows
        assert (row.timestamp, row.items) == (7, [(1, 0.5)])

    def test_refuses_columns_that_no_log_has(self, kernel: ModuleType, tmp_path: Path) -> None:
        for name in ("timestamp", "", "x" * 256, "ü" * 128):
            with pytest.raises(ValueError, match="cannot be a column"):
                kernel.RowWriter(tmp_path / "new.rowlog", {name: "int64"})
        with pytest.raises(ValueError, match='must be "int64" or "float64", not "int32"'):
            kernel.RowWriter(tmp_path / "new.rowlog", {"x": "int32"})
        with pytest.raises(ValueError, match="at most 65,534 columns"):
            kernel.RowWriter(tmp_path / "new.rowlog", {str(n): "int64" for n in range(65_535)})
        with pytest.raises(FileNotFoundError):
            kernel.RowWriter(tmp_path / "none" / "new.rowlog", {})
        assert os.listdir(tmp_path) == []
        kernel.RowWriter(tmp_path / "new.rowlog", {str(n): "int64" for n in range(65_534)}).close()
        assert len(kernel.RowReader(tmp_path / "new.rowlog").columns) == 65_535

    def test_keeps_whole_rows_of_several_threads(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"

        def work(thread: int) -> None:
            for number in range(2000):
                writer.append(thread, {"price": number, "size": thread})

        with kernel.RowWriter(path, COLUMNS) as writer, ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        rows = kernel.RowReader(path).rows
        for thread in range(4):
            own = [row for row in rows if row.timestamp == thread]
            assert [(row["price"], row["size"]) for row in own] == [(n, thread) for n in range(2000)]


class TestTrades:
    def test_are_the_same_for_the_same_seed(self, kernel: ModuleType, tmp_path: Path) -> None:
        logs = []
        for seed in (0, 0, 1):
            kernel.write_trades(tmp_path / "t.rowlog", 100, seed)
            logs.append((tmp_path / "t.rowlog").read_bytes())
        assert logs[0] == logs[1] != logs[2]

    def test_use_splitmix64(self, trades: RowReader, kernel: ModuleType, tmp_path: Path) -> None:
        # The first output of the reference implementation for the seed 1234567.
        kernel.write_trades(tmp_path / "t.rowlog", 1, seed=1234567)
        (row,) = kernel.RowReader(tmp_path / "t.rowlog").rows
        assert row.timestamp == 1_577_836_800_000_000_000 + 6457827717110365317 * 2_000_000 // 2**64 + 1

    def test_are_plausible(self, trades: RowReader) -> None:
        numpy = pytest.importorskip("numpy")
        assert len(trades.rows) == 5000
        assert (numpy.diff(trades.timestamps()) > 0).all()
        assert sorted(set(trades.values("size").tolist())) == [1, 2, 5, 10, 20, 50, 100, 500]
        assert (trades.values("price") > 0).all()
        means = [mean for _, _, mean in trades.mean_change_by("size", "signal")]
        assert means == sorted(means)

    def test_may_be_none(self, kernel: ModuleType, tmp_path: Path) -> None:
        kernel.write_trades(tmp_path / "t.rowlog", 0)
        assert len(kernel.RowReader(tmp_path / "t.rowlog").rows) == 0
        with pytest.raises(OverflowError):
            kernel.write_trades(tmp_path / "t.rowlog", -1)


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
