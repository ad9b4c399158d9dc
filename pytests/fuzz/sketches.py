"""Saved sketches: whole ones come back as they were, damaged ones are refused."""

from __future__ import annotations

import contextlib
import copy
import pickle
import struct
from random import Random
from typing import Any

from hypothesis import strategies as st

from fuzz.damage import damaged
from fuzz.keys import key
from fuzz.target import Target, trace
from rsimport.kernels.count_min_sketch import (
    CountMinSketch,
    CountMinSketchInt,
    CountMinSketchStr,
    HeavyHitters,
)

HEADER = 48
CLASSES = (CountMinSketch, CountMinSketchStr, CountMinSketchInt)
NUMBERS = (0, 1, 2, 3, 2**16, 2**28, 2**31, 2**32, 2**61, 2**63 - 1, 2**63, 2**64 - 1)

SHAPES = st.fixed_dictionaries(
    {
        "class": st.sampled_from(CLASSES),
        "width": st.integers(1, 20),
        "depth": st.integers(1, 4),
        "conservative": st.booleans(),
        "counter_bits": st.sampled_from((32, 64)),
        "how": st.sampled_from(("whole", "bytes", "header", "pickle", "lent", "heavy")),
    }
)


def one(shape: dict[str, Any], random: Random) -> None:
    cls = shape["class"]
    sketch = cls(
        shape["width"], shape["depth"], shape["conservative"], shape["counter_bits"], random.choice(NUMBERS)
    )
    for _ in range(random.randrange(4)):
        item = random.getrandbits(63) if cls is CountMinSketchInt else str(random.random())
        sketch.insert(item, random.choice(NUMBERS[:6]))
    data = sketch.to_bytes()
    if shape["how"] == "whole":
        others = [cls.from_bytes(data), copy.copy(sketch), copy.deepcopy(sketch)]
        others += [pickle.loads(pickle.dumps(sketch, protocol)) for protocol in range(2, 6)]
        buffers: list[pickle.PickleBuffer] = []
        lent = pickle.dumps(sketch, 5, buffer_callback=buffers.append)
        others.append(pickle.loads(lent, buffers=[bytes(buffer) for buffer in buffers]))
        assert all(other.to_bytes() == data and type(other) is cls for other in others)
    elif shape["how"] == "bytes":
        _refused_or_whole(cls, damaged(data, random))
    elif shape["how"] == "header":
        # Where the counters are lent there is no checksum, and so each number of the header is believed.
        header = bytearray(data[:HEADER])
        for _ in range(random.randrange(1, 3)):
            if random.random() < 0.5:
                struct.pack_into("<Q", header, random.choice((16, 24, 32, 40)), random.choice(NUMBERS))
            else:
                header[random.randrange(HEADER)] = random.randrange(256)
        cells = random.choice((data[HEADER:-8], b"", bytes(random.randrange(300))))
        trace(cls, bytes(header), len(cells))
        try:
            other = cls._restore(bytes(header), _buffer(cells, random))
        except ValueError:
            return
        assert other.to_bytes()[HEADER:-8] == cells
    elif shape["how"] == "pickle":
        text = damaged(sketch.__reduce__()[1][0], random)
        trace(cls, text)
        try:
            cls._restore(text)
        except ValueError:
            return
    elif shape["how"] == "lent":
        view = memoryview(sketch)
        assert view.nbytes == sketch.memory_bytes and len(bytes(view)) == sketch.memory_bytes
    else:
        _heavy(random)


def _refused_or_whole(cls: type[CountMinSketch], data: bytes) -> None:
    trace(cls, data)
    try:
        sketch = cls.from_bytes(random_type(data))
    except ValueError:
        return
    assert sketch.to_bytes() == data


def random_type(data: bytes) -> bytes | bytearray:
    return bytearray(data) if len(data) % 2 else data


def _buffer(cells: bytes, random: Random) -> Any:
    """The same bytes, lent in one way or another."""
    if random.random() < 0.7:
        return cells
    if len(cells) % 8 == 0 and cells:
        return memoryview(cells).cast(random.choice(("Q", "q", "I", "B")))
    return bytearray(cells)


def _heavy(random: Random) -> None:
    heavy = HeavyHitters(random.randrange(1, 5), random.choice((None, 1, 7)), random.randrange(1, 4))
    for _ in range(random.randrange(8)):
        heavy.insert(key(random, 0), random.randrange(5))
    function, (number, data, keys, cells) = heavy.__reduce_ex__(random.choice((4, 5)))
    again = function(number, data, keys, cells)
    # In a sketch as narrow as these the counts that come back are newer ones.
    assert again.total == heavy.total and {str(kept) for kept in keys} == {
        str(kept) for kept, _ in again.top(99)
    }
    assert all(again.count(kept) == heavy.count(kept) for kept in keys)
    arguments: Any = (
        random.choice((number, 0, -1, 2**20, 2**64)),
        damaged(data, random) if random.random() < 0.5 else data,
        random.choice((keys, [], keys * 3, [[]], [None] * 9, list(range(50)))),
        random.choice((cells, None, b"", bytes(8 * random.randrange(9))))
        if cells is None
        else random.choice((cells, None, _buffer(damaged(cells.raw().tobytes(), random), random))),
    )
    trace(arguments)
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        function(*arguments).top()


TARGET = Target("sketches", SHAPES, one)
