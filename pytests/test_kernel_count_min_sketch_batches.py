"""kernels/count_min_sketch.rs: batches give what single inserts give, and what else a sketch can do."""

from __future__ import annotations

import array
import gc
import math
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

FULL = 2**32 - 1


@pytest.fixture(scope="module")
def kernel(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import count_min_sketch

    return count_min_sketch


def cells(sketch: object) -> list[list[int]]:
    """The counters, row by row."""
    return memoryview(sketch).tolist()


def stream(size: int, seed: int = 1) -> list[object]:
    """Keys of all kinds, some of them often."""
    rng = random.Random(seed)
    keys = [key for n in range(500) for key in (n, -n, f"k{n}", f"k{n}".encode(), n / 8, (n, "x"))]
    return rng.choices([None, "Grüße", 2**63 + 5, 2**90, *keys], k=size)


SIZES = [0, 1, 255, 256, 257, 4095, 4096, 20_000]
"""Around the sizes of blocks, and of batches that release the GIL."""


class TestBatches:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("options", [{}, {"conservative": True}, {"counter_bits": 64}, {"seed": 9}])
    @pytest.mark.parametrize("make", [list, tuple, iter])
    def test_count_what_single_inserts_count(
        self, kernel: ModuleType, size: int, options: dict[str, int], make: Callable[..., Iterable[object]]
    ) -> None:
        keys = stream(size)
        one, many = (kernel.CountMinSketch(300, 4, **options) for _ in range(2))
        for key in keys:
            one.insert(key)
        many.insert_many(make(keys))
        assert cells(many) == cells(one)
        assert many.total == one.total == size

    def test_count_the_same_in_a_table_that_exceeds_the_caches(self, kernel: ModuleType) -> None:
        keys = stream(5000)
        one, many = (kernel.CountMinSketch(100_000, 3) for _ in range(2))
        for key in keys:
            one.insert(key)
        many.insert_many(keys)
        assert many.to_bytes() == one.to_bytes()

    @pytest.mark.parametrize("options", [{}, {"conservative": True}])
    @pytest.mark.parametrize("make", [list, iter])
    def test_take_weights(
        self, kernel: ModuleType, options: dict[str, int], make: Callable[..., Iterable[object]]
    ) -> None:
        keys = stream(5000)
        weights = random.Random(2).choices([0, 1, 2, 2**20], k=5000)
        one, many = (kernel.CountMinSketch(300, 4, counter_bits=64, **options) for _ in range(2))
        for key, weight in zip(keys, weights, strict=True):
            one.insert(key, weight)
        many.insert_many(make(keys), make(weights))
        assert cells(many) == cells(one)
        assert many.total == sum(weights)

    def test_stop_at_the_highest_count(self, kernel: ModuleType) -> None:
        sketch = kernel.CountMinSketch(100, 3)
        sketch.insert("a", FULL - 2)
        sketch.insert_many(["a", "b"] * 5)
        assert (sketch.count("a"), sketch.count("b")) == (FULL, 5)
        sketch.insert_many(["c", "d"], [2**64 - 1, 7])
        assert (sketch.count("c"), sketch.count("d"), sketch.total) == (FULL, 7, 2**64 - 1)
        wide = kernel.CountMinSketch(100, 3, counter_bits=64)
        wide.insert("a", 2**64 - 2)
        wide.insert_many(["a"] * 5 + ["b"])
        assert (wide.count("a"), wide.count("b"), wide.total) == (2**64 - 1, 1, 2**64 - 1)

    @pytest.mark.parametrize("at", [0, 3, 9000])
    @pytest.mark.parametrize("make", [list, tuple])
    def test_of_lists_are_counted_whole_or_not_at_all(
        self, kernel: ModuleType, at: int, make: Callable[..., Iterable[object]]
    ) -> None:
        sketch = kernel.CountMinSketch(100, 3)
        keys: list[object] = [*range(at), ["wrong"], *range(5)]
        for call in (sketch.insert_many, sketch.count_many):
            with pytest.raises(TypeError, match=rf"^item {at}: a key must be .*, not list$"):
                call(make(keys))
        assert sketch.total == 0

    def test_of_iterables_name_the_wrong_item(self, kernel: ModuleType) -> None:
        sketch = kernel.CountMinSketch(100, 3)
        with pytest.raises(TypeError, match=r"^item 9000: "):
            sketch.insert_many(key if key < 9000 else 1j for key in range(10_000))
        assert sketch.total <= 9000

    def test_pass_on_the_errors_of_iterables(self, kernel: ModuleType) -> None:
        def broken() -> Iterator[str]:
            yield "a"
            raise LookupError("no more")

        with pytest.raises(LookupError, match="no more"):
            kernel.CountMinSketch(10, 2).insert_many(broken())

    @pytest.mark.parametrize(
        ("weights", "error", "text"),
        [
            ([1], ValueError, "there are 2 keys, but 1 weights"),
            ([1, 2, 3], ValueError, "there are 2 keys, but 3 weights"),
            ([1, -1], OverflowError, "weight 1 is negative"),
            ([2**64, 1], OverflowError, "weight 0 is negative or beyond 64 bits"),
            ([1, "2"], TypeError, "^weight 1: "),
            (5, TypeError, "not iterable"),
        ],
    )
    def test_with_wrong_weights_change_nothing(
        self, kernel: ModuleType, weights: object, error: type[Exception], text: str
    ) -> None:
        sketch = kernel.CountMinSketch(10, 2)
        with pytest.raises(error, match=text):
            sketch.insert_many(["a", "b"], weights)
        assert sketch.total == 0

    @pytest.mark.parametrize("items", ["abc", b"abc", 5, None])
    def test_are_no_single_keys(self, kernel: ModuleType, items: object) -> None:
        with pytest.raises(TypeError):
            kernel.CountMinSketch(10, 2).insert_many(items)

    def test_survive_an_item_that_empties_the_list(self, kernel: ModuleType) -> None:
        class Rude:
            def __index__(self) -> int:
                keys.clear()
                gc.collect()
                return 7

        keys: list[object] = ["a", Rude(), *(f"k{n}" for n in range(1000))]
        sketch = kernel.CountMinSketch(10_000, 3)
        sketch.insert_many(keys)
        assert (sketch.total, sketch.count(7), sketch.count("k999")) == (1002, 1, 1)

    def test_of_one_type_take_no_others(self, kernel: ModuleType) -> None:
        text, ints = kernel.CountMinSketchStr(10, 2), kernel.CountMinSketchInt(10, 2)
        numbers = array.array("q", [1, 2])
        with pytest.raises(TypeError, match=r"^item 0: a key must be str, not int$"):
            text.insert_many(numbers)
        for wrong in (5, b"a", None, 1.0):
            with pytest.raises(TypeError, match=rf"^a key must be str, not {type(wrong).__name__}$"):
                text.insert(wrong)
        for wrong in ("a", b"a", None, 1.0, (1,)):
            with pytest.raises(TypeError, match=rf"^a key must be int, not {type(wrong).__name__}$"):
                ints.count(wrong)
        ints.insert_many(numbers)
        text.insert_many(["a", "ä", "\udc80"])
        assert (text.total, ints.total) == (3, 2)


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

    def test_other_formats_raise_an_error(self, kernel: ModuleType) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        sketch = kernel.CountMinSketch(100, 2)
        for wrong in (pyarrow.array([1.5]), pyarrow.array([[1]]), pyarrow.array([True]), pyarrow.nulls(3)):
            with pytest.raises(TypeError, match="Arrow keys must be strings, bytes or ints"):
                sketch.insert_many(wrong)
        with pytest.raises(TypeError, match="must be decoded"):
            sketch.insert_many(pyarrow.array(["a"]).dictionary_encode())
        assert sketch.total == 0

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


class TestThreads:
    def test_lose_no_count_of_batches_beside_single_inserts(self, kernel: ModuleType) -> None:
        numpy = pytest.importorskip("numpy")
        sketch = kernel.CountMinSketch(64, 3)
        numbers, texts = numpy.arange(20_000), [f"k{n % 99}" for n in range(6000)]

        def work(thread: int) -> None:
            for _round in range(4):
                if thread % 3 == 0:
                    sketch.insert_many(numbers)
                elif thread % 3 == 1:
                    sketch.insert_many(texts)
                else:
                    for number in range(5000):
                        sketch.insert(number)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(work, range(8)))
        finally:
            sys.setswitchinterval(interval)
        alone = kernel.CountMinSketch(64, 3)
        alone.insert_many(numbers, [12] * len(numbers))
        alone.insert_many(texts, [12] * len(texts))
        alone.insert_many(range(5000), [8] * 5000)
        assert cells(sketch) == cells(alone)
        assert sketch.total == 12 * 20_000 + 12 * 6000 + 8 * 5000

    def test_that_merge_in_circles_do_not_wait_for_each_other(self, kernel: ModuleType) -> None:
        ring = [kernel.CountMinSketch(20_000, 3, counter_bits=64) for _ in range(3)]

        def work(n: int) -> None:
            for _ in range(40):
                ring[n % 3].merge(ring[(n + 1) % 3])
                ring[n % 3].insert("a")
                ring[n % 3].halve()

        threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)

    def test_other_threads_run_during_a_batch(self, kernel: ModuleType) -> None:
        numpy = pytest.importorskip("numpy")
        sketch, keys = kernel.CountMinSketch(2**20, 8), numpy.arange(3_000_000)
        ended = threading.Event()

        def work() -> None:
            sketch.insert_many(keys)
            ended.set()

        thread = threading.Thread(target=work)
        before = sketch.total
        thread.start()
        seen = set()
        while not ended.is_set():
            seen.add(sketch.total)
        thread.join()
        assert any(before < total < len(keys) for total in seen)
        assert sketch.total == len(keys)


