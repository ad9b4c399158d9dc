"""kernels/count_min_sketch.rs: dictionaries, and the columns of tables, data frames and readers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from sketches import cells

pa = pytest.importorskip("pyarrow")

Make = Callable[..., Any]

WORDS = random.Random(3).choices(["a", "Grüße", "longer than twelve bytes", "", None, "b"], k=5000)


def pandas() -> Any:
    return pytest.importorskip("pandas")


def polars() -> Any:
    return pytest.importorskip("polars")


def reader(table: Any, size: int = 900) -> Any:
    return pa.RecordBatchReader.from_batches(table.schema, iter(table.to_batches(max_chunksize=size)))


def frame() -> Any:
    return pa.table({"n": range(len(WORDS)), "word": WORDS})


TYPED = {
    "a dictionary": lambda: pa.array(WORDS).dictionary_encode(),
    "a slice of a dictionary": lambda: pa.array([*"xyz", *WORDS]).dictionary_encode().slice(3),
    "chunks of dictionaries": lambda: pa.chunked_array(
        [pa.array(WORDS[:9]).dictionary_encode(), pa.array(WORDS[9:]).dictionary_encode()]
    ),
    "a dictionary of views": lambda: pa.DictionaryArray.from_arrays(
        pa.array(WORDS).dictionary_encode().indices.cast("uint64"),
        pa.array(WORDS).dictionary_encode().dictionary.cast("string_view"),
    ),
    "categories of pandas": lambda: pandas().Series(WORDS, dtype="category"),
    "strings of pandas": lambda: pandas().Series(WORDS, dtype="string[pyarrow]"),
    "a string series of polars": lambda: polars().Series(WORDS),
    "categories of polars": lambda: polars().Series(WORDS, dtype=polars().Categorical),
    "an enum of polars": lambda: polars().Series(
        WORDS, dtype=polars().Enum(sorted({word for word in WORDS if word is not None}))
    ),
}

TABLES = {
    "a table": frame,
    "a batch": lambda: frame().combine_chunks().to_batches()[0],
    "a slice": lambda: pa.concat_tables([frame().slice(0, 11), frame()]).slice(11),
    "a reader": lambda: reader(frame()),
    "a reader of dictionaries": lambda: reader(frame().set_column(1, "word", TYPED["a dictionary"]())),
    "structs": lambda: frame().to_struct_array().combine_chunks(),
    "a data frame of pandas": lambda: frame().to_pandas(types_mapper={pa.string(): _strings()}.get),
    "a data frame of polars": lambda: polars().from_arrow(frame()),
    "a dict": lambda: {"word": WORDS, "n": []},
}


def _strings() -> Any:
    return pandas().StringDtype("pyarrow")


@pytest.fixture(scope="module")
def listed(kernel: ModuleType) -> Any:
    sketch = kernel.CountMinSketch(300, 4)
    sketch.insert_many(WORDS)
    return sketch


@pytest.mark.parametrize("name", TYPED)
def test_items_of_every_type_are_those_of_their_list(kernel: ModuleType, listed: Any, name: str) -> None:
    items = TYPED[name]()
    sketch, heavy = kernel.CountMinSketch(300, 4), kernel.HeavyHitters(3)
    sketch.insert_many(items)
    assert cells(sketch) == cells(listed)
    assert sketch.count_many(items).tolist() == listed.count_many(WORDS).tolist()
    heavy.insert_many(items)
    assert dict(heavy.top()) == dict(heavy_of(kernel, WORDS).top())


@pytest.mark.parametrize("name", TABLES)
def test_a_column_is_counted_by_its_name(kernel: ModuleType, listed: Any, name: str) -> None:
    sketch, heavy = kernel.CountMinSketch(300, 4), kernel.HeavyHitters(3)
    sketch.insert_many(TABLES[name](), column="word")
    assert (cells(sketch), sketch.total) == (cells(listed), listed.total)
    counts = sketch.count_many(TABLES[name](), column="word")
    assert counts.tolist() == listed.count_many(WORDS).tolist()
    sketch.insert_many(TABLES[name](), [2] * len(WORDS), column="word")
    assert sketch.total == 3 * listed.total
    heavy.insert_many(TABLES[name](), column="word")
    assert dict(heavy.top()) == dict(heavy_of(kernel, WORDS).top())
    with pytest.raises((ValueError, KeyError), match="wrd"):
        sketch.insert_many(TABLES[name](), column="wrd")


def heavy_of(kernel: ModuleType, items: list[Any]) -> Any:
    heavy = kernel.HeavyHitters(3)
    heavy.insert_many(items)
    return heavy


@pytest.mark.parametrize("name", [name for name in TABLES if name != "a dict"])
def test_a_table_without_a_column_to_count_says_what_to_write(kernel: ModuleType, name: str) -> None:
    for sketch in (kernel.CountMinSketch(300, 4), kernel.HeavyHitters(3)):
        with pytest.raises(ValueError, match=r'^there are columns, of which one is to be named: column="n"$'):
            sketch.insert_many(TABLES[name]())
        assert sketch.total == 0


def test_what_has_no_columns_is_said(kernel: ModuleType) -> None:
    sketch = kernel.CountMinSketch(100, 2)
    with pytest.raises(TypeError):
        sketch.insert_many(["a"], column="word")
    with pytest.raises(ValueError, match=r'^there is no column "word", but none$'):
        sketch.insert_many(pa.array(["a"]), column="word")
    assert sketch.total == 0


def test_a_reader_is_read_one_batch_at_a_time(kernel: ModuleType) -> None:
    sketch, seen = kernel.CountMinSketch(100, 2), []

    def batches() -> Iterator[Any]:
        while True:
            seen.append(sketch.total)
            if len(seen) == 5:
                raise LookupError("the disk is gone")
            yield pa.record_batch({"word": ["a", "b"]})

    endless = pa.RecordBatchReader.from_batches(pa.schema([("word", "string")]), batches())
    with pytest.raises(ValueError, match="the disk is gone"):
        sketch.insert_many(endless, column="word")
    assert seen == [0, 2, 4, 6, 8]


def test_the_place_of_a_wrong_item_is_that_in_the_whole_reader(kernel: ModuleType) -> None:
    table = pa.table({"word": ["a", "b", "c", None]})
    sketch = kernel.CountMinSketchStr(100, 2)
    with pytest.raises(TypeError, match=r"^item 3: a key must be str, not NoneType$"):
        sketch.insert_many(reader(table, 2), column="word")
    assert sketch.total == 2
    with pytest.raises(TypeError, match=r"^item 3: "):
        sketch.insert_many(table, column="word")
    assert sketch.total == 2
    with pytest.raises(TypeError, match=r"^item 0: a key must be int, not str$"):
        kernel.CountMinSketchInt(9, 2).insert_many(pa.array(["a"]).dictionary_encode())


def test_a_struct_that_is_null_has_null_in_its_columns(kernel: ModuleType) -> None:
    bits = pa.py_buffer(bytes([0b10110]))
    codes = pa.array([0, 1, 0, 99, 1])
    words = pa.DictionaryArray.from_arrays(codes, ["a", "b"], safe=False)
    for column, keys in ((pa.array(list("abcde")), list("bcde")), (words, ["b", "a", "b"])):
        kind = pa.struct([("n", "int64"), ("word", column.type)])
        children = [pa.array(range(5)), column]
        structs = pa.Array.from_buffers(kind, 5, [bits], children=children)
        for part, start in ((structs, 0), (structs.slice(1), 1)):
            sketch = kernel.CountMinSketch(100, 2)
            sketch.insert_many(part, column="word")
            there = [n for n in (1, 2, 4) if n >= start]
            assert sketch.count(None) == 5 - start - len(there)
            assert sum(sketch.count(key) for key in set(keys) - {"d"}) == len(there)


@pytest.mark.parametrize("index", [2, 100, -1, -100])
@pytest.mark.parametrize("kind", ["int8", "int64"])
def test_items_that_lead_out_of_a_dictionary_raise_an_error(
    kernel: ModuleType, index: int, kind: str
) -> None:
    wrong = pa.DictionaryArray.from_arrays(pa.array([0, index], kind), ["a", "b"], safe=False)
    for sketch in (kernel.CountMinSketch(100, 2), kernel.HeavyHitters(3)):
        with pytest.raises(ValueError, match="the Arrow array contradicts its own format"):
            sketch.insert_many(wrong)
        assert sketch.total == 0


def test_weights_are_arrays_of_every_kind(kernel: ModuleType) -> None:
    columns = (
        pa.array([3, 4]),
        pa.chunked_array([[3], [4]]),
        pandas().Series([3, 4]),
        polars().Series([3, 4]),
    )
    for weights in (*columns, memoryview(b"\3\4")):
        sketch, heavy = kernel.CountMinSketch(100, 2), kernel.HeavyHitters(2)
        sketch.insert_many(pa.array(["a", "b"]), weights)
        heavy.insert_many(["a", "b"], weights)
        assert (sketch.count("a"), sketch.count("b")) == (heavy.count("a"), heavy.count("b")) == (3, 4)
    for sketch in (kernel.CountMinSketch(100, 2), kernel.HeavyHitters(2)):
        for wrong, error in ((pa.array([3, -4]), OverflowError), (pa.array([3, None]), TypeError)):
            with pytest.raises(error, match="weight 1"):
                sketch.insert_many(["a", "b"], wrong)
        assert sketch.total == 0


def test_columns_of_other_types_are_taken_as_objects(kernel: ModuleType) -> None:
    table = pa.table({"x": [1.5, 2.0, None], "y": [True, False, True]})
    for made in (table, table.to_batches()[0], polars().from_arrow(table)):
        sketch = kernel.CountMinSketch(100, 2)
        sketch.insert_many(made, column="x")
        sketch.insert_many(made, column="y")
        assert [sketch.count(key) for key in (1.5, 2, None, True, 0)] == [1, 1, 1, 2, 1]
    with pytest.raises(TypeError, match="Arrow keys must be strings, bytes or ints"):
        kernel.CountMinSketch(100, 2).insert_many(reader(table), column="x")


def test_columns_of_objects_are_taken_as_objects(kernel: ModuleType) -> None:
    frame = pandas().DataFrame({"word": pandas().Series(["a", 5, (1, 2), 2**70, 1.5, None], dtype=object)})
    sketch, heavy = kernel.CountMinSketch(100, 2), kernel.HeavyHitters(9)
    sketch.insert_many(frame, column="word")
    heavy.insert_many(frame["word"])
    for key in ("a", 5, (1, 2), 2**70, 1.5, None):
        assert sketch.count(key) == heavy.count(key) == 1
