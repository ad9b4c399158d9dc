"""examples/fuzzy_join.py runs, and its counts agree with each other."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from helpers import REPOSITORY, Result

EXAMPLE = str(REPOSITORY / "examples" / "fuzzy_join.py")

Run = Callable[..., Result]


def test_it_finds_nearly_all_companies_in_spite_of_their_spelling(run: Run) -> None:
    pytest.importorskip("numpy")
    text = run([EXAMPLE, "--companies", "200"]).stdout
    same = int(re.findall(r"^200 names with \d+ names, of which (\d+) are the same company$", text, re.M)[0])
    rows = re.findall(r"^(equal|similarity).*? {2,}(\d+) +(\d+) +([\d.]+)% +([\d.]+)%$", text, re.M)
    assert [row[0] for row in rows] == ["equal", "similarity"]
    for _, pairs, right, precision, recall in rows:
        assert float(precision) == pytest.approx(100 * int(right) / int(pairs), abs=0.06)
        assert float(recall) == pytest.approx(100 * int(right) / same, abs=0.06)
    (_, _, _, _, equal_recall), (_, _, _, precision, recall) = rows
    assert float(precision) > 90
    assert float(recall) > 90 > 50 > float(equal_recall)


@pytest.mark.parametrize("number", ["0", "-5", "many"])
def test_a_size_that_makes_no_sense_is_a_usage_error(run: Run, number: str) -> None:
    pytest.importorskip("numpy")
    result = run([EXAMPLE, "--companies", number], check=False)
    assert result.returncode == 2
    assert "argument --companies" in result.stderr
