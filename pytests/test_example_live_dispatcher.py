"""examples/live_dispatcher.py runs and prints what it promises, on small input."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from helpers import REPOSITORY, Result

EXAMPLE = str(REPOSITORY / "examples" / "live_dispatcher.py")

Run = Callable[..., Result]


def test_it_shows_ticks_an_error_and_what_a_flood_costs_both_ways(run: Run) -> None:
    text = run([EXAMPLE, "--events", "20000"]).stdout
    assert re.findall(r"^tick (\d) after 0?[\d.]+ s$", text, re.M) == list("01234")
    errors = re.findall(r"the callback of 'fail' raised ZeroDivisionError for (\d+)$", text, re.M)
    assert set(errors) <= {"0", "40"} and "0" in errors
    delivered, failed = re.findall(r"^(\d+) events, (\d) of them with an error", text, re.M)[0]
    assert int(failed) == len(errors) and 6 <= int(delivered) <= 5 + 41
    assert "20,000 events from a Rust thread" in text
    rows = re.findall(r"^(one by one|in batches) +([\d,]+) +([\d.,]+) +([\d,]+) +([\d.]+)$", text, re.M)
    calls = {name: int(count.replace(",", "")) for name, count, *_ in rows}
    assert calls["one by one"] == 20_000
    assert 20 <= calls["in batches"] <= 20_000
    for _, _, ms, rate, cost in rows:
        seconds = float(ms.replace(",", "")) / 1e3
        assert float(rate.replace(",", "")) == pytest.approx(20_000 / seconds, rel=0.1)
        assert float(cost) == pytest.approx(seconds / 20_000 * 1e9, rel=0.1)
    assert re.search(r"^one by one / in batches +[\d.]+ x$", text, re.M)


@pytest.mark.parametrize("number", ["0", "-5", "many"])
def test_a_number_of_events_that_makes_no_sense_is_a_usage_error(run: Run, number: str) -> None:
    result = run([EXAMPLE, "--events", number], check=False)
    assert result.returncode == 2
    assert "argument --events" in result.stderr
