"""kernels/count_min_sketch.rs: threads that insert one by one and in batches."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from sketches import FULL, cells

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch


class TestThreads:
    THREADS = 8

    def together(self, work: Callable[[int], object]) -> None:
        with ThreadPoolExecutor(self.THREADS) as pool:
            list(pool.map(work, range(self.THREADS)))

    def test_lose_no_insert(self, new: type[Sketch]) -> None:
        sketch, keys = new(64, 3), [*"abcdefgh", *range(8)]

        def work(thread: int) -> None:
            for number in range(8000):
                sketch.insert(keys[(number + thread) % len(keys)])

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            self.together(work)
        finally:
            sys.setswitchinterval(interval)
        alone = new(64, 3)
        for key in keys:
            alone.insert(key, 8000 * self.THREADS // len(keys))
        assert cells(sketch) == cells(alone)
        assert sketch.total == 8000 * self.THREADS

    def test_lose_no_merge_though_they_run_without_the_gil(self, new: type[Sketch]) -> None:
        total, part = new(50_000, 4), new(50_000, 4)
        for key in range(100_000):
            part.insert(key, 3)

        def work(_: int) -> None:
            for _ in range(25):
                total.merge(part)

        self.together(work)
        times = 25 * self.THREADS
        assert cells(total) == [[times * cell for cell in row] for row in cells(part)]

    def test_stop_together_at_the_highest_count(self, new: type[Sketch]) -> None:
        total, part = new(50_000, 1), new(50_000, 1)
        for key in range(200_000):
            part.insert(key, FULL // 400)
        self.together(lambda _: [total.merge(part) for _ in range(25)])
        times = 25 * self.THREADS
        assert cells(total) == [[min(times * cell, FULL) for cell in row] for row in cells(part)]


class TestBatchesOfThreads:
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
