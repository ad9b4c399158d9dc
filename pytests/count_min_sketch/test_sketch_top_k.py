"""kernels/count_min_sketch.rs: the most frequent keys, of candidates and without."""

from __future__ import annotations

import gc
import math
import random
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from sketches import DUPLICATES, FAMILIES, Port

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch


class TestTopK:
    def test_lists_the_highest_counts_first_and_ties_as_they_came(self, sketch: Sketch) -> None:
        for key, count in {"a": 1, "b": 5, 3: 5, "c": 9, "d": 1}.items():
            sketch.insert(key, count)
        ranked = [("c", 9), ("b", 5), (3, 5), ("d", 1), ("a", 1), ("unseen", 0)]
        candidates = ["unseen", "d", "b", 3, "a", "c"]
        for k in range(8):
            assert sketch.top_k(k, candidates) == ranked[:k]

    def test_agrees_with_counter_when_the_sketch_is_wide(self, new: type[Sketch]) -> None:
        keys = FAMILIES["random addresses"]
        stream = random.Random(2).choices(keys, weights=[1 / n for n in range(1, len(keys) + 1)], k=10_000)
        sketch, exact = new(100_000, 5), Counter(stream)
        for key in stream:
            sketch.insert(key)
        assert sketch.top_k(50, exact) == exact.most_common(50)

    def test_takes_any_iterable_and_lists_a_repeated_key_once(self, sketch: Sketch) -> None:
        stream = ["a", "b", "a", True, 1, "b", "a"]
        for key in stream:
            sketch.insert(key)
        assert sketch.top_k(9, (key for key in stream)) == [("a", 3), ("b", 2), (True, 2)]
        assert sketch.top_k(9, {}) == []

    def test_gives_back_the_very_keys(self, sketch: Sketch) -> None:
        ((key, _),) = sketch.top_k(1, [Port.HTTPS])
        assert key is Port.HTTPS

    def test_passes_on_the_errors_of_its_arguments(self, sketch: Sketch) -> None:
        def broken() -> Iterator[str]:
            yield "a"
            raise LookupError("no more")

        with pytest.raises(LookupError, match="no more"):
            sketch.top_k(1, broken())
        with pytest.raises(TypeError):
            sketch.top_k(1, 5)
        with pytest.raises(OverflowError):
            sketch.top_k(-1, [])


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

    @pytest.mark.parametrize("duplicate", DUPLICATES)
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
