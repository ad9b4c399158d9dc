"""A target: what it draws, and what it does with one input."""

from __future__ import annotations

import mmap
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

SIZE = 1 << 16
"""Bytes of a journal."""


@dataclass(frozen=True)
class Target:
    """`one(shape, random)` makes an input of the shape that was drawn, and raises if a promise broke."""

    name: str
    shapes: st.SearchStrategy[Any]
    one: Callable[[Any, Random], None]


class Journal:
    """A file that both processes see: how many inputs were tried, and what the one in hand is.

    It is written before each input, and so is there when the input ends the process.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        if new:
            path.write_bytes(bytes(SIZE))
        file = os.open(path, os.O_RDWR)
        self._map = mmap.mmap(file, SIZE)
        os.close(file)

    @property
    def count(self) -> int:
        number: int = struct.unpack_from("<Q", self._map)[0]
        return number

    @count.setter
    def count(self, number: int) -> None:
        struct.pack_into("<Q", self._map, 0, number)

    @property
    def text(self) -> str:
        return self._map[16 : 16 + struct.unpack_from("<Q", self._map, 8)[0]].decode(errors="replace")

    @text.setter
    def text(self, text: str) -> None:
        data = text.encode(errors="backslashreplace")[: SIZE - 16]
        struct.pack_into("<Q", self._map, 8, len(data))
        self._map[16 : 16 + len(data)] = data


_seen: tuple[object, ...] = ()
_journal: Journal | None = None
_told = 0


def trace(*parts: object) -> None:
    """Says what the input is. It is written down only where an input before has ended the process."""
    global _seen
    _seen = parts
    if _journal is not None and 0 < _told <= _journal.count:
        _journal.text = _shown()


def run(target: Target, inputs: int, number: int, journal: Journal, told: int) -> None:
    """Tries so many inputs. From the input `told` on, each is written down; 0 writes none down."""
    global _journal, _told
    _journal, _told = journal, told
    each = min(500, max(1, inputs // 4))

    @seed(number)
    @settings(
        max_examples=-(-inputs // each),
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.shapes, st.integers(0, 2**32 - 1))
    def attempt(shape: Any, start: int) -> None:
        random = Random(start)
        for _ in range(each):
            journal.count += 1
            trace(shape, start)
            try:
                target.one(shape, random)
            except BaseException:
                journal.text = _shown()
                raise

    while journal.count < inputs:
        try:
            attempt()
        except BaseException:
            print(f"{target.name}: {journal.text}", file=sys.stderr)
            raise
        # What was drawn once is not drawn again with the same seed.
        attempt = seed(number + journal.count)(attempt)


def _shown() -> str:
    return ", ".join(_repr(part) for part in _seen)


def _repr(part: object) -> str:
    try:
        return repr(part)
    except Exception as error:
        # NumPy has no text for some dates.
        return f"<{type(part).__name__}: {error}>"
