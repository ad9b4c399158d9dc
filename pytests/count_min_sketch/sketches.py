"""Keys, sketches and what is in them, for the tests of kernels/count_min_sketch.rs."""

from __future__ import annotations

import copy
import enum
import pickle
import random
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

FULL = 2**32 - 1
"""A counter goes no higher."""


def families(size: int) -> dict[str, list[str | int]]:
    """Distinct keys of the kinds that upset poor hashes."""
    rng = random.Random(size)
    return {
        "sequential ints": list(range(size)),
        "random ints": [rng.randrange(-(2**63), 2**63) for _ in range(size)],
        "multiples of 1024": [1024 * i for i in range(size)],
        "ints beyond 64 bits": [2**64 + i for i in range(size)],
        "random addresses": [str(IPv4Address(i)) for i in rng.sample(range(2**32), size)],
        "neighbouring addresses": [str(IPv4Address("10.0.0.0") + i) for i in range(size)],
        "long strings with a common start": [f"{'x' * 300}{i}" for i in range(size)],
        "strings and ints": [key for i in range(size // 2) for key in (i, str(i))],
    }


FAMILIES = families(3000)

SIZES = [0, 1, 255, 256, 257, 4095, 4096, 20_000]
"""Around the sizes of blocks, and of batches that release the GIL."""

CLASSES = ["CountMinSketch", "CountMinSketchStr", "CountMinSketchInt"]

DUPLICATES = (copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s)))


class Name(str):
    """A str of a class of its own, which is the same key as the str."""


class Port(enum.IntEnum):
    """An int of a class of its own."""

    HTTPS = 443


def cells(sketch: Any) -> list[list[int]]:
    """The counters, row by row."""
    return memoryview(sketch).tolist()


def stream(size: int, seed: int = 1) -> list[object]:
    """Keys of all kinds, some of them often."""
    rng = random.Random(seed)
    keys = [key for n in range(500) for key in (n, -n, f"k{n}", f"k{n}".encode(), n / 8, (n, "x"))]
    return rng.choices([None, "Grüße", 2**63 + 5, 2**90, *keys], k=size)


def filled(cls: Callable[..., Any], **options: int) -> Any:
    """A sketch that has seen some keys."""
    sketch = cls(200, 3, **options)
    keys = range(900)
    sketch.insert_many(map(str, keys) if cls.__name__.endswith("Str") else keys, [n % 7 for n in keys])
    return sketch
