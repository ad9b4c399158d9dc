"""A reader of the same logs in plain Python, with `struct`: what one writes without the kernel."""

from __future__ import annotations

import struct
from pathlib import Path

Row = dict[str, int | float]

_HEADER = struct.Struct("<8sHHQ")
_ENTRY = struct.Struct("<HBB")
_INT = struct.Struct("<q")
_FLOAT = struct.Struct("<d")
_RECORD = struct.Struct("<H8s")


def read(path: Path) -> list[Row]:
    """The rows as dicts, checked as the kernel checks them but for the wording of the errors."""
    log = path.read_bytes()
    magic, version, columns, records = _HEADER.unpack_from(log)
    if magic != b"\x89ROWLOG\n" or version != 1:
        raise ValueError("not a log")
    at = _HEADER.size
    table = {}
    for _ in range(columns):
        id, kind, length = _ENTRY.unpack_from(log, at)
        at += _ENTRY.size
        name = log[at : at + length].decode()
        at += length
        table[id] = (name, (_INT if kind == 1 else _FLOAT).unpack)
    if len(log) - at != records * _RECORD.size:
        raise ValueError("the log is damaged")
    rows: list[Row] = []
    row: Row = {}
    for id, value in _RECORD.iter_unpack(memoryview(log)[at:]):
        name, unpack = table[id]
        if name == "timestamp":
            row = {}
            rows.append(row)
        elif not rows or name in row:
            raise ValueError("the log is damaged")
        (row[name],) = unpack(value)
    return rows
