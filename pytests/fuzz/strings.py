"""Strings of any symbols, alone and in lists, and numbers for the smallest kernels."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from fuzz.target import Target, trace
from rsimport.kernels import strings

DISTANCES = (
    strings.levenshtein_distance,
    strings.damerau_levenshtein_distance,
    strings.hamming_distance,
)
SIMILARITIES = (strings.jaro_similarity, strings.jaro_winkler_similarity, strings.jaccard_similarity)
CODES = (strings.soundex, strings.metaphone, strings.nysiis, strings.match_rating_codex)
METRICS = {
    "levenshtein": strings.levenshtein_distance,
    "damerau_levenshtein": strings.damerau_levenshtein_distance,
    "hamming": strings.hamming_distance,
    "jaro": strings.jaro_similarity,
    "jaro_winkler": strings.jaro_winkler_similarity,
}
ALPHABETS = (
    "ab",
    "abcdefghijklmnopqrstuvwxyz ",
    "AEIOUGHKNPQWXSCTDM",
    "éßÅ\u0301\u200d\U0001f980\U0001f1e9",
    "a\0\n\x7f\x80\xff",
    "\ud800a",
    "".join(map(chr, range(0x4E00, 0x4E80))),
)
SHAPES = st.tuples(
    st.sampled_from(ALPHABETS),
    st.sampled_from((0, 1, 5, 16, 33, 65, 130)),
    st.sampled_from(("distance", "distance", "similarity", "code", "cdist", "odd")),
)
ALLOWED = (TypeError, ValueError, OverflowError)


def one(shape: tuple[str, int, str], random: Random) -> None:
    alphabet, longest, how = shape
    a, b = (_text(alphabet, longest, random) for _ in range(2))
    trace(how, a, b)
    surrogate = "\ud800" in a + b
    try:
        if how == "distance":
            for distance in DISTANCES:
                found = distance(a, b)
                assert found == distance(b, a) and (found == 0) == (a == b), distance
                assert found <= max(len(a), len(b))
        elif how == "similarity":
            for similarity in SIMILARITIES:
                assert 0.0 <= similarity(a, b) <= 1.0, similarity
            size = random.choice((1, 2, 2**63, 0, -1))
            assert 0.0 <= strings.jaccard_similarity(a, b, size) <= 1.0
        elif how == "code":
            _code(a, b)
        elif how == "cdist":
            _matrix(alphabet, longest, random)
        else:
            _odd(a, random)
    except UnicodeEncodeError:
        assert surrogate or how == "cdist"
    except ALLOWED:
        assert how in ("similarity", "cdist", "odd")


def _text(alphabet: str, longest: int, random: Random) -> str:
    return "".join(random.choices(alphabet, k=random.randrange(longest + 1)))


def _code(a: str, b: str) -> None:
    for code in CODES:
        try:
            assert isinstance(code(a), str)
        except UnicodeEncodeError:
            assert "\ud800" in a
        except ValueError:
            assert code is strings.match_rating_codex
    assert strings.match_rating_comparison(a, b) in (True, False, None)


def _matrix(alphabet: str, longest: int, random: Random) -> None:
    left, right = ([_text(alphabet, longest, random) for _ in range(random.randrange(5))] for _ in range(2))
    metric: Any = random.choice(tuple(METRICS))
    cutoff = random.choice((None, None, 0, 0.5, 3, 1e300, float("inf"), -1.0, float("nan")))
    trace(left, right, metric, cutoff)
    found = strings.cdist(left, right, metric, cutoff, random.choice((None, 1, 2, 2**70, 0)))
    assert found.shape == (len(left), len(right))
    if cutoff is None:
        assert found.tolist() == [[METRICS[metric](a, b) for b in right] for a in left]


def _odd(a: str, random: Random) -> None:
    other: Any = random.choice((None, 1, b"a", [a], object(), bytearray(b"a")))
    function: Any = random.choice((*DISTANCES, *SIMILARITIES, strings.cdist))
    function(*random.choice(((a, other), (other, a), (other, other))))


TARGET = Target("strings", SHAPES, one)
