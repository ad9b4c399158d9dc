"""Arrow data of every type and layout: sliced, with nulls, in chunks; capsules read twice, or others."""

from __future__ import annotations

import contextlib
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from fuzz.target import Target, trace
from rsimport.kernels.count_min_sketch import (
    CountMinSketch,
    CountMinSketchInt,
    CountMinSketchStr,
    HeavyHitters,
)

INTS = {
    pa.int8(): 7,
    pa.uint8(): 8,
    pa.int16(): 15,
    pa.uint16(): 16,
    pa.int32(): 31,
    pa.uint32(): 32,
    pa.int64(): 63,
    pa.uint64(): 64,
}
TEXTS = (pa.string(), pa.large_string(), pa.string_view())
BYTES = (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(5))
OTHERS = (
    *(pa.null(), pa.bool_(), pa.float64(), pa.float16(), pa.date32(), pa.timestamp("ns"), pa.decimal128(5)),
    *(pa.list_(pa.int8()), pa.struct([("a", pa.int8())]), pa.dictionary(pa.int8(), pa.string())),
    *(pa.run_end_encoded(pa.int16(), pa.string()), pa.list_view(pa.string())),
)
WORDS = ("", "a", "é", "\0", "twelve bytes", "thirteen byte", "long " * 30, "\U0001f980")
SHAPES = st.fixed_dictionaries(
    {
        "type": st.one_of(
            st.sampled_from(tuple(INTS)),
            st.sampled_from(TEXTS),
            st.sampled_from(BYTES),
            st.sampled_from(OTHERS),
        ),
        "lengths": st.lists(st.integers(0, 9), max_size=3),
        "nulls": st.sampled_from((0.0, 0.0, 0.3, 1.0)),
        "way": st.sampled_from(
            (
                "array",
                "array",
                "chunked",
                "chunked",
                "buffers",
                "views",
                "twice",
                "swapped",
                "table",
                "dictionary",
                "dictionary",
                "column",
                "column",
                "failing",
                "other",
            )
        ),
    }
)
ALLOWED = (TypeError, ValueError, OverflowError)


class Given:
    """An object that gives what it was given, however often it is asked."""

    def __init__(self, **methods: Any) -> None:
        for name, value in methods.items():
            setattr(self, f"__arrow_c_{name}__", lambda requested_schema=None, value=value: value)


def one(shape: dict[str, Any], random: Random) -> None:
    chunks = [_array(shape["type"], length, shape["nulls"], random) for length in shape["lengths"]]
    way = shape["way"]
    trace(shape, chunks)
    if way == "buffers":
        _buffers(random)
    elif way == "views":
        _views(random)
    elif way == "chunked":
        whole = pa.chunked_array(chunks, chunks[0].type if chunks else shape["type"])
        cut = random.randrange(len(whole) + 1)
        _counted(random.choice((whole, whole.slice(cut), whole.slice(cut, 2))), random)
    elif way == "table":
        table = pa.table({"a": pa.chunked_array(chunks, chunks[0].type if chunks else shape["type"])})
        _counted(random.choice((table, *table.to_batches())), random)
    elif way == "dictionary":
        _dictionary(shape["type"], random)
    elif way == "column":
        _column(chunks, random)
    elif way == "failing":
        _failing(shape["type"], chunks, random)
    elif way == "other":
        _other(chunks, random)
    elif chunks:
        array = chunks[0]
        if way == "array":
            _counted(array, random)
        elif way == "twice":
            _twice(array, random)
        else:
            schema, data = array.__arrow_c_array__()
            _refused(
                Given(array=random.choice(((data, schema), (schema, schema), (data, data), (schema,)))),
                random,
            )


def _array(kind: pa.DataType, length: int, nulls: float, random: Random) -> pa.Array:
    """An array, often a slice of a longer one."""
    before, after = random.choice(((0, 0), (1, 2), (8, 0), (9, 9)))
    values = [
        _value(kind, random) if random.random() >= nulls else None for _ in range(before + length + after)
    ]
    if pa.types.is_run_end_encoded(kind):
        return pa.RunEndEncodedArray.from_arrays([2, 5], ["a", "b"]).slice(before % 2, length % 4)
    return pa.array(values, kind).slice(before, length)


