"""kernels/count_min_sketch.rs: lists and other iterables in one call."""

from __future__ import annotations

import array
import gc
import random
import signal
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from types import ModuleType

import pytest
from sketches import FULL, SIZES, cells, stream


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

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no such timer")
    @pytest.mark.parametrize("kind", ["CountMinSketch", "HeavyHitters"])
    @pytest.mark.parametrize("batch", [(repeat(1),), (["a"], repeat(1))], ids=["keys", "weights"])
    def test_without_an_end_are_ended_by_signals(
        self, kernel: ModuleType, kind: str, batch: tuple[Iterable[object], ...]
    ) -> None:
        def raising(number: int, frame: object) -> None:
            raise InterruptedError

        sketch = kernel.HeavyHitters(10) if kind == "HeavyHitters" else kernel.CountMinSketch(10, 2)
        before = signal.signal(signal.SIGALRM, raising)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            with pytest.raises(InterruptedError):
                sketch.insert_many(*batch)
        finally:
            signal.signal(signal.SIGALRM, before)

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
        for wrong in (5, memoryview(b"a"), None, 1.0):
            with pytest.raises(TypeError, match=rf"^a key must be str, not {type(wrong).__name__}$"):
                text.insert(wrong)
        for wrong in ("a", b"a", None, 1.0, (1,)):
            with pytest.raises(TypeError, match=rf"^a key must be int, not {type(wrong).__name__}$"):
                ints.count(wrong)
        ints.insert_many(numbers)
        text.insert_many(["a", "ä", "\udc80"])
        assert (text.total, ints.total) == (3, 2)
