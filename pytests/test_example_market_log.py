"""examples/market_log.py prints a table on which both ways agree, and says so where they do not."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import REPOSITORY, Result

EXAMPLE = REPOSITORY / "examples" / "market_log.py"

Run = Callable[..., Result]


def test_it_prints_the_table_and_both_times(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "kept.rowlog"
    text = run([str(EXAMPLE), "--rows", "5000", "--log", str(log)]).stdout
    assert text.startswith("5,000 rows in ")
    assert log.stat().st_size > 5000 * 40
    table = re.findall(r"^ +(\d+) +([\d,]+) +([+-][\d.]+)$", text, re.M)
    assert [int(size) for size, _, _ in table] == [1, 2, 5, 10, 20, 50, 100, 500]
    assert sum(int(count.replace(",", "")) for _, count, _ in table) == 4999
    changes = [float(change) for _, _, change in table]
    assert changes == sorted(changes)
    assert changes[0] < 0 < changes[-1]
    assert "rows in Python and columns in Rust agree" in text
    times = re.findall(r"^(rows in Python|columns in Rust) +[\d,.]+ ms", text, re.M)
    assert times == ["rows in Python", "columns in Rust"]


def test_it_works_with_a_single_row_and_leaves_no_log(run: Run, tmp_path: Path) -> None:
    result = run([str(EXAMPLE), "--rows", "1"], env={"TMPDIR": str(tmp_path)})
    assert result.stdout.startswith("1 rows in ")
    assert list(tmp_path.glob("**/*.rowlog")) == []


def test_it_stops_when_the_ways_disagree(shared_cache: object, tmp_path: Path) -> None:
    example = runpy.run_path(str(EXAMPLE))
    example["write_trades"](tmp_path / "t.rowlog", 100)
    reader = example["RowReader"](tmp_path / "t.rowlog")

    class Wrong:
        rows = reader.rows

        def mean_change_by(self, by: str, of: str) -> object:
            return reader.mean_change_by(by, "price")

    with pytest.raises(SystemExit, match="the two ways disagree"):
        example["compare"](Wrong())


@pytest.mark.parametrize("number", ["0", "-5", "many"])
def test_a_size_that_makes_no_sense_is_a_usage_error(run: Run, number: str) -> None:
    result = run([str(EXAMPLE), "--rows", number], check=False)
    assert result.returncode == 2
    assert "argument --rows" in result.stderr
