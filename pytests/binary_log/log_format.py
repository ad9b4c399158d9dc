"""The format of kernels/binary_log.rs, written once more from its description."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

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

Read = Callable[[bytes], "RowReader"]
"""Reads a log from its bytes."""
