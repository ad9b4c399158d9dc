"""kernels/count_min_sketch.rs: estimates against exact counts."""

from __future__ import annotations

import math
import random
from collections import Counter
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from sketches import FAMILIES, cells

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch


class TestEstimates:
    @pytest.mark.parametrize("keys", FAMILIES.values(), ids=FAMILIES.keys())
    @pytest.mark.parametrize(("width", "depth"), [(200, 3), (256, 4), (2048, 5)])
    def test_are_never_too_low_and_seldom_far_too_high(
        self, new: type[Sketch], width: int, depth: int, keys: list[str | int]
    ) -> None:
        weights = [1 / rank for rank in range(1, len(keys) + 1)]
        stream = random.Random(width).choices(keys, weights=weights, k=20_000)
        sketch, exact = new(width, depth), Counter(stream)
        for key in stream:
            sketch.insert(key)
        errors = [sketch.count(key) - exact[key] for key in keys]
        assert min(errors) >= 0
        within = sum(error <= math.e / width * len(stream) for error in errors)
        assert within / len(keys) >= 1 - math.exp(-depth)

    @pytest.mark.parametrize("keys", FAMILIES.values(), ids=FAMILIES.keys())
    @pytest.mark.parametrize("width", [1000, 1024])
    def test_are_as_good_as_with_independent_rows(
        self, new: type[Sketch], width: int, keys: list[str | int]
    ) -> None:
        # Independent rows give 0.71 and 0.67. Rows that err together give several times as much.
        sketch = new(width, 10)
        for key in keys:
            sketch.insert(key)
        assert sum(sketch.count(key) - 1 for key in keys) / len(keys) <= 0.80

    def test_of_a_key_never_seen_are_zero(self, sketch: Sketch) -> None:
        sketch.insert("seen")
        assert sketch.count("never seen") == 0


def test_clear_forgets_everything(new: type[Sketch]) -> None:
    sketch = new(100, 3)
    for key in range(1000):
        sketch.insert(key)
    sketch.clear()
    assert cells(sketch) == cells(new(100, 3))
    assert sketch.total == 0
    sketch.insert(1)
    assert sketch.count(1) == 1


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
