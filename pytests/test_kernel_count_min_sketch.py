"""kernels/count_min_sketch.rs against exact counts, its published hash, and threads."""

from __future__ import annotations

import copy
import enum
import inspect
import math
import pickle
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest
from helpers import Result

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch

FULL = 2**32 - 1
"""A counter goes no higher."""


def families(size: int) -> dict[str, list[str | int]]:
    """Distinct keys of the kinds that upset poor hashes."""
    rng = random.Random(size)
    return {
        "sequential ints": list(range(size)),
        "random ints": [rng.randrange(-(2**63), 2**63) for _ in range(size)],
        "multiples of 1024": [1024 * i for i in range(size)],
        "ints beyond 64 bits": [2**64 + i for i in range(size)],
        "random addresses": [str(IPv4Address(i)) for i in rng.sample(range(2**32), size)],
        "neighbouring addresses": [str(IPv4Address("10.0.0.0") + i) for i in range(size)],
        "long strings with a common start": [f"{'x' * 300}{i}" for i in range(size)],
        "strings and ints": [key for i in range(size // 2) for key in (i, str(i))],
    }


FAMILIES = families(3000)


@pytest.fixture(scope="module")
def new(shared_cache: object) -> type[Sketch]:
    """The class. Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import count_min_sketch

    return count_min_sketch.CountMinSketch


@pytest.fixture
def sketch(new: type[Sketch]) -> Sketch:
    """Wide enough that the few keys of a test do not meet."""
    return new(10_000, 5)


def cells(sketch: Sketch) -> list[list[int]]:
    """The counters, row by row."""
    return memoryview(sketch).tolist()


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


# From the reference implementation, xxHash 0.8.4: XXH3_64bits of the UTF-8 for strings; for ints, of the 8
# little-endian bytes with seed 1, or with seed 6 where these suffice only without a sign, or of the digits in
# hexadecimal of larger ints with seed 1; of bytes with seed 2; of the bits of a float with seed 3; of nothing
# for None with seed 4; of the hashes of a tuple's items with seed 5.
HASHES: dict[object, int] = {
    "": 0x2D06800538D394C2,
    "1": 0x65CD25028F98F158,
    "10.0.0.1": 0xB61D99F8E56B6646,
    "Grüße": 0xB40C17E2196D97D8,
    "x" * 300: 0xA5D1B4607DC83554,
    "\udc80": 0x0CF1D0859A1BEA02,
    0: 0x9E51AD6D2F3E695C,
    1: 0x85671091EDA75EB5,
    -1: 0x7B016D4CCC01C9BF,
    2**63 - 1: 0x081AEDD03DCFAB63,
    -(2**63): 0xE9E81420D7CA0631,
    2**63: 0x8BCC19113613D2A3,
    2**64 - 1: 0x39A7FD8713B3232A,
    -(2**64): 0x88F309BEE889B907,
    b"": 0xF36CF7ECD1FCFDA0,
    b"10.0.0.1": 0x8FB91A449AAB39C1,
    0.5: 0x5C7B2A8ED48FA3B2,
    math.inf: 0xFB65FB71F4DE5B47,
    math.nan: 0xED9B08AD428A5479,
    None: 0xC43113F04EE401DE,
    (): 0x388EC5BD0562E095,
    (1, "1"): 0x0AE631A2464214EE,
}


def stride_of(hashed: int) -> int:
    """How far a key moves on from row to row."""
    return ((hashed ^ hashed >> 32) * 0x9E3779B97F4A7C15) % 2**64 | 1


class Name(str):
    pass


class Port(enum.IntEnum):
    HTTPS = 443


class TestKeys:
    @pytest.mark.parametrize("key", HASHES, ids=lambda key: repr(key)[:22])
    @pytest.mark.parametrize(("width", "depth"), [(1, 1), (1000, 4), (1024, 4)])
    def test_own_the_cells_that_their_hash_says(
        self, new: type[Sketch], width: int, depth: int, key: object
    ) -> None:
        start, stride = HASHES[key], stride_of(HASHES[key])
        expected = [[0] * width for _ in range(depth)]
        for row in range(depth):
            expected[row][(start + row * stride) % 2**64 * width >> 64] = 3
        sketch = new(width, depth)
        sketch.insert(key, 3)
        assert cells(sketch) == expected

    @pytest.mark.parametrize(
        ("key", "equal"),
        [
            (1, True),
            (1, 1.0),
            (0, -0.0),
            (-7, -7.0),
            (2**63, float(2**63)),
            (2**80, float(2**80)),
            (0, False),
            ("red", Name("red")),
            (443, Port.HTTPS),
            (2**70, int("1" + "0" * 70, 2)),
            ((1, "a", (True,)), (1.0, "a", (1,))),
        ],
    )
    def test_that_python_holds_equal_are_the_same(self, sketch: Sketch, key: object, equal: object) -> None:
        assert key == equal
        sketch.insert(key)
        sketch.insert(equal)
        assert sketch.count(key) == sketch.count(equal) == 2

    def test_may_be_ints_of_numpy(self, sketch: Sketch) -> None:
        numpy = pytest.importorskip("numpy")
        for number in (7, 2**63 + 7):
            sketch.insert(numpy.uint64(number))
            assert sketch.count(number) == 1

    @pytest.mark.parametrize(
        ("key", "other"),
        [
            (1, "1"),
            (True, "True"),
            (0, ""),
            (0, "\0" * 8),
            (0, -0x8000_0000_0000_0000),
            (-1, 2**64 - 1),
            (1, 2**64 + 1),
            (2**64, -(2**64)),
            (2**64, 2**65),
            (2**64, str(2**64)),
            (2**64, f"{2**64:x}"),
            ("a", "A"),
            ("a", "a\0"),
            ("\u00e9", "e\u0301"),
            ("\udc80", "\udc81"),
            ("\udc80", "?"),
            ("1", b"1"),
            (1, b"\1" + bytes(7)),
            (0.5, "0.5"),
            (None, "None"),
            (None, ()),
            (None, b""),
            ("", b""),
            (1, (1,)),
            ((1, 2), (2, 1)),
            (("a", "bc"), ("ab", "c")),
            ((1, (2,)), ((1,), 2)),
            (math.inf, math.nan),
        ],
    )
    def test_that_differ_are_never_mixed_up(self, sketch: Sketch, key: object, other: object) -> None:
        sketch.insert(key, 5)
        sketch.insert(other, 7)
        assert (sketch.count(key), sketch.count(other)) == (5, 7)

    @pytest.mark.parametrize("key", [1j, bytearray(b"1"), ["a"], object(), {}])
    def test_of_another_type_raise_an_error_and_change_nothing(self, sketch: Sketch, key: object) -> None:
        message = f"a key must be str, bytes, int, float, None or a tuple of these, not {type(key).__name__}"
        for call in (sketch.insert, sketch.count, lambda key: sketch.top_k(1, [key])):
            with pytest.raises(TypeError, match=message):
                call(key)
        assert sketch.total == 0

    def test_that_are_tuples_may_lie_64_deep(self, sketch: Sketch) -> None:
        key: object = "core"
        for _ in range(64):
            key = (key,)
        sketch.insert(key)
        assert sketch.count(key) == 1
        with pytest.raises(ValueError, match="at most 64 deep"):
            sketch.insert((key,))

    def test_lie_elsewhere_with_another_seed(self, new: type[Sketch]) -> None:
        def columns(seed: int) -> list[int]:
            sketch = new(10_000, 4, seed=seed)
            sketch.insert("a")
            return [row.index(1) for row in cells(sketch)]

        assert columns(0) != columns(1) != columns(2**64 - 1)
        # The xxHash seed of a str, at seed 7, is the last steps of MurmurHash3 applied to 7.
        assert columns(7) == SEEDED


# Columns of "a" at width 10,000 with seed 7, from XXH3_64bits of xxHash 0.8.4 with the mixed seed.
SEEDED = [6027, 172, 4317, 8461]


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


class TestCopies:
    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
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


def test_clear_forgets_everything(new: type[Sketch]) -> None:
    sketch = new(100, 3)
    for key in range(1000):
        sketch.insert(key)
    sketch.clear()
    assert cells(sketch) == cells(new(100, 3))
    assert sketch.total == 0
    sketch.insert(1)
    assert sketch.count(1) == 1
