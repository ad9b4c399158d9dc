"""kernels/count_min_sketch.rs: merging two sketches and many."""

from __future__ import annotations

import random
from collections import Counter
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from sketches import CLASSES, FAMILIES, FULL, cells, filled

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch


class TestMerge:
    def test_is_as_if_both_streams_had_been_inserted(self, new: type[Sketch]) -> None:
        keys = random.Random(1).choices(FAMILIES["strings and ints"], k=4000)
        left, right, both = new(300, 4), new(300, 4), new(300, 4)
        for number, key in enumerate(keys):
            (left if number % 3 else right).insert(key)
            both.insert(key)
        before = cells(right)
        left.merge(right)
        assert cells(left) == cells(both)
        assert cells(right) == before

    def test_with_itself_doubles(self, sketch: Sketch) -> None:
        sketch.insert("a", 21)
        sketch.merge(sketch)
        assert sketch.count("a") == 42

    def test_stops_at_the_highest_count(self, new: type[Sketch]) -> None:
        left, right = new(50, 2), new(50, 2)
        left.insert("a", FULL - 1)
        right.insert("a", 2)
        assert (left | right).count("a") == FULL and (left | right).total == FULL + 1
        left.merge(right)
        assert left.count("a") == FULL

    @pytest.mark.parametrize("dimensions", [(50, 3), (51, 2), (25, 4)])
    def test_of_unequal_dimensions_raises_an_error_and_changes_nothing(
        self, new: type[Sketch], dimensions: tuple[int, int]
    ) -> None:
        sketch, other = new(50, 2), new(*dimensions)
        other.insert("a")
        with pytest.raises(
            ValueError, match=r"cannot merge CountMinSketch\(\d+, \d\) into CountMinSketch\(50, 2\)"
        ):
            sketch.merge(other)
        assert sketch.total == 0

    @pytest.mark.parametrize("other", [5, [5], "ab", Counter("a")])
    def test_with_something_else_raises_an_error(self, sketch: Sketch, other: object) -> None:
        with pytest.raises(TypeError):
            sketch.merge(other)
        assert sketch.total == 0


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
            with pytest.raises(TypeError, match=f"cannot merge {name}"):
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
