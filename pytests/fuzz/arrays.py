"""Arrays of every dtype, stride and byte order, and other objects that lend their memory."""

from __future__ import annotations

import array
import ctypes
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzz.target import Target, trace
from rsimport.kernels import logistic_map
from rsimport.kernels.count_min_sketch import CountMinSketch, CountMinSketchInt, CountMinSketchStr

DTYPES = (
    *"?bBhHiIlLqQnNefdgFDGOMmSUV",
    *("S0", "S1", "S7", "U0", "U3", "V0", "V3", "M8[ns]", "m8[s]"),
    "i4,i8",
    "(2,)i4",
)
SHAPES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(DTYPES),
        "order": st.sampled_from("=<>|"),
        "dimensions": st.sampled_from((0, 1, 1, 1, 1, 2, 3)),
        "length": st.integers(0, 12),
        "step": st.sampled_from((1, 1, 2, 3, -1, -2, 0)),
        "shift": st.integers(0, 3),
        "read_only": st.booleans(),
        "kind": st.sampled_from(
            ("array", "array", "array", "memoryview", "subclass", "masked", "field", "ctypes", "array.array")
        ),
        "use": st.sampled_from(("sketch", "sketch", "weights", "rates", "out")),
    }
)


class Sub(np.ndarray):
    """An array of a subclass."""


def one(shape: dict[str, Any], random: Random) -> None:
    items = _made(shape, random)
    if items is None:
        return
    trace(shape, items, getattr(items, "strides", None))
    if shape["use"] == "sketch":
        _counted(items, random)
    elif shape["use"] == "weights":
        _weighed(items)
    else:
        _iterated(shape["use"], items, random)


def _made(shape: dict[str, Any], random: Random) -> Any:
    """The object itself; None where there is none of this kind."""
    length, step = shape["length"], shape["step"]
    if shape["kind"] == "array.array":
        code = random.choice("bBhHiIlLqQfdu")
        return array.array(code, [random.choice("ab") if code == "u" else 1] * length)
    if shape["kind"] == "ctypes":
        item = random.choice(
            (ctypes.c_int8, ctypes.c_int64, ctypes.c_double, ctypes.c_bool, ctypes.c_char, ctypes.c_void_p)
        )
        return (item * length)()
    try:
        dtype = np.dtype(shape["dtype"]).newbyteorder(shape["order"])
    except (TypeError, ValueError):
        return None
    total = length * max(1, abs(step)) + 4
    if dtype.hasobject:
        base = np.array([random.choice((1, "a", None, b"x", 1.5, ())) for _ in range(total)], dtype=object)
    elif shape["kind"] == "field":
        record = np.dtype([("pad", "u1"), ("items", dtype)])
        base = np.frombuffer(random.randbytes(record.itemsize * total), record)["items"]
    else:
        # Shifted by a few bytes, so that the items are not aligned.
        memory = bytearray(random.randbytes(dtype.itemsize * total + shape["shift"]))
        if dtype.itemsize == 0:
            base = np.zeros(total, dtype)
        else:
            base = np.frombuffer(memory, dtype, count=total, offset=shape["shift"])
    if step == 0:
        items = np.lib.stride_tricks.as_strided(base, (length, *base.shape[1:]), (0, *base.strides[1:]))
    else:
        items = base[1 : 1 + length * abs(step) : step] if step > 0 else base[length * -step : 0 : step]
    if shape["dimensions"] == 0:
        items = np.array(base[0]) if base.ndim == 1 else base[0]
    elif shape["dimensions"] > 1:
        items = np.broadcast_to(items, (2,) * (shape["dimensions"] - 1) + items.shape)
    if shape["read_only"] and isinstance(items, np.ndarray):
        items = items.view()
        items.flags.writeable = False
    if shape["kind"] == "subclass":
        return items.view(Sub) if isinstance(items, np.ndarray) else None
    if shape["kind"] == "masked":
        return np.ma.masked_array(items)
    if shape["kind"] == "memoryview":
        try:
            lent: Any = items
            return memoryview(lent)
        except (ValueError, TypeError, BufferError):
            return None
    return items


def _counted(items: Any, random: Random) -> None:
    cls = random.choice((CountMinSketch, CountMinSketch, CountMinSketchStr, CountMinSketchInt))
    sketch = cls(100, 3, seed=random.randrange(3))
    try:
        sketch.insert_many(items)
    except (TypeError, ValueError, OverflowError):
        return
    except NotImplementedError:
        # Python itself has no items for this format.
        assert isinstance(items, memoryview)
        return
    # As the list of the items would be: an array is read where it lies, a list item by item.
    try:
        same = items.tolist() if hasattr(items, "tolist") else list(items)
    except NotImplementedError:
        return
    assert sketch.total == len(same)
    counts = sketch.count_many(items)
    try:
        expected = [sketch.count(item) for item in same]
    except TypeError:
        # Dates and the like, which are ints in memory alone.
        return
    assert list(counts) == expected, (list(counts), expected)


def _weighed(items: Any) -> None:
    sketch = CountMinSketch(100, 3)
    length = len(items) if getattr(items, "ndim", 1) else 3
    try:
        sketch.insert_many(list(range(length)), items)
    except (TypeError, ValueError, OverflowError):
        return
    except NotImplementedError:
        # Python itself has no items for this format.
        assert isinstance(items, memoryview)


def _iterated(use: str, items: Any, random: Random) -> None:
    start = random.choice((0.5, 0.0, float("nan"), 1e300))
    steps = random.choice((0, 1, 7))
    before = items.tobytes() if hasattr(items, "tobytes") else b""
    try:
        if use == "out":
            logistic_map.iterate_into(items, 3.7, start)
            return
        found = logistic_map.final_values(items, steps, start, threads=random.choice((None, 1, 2)))
        logistic_map.bifurcation(items, steps, 2, start)
        logistic_map.lyapunov(items, steps, start)
    except (TypeError, ValueError, OverflowError):
        return
    assert found.shape == (len(items),)
    assert not before or items.tobytes() == before


TARGET = Target("arrays", SHAPES, one)
