"""examples/access_log.py finds the robots of its log, and its figures bear out what it says."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from helpers import REPOSITORY, Result

EXAMPLE = REPOSITORY / "examples" / "access_log.py"


def test_finds_the_robots_and_the_guesser(run: Callable[..., Result]) -> None:
    text = run([str(EXAMPLE), "--requests", "20000"]).stdout
    assert text.startswith("20,000 requests from ")
    blocks = dict(
        re.findall(r"^(busiest address|most often refused|most bytes sent) .*\n((?:.+\n)+)", text, re.M)
    )
    rows = {
        title: [
            (name.strip(), *(int(number.replace(",", "")) for number in numbers))
            for name, *numbers in re.findall(r"^(.{28})  +([\d,]+)  +([\d,]+)  +([\d,]+)$", block, re.M)
        ]
        for title, block in blocks.items()
    }
    assert [len(block) for block in rows.values()] == [3, 1, 5]
    assert [name for name, *_ in rows["busiest address"]] == ["203.0.113.7", "203.0.113.99", "198.51.100.23"]
    assert rows["most often refused"][0][0] == "198.51.100.23 403"
    assert rows["most bytes sent"][0][0] == "/page/1"
    for block in rows.values():
        for name, sketch, exact, surplus in block:
            assert sketch - exact == surplus >= 0, name
            assert exact > 0, name
    assert "too low for 0 paths" in text


@pytest.mark.parametrize("number", ["0", "-5", "many"])
def test_a_size_that_makes_no_sense_is_a_usage_error(run: Callable[..., Result], number: str) -> None:
    result = run([str(EXAMPLE), "--requests", number], check=False)
    assert result.returncode == 2
    assert "argument --requests" in result.stderr