@pytest.mark.parametrize("options", [{}, {"conservative": True}])
@pytest.mark.parametrize("seed", range(6))
def test_estimates_keep_their_promise(kernel: ModuleType, seed: int, options: dict[str, bool]) -> None:
    rng = random.Random(seed)
    epsilon, delta = rng.choice([0.001, 0.01, 0.05]), rng.choice([0.1, 0.01, 0.001])
    keys = rng.sample(range(10**9), 3000)
    drawn = rng.choices(
        keys, weights=[1 / (n + 1) ** rng.choice([0.5, 1.0, 1.5]) for n in range(3000)], k=30_000
    )
    sketch, exact = kernel.CountMinSketch.from_error(epsilon, delta, seed=seed, **options), Counter(drawn)
    sketch.insert_many(drawn)
    errors = [sketch.count(key) - exact[key] for key in keys]
    assert min(errors) >= 0
    assert sum(error <= epsilon * sketch.total for error in errors) >= (1 - delta) * len(keys)
    held = [low <= exact[key] <= high for key in keys for low, high in [sketch.bounds(key)]]
    assert sum(held) >= (1 - delta) * len(keys)
    assert all(high - low <= math.e / sketch.width * 30_000 for low, high in map(sketch.bounds, keys))


def test_a_conservative_sketch_errs_less(kernel: ModuleType) -> None:
    keys = random.Random(4).choices(range(3000), k=20_000)
    exact = Counter(keys)
    plain, conservative = kernel.CountMinSketch(500, 4), kernel.CountMinSketch(500, 4, conservative=True)
    errors = []
    for sketch in (plain, conservative):
        sketch.insert_many(keys)
        errors.append([sketch.count(key) - count for key, count in exact.items()])
    assert min(errors[1]) >= 0
    assert all(close <= far for far, close in zip(*errors, strict=True))
    assert sum(errors[1]) < 0.75 * sum(errors[0])
