"""kernels/count_min_sketch.rs: saved, pickled and copied sketches."""

from __future__ import annotations

import copy
import pickle
import struct
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from sketches import CLASSES, DUPLICATES, FAMILIES, FULL, cells, filled

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch


class TestCopies:
    @pytest.mark.parametrize("duplicate", DUPLICATES)
    def test_hold_the_same_counts_and_go_their_own_way(
        self, sketch: Sketch, duplicate: Callable[[Sketch], Sketch]
    ) -> None:
        for key in FAMILIES["strings and ints"]:
            sketch.insert(key)
        before = cells(sketch)
        other = duplicate(sketch)
        assert type(other) is type(sketch)
        assert cells(other) == before
        other.insert("a")
        assert cells(sketch) == before != cells(other)


class TestSaved:
    OPTIONS = ({}, {"conservative": True}, {"counter_bits": 64, "seed": 2**64 - 1})

    @pytest.mark.parametrize("duplicate", [*DUPLICATES, lambda s: type(s).from_bytes(s.to_bytes())])
    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("name", CLASSES)
    def test_sketches_come_back_the_same(
        self, kernel: ModuleType, name: str, options: dict[str, int], duplicate: Callable[[Any], Any]
    ) -> None:
        sketch = filled(getattr(kernel, name), **options)
        other = duplicate(sketch)
        assert type(other) is type(sketch)
        assert (repr(other), cells(other), other.total) == (repr(sketch), cells(sketch), sketch.total)
        other.merge(sketch)
        assert other.total == 2 * sketch.total

    def test_bytes_are_laid_out_as_documented(self, kernel: ModuleType) -> None:
        sketch = kernel.CountMinSketchInt(3, 2, conservative=True, seed=258)
        sketch.insert(5, 2**24 + 1)
        data = sketch.to_bytes()
        assert data[:16] == b"CMSKETC\x01" + bytes([2, 1, 4, 0, 0, 0, 0, 0])
        assert struct.unpack("<4Q", data[16:48]) == (3, 2, 258, 2**24 + 1)
        assert struct.unpack("<6I", data[48:72]) == tuple(cell for row in cells(sketch) for cell in row)
        assert len(data) == 80

    def test_a_full_counter_stays_full(self, kernel: ModuleType) -> None:
        sketch = kernel.CountMinSketch(5, 2)
        sketch.insert("a", FULL)
        other = kernel.CountMinSketch.from_bytes(sketch.to_bytes())
        other.insert_many(["a"] * 9)
        assert other.count("a") == FULL

    def test_damaged_bytes_raise_an_error(self, kernel: ModuleType) -> None:
        data = filled(kernel.CountMinSketch).to_bytes()
        for size in [*range(0, 100), len(data) // 2, len(data) - 1]:
            with pytest.raises(ValueError, match=r"^no saved sketch: "):
                kernel.CountMinSketch.from_bytes(data[:size])
        for at in [*range(60), *range(60, len(data), 97), len(data) - 1]:
            wrong = bytearray(data)
            wrong[at] ^= 1 << at % 8
            with pytest.raises(ValueError, match=r"^no saved sketch: "):
                kernel.CountMinSketch.from_bytes(bytes(wrong))
        with pytest.raises(ValueError):
            kernel.CountMinSketch.from_bytes(data + b"\0")
        with pytest.raises(TypeError):
            kernel.CountMinSketch.from_bytes("text")

    @pytest.mark.parametrize(
        ("size", "checksum"),
        [
            # The checksums are XXH3_64bits of xxHash 0.8.4.
            ((268435456, 1), 0xD7EABB33D5312D3D),
            ((9223372036854775808, 2), 0xCDF6E09976DE96DB),
            ((4294967296, 4294967296), 0xA8A468784245D0BA),
            ((0, 0), 0x49988FF5BC07EAEC),
            ((5, 0), 0x69D215E7602AB118),
            ((4611686018427387904, 4), 0x0BB8EF91123CF74F),
            ((6, 1), 0xB52FC1C8E0E8A858),
        ],
    )
    def test_bytes_that_promise_more_than_they_have_raise_an_error(
        self, kernel: ModuleType, size: tuple[int, int], checksum: int
    ) -> None:
        options, cells = bytes([0, 0, 4, 0, 0, 0, 0, 0]), bytes(4)
        data = (
            b"CMSKETC\x01" + options + struct.pack("<4Q", *size, 0, 0) + cells + struct.pack("<Q", checksum)
        )
        with pytest.raises(ValueError, match="its size is not that of its width and depth"):
            kernel.CountMinSketch.from_bytes(data)

    def test_bytes_of_another_class_raise_an_error(self, kernel: ModuleType) -> None:
        for name in CLASSES:
            for other in set(CLASSES) - {name}:
                with pytest.raises(ValueError, match=f"is a {name}, not a {other}$"):
                    getattr(kernel, other).from_bytes(getattr(kernel, name)(5, 2).to_bytes())

    def test_subclasses_come_back_as_themselves(self, kernel: ModuleType) -> None:
        class Mine(kernel.CountMinSketchStr):
            pass

        sketch = Mine.from_error(0.1, 0.1)
        sketch.insert("a")
        other = copy.copy(sketch)
        assert (type(other), other.count("a")) == (Mine, 1)
        assert isinstance(sketch | other, Mine)


class TestPickledOutOfBand:
    @pytest.mark.parametrize("receive", [lambda buffer: buffer, bytes, bytearray, memoryview])
    @pytest.mark.parametrize("options", TestSaved.OPTIONS)
    @pytest.mark.parametrize("name", CLASSES)
    def test_sketches_come_back_the_same(
        self, kernel: ModuleType, name: str, options: dict[str, int], receive: Callable[[Any], Any]
    ) -> None:
        sketch = filled(getattr(kernel, name), **options)
        buffers: list[Any] = []
        data = pickle.dumps(sketch, 5, buffer_callback=buffers.append)
        assert len(data) < 300
        (buffer,) = buffers
        assert buffer.raw().nbytes == sketch.memory_bytes
        other = pickle.loads(data, buffers=[receive(buffer)])
        assert type(other) is type(sketch)
        assert other.to_bytes() == sketch.to_bytes() == pickle.loads(pickle.dumps(sketch, 5)).to_bytes()
        other.insert_many([FULL, 1] if name.endswith("Int") else ["a", "b"], [FULL, 1])
        assert cells(other) != cells(sketch)
        del sketch, other
        assert buffer.raw().nbytes > 0

    def test_heavy_hitters_come_back_the_same(self, kernel: ModuleType) -> None:
        heavy = kernel.HeavyHitters(2, width=500)
        heavy.insert_many(["a", "b", "a", ("c", 1), "b", "b"])
        buffers: list[Any] = []
        data = pickle.dumps(heavy, 5, buffer_callback=buffers.append)
        assert len(data) < 400 and [buffer.raw().nbytes for buffer in buffers] == [500 * 5 * 8]
        again = [pickle.loads(data, buffers=[given]) for given in (buffers[0], bytes(heavy))]
        again += [pickle.loads(pickle.dumps(heavy, protocol)) for protocol in (2, 5)]
        for other in again:
            assert other.top() == heavy.top() and bytes(other) == bytes(heavy)
            other.insert("d", 9)
            assert other.top(1) == [("d", 9)] and heavy.count("d") == 0

    def test_what_does_not_fit_raises_an_error(self, kernel: ModuleType) -> None:
        numpy = pytest.importorskip("numpy")
        restore, (header, counters) = filled(kernel.CountMinSketch).__reduce_ex__(5)[:2]
        whole = bytes(counters)
        assert restore(header, whole).to_bytes() == filled(kernel.CountMinSketch).to_bytes()
        wrong = [
            (header, whole[:-1]),
            (header, whole + b"0"),
            (header, b""),
            (header[:-1], whole),
            (b"x" * len(header), whole),
            (filled(kernel.CountMinSketch).to_bytes(), whole),
            (header, numpy.zeros((2 * len(whole)), "u1")[::2]),
        ]
        for state in wrong:
            with pytest.raises(ValueError):
                restore(*state)
        with pytest.raises(TypeError):
            restore(header, "text")
        with pytest.raises(ValueError, match="is a CountMinSketch, not a CountMinSketchInt"):
            kernel.CountMinSketchInt._restore(header, whole)

    def test_pickles_of_before_are_still_read(self, kernel: ModuleType) -> None:
        sketch = filled(kernel.CountMinSketchStr)

        class Old:
            def __reduce__(self) -> Any:
                return kernel.CountMinSketchStr.from_bytes, (sketch.to_bytes(),)

        assert pickle.loads(pickle.dumps(Old())).to_bytes() == sketch.to_bytes()


def test_the_size_of_a_sketch_counts_its_counters(kernel: ModuleType) -> None:
    for name in CLASSES:
        for bits in (32, 64):
            sketch = getattr(kernel, name)(10_000, 5, counter_bits=bits)
            assert 0 < sys.getsizeof(sketch) - sketch.memory_bytes < 1000
    heavy = kernel.HeavyHitters(100)
    empty = sys.getsizeof(heavy)
    assert 0 < empty - 8 * heavy.width * heavy.depth < 1000
    heavy.insert_many(range(200))
    assert sys.getsizeof(heavy) >= empty + 200 * 32
