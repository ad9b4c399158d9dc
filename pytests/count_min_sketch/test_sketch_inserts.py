"""kernels/count_min_sketch.rs: single inserts, and what takes them back."""

from __future__ import annotations

import inspect
import random
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from sketches import FULL, Name, cells, filled

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch


class TestInsert:
    def test_counts_once_unless_told_otherwise(self, sketch: Sketch) -> None:
        sketch.insert("a")
        sketch.insert("b", 41)
        sketch.insert("b", count=1)
        sketch.insert("c", 0)
        assert [sketch.count(key) for key in "abc"] == [1, 42, 0]
        assert sketch.total == 43

    @pytest.mark.parametrize("key", ["a", "\udc80", b"a", 7, 2**63, 2**70, 0.5, None, (1, "a"), Name("a")])
    def test_is_the_same_however_it_is_called(self, new: type[Sketch], key: object) -> None:
        class Own(new):  # type: ignore[valid-type, misc]
            pass

        def insert_all(sketch: Sketch) -> list[list[int]]:
            sketch.insert(key)
            sketch.insert(key=key)
            sketch.insert(key, 1)
            sketch.insert(key, count=1)
            insert = sketch.insert
            insert(key)
            type(sketch).insert(sketch, key)
            assert sketch.count(key) == sketch.count(key=key) == type(sketch).count(sketch, key) == 6
            return cells(sketch)

        assert insert_all(new(100, 3)) == insert_all(Own(100, 3))

    @pytest.mark.parametrize(
        ("arguments", "named", "words"),
        [
            ((), {}, "missing 1 required positional argument: 'key'"),
            (("a", 1, 2), {}, "takes from 1 to 2 positional arguments but 3 were given"),
            (("a",), {"weight": 1}, "unexpected keyword argument 'weight'"),
            (("a",), {"key": "a"}, "multiple values for argument 'key'"),
        ],
    )
    def test_with_wrong_arguments_raises_an_error(
        self, sketch: Sketch, arguments: tuple[Any, ...], named: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(TypeError, match=re.escape(words)):
            sketch.insert(*arguments, **named)
        assert sketch.total == 0

    def test_is_described_like_every_other_method(self, new: type[Sketch]) -> None:
        assert str(inspect.signature(new.insert)) == "(self, /, key, count=1)"
        assert str(inspect.signature(new.count)) == "(self, /, key)"
        assert (new.insert.__doc__ or "").startswith("Add `count` occurrences of `key`.")
        with pytest.raises(TypeError, match="insert"):
            new.insert("no sketch", "a")  # type: ignore[call-overload, arg-type, call-arg, misc]

    @pytest.mark.parametrize("count", [-1, 2**64])
    def test_with_a_count_out_of_range_raises_an_error(self, sketch: Sketch, count: int) -> None:
        with pytest.raises(OverflowError):
            sketch.insert("a", count)
        assert sketch.total == 0

    @pytest.mark.parametrize(
        "counts",
        [(FULL,), (FULL, 1), (FULL - 1, 1, 1), (FULL, FULL), (1, FULL), (2**32,), (2**64 - 1, 2**64 - 1)],
    )
    def test_stops_at_the_highest_count(self, sketch: Sketch, counts: tuple[int, ...]) -> None:
        for count in counts:
            sketch.insert("a", count)
        assert sketch.count("a") == FULL

    def test_of_two_big_counts_has_a_total_beyond_32_bits(self, sketch: Sketch) -> None:
        sketch.insert("a", FULL)
        sketch.insert("b", FULL)
        assert sketch.total == 2 * FULL


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
