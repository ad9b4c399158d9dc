"""The kernel strings against jellyfish, whose functions it has, and rapidfuzz, which is the fastest known."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from importlib import import_module
from itertools import repeat
from string import ascii_lowercase, ascii_uppercase

from line import Line, ratio
from measure import alternate, compare, seconds

RUNS = 15
CALLS = 2_000
NAMES = 2_000
KINDS = ["Ltd", "GmbH", "Inc.", "& Sons", "Group", "Holdings"]

Function = Callable[[str, str], object]

# Lengths, what is compared, and the bars against rapidfuzz and jellyfish.
PAIRS = [
    ((9, 10), "levenshtein_distance", "Levenshtein.distance", 1.3, 0.125),
    ((64, 64), "levenshtein_distance", "Levenshtein.distance", 1.3, 0.125),
    ((9, 10), "damerau_levenshtein_distance", "DamerauLevenshtein.distance", None, None),
    ((64, 64), "damerau_levenshtein_distance", "DamerauLevenshtein.distance", None, None),
    ((9, 10), "jaro_winkler_similarity", "JaroWinkler.similarity", None, None),
    ((64, 64), "jaro_winkler_similarity", "JaroWinkler.similarity", None, None),
]


def lines(runs: int) -> list[Line]:
    found = []
    for lengths, name, peer, fuzz_bar, jelly_bar in PAIRS:
        found.append(pair(runs, lengths, name, "rapidfuzz", f"distance.{peer}", fuzz_bar))
        found.append(pair(runs, lengths, name, "jellyfish", name, jelly_bar))
    return [*found, matrix(runs, 1), matrix(runs, os.cpu_count() or 1)]


def pair(runs: int, lengths: tuple[int, int], name: str, package: str, peer: str, bar: float | None) -> Line:
    """Many calls for two random words."""
    from rsimport.kernels import strings

    what = f"{name} of {lengths[0]} x {lengths[1]} characters, {CALLS:,} calls"
    try:
        theirs: Function = import_module(package)  # type: ignore[assignment]
    except ImportError:
        return missing(what, package, bar)
    for part in peer.split("."):
        theirs = getattr(theirs, part)
    ours: Function = getattr(strings, name)
    rng = random.Random(5)
    a, b = ("".join(rng.choices(ascii_lowercase, k=length)) for length in lengths)
    if abs(float(ours(a, b)) - float(theirs(a, b))) > 1e-12:  # type: ignore[arg-type]
        raise ValueError(f"{package} and the kernel disagree about {a} and {b}")

    def calls(function: Function) -> Callable[[], float]:
        def many() -> None:
            for _ in repeat(None, CALLS):
                function(a, b)

        return lambda: seconds(many)

    return ratio(what, package, compare(*alternate(runs, calls(ours), calls(theirs))), bar)


def matrix(runs: int, threads: int) -> Line:
    """All pairs of two lists of business names."""
    from rsimport.kernels import strings

    what, bar = f"cdist of {NAMES:,} x {NAMES:,} business names, threads: {threads}", 1.1
    try:
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import cdist
    except ImportError:
        return missing(what, "rapidfuzz", bar)
    left, right = business_names(NAMES, seed=1), business_names(NAMES, seed=2)

    def ours() -> object:
        return strings.cdist(left, right, threads=threads)

    def theirs() -> object:
        return cdist(left, right, scorer=Levenshtein.distance, workers=threads)

    if not (ours() == theirs()).all():  # type: ignore[attr-defined]
        raise ValueError("rapidfuzz and the kernel disagree")
    times = alternate(runs, lambda: seconds(ours), lambda: seconds(theirs))
    return ratio(what, "rapidfuzz", compare(*times), bar)


def business_names(count: int, seed: int) -> list[str]:
    """Names of 8 to 40 characters, made up."""
    rng = random.Random(seed)
    words = [
        rng.choice(ascii_uppercase) + "".join(rng.choices(ascii_lowercase, k=rng.randint(2, 9)))
        for _ in range(300)
    ]
    names: list[str] = []
    while len(names) < count:
        name = " ".join([*rng.choices(words, k=rng.randint(1, 4)), rng.choice(KINDS)])
        if 8 <= len(name) <= 40:
            names.append(name)
    return names


def missing(what: str, package: str, bar: float | None) -> Line:
    return Line(what, package, value=None, bar=bar, note=f"skipped: {package} is not installed")