def _value(kind: pa.DataType, random: Random) -> Any:
    if kind in INTS:
        bits = INTS[kind]
        number = random.getrandbits(random.choice((1, bits)))
        return -number if bits % 2 and random.random() < 0.5 else number
    if kind in TEXTS:
        return random.choice(WORDS)
    if kind in BYTES:
        return random.randbytes(5) if kind == BYTES[-1] else random.choice(WORDS).encode()
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return True if pa.types.is_boolean(kind) else None
    if pa.types.is_dictionary(kind):
        return random.choice(WORDS)
    if pa.types.is_list(kind) or pa.types.is_list_view(kind):
        return []
    return {"a": 1} if pa.types.is_struct(kind) else None if pa.types.is_decimal(kind) else 1


def _sketch(random: Random) -> Any:
    cls = random.choice(
        (CountMinSketch, CountMinSketch, CountMinSketch, CountMinSketchStr, CountMinSketchInt)
    )
    return cls(200, 3)


def _counted(data: Any, random: Random) -> None:
    sketch = _sketch(random)
    try:
        sketch.insert_many(data)
    except ALLOWED:
        assert sketch.total == 0
        return
    same = data.to_pylist()
    assert sketch.total == len(same)
    assert list(sketch.count_many(data)) == [sketch.count(item) for item in same], same
    if random.random() < 0.1:
        heavy = HeavyHitters(2)
        heavy.insert_many(data)


def _dictionary(kind: pa.DataType, random: Random) -> None:
    """Codes that lead to words, to nulls among the words, or nowhere."""
    if kind in OTHERS or kind in BYTES:
        kind = random.choice(TEXTS)
    size = random.randrange(4)
    words = [_value(kind, random) if random.random() < 0.8 else None for _ in range(size)]
    codes = [random.choice((*range(size), None)) for _ in range(random.randrange(12))]
    sound = True
    if codes and random.random() < 0.3:
        wrong = random.choice((size, size + 1, 127, -1, -128))
        codes[random.randrange(len(codes))] = wrong
        sound = False
    code = random.choice([type for type in INTS if sound or type in (pa.int8(), pa.int32(), pa.int64())])
    trace(kind, words, codes, code)
    array = pa.DictionaryArray.from_arrays(pa.array(codes, code), pa.array(words, kind), safe=False)
    if sound:
        _counted(array.slice(random.randrange(len(codes) + 1)), random)
        return
    for sketch in (_sketch(random), HeavyHitters(2)):
        try:
            sketch.insert_many(array)
        except ValueError:
            assert sketch.total == 0
            continue
        raise AssertionError("it was taken")


def _column(chunks: list[pa.Array], random: Random) -> None:
    """A column among others: of a reader, a table, or of structs that are not all there."""
    structs = []
    for chunk in chunks:
        columns = [pa.array(range(len(chunk)), pa.int64()), chunk]
        mask = pa.array([random.random() < 0.3 for _ in range(len(chunk))], pa.bool_())
        structs.append(pa.StructArray.from_arrays(columns, ["n", "a"], mask=random.choice((None, mask))))
    if not structs:
        return
    how = random.choice(("reader", "table", "structs", "slice"))
    table = pa.table({"a": pa.chunked_array(chunks, chunks[0].type)})
    whole = {
        "reader": table,
        "table": table,
        "structs": pa.chunked_array(structs, structs[0].type),
        "slice": structs[0],
    }[how]
    if how == "slice":
        whole = whole.slice(random.randrange(len(whole) + 1), random.randrange(9))
    # The list of a table is one of dicts, as that of structs, of which some are None.
    same = [None if row is None else row["a"] for row in whole.to_pylist()]
    sketch, heavy = CountMinSketch(200, 3), HeavyHitters(50)
    given = whole.to_reader(random.choice((1, 100))) if how == "reader" else whole
    try:
        sketch.insert_many(given, column="a")
        heavy.insert_many(whole, column="a")
    except ALLOWED:
        assert how == "reader" or sketch.total == 0 or heavy.total == 0
        return
    assert sketch.total == heavy.total == len(same)
    assert list(sketch.count_many(whole, column="a")) == [sketch.count(item) for item in same], same
    assert all(heavy.count(key) == count for key, count in heavy.top(99)) or len(same) > 100
    with contextlib.suppress(ValueError):
        sketch.insert_many(whole, column=random.choice(("", "b", "a\0", "\U0001f980")))
        raise AssertionError("there is no such column")


