"""kernels/count_min_sketch.rs: keys of all types, and the published hash that places them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from sketches import Name, Port, cells

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch


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

# Columns of "a" at width 10,000 with seed 7, from XXH3_64bits of xxHash 0.8.4 with the mixed seed.
SEEDED = [6027, 172, 4317, 8461]


def stride_of(hashed: int) -> int:
    """How far a key moves on from row to row."""
    return ((hashed ^ hashed >> 32) * 0x9E3779B97F4A7C15) % 2**64 | 1


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
