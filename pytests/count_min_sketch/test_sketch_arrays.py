"""kernels/count_min_sketch.rs: NumPy and Arrow arrays in one call."""

from __future__ import annotations

import gc
import random
import struct
from types import ModuleType

import pytest
from sketches import SIZES, cells


class TestNumpy:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize(
        "dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?", "S5", ">i8", "O", "U4"]
    )
    def test_arrays_hold_the_keys_of_their_items(self, kernel: ModuleType, dtype: str, size: int) -> None:
        numpy = pytest.importorskip("numpy")
        bits = numpy.random.default_rng(size).integers(0, 256, size * 8, dtype="u1")
        numbers = bits.view("u8")
        values = {"?": numbers % 2, "S5": numbers % 2000, "U4": numbers % 2000, "O": numbers}.get(
            dtype, numbers
        )
        items = values.astype(dtype)
        listed, arrayed = (kernel.CountMinSketch(300, 4) for _ in range(2))
        listed.insert_many([int(item) if dtype == "?" else item for item in items.tolist()])
        arrayed.insert_many(items)
        assert cells(arrayed) == cells(listed)
        counts = arrayed.count_many(items)
        assert counts.dtype == numpy.uint64
        assert counts.tolist() == [listed.count(item) for item in items.tolist()]

    @pytest.mark.parametrize(
        "part", [slice(None, None, 3), slice(None, None, -2), slice(5, 5), slice(7, None)]
    )
    @pytest.mark.parametrize("dtype", ["i8", "u4", "S7"])
    def test_slices_are_read_as_they_lie(self, kernel: ModuleType, part: slice, dtype: str) -> None:
        numpy = pytest.importorskip("numpy")
        items = numpy.arange(1000).astype(dtype)[part]
        listed, arrayed = (kernel.CountMinSketch(300, 4) for _ in range(2))
        listed.insert_many(items.tolist())
        arrayed.insert_many(items)
        assert cells(arrayed) == cells(listed)

    def test_any_byte_but_zero_is_true_in_an_array_of_bools(self, kernel: ModuleType) -> None:
        numpy = pytest.importorskip("numpy")
        sketch = kernel.CountMinSketch(1000, 4)
        sketch.insert_many(numpy.array([0, 1, 2, 255], dtype="u1").view("?"))
        assert (sketch.count(False), sketch.count(True), sketch.count(2)) == (1, 3, 0)

    def test_unaligned_and_shared_items_are_read(self, kernel: ModuleType) -> None:
        numpy = pytest.importorskip("numpy")
        rows = numpy.zeros(50, dtype=[("a", "u1"), ("b", "i8")])
        rows["b"] = range(50)
        sketch = kernel.CountMinSketch(1000, 4)
        sketch.insert_many(rows["b"])
        sketch.insert_many(numpy.broadcast_to(numpy.int64(7), 9))
        assert (sketch.count(49), sketch.count(7)) == (1, 10)

    def test_arrays_of_more_dimensions_raise_an_error(self, kernel: ModuleType) -> None:
        numpy = pytest.importorskip("numpy")
        sketch = kernel.CountMinSketch(10, 2)
        for shape in ((2, 3), (0, 1), (1, 1, 1)):
            with pytest.raises(ValueError, match=f"must have 1 dimension, not {len(shape)}"):
                sketch.insert_many(numpy.zeros(shape, dtype="i8"))
        with pytest.raises(TypeError, match="0-d"):
            sketch.insert_many(numpy.array(5))

    def test_items_of_no_bytes_are_as_many_as_there_are(self, kernel: ModuleType) -> None:
        numpy = pytest.importorskip("numpy")
        sketch = kernel.CountMinSketch(100, 3)
        items = numpy.frombuffer(b"abc", [("pad", "u1"), ("items", "S0")])["items"]
        sketch.insert_many(items)
        assert (sketch.total, sketch.count(b""), sketch.count_many(items).tolist()) == (3, 3, [3] * 3)

    def test_counters_are_a_view_that_keeps_the_sketch(self, kernel: ModuleType) -> None:
        numpy = pytest.importorskip("numpy")
        for bits in (32, 64):
            sketch = kernel.CountMinSketch(5, 3, counter_bits=bits)
            view = sketch.counters
            assert (view.shape, view.dtype, view.flags.writeable) == (
                (3, 5),
                numpy.dtype(f"u{bits // 8}"),
                False,
            )
            sketch.insert("a", 4)
            assert view.sum(axis=1).tolist() == [4, 4, 4]
            with pytest.raises(ValueError, match="read-only"):
                view[0, 0] = 1
            with pytest.raises(ValueError):
                view.flags.writeable = True
            del sketch
            gc.collect()
            assert view.max() == 4


