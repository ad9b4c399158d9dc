"""Join two lists of company names that are spelled differently, and check which pairs are right.

Run `python examples/fuzzy_join.py [--companies N]`. The names are made up, and the same every time. The
second list has most of the companies of the first, misspelled and with another legal form, and some that the
first does not have. Each of its names is joined with the most similar one of the first list, if that is
similar enough; the truth is known, so precision and recall can be counted. Joining names that are equal shows
what there is to gain.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence

import numpy as np

from rsimport.kernels.strings import cdist

SIMILAR = 0.88
"""A Jaro-Winkler similarity from which on names are taken for the same company."""

SYLLABLES = (
    "al an ber bo ca cor da del en fi ga hel in jo ka lan lo mar mi na nor o pa qui ra ro sa so ta ti u ve"
)
TRADES = ["Foods", "Logistics", "Steel", "Partners", "Energy", "Textiles", "Systems", "Shipping", "Paper"]
FORMS = ["Ltd", "Limited", "Inc.", "GmbH", "& Co.", "PLC", ""]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Join two lists of company names with typing errors.")
    parser.add_argument("--companies", type=positive, default=2_000, metavar="N", help="default: %(default)s")
    left, right, truth = made_up(parser.parse_args(arguments).companies)

    print(f"{len(left):,} names with {len(right):,} names, of which {len(truth):,} are the same company\n")
    print(f"{'joined by':<28}  {'pairs':>6}  {'right':>6}  precision  recall")
    report("equal names", equal(left, right), truth)
    start = time.perf_counter()
    joined = similar(left, right)
    elapsed = time.perf_counter() - start
    report(f"similarity of at least {SIMILAR}", joined, truth)
    print(f"\n{len(left) * len(right):,} similarities in {elapsed * 1e3:,.0f} ms")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def made_up(companies: int) -> tuple[list[str], list[str], set[tuple[int, int]]]:
    """Two lists of names, and the pairs of their places that are the same company."""
    rng = random.Random(12)
    left = [company(rng) for _ in range(companies)]
    kept = [place for place in range(companies) if rng.random() < 0.8]
    others = [company(rng) for _ in range(companies // 5)]
    entries = [(misspelled(rng, left[place]), place) for place in kept] + [(name, -1) for name in others]
    rng.shuffle(entries)
    truth = {(place, row) for row, (_, place) in enumerate(entries) if place >= 0}
    return [written(rng, name) for name in left], [written(rng, name) for name, _ in entries], truth


def company(rng: random.Random) -> str:
    word = "".join(rng.choices(SYLLABLES.split(), k=rng.randint(3, 5)))
    return f"{word.title()} {rng.choice(TRADES)}"


def misspelled(rng: random.Random, name: str) -> str:
    """Up to two letters left out, doubled, swapped with the next, or mistaken."""
    letters = list(name)
    for _ in range(rng.choice([0, 1, 1, 2])):
        place = rng.randrange(1, len(letters) - 1)
        match rng.randrange(4):
            case 0:
                del letters[place]
            case 1:
                letters.insert(place, letters[place])
            case 2:
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
            case _:
                letters[place] = rng.choice("aeiourstln")
    return "".join(letters)


def written(rng: random.Random, name: str) -> str:
    """The name with a legal form, which says nothing about who it is."""
    return f"{name} {rng.choice(FORMS)}".strip()


def equal(left: list[str], right: list[str]) -> set[tuple[int, int]]:
    places = {plain(name): place for place, name in enumerate(left)}
    return {(places[plain(name)], row) for row, name in enumerate(right) if plain(name) in places}


def similar(left: list[str], right: list[str]) -> set[tuple[int, int]]:
    """Each name of the right list with the most similar one of the left, if it is similar enough."""
    matrix = cdist([plain(name) for name in right], [plain(name) for name in left], "jaro_winkler")
    best = matrix.argmax(axis=1)
    good = matrix[np.arange(len(right)), best] >= SIMILAR
    return {(int(best[row]), int(row)) for row in np.flatnonzero(good)}


def plain(name: str) -> str:
    """In lower case, without the legal form."""
    words = name.split()
    while words[-1] in ("&", "Co.") or words[-1] in FORMS:
        words.pop()
    return " ".join(words).lower()


def report(how: str, joined: set[tuple[int, int]], truth: set[tuple[int, int]]) -> None:
    correct = len(joined & truth)
    precision, recall = correct / max(len(joined), 1), correct / max(len(truth), 1)
    print(f"{how:<28}  {len(joined):>6,}  {correct:>6,}  {precision:>8.1%}  {recall:>6.1%}")


if __name__ == "__main__":
    main()
