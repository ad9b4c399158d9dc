"""Keys of sketches: whatever Python has, alone and in lists."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from fuzz.target import Target, trace
from rsimport.kernels.count_min_sketch import (
    CountMinSketch,
    CountMinSketchInt,
    CountMinSketchStr,
    HeavyHitters,
)

CLASSES = (CountMinSketch, CountMinSketchStr, CountMinSketchInt, HeavyHitters)
ALLOWED = (TypeError, ValueError, OverflowError)
TEXTS = ("", "a", "é", "\U0001f980", "\0", "a" * 300, "\ud800", "a\udfffb")
NUMBERS = (0, 1, -1, True, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**400)
FLOATS = (0.0, -0.0, 1.0, 1.5, 1e300, -1e19, float("inf"), float("nan"), 5e-324, 2.0**63, -(2.0**63))
SHAPES = st.tuples(
    st.sampled_from(CLASSES), st.sampled_from(("one", "list", "tuple", "iterator", "set", "weights", "top"))
)


class Index:
    """An object that is no int, and says that it is one."""

    def __init__(self, number: Any) -> None:
        self.number = number

    def __index__(self) -> Any:
        return self.number

    def __repr__(self) -> str:
        return f"Index({self.number!r})"


class Text(str):
    """A str of a subclass."""


class Number(int):
    """An int of a subclass."""

    def __index__(self) -> int:
        return 7


def key(random: Random, odd: float = 0.2) -> Any:
    """A key of any type; with this probability one that no sketch takes."""
    how = random.randrange(8)
    if random.random() < odd:
        return random.choice(
            ([], {}, object, Index(3), Index("x"), b"a", bytearray(b"b"), 1j, memoryview(b"c"), ...)
        )
    if how == 0:
        return random.choice(TEXTS[:6]) if odd == 0 else random.choice(TEXTS)
    if how == 1:
        return random.choice(NUMBERS)
    if how == 2:
        return random.choice(FLOATS)
    if how == 3:
        return random.randbytes(random.randrange(20))
    if how == 4:
        return tuple(key(random, odd) for _ in range(random.randrange(3)))
    if how == 5:
        deep: Any = ()
        for _ in range(random.choice((1, 5, 30)) if odd == 0 else random.choice((5, 63, 64, 65, 300))):
            deep = (deep,)
        return deep
    if how == 6:
        return random.choice((None, Text("a"), Number(5), str(random.random())))
    return random.getrandbits(random.choice((8, 32, 63, 64, 65, 200))) * random.choice((1, -1))


def one(shape: tuple[Any, str], random: Random) -> None:
    cls, how = shape
    sketch: Any = cls(4) if cls is HeavyHitters else cls(50, 3)
    if how == "one":
        item, count = key(random), random.choice((0, 1, 5, 2**64 - 1, -1, 2**64, "x", 1.5))
        trace(cls, item, count)
        try:
            sketch.insert(item, count)
        except ALLOWED:
            return
        assert sketch.count(item) >= min(count, 2**32 - 1) and sketch.total == count
        return
    items = [key(random, 0.02) for _ in range(random.randrange(12))]
    trace(cls, how, items)
    weights = [random.choice((0, 1, 3, 2**64 - 1, -1, None)) for _ in items] if how == "weights" else None
    try:
        if how == "top" and cls is not HeavyHitters:
            sketch.top_k(random.choice((0, 1, 5, -1, 2**70)), items)
            return
        sketch.insert_many(_batch(items, how), weights)
    except ALLOWED:
        return
    if cls is not HeavyHitters:
        assert list(sketch.count_many(items)) == [sketch.count(item) for item in items]
    if weights is None:
        assert sketch.total == len(set(map(id, items)) if how == "set" else items)


def _batch(items: list[Any], how: str) -> Any:
    if how == "tuple":
        return tuple(items)
    if how == "iterator":
        return iter(items)
    if how == "set":
        return {id(item): item for item in items}.values()
    return items


TARGET = Target("keys", SHAPES, one)
