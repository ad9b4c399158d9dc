"""kernels/binary_log.rs: damaged files are errors with the offset of the damage."""

from __future__ import annotations

import os
import pickle
import random
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import pytest
from helpers import Result
from log_format import BODY, FLOAT, HEADER, INT, LOG, MAGIC, Number, Read, Table, encode, encode_table

if TYPE_CHECKING:
    pass


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
