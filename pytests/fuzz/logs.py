"""Logs: what was written is read, and of damaged ones it is told where the damage is."""

from __future__ import annotations

import contextlib
import math
import os
import struct
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from binary_log.log_format import FLOAT, HEADER, INT, MAGIC, encode_table
from hypothesis import strategies as st

from fuzz.damage import damaged
from fuzz.target import Target, trace
from rsimport.kernels.binary_log import LogError, RowReader, RowWriter

NAMES = ("price", "größe", "a", "x" * 255, "\U0001f980", "timestamp ")
NUMBERS = (0, 1, -1, 2**63 - 1, -(2**63), 7)
FLOATS = (0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 5e-324)
SHAPES = st.fixed_dictionaries(
    {
        "columns": st.lists(st.sampled_from(NAMES), unique=True, max_size=4),
        "kinds": st.lists(st.sampled_from((INT, FLOAT)), min_size=4, max_size=4),
        "rows": st.integers(0, 6),
        "how": st.sampled_from(("whole", "damaged", "numbers", "random", "written")),
    }
)

_folder = tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
PATH = Path(_folder.name) / "some.rowlog"


def one(shape: dict[str, Any], random: Random) -> None:
    columns = [
        (number + 1, kind, name)
        for number, (name, kind) in enumerate(zip(shape["columns"], shape["kinds"], strict=False))
    ]
    rows = [_row(columns, random) for _ in range(shape["rows"])]
    if shape["how"] == "written":
        _written(columns, rows)
        return
    data = _log(columns, rows)
    if shape["how"] == "damaged":
        data = damaged(data, random)
    elif shape["how"] == "numbers":
        out = bytearray(data)
        struct.pack_into(
            random.choice(("<Q", "<H", "<I")),
            out,
            random.randrange(8, len(out) - 7),
            random.choice((0, 1, 255, 65535)),
        )
        data = bytes(out)
    elif shape["how"] == "random":
        data = MAGIC[: random.choice((0, 8, 8))] + random.randbytes(random.randrange(60))
    trace(data)
    with open(PATH, "wb") as file:
        file.write(data)
    try:
        reader = RowReader(PATH)
    except LogError as error:
        assert shape["how"] != "whole"
        assert 0 <= error.offset <= max(len(data), HEADER), error.offset
        return
    _read(reader, random)
    if shape["how"] == "whole":
        assert _same(reader, columns, rows)


def _row(columns: list[tuple[int, int, str]], random: Random) -> tuple[int, dict[str, int | float]]:
    values: dict[str, int | float] = {}
    for _, kind, name in columns:
        if random.random() < 0.6:
            values[name] = random.choice(NUMBERS) if kind == INT else random.choice(FLOATS)
    return random.choice(NUMBERS), values


def _log(columns: list[tuple[int, int, str]], rows: list[tuple[int, dict[str, int | float]]]) -> bytes:
    ids = {name: (id, kind) for id, kind, name in columns}
    body = bytearray()
    count = 0
    for timestamp, values in rows:
        body += struct.pack("<Hq", 0, timestamp)
        for name, value in values.items():
            id, kind = ids[name]
            body += struct.pack("<Hq" if kind == INT else "<Hd", id, value)
        count += 1 + len(values)
    table = encode_table([(0, INT, "timestamp"), *columns])
    return MAGIC + struct.pack("<HHQ", 1, len(columns) + 1, count) + table + bytes(body)


def _written(columns: list[tuple[int, int, str]], rows: list[tuple[int, dict[str, int | float]]]) -> None:
    types = {name: "int64" if kind == INT else "float64" for _, kind, name in columns}
    trace(types, rows)
    with RowWriter(PATH, types) as writer:
        for timestamp, values in rows:
            writer.append(timestamp, values)
    assert PATH.read_bytes() == _log(columns, rows)
    assert _same(RowReader(PATH), columns, rows)


def _same(
    reader: RowReader, columns: list[tuple[int, int, str]], rows: list[tuple[int, dict[str, int | float]]]
) -> bool:
    found = [(row.timestamp, {reader.id_name(id): value for id, value in row.items}) for row in reader.rows]
    return repr(found) == repr(rows) and set(reader.columns) == {
        "timestamp",
        *(name for _, _, name in columns),
    }


def _read(reader: RowReader, random: Random) -> None:
    """Everything that can be asked of a log that was taken for one."""
    rows = len(reader.rows)
    for name in reader.columns:
        assert len(reader.values(name)) == len(reader.mask(name)) == rows
        found = reader.rows_where(
            name, random.choice(("<", "<=", ">", ">=", "==", "!=")), random.choice(FLOATS)
        )
        assert all(0 <= index < rows for index in found.indices())
    start, stop = random.choices((None, -3, -1, 0, 1, 2, 2**70, -(2**70)), k=2)
    cut = slice(start, stop, random.choice((None, 1, -1, 2)))
    assert len(reader.rows[cut]) == len(range(rows)[cut])
    for row in (*reader.rows, *reversed(reader.rows)):
        assert len(row) == len(row.items)
        for name in reader.columns:
            assert (name in row) == (row.get(name) is not None)
    if len(reader.columns) > 1:
        names = random.choices(list(reader.columns), k=2)
        with contextlib.suppress(ValueError):
            reader.mean_change_by(*names)


TARGET = Target("logs", SHAPES, one)
