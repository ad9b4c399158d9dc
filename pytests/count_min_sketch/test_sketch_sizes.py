"""kernels/count_min_sketch.rs: sizes, and cmsketch's names for them."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from helpers import Result
from sketches import CLASSES

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch


class TestDimensions:
    def test_are_kept_and_shown(self, new: type[Sketch]) -> None:
        sketch = new(width=30, depth=7)
        assert (sketch.width, sketch.depth, repr(sketch)) == (30, 7, "CountMinSketch(30, 7)")
        with pytest.raises(AttributeError):
            sketch.width = 31

    @pytest.mark.parametrize(
        ("width", "depth"),
        [
            (0, 5),
            (5, 0),
            (0, 0),
            (-1, 5),
            (5, -1),
            (2**28, 2),
            (2**32, 2**32),
            (2**63, 2),
            (2**64, 1),
            (10**30, 10**30),
        ],
    )
    def test_that_make_no_sense_raise_an_error(self, new: type[Sketch], width: int, depth: int) -> None:
        with pytest.raises(ValueError, match=r"at least 1, width \* depth at most 2\*\*28"):
            new(width, depth)

    @pytest.mark.parametrize(("width", "depth"), [("5", 5), (5, 2.0), (None, 5)])
    def test_that_are_no_ints_raise_an_error(self, new: type[Sketch], width: int, depth: int) -> None:
        with pytest.raises(TypeError):
            new(width, depth)

    @pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
    def test_without_room_for_them_raise_an_error(self, run: Callable[..., Result]) -> None:
        result = run("""
            import resource
            from rsimport.kernels.count_min_sketch import CountMinSketch

            with open("/proc/self/statm") as file:
                used = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
            try:
                CountMinSketch(2**28, 1)
            except MemoryError as error:
                print("refused:", error)
        """)
        assert result.out.startswith("refused: memory allocation failed")


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