def _refused(data: Any, random: Random) -> None:
    try:
        random.choice((_sketch(random).insert_many, _sketch(random).count_many))(data)
    except ALLOWED:
        return
    raise AssertionError("it was taken")


def _twice(array: pa.Array, random: Random) -> None:
    """Whoever keeps a capsule may give it again."""
    sketch = _sketch(random)
    if random.random() < 0.5:
        given = Given(array=array.__arrow_c_array__())
    else:
        given = Given(stream=pa.chunked_array([array]).__arrow_c_stream__())
    if random.random() < 0.5:
        with contextlib.suppress(*ALLOWED):
            sketch.insert_many(given)
    elif hasattr(given, "__arrow_c_stream__"):
        pa.chunked_array(given)
    else:
        pa.array(given)
    try:
        sketch.insert_many(given)
    except ALLOWED:
        return
    raise AssertionError("it was read twice")


def _failing(kind: pa.DataType, chunks: list[pa.Array], random: Random) -> None:
    """A stream that ends with an error, or goes on in another type."""

    def batches() -> Any:
        for chunk in chunks:
            yield pa.record_batch([chunk], names=["a"])
        raise random.choice((ValueError("no more"), OSError("gone"), ZeroDivisionError()))

    reader = pa.RecordBatchReader.from_batches(
        pa.schema([("a", chunks[0].type if chunks else kind)]), batches()
    )
    _refused(reader, random)


def _other(chunks: list[pa.Array], random: Random) -> None:
    """What only has the names."""
    stream = pa.chunked_array(chunks or [pa.array(["a"])]).__arrow_c_stream__()
    value = random.choice((None, 1, (), (1, 2), "capsule", stream, object))
    name = random.choice(("array", "stream"))
    if name == "stream" and value is stream:
        return
    _refused(Given(**{name: value}), random)


def _buffers(random: Random) -> None:
    """Offsets that do not rise, begin below zero or lead nowhere: nothing of that may be followed."""
    wide = random.random() < 0.5
    size, kind = (8, pa.large_string()) if wide else (4, pa.string())
    offsets = sorted(random.randrange(0, 9) for _ in range(random.randrange(2, 6)))
    sound = True
    if random.random() < 0.6:
        at = random.randrange(len(offsets))
        offsets[at] = random.choice((-1, -(2**31), 5, 0))
        sound = offsets == sorted(offsets) and offsets[0] >= 0
    data = pa.py_buffer(b"some text")
    bits = random.choice((None, pa.py_buffer(bytes([random.randrange(256)]))))
    raw = pa.py_buffer(b"".join(number.to_bytes(size, "little", signed=True) for number in offsets))
    try:
        array = pa.Array.from_buffers(kind, len(offsets) - 1, [bits, raw, data])
    except pa.ArrowInvalid:
        return
    trace(offsets, bits, wide)
    sketch = CountMinSketch(100, 2)
    try:
        sketch.insert_many(array)
    except ALLOWED:
        assert not sound
        return
    assert sound and sketch.total == len(array)


def _views(random: Random) -> None:
    """Views into buffers that are not there, or beyond the end of one."""
    views, sound = b"", True
    for _ in range(random.randrange(1, 5)):
        length = random.choice((0, 5, 12, 13, 20, 21, 2**31 - 1, -1))
        if 0 <= length <= 12:
            views += length.to_bytes(4, "little") + bytes(12)
            continue
        buffer, start = random.choice((0, 0, 0, 1, 2, -1)), random.choice((0, 0, 7, 20, 2**31 - 1, -1))
        views += b"".join(number.to_bytes(4, "little", signed=True) for number in (length, 0, buffer, start))
        sound &= length >= 0 and buffer == 0 and start >= 0 and start + length <= 20
    buffers = [None, pa.py_buffer(views), pa.py_buffer(b"twenty bytes of text")]
    try:
        array = pa.Array.from_buffers(pa.string_view(), len(views) // 16, buffers)
    except pa.ArrowInvalid:
        return
    trace(views)
    sketch = CountMinSketch(100, 2)
    try:
        sketch.insert_many(array)
    except ALLOWED:
        assert not sound
        return
    assert sound and sketch.total == len(array)


TARGET = Target("arrow", SHAPES, one)
