"""A Count-Min sketch in plain Python: what the table of speeds of the C++ original was measured against."""

from __future__ import annotations

from collections.abc import Iterable


class PythonSketch:
    """Rows of counters, and a hash of its own for each row: FNV-1a of the key's bytes, mixed with the row."""

    def __init__(self, width: int, depth: int) -> None:
        self.width = width
        self.rows = [[0] * width for _ in range(depth)]

    def insert(self, key: str) -> None:
        for number, row in enumerate(self.rows):
            row[self._column(key, number)] += 1

    def count(self, key: str) -> int:
        return min(row[self._column(key, number)] for number, row in enumerate(self.rows))

    def top_k(self, k: int, candidates: Iterable[str]) -> list[tuple[str, int]]:
        counts = [(key, self.count(key)) for key in candidates]
        counts.sort(key=lambda pair: pair[1], reverse=True)
        return counts[:k]

    def _column(self, key: str, row: int) -> int:
        hash = 0xCBF29CE484222325
        for byte in key.encode():
            hash = (hash ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        hash ^= row * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        hash = (hash ^ hash >> 33) * 0xFF51AFD7ED558CCD & 0xFFFFFFFFFFFFFFFF
        return (hash ^ hash >> 33) % self.width
