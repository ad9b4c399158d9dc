"""kernels/count_min_sketch.rs: sizes, taking back, merging, saved sketches and heavy hitters."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import random
import struct
import weakref
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

FULL = 2**32 - 1
CLASSES = ["CountMinSketch", "CountMinSketchStr", "CountMinSketchInt"]


@pytest.fixture(scope="module")
def kernel(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import count_min_sketch

    return count_min_sketch


def cells(sketch: object) -> list[list[int]]:
    """The counters, row by row."""
    return memoryview(sketch).tolist()


def filled(cls: Callable[..., Any], **options: int) -> Any:
    """A sketch that has seen some keys."""
    sketch = cls(200, 3, **options)
    keys = range(900)
    sketch.insert_many(map(str, keys) if cls.__name__.endswith("Str") else keys, [n % 7 for n in keys])
    return sketch


class TestDropIns:
    def test_have_the_interface_of_cmsketch(self, kernel: ModuleType) -> None:
        for name, keys in (("CountMinSketchStr", ["a", "b", "c"]), ("CountMinSketchInt", [1, -2, 2**40])):
            sketch, other = getattr(kernel, name)(100, 5), getattr(kernel, name)(100, 5)
            assert (sketch.get_width(), sketch.get_depth()) == (100, 5)
            for key in [keys[0], *keys]:
                assert sketch.insert(key) is None
            other.insert(keys[2])
            assert sketch.merge(other) is None
            assert [sketch.count(key) for key in keys] == [2, 1, 2]
            assert sketch.top_k(2, keys) == [(keys[0], 2), (keys[2], 2)]
            assert sketch.top_k(9, keys) == [(keys[0], 2), (keys[2], 2), (keys[1], 1)]
            sketch.clear()
            assert sketch.count(keys[0]) == 0
            with pytest.raises(ValueError):
                sketch.merge(getattr(kernel, name)(100, 4))
            for wrong in ((0, 5), (100, 0)):
                with pytest.raises(ValueError):
                    getattr(kernel, name)(*wrong)

    def test_count_as_cmsketch_counts(self, kernel: ModuleType) -> None:
        peer = pytest.importorskip("cmsketch")
        ours, theirs = kernel.CountMinSketchStr(5000, 5), peer.CountMinSketchStr(5000, 5)
        for key in random.Random(1).choices([f"10.0.0.{n}" for n in range(20)], k=2000):
            ours.insert(key)
            theirs.insert(key)
        candidates = [f"10.0.0.{n}" for n in range(20)]
        assert sorted(ours.top_k(20, candidates)) == sorted(theirs.top_k(20, candidates))


class TestSizes:
    @pytest.mark.parametrize(
        ("epsilon", "delta", "size"),
        [(0.01, 0.01, (272, 5)), (0.001, 0.001, (2719, 7)), (0.5, 0.5, (6, 1)), (0.99, 0.999, (3, 1))],
    )
    def test_follow_from_errors(
        self, kernel: ModuleType, epsilon: float, delta: float, size: tuple[int, int]
    ) -> None:
        for name in CLASSES:
            cls = getattr(kernel, name)
            sketch = cls.from_error(epsilon, delta, counter_bits=64)
            assert type(sketch) is cls
            assert (sketch.width, sketch.depth) == size
            assert sketch.epsilon == math.e / size[0] <= epsilon
            assert sketch.delta == pytest.approx(math.exp(-size[1]))
            assert sketch.delta <= delta
            assert sketch.memory_bytes == 8 * size[0] * size[1]

    @pytest.mark.parametrize(
        "error",
        [(0, 0.1), (0.1, 0), (1, 0.1), (0.1, 1), (-1, 0.1), (math.nan, 0.1), (0.1, math.nan), (1e-12, 0.1)],
    )
    def test_do_not_follow_from_senseless_errors(
        self, kernel: ModuleType, error: tuple[float, float]
    ) -> None:
        with pytest.raises(ValueError):
            kernel.CountMinSketch.from_error(*error)

    @pytest.mark.parametrize("bits", [0, 16, 33, 128])
    def test_of_counters_are_32_or_64_bits(self, kernel: ModuleType, bits: int) -> None:
        with pytest.raises(ValueError, match="counter_bits must be 32 or 64"):
            kernel.CountMinSketch(10, 2, counter_bits=bits)

    def test_and_options_are_shown(self, kernel: ModuleType) -> None:
        sketch = kernel.CountMinSketchInt(10, 2, conservative=True, counter_bits=64, seed=7)
        assert repr(sketch) == "CountMinSketchInt(10, 2, conservative=True, counter_bits=64, seed=7)"
        assert eval(repr(sketch), vars(kernel)).to_bytes() == sketch.to_bytes()
        assert (sketch.conservative, sketch.counter_bits, sketch.seed) == (True, 64, 7)
        for seed in (-1, 2**64):
            with pytest.raises(OverflowError):
                kernel.CountMinSketch(10, 2, seed=seed)


class TestChanges:
    def test_add_returns_the_new_estimate(self, kernel: ModuleType) -> None:
        for options in ({}, {"conservative": True}):
            sketch = kernel.CountMinSketch(50, 4, **options)
            for key in random.Random(3).choices(range(200), k=500):
                assert sketch.add(key) == sketch.count(key)
            assert sketch.add("a", 1000) == sketch.count("a") >= 1000

    def test_decrement_takes_back(self, kernel: ModuleType) -> None:
        sketch = filled(kernel.CountMinSketch)
        before = sketch.to_bytes()
        sketch.insert("a", 9)
        sketch.decrement("a")
        sketch.decrement("a", 8)
        assert sketch.to_bytes() == before
        estimate = sketch.count("a")
        with pytest.raises(ValueError, match=f"cannot take {estimate + 1} back from a count of {estimate}"):
            sketch.decrement("a", estimate + 1)
        assert sketch.to_bytes() == before

    def test_decrement_leaves_a_full_counter_full(self, kernel: ModuleType) -> None:
        sketch = kernel.CountMinSketch(50, 4)
        sketch.insert("a", FULL + 5)
        sketch.decrement("a", 10)
        assert sketch.count("a") == FULL
        sketch.insert_many(["a"] * 20)
        assert sketch.count("a") == FULL

    def test_decrement_is_not_for_conservative_sketches(self, kernel: ModuleType) -> None:
        sketch = kernel.CountMinSketch(50, 4, conservative=True)
        sketch.insert("a")
        with pytest.raises(ValueError, match="conservative"):
            sketch.decrement("a")
        assert sketch.count("a") == 1

    def test_halve_rounds_down(self, kernel: ModuleType) -> None:
        sketch = filled(kernel.CountMinSketch)
        before, total = cells(sketch), sketch.total
        sketch.halve()
        assert cells(sketch) == [[cell // 2 for cell in row] for row in before]
        assert sketch.total == total // 2

    def test_a_halved_full_counter_fills_again(self, kernel: ModuleType) -> None:
        sketch = kernel.CountMinSketch(50, 4)
        sketch.insert("a", 2**60)
        sketch.halve()
        assert sketch.count("a") == FULL // 2
        sketch.insert_many(["a", "a"], [FULL // 2, 1])
        assert sketch.count("a") == FULL
        sketch.insert("a", 7)
        assert sketch.count("a") == FULL


class TestMerges:
    def test_take_many_with_weights(self, kernel: ModuleType) -> None:
        total = kernel.CountMinSketch(100, 3)
        parts = [kernel.CountMinSketch(100, 3) for _ in range(3)]
        for n, part in enumerate(parts):
            part.insert("ab"[n % 2], n + 1)
        total.merge(part for part in parts)
        assert (total.count("a"), total.count("b"), total.total) == (4, 2, 6)
        total.merge(parts, weights=[1, 10, 100])
        assert (total.count("a"), total.count("b"), total.total) == (305, 22, 327)
        total.merge(parts[0], weights=5)
        total.merge(parts, 0)
        total.merge([])
        assert (total.count("a"), total.total) == (310, 332)
        total.merge(parts[0], 2**64 - 1)
        assert (total.count("a"), total.total) == (FULL, 2**64 - 1)

    def test_of_wrong_sketches_or_weights_change_nothing(self, kernel: ModuleType) -> None:
        total, part = kernel.CountMinSketch(100, 3), kernel.CountMinSketch(100, 3)
        part.insert("a")
        for weights in ([1], [1, 2, 3]):
            with pytest.raises(ValueError, match=f"there are 2 sketches, but {len(weights)} weights"):
                total.merge([part, part], weights)
        with pytest.raises(OverflowError):
            total.merge([part, part], [1, -1])
        for options in ({"conservative": True}, {"counter_bits": 64}, {"seed": 1}):
            with pytest.raises(ValueError, match="cannot merge"):
                total.merge([part, kernel.CountMinSketch(100, 3, **options)])
        for name in CLASSES[1:]:
            with pytest.raises(ValueError, match=f"cannot merge {name}"):
                total.merge([part, getattr(kernel, name)(100, 3)])
        assert total.total == 0

    @pytest.mark.parametrize("name", CLASSES)
    def test_have_operators(self, kernel: ModuleType, name: str) -> None:
        left, right = filled(getattr(kernel, name)), filled(getattr(kernel, name))
        before = left.to_bytes()
        both = left | right
        assert type(both) is type(left)
        assert left.to_bytes() == right.to_bytes() == before
        assert cells(both) == [[2 * cell for cell in row] for row in cells(left)]
        same = left
        left |= right
        assert left is same and left.to_bytes() == both.to_bytes()
        left += right
        assert left is same and left.total == 3 * right.total
        for other in (5, None, {1}):
            with pytest.raises(TypeError):
                left | other
            with pytest.raises(TypeError):
                left += other
        with pytest.raises(ValueError):
            left | getattr(kernel, name)(200, 4)


class TestSaved:
    OPTIONS = ({}, {"conservative": True}, {"counter_bits": 64, "seed": 2**64 - 1})
    DUPLICATES = (copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s)))

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


class TestHeavyHitters:
    def test_are_those_of_a_counter(self, kernel: ModuleType) -> None:
        rng = random.Random(6)
        keys = rng.sample(range(10**9), 20_000)
        drawn = rng.choices(keys, weights=[1 / (n + 1) for n in range(20_000)], k=100_000)
        heavy, exact = kernel.HeavyHitters(20), Counter(drawn)
        heavy.insert_many(drawn)
        top = heavy.top()
        assert [key for key, _ in top][:10] == [key for key, _ in exact.most_common(10)]
        assert len({key for key, _ in top} & {key for key, _ in exact.most_common(20)}) >= 19
        assert all(exact[key] <= count == heavy.count(key) for key, count in top)
        assert [count for _, count in top] == sorted((count for _, count in top), reverse=True)
        promised = [
            key for key, count in exact.items() if count > (1 / 40 + math.e / heavy.width) * heavy.total
        ]
        assert promised and set(promised) <= {key for key, _ in heavy.top(40)}
        assert all(low <= exact[key] <= high for key, _ in top for low, high in [heavy.bounds(key)])

    def test_may_come_late(self, kernel: ModuleType) -> None:
        heavy = kernel.HeavyHitters(2)
        heavy.insert_many(f"rare {n}" for n in range(5000))
        heavy.insert_many(["late"] * 50 + ["later"] * 70)
        assert [key for key, _ in heavy.top()] == ["later", "late"]
        heavy.insert("one", 10**10)
        assert heavy.top(1) == [("one", heavy.count("one"))]
        assert heavy.count("one") >= 10**10

    def test_are_merged(self, kernel: ModuleType) -> None:
        left, right, both = (kernel.HeavyHitters(3, 4096) for _ in range(3))
        for heavy, counts in ((left, {"a": 9, "b": 5, "c": 4}), (right, {"b": 6, "d": 7, "e": 1})):
            heavy.insert_many(counts.keys(), counts.values())
            both.insert_many(counts.keys(), counts.values())
        left.merge(right)
        assert left.top() == both.top() == [("b", 11), ("a", 9), ("d", 7)]
        assert left.total == both.total == 32
        left.merge(left)
        assert left.top(2) == [("b", 22), ("a", 18)]
        for other in (kernel.HeavyHitters(3, 4095), kernel.HeavyHitters(3, 4096, seed=1)):
            with pytest.raises(ValueError, match="cannot merge HeavyHitters"):
                left.merge(other)

    @pytest.mark.parametrize("duplicate", TestSaved.DUPLICATES)
    def test_are_copied(self, kernel: ModuleType, duplicate: Callable[[Any], Any]) -> None:
        heavy = kernel.HeavyHitters(3, seed=5)
        heavy.insert_many([b"x", "y", 3, "y", None, (1, 2), 3, 3])
        other = duplicate(heavy)
        assert (repr(other), other.top(), other.total) == (repr(heavy), heavy.top(), heavy.total)
        other.insert("new", 50)
        assert other.top(1) == [("new", 50)] != heavy.top(1)

    def test_take_arrays(self, kernel: ModuleType) -> None:
        numpy = pytest.importorskip("numpy")
        heavy = kernel.HeavyHitters(2)
        heavy.insert_many(numpy.array([5, 5, 6, 7, 5, 6]), numpy.array([1, 1, 1, 1, 1, 1]))
        assert heavy.top() == [(5, 3), (6, 2)]
        assert all(type(key) is int for key, _ in heavy.top())

    def test_let_go_of_keys_that_fall_behind(self, kernel: ModuleType) -> None:
        class Name(str):
            pass

        heavy, name = kernel.HeavyHitters(1), Name("rare")
        gone = weakref.ref(name)
        heavy.insert(name)
        del name
        gc.collect()
        assert gone() is not None
        heavy.insert_many(["a", "b"] * 5)
        assert gone() is None
        heavy.clear()
        assert (heavy.top(), heavy.total) == ([], 0)

    def test_lose_nothing_among_threads(self, kernel: ModuleType) -> None:
        heavy = kernel.HeavyHitters(5)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: heavy.insert_many([n % 50 for n in range(5000)] + [7] * 100), range(8)))
        assert heavy.top(1) == [(7, 8 * 200)]
        assert heavy.total == 8 * 5100

    def test_with_wrong_arguments_raise_errors(self, kernel: ModuleType) -> None:
        for k in (0, 2**20 + 1):
            with pytest.raises(ValueError, match="k must be 1 to"):
                kernel.HeavyHitters(k)
        heavy = kernel.HeavyHitters(2)
        for weights in ([1], [1, 2, 3]):
            with pytest.raises(ValueError, match="not as many weights"):
                heavy.insert_many(["a", "b"], weights)
        with pytest.raises(TypeError, match=r"^item 1: a key must be"):
            heavy.insert_many(["a", []])
        with pytest.raises(OverflowError):
            heavy.top(-1)
        for state in ((2, b"", []), (2, kernel.CountMinSketch(5, 2).to_bytes(), [])):
            with pytest.raises(ValueError):
                kernel.HeavyHitters._restore(*state)