class TestArrow:
    TEXTS = ("", "a", "twelve bytes", "thirteen byte", None, "Grüße", "x" * 300)

    @pytest.mark.parametrize(
        "kind",
        [
            "string",
            "large_string",
            "string_view",
            "binary",
            "large_binary",
            "binary_view",
            "int8",
            "uint16",
            "int32",
            "int64",
            "uint64",
        ],
    )
    @pytest.mark.parametrize("size", [0, 1, 300, 9000])
    def test_arrays_hold_the_keys_of_their_items(self, kernel: ModuleType, kind: str, size: int) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        rng = random.Random(size)
        items = rng.choices([None, *range(100)] if "int" in kind else self.TEXTS, k=size)
        if "binary" in kind:
            items = [item and item.encode() for item in items]
        whole = pyarrow.array(items, type=getattr(pyarrow, kind)())
        for part in (whole, whole[7:], whole[3:-2], pyarrow.chunked_array([whole, whole[:5], whole[2:]])):
            listed, arrayed = (kernel.CountMinSketch(300, 4) for _ in range(2))
            listed.insert_many(part.to_pylist())
            arrayed.insert_many(part)
            assert cells(arrayed) == cells(listed)
            assert arrayed.total == len(part)

    def test_nulls_and_other_types_suit_no_sketch_of_one_type(self, kernel: ModuleType) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        sketch = kernel.CountMinSketchStr(100, 2)
        sketch.insert_many(pyarrow.array(["a", "b"]))
        with pytest.raises(TypeError, match=r"^item 2: a key must be str, not NoneType$"):
            sketch.insert_many(pyarrow.array(["a", "b", None]))
        with pytest.raises(TypeError, match=r"^item 0: a key must be str, not int$"):
            sketch.insert_many(pyarrow.array([1]))
        assert sketch.total == 2

    def test_other_items_are_taken_as_objects(self, kernel: ModuleType) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        sketch = kernel.CountMinSketch(100, 2)
        for items in ([1.5, None, 2.0], [True], [None] * 3):
            sketch.insert_many(pyarrow.array(items))
        assert [sketch.count(key) for key in (1.5, 2, 1, None)] == [1, 1, 1, 4]
        with pytest.raises(TypeError, match=r"^item 0: a key must be .*, not list$"):
            sketch.insert_many(pyarrow.array([[1]]))
        assert sketch.total == 7

    @pytest.mark.parametrize("whole", [["a", "b"], [], [1, 2]])
    def test_a_stream_that_was_read_raises_an_error(self, kernel: ModuleType, whole: list[object]) -> None:
        pyarrow = pytest.importorskip("pyarrow")

        class Stream:
            """As a wrapper that keeps the capsule it was given."""

            capsule = pyarrow.chunked_array([pyarrow.array(whole, "int64" if 1 in whole else "str")])
            capsule = capsule.__arrow_c_stream__()

            def __arrow_c_stream__(self) -> object:
                return self.capsule

        sketch, stream = kernel.CountMinSketch(100, 2), Stream()
        sketch.insert_many(stream)
        for read in (sketch.insert_many, sketch.count_many):
            with pytest.raises(ValueError, match=r"^the Arrow stream has been read before$"):
                read(stream)
        assert sketch.total == len(whole)

    def test_items_outside_of_their_buffers_raise_an_error(self, kernel: ModuleType) -> None:
        pyarrow = pytest.importorskip("pyarrow")

        def array(kind: str, *buffers: bytes, length: int = 2) -> object:
            parts = [None, *(pyarrow.py_buffer(buffer) for buffer in buffers)]
            return pyarrow.Array.from_buffers(getattr(pyarrow, kind)(), length, parts)

        def view(length: int, buffer: int, at: int) -> bytes:
            return struct.pack("<i4sii", length, b"long", buffer, at)

        short = struct.pack("<i12s", 1, b"s")
        sketch = kernel.CountMinSketch(100, 2)
        wrong = [
            array("string", struct.pack("<4i", 0, 2, 1, 3), b"abc", length=3),
            array("string", struct.pack("<4i", 0, -1, 0, 1), b"abc", length=3),
            array("binary", struct.pack("<4i", 0, 2**30, 1, 2), b"abc", length=3),
            array("large_string", struct.pack("<4q", 0, -(2**60), 1, 2), b"abc", length=3),
            array("string_view", short + view(13, 1, 0), b"x" * 20),
            array("string_view", short + view(13, 2**30, 0), b"x" * 20),
            array("string_view", short + view(21, 0, 0), b"x" * 20),
            array("binary_view", short + view(13, 0, 8), b"x" * 20),
            array("binary_view", short + view(-1, 0, 0), b"x" * 20),
            array("binary_view", short + view(13, 0, -1), b"x" * 20),
            array("binary_view", short + view(13, 0, 0)),
        ]
        for each in wrong:
            with pytest.raises(ValueError, match="the Arrow array contradicts its own format"):
                sketch.insert_many(each)
        assert sketch.total == 0
        sketch.insert_many(array("string_view", short + view(13, 0, 7), b"x" * 20))
        assert (sketch.count("s"), sketch.count("x" * 13)) == (1, 1)

    def test_a_capsule_that_was_read_raises_an_error(self, kernel: ModuleType) -> None:
        pyarrow = pytest.importorskip("pyarrow")

        class Again:
            pair = pyarrow.array(["a"]).__arrow_c_array__()

            def __arrow_c_array__(self) -> object:
                return self.pair

        sketch, again = kernel.CountMinSketch(100, 2), Again()
        sketch.insert_many(again)
        with pytest.raises(ValueError, match="read before"):
            sketch.insert_many(again)
        for wrong in (None, (), (1, 2), again.pair[::-1]):
            again.pair = wrong
            with pytest.raises((TypeError, ValueError, IndexError)):
                sketch.insert_many(again)
        assert sketch.total == 1
