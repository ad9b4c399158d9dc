"""How alike are two strings: edit distances, similarities and phonetic codes, and the matrix of two
lists of strings.
"""

from collections.abc import Iterable
from typing import Any, Literal

from numpy.typing import NDArray

__all__ = [
    "cdist",
    "damerau_levenshtein_distance",
    "hamming_distance",
    "jaccard_similarity",
    "jaro_similarity",
    "jaro_winkler_similarity",
    "levenshtein_distance",
    "match_rating_codex",
    "match_rating_comparison",
    "metaphone",
    "nysiis",
    "soundex",
]

def levenshtein_distance(a: str, b: str) -> int: ...
def damerau_levenshtein_distance(a: str, b: str) -> int: ...
def hamming_distance(a: str, b: str) -> int: ...
def jaro_similarity(a: str, b: str) -> float: ...
def jaro_winkler_similarity(a: str, b: str, long_tolerance: bool | None = None) -> float: ...
def jaccard_similarity(a: str, b: str, ngram_size: int | None = None) -> float: ...
def soundex(a: str) -> str: ...
def metaphone(a: str) -> str: ...
def nysiis(a: str) -> str: ...
def match_rating_codex(a: str) -> str: ...
def match_rating_comparison(a: str, b: str) -> bool | None: ...
def cdist(
    left: Iterable[str],
    right: Iterable[str],
    metric: Literal["levenshtein", "damerau_levenshtein", "hamming", "jaro", "jaro_winkler"] = "levenshtein",
    score_cutoff: float | None = None,
    threads: int | None = None,
) -> NDArray[Any]: ...
