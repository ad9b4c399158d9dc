"""kernels/strings.rs: the results of jellyfish 1.3, and the same again for whole matrices."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from itertools import pairwise, product
from types import ModuleType

import pytest
from helpers import Result

np = pytest.importorskip("numpy")

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ACCENT = "e\u0301"

# What jellyfish 1.3.0 gives.
PAIRS = {
    "levenshtein_distance": [
        ("", "", 0),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("ca", "abc", 3),
        ("\r\n", "\n", 1),
        ("stra\u00dfe", "strasse", 2),
        (ACCENT, "\u00e9", 1),
        (f"{ACCENT}x", "ex", 1),
        (FAMILY, "", 1),
        ("\u6f22\u5b57\u4eee\u540d", "\u6f22\u5b57", 2),
    ],
    "damerau_levenshtein_distance": [
        ("", "abc", 3),
        ("ca", "abc", 2),
        ("abcdef", "abcfde", 2),
        ("jellyfish", "jelylfish", 1),
        (f"a{ACCENT}", f"{ACCENT}a", 1),
    ],
    "hamming_distance": [("", "", 0), ("abc", "abcd", 1), ("acc", "abcd", 2), ("\r\n\r\n", "a", 2)],
    "jaro_similarity": [
        ("", "", 0.0),
        ("a", "a", 1.0),
        ("ab", "ba", 0.0),
        ("dixon", "dicksonx", 0.7666666666666666),
        ("MARTHA", "MARHTA", 0.9444444444444445),
    ],
    "jaro_winkler_similarity": [
        ("", "abc", 0.0),
        ("dixon", "dicksonx", 0.8133333333333332),
        ("MARTHA", "MARHTA", 0.9611111111111111),
        (f"{ACCENT}bcd", f"{ACCENT}bdc", 0.9333333333333333),
    ],
    "match_rating_comparison": [
        ("Bryne", "Boern", True),
        ("Michael", "Mike", False),
        ("Tim", "Timothy", None),
        ("a1", "a1", None),
        ("", "", True),
    ],
}
CODES = {
    "soundex": {"": "", "Ashcraft": "A261", "Tymczak": "T522", "Pfister": "P236", "\u00dcnal": "U540"},
    "metaphone": {"": "", "Thumb": "0M", "Knight wright": "NT RT", "laugh": "L", "Xiaou": "X"},
    "nysiis": {"": "", "MacIntosh": "MCANT", "Knuth": "NAT", "Schmidt": "SNAD", "IE": "Y"},
    "match_rating_codex": {"": "", "Catherine": "CTHRN", "Wolfeschlegel": "WLFLGL", "a b": "A B"},
}
# SHA-256 of the results that jellyfish 1.3.0 gives for the strings of `made_up`.
DIGESTS = {
    "damerau_levenshtein_distance": "9eb768ad9faf7e32feaac62d07def1d34fbb8cc11ea1017df250c55720784502",
    "hamming_distance": "3de584f32935443f7f3dcbc24dd70eed2b0f74f94edef7abc9c20035662d65d1",
    "jaccard_similarity": "e9411b44a97ddfa2af470fcacfe91c70dffc7ee2f67ec0c888482368e424dd71",
    "jaro_similarity": "cbbf1ede9c04f0ffdccbd0722693c5bfda67a9619f194746eafa7d376591e4be",
    "jaro_winkler_similarity": "a860393eb371185b13142e9c0c02a08726c833d635de250d081606b01df24295",
    "levenshtein_distance": "6d4594a0bb63d748bfdec97260c70c42e104474bfbcc6d1e80cd17a30a1e859e",
    "match_rating_codex": "007e0bba631c435c3c0f15f3fa425768c39bc9152fa63c00f61b335c8c1b6dc3",
    "match_rating_comparison": "2a59a1479f81412e0b9afa6eec5ff43ee174ec6257191c047ffd051cd3fef944",
    "metaphone": "da49788f0a2f5d373f639a90ab82c0b547139374dccfd711b7d2fa8dc631c72b",
    "nysiis": "4bb033d010f1ac506155a42c1ae7aa2e5bfaa7f7eaa49b33de70fbf59e26bd1e",
    "soundex": "f0c04dddb69a8eda3ae443e20b757d32cc524abab216fab9c9d87ec1794b06b3",
}
ALPHABETS = [
    "ab",
    "abcdefghijklmnopqrstuvwxyz ",
    "ACDEGHIKMNPRSTVWXYZ",
    "a\u00e4\u00f6\u00fc\u00df\u00e9\u00e8\u00f1bcd",
    "\u6f22\u5b57\u4eee\u540d\u4ea4ab",
    "ae\u0301\u200d\U0001f468\U0001f1e9\U0001f1ea\u0915\u094d\r\n",
]
METRICS = {
    "levenshtein": "levenshtein_distance",
    "damerau_levenshtein": "damerau_levenshtein_distance",
    "hamming": "hamming_distance",
    "jaro": "jaro_similarity",
    "jaro_winkler": "jaro_winkler_similarity",
}


@pytest.fixture(scope="module")
def strings(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import strings

    return strings


def made_up(count: int, longest: int) -> list[str]:
    """Strings and misspellings of them, the same in every version of Python."""
    number = random.Random(7).random
    found: list[str] = []
    while len(found) < count:
        letters = ALPHABETS[int(number() * len(ALPHABETS))]
        text = [letters[int(number() * len(letters))] for _ in range(int(number() ** 3 * longest))]
        found.append("".join(text))
        for _ in range(int(number() * 4)):
            place = int(number() * (len(text) + 1))
            text[place : place + int(number() * 3)] = letters[: int(number() * 2)]
        if len(text) > 1 and number() < 0.5:
            place = int(number() * (len(text) - 1))
            text[place], text[place + 1] = text[place + 1], text[place]
        found.append("".join(text))
    return found


def results(module: ModuleType, name: str) -> list[object]:
    """What a function gives for all that is made up, an error by the name of its type."""
    function = getattr(module, name)
    if name in CODES:
        calls: list[tuple[object, ...]] = [(text,) for text in made_up(4000, 12)]
    else:
        texts = made_up(4000, 60) + made_up(400, 260)
        calls = [*pairwise(texts), *zip(texts, texts[7:], strict=False)]
    if name == "jaro_winkler_similarity":
        calls += [(*call, True) for call in calls]
    if name == "jaccard_similarity":
        calls += [(*call, size) for call in calls for size in (1, 2, 3)]
    found: list[object] = []
    for call in calls:
        try:
            found.append(function(*call))
        except ValueError as error:
            found.append(type(error).__name__)
    return found


def digest(values: list[object]) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in PAIRS.items() for case in cases])
def test_a_pair_gives_what_jellyfish_gives(
    strings: ModuleType, name: str, case: tuple[str, str, object]
) -> None:
    assert getattr(strings, name)(*case[:2]) == case[2]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, codes in CODES.items() for text in codes])
def test_a_code_is_that_of_jellyfish(strings: ModuleType, name: str, text: str) -> None:
    assert getattr(strings, name)(text) == CODES[name][text]


@pytest.mark.parametrize("name", DIGESTS)
def test_thousands_of_strings_give_what_jellyfish_gives(strings: ModuleType, name: str) -> None:
    assert digest(results(strings, name)) == DIGESTS[name]


def test_parts_are_words_or_pieces(strings: ModuleType) -> None:
    assert strings.jaccard_similarity("an old dog", "an old  cat") == 0.5
    assert strings.jaccard_similarity("abab", "ab", ngram_size=2) == 1.0
    assert strings.jaccard_similarity("abc", "bc", 2) == 0.0
    assert strings.jaccard_similarity(" ", "") == 0.0


def test_long_tolerance_raises_the_similarity_of_long_strings(strings: ModuleType) -> None:
    pair = ("abcdefghij", "abcdefghxy")
    plain = strings.jaro_winkler_similarity(*pair, long_tolerance=None)
    assert plain == strings.jaro_winkler_similarity(*pair, long_tolerance=False)
    assert plain < strings.jaro_winkler_similarity(*pair, long_tolerance=True) < 1.0


@pytest.mark.parametrize("wrong", [b"abc", None, 3, ["abc"]])
def test_only_str_is_compared(strings: ModuleType, wrong: object) -> None:
    for name in (*PAIRS, "jaccard_similarity"):
        for pair in [(wrong, "abc"), ("abc", wrong)]:
            with pytest.raises(TypeError):
                getattr(strings, name)(*pair)
    for name in CODES:
        with pytest.raises(TypeError):
            getattr(strings, name)(wrong)
    with pytest.raises(TypeError):
        strings.cdist(["abc"], [wrong])


def test_what_makes_no_sense_raises_an_error(strings: ModuleType) -> None:
    with pytest.raises(ValueError, match="ngram_size must be at least 1"):
        strings.jaccard_similarity("a", "b", 0)
    with pytest.raises(OverflowError):
        strings.jaccard_similarity("a", "b", -1)
    with pytest.raises(ValueError, match="letters and spaces"):
        strings.match_rating_codex("R2D2")
    with pytest.raises(UnicodeEncodeError):
        strings.levenshtein_distance("\ud800", "a")
    with pytest.raises(UnicodeEncodeError):
        strings.cdist(["\ud800"], ["a"])


@pytest.mark.parametrize("metric", METRICS)
def test_a_matrix_holds_what_single_calls_give(strings: ModuleType, metric: str) -> None:
    left, right = made_up(60, 90), made_up(90, 150)[10:]
    assert {len(text) for text in right} & set(range(65, 150))
    function = getattr(strings, METRICS[metric])
    for threads in (None, 1, 3):
        matrix = strings.cdist(left, right, metric, threads=threads)
        assert matrix.shape == (60, 80)
        assert matrix.dtype == (np.float64 if "jaro" in metric else np.uint32)
        assert matrix.tolist() == [[function(a, b) for b in right] for a in left]


@pytest.mark.parametrize("metric", ["levenshtein", "hamming", "jaro"])
def test_a_matrix_of_many_tiles_is_filled_to_its_edges(strings: ModuleType, metric: str) -> None:
    texts = made_up(2600, 10)
    left, right = texts[:530], texts[100:]
    matrix = strings.cdist(left, right, metric, threads=2)
    function = getattr(strings, METRICS[metric])
    rows, columns = (0, 1, 255, 256, 400, 529), (0, 7, 2047, 2048, 2499)
    rng = random.Random(3)
    places = [(rng.randrange(530), rng.randrange(2500)) for _ in range(2000)]
    for row, column in [*product(rows, columns), *places]:
        assert matrix[row, column] == function(left[row], right[column]), (row, column)


@pytest.mark.parametrize("longest", range(0, 71, 5))
def test_patterns_of_every_length_fit_their_lanes(strings: ModuleType, longest: int) -> None:
    rng = random.Random(longest)
    right = ["".join(rng.choices("abc", k=length)) for length in range(max(0, longest - 5), longest + 1)]
    left = ["".join(rng.choices("abcd", k=length)) for length in (0, 1, 30, 300)]
    expected = [[strings.levenshtein_distance(a, b) for b in right] for a in left]
    assert strings.cdist(left, right).tolist() == expected


def test_a_cutoff_hides_what_is_too_far(strings: ModuleType) -> None:
    left, right = ["abc", "abd", "xyz"], ["abc"]
    assert strings.cdist(left, right, score_cutoff=1).tolist() == [[0], [1], [2]]
    assert strings.cdist(left, right, "hamming", 0.5).tolist() == [[0], [1], [1]]
    assert strings.cdist(left, right, score_cutoff=float("inf")).tolist() == [[0], [1], [3]]
    assert strings.cdist(left, right, "jaro", 0.9).tolist() == [[1.0], [0.0], [0.0]]


def test_lists_may_be_empty_and_any_iterable(strings: ModuleType) -> None:
    assert strings.cdist([], ["a"]).shape == (0, 1)
    assert strings.cdist(["a", "b"], []).shape == (2, 0)
    assert strings.cdist(iter(["a"]), np.array(["a", "bc"])).tolist() == [[0, 2]]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((["a"], ["a"], "soundex"), ValueError, 'metric must be "levenshtein"'),
        ((["a"], ["a"], "jaro", float("nan")), ValueError, "score_cutoff must be at least 0"),
        ((["a"], ["a"], "levenshtein", -1), ValueError, "score_cutoff must be at least 0"),
        ((["a"], ["a"], "jaro", None, 0), ValueError, "threads must be at least 1"),
        ((["a"], ["a"], "jaro", None, -1), OverflowError, None),
        (("abc", ["a"]), TypeError, "left must hold strings, and is one itself"),
        ((["a"], ["a", None]), TypeError, r"right\[1\] must be str, not NoneType"),
        (([""] * 5_000_000, [""] * 5_000_000), MemoryError, None),
    ],
)
def test_a_matrix_that_makes_no_sense_raises_an_error(
    strings: ModuleType, arguments: tuple[object, ...], error: type[Exception], text: str | None
) -> None:
    with pytest.raises(error, match=text):
        strings.cdist(*arguments)


@pytest.mark.parametrize(
    "call",
    [
        "levenshtein_distance('ab' * 3_000_000, 'ba' * 3_000_000)",
        "damerau_levenshtein_distance('ab' * 300_000, 'ba' * 300_000)",
        "cdist(['ab' * 2_000] * 3_000, ['ba' * 2_000] * 3_000)",
        "cdist(['ab' * 2_000] * 3_000, ['ba' * 2_000] * 3_000, 'jaro')",
    ],
)
def test_long_work_lets_other_threads_run_and_ends_with_ctrl_c(
    run: Callable[..., Result], strings: ModuleType, call: str
) -> None:
    # The other thread can send the signal only while the kernel runs without the GIL; else this hangs.
    result = run(f"""
        import os, signal, threading, time
        from rsimport.kernels.strings import *

        def interrupt():
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)

        try:
            threading.Thread(target=interrupt).start()
            {call}
        except KeyboardInterrupt:
            print("stopped")
    """)
    assert result.out == "stopped"
