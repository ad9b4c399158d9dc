"""examples/large_log.py: by whatever it is read, a log has the same counters, and they are right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import REPOSITORY, Result

EXAMPLE = REPOSITORY / "examples" / "large_log.py"


def test_every_reader_counts_the_same(run: Callable[..., Result], tmp_path: Path) -> None:
    for package in ("pyarrow", "polars", "dask", "distributed", "pandas"):
        pytest.importorskip(package)
    log, digests = tmp_path / "access.csv", set()
    for by in ("pyarrow", "polars", "dask"):
        text = run(
            [str(EXAMPLE), "--rows", "20000", "--log", str(log), "--by", by, "--workers", "1"], timeout=300
        ).stdout
        assert "20,000 lines" in text
        assert ("the workers took" in text) == (by == "dask")
        robot = re.search(r"^the robot: 1,2(\d\d) lines by the sketch, 1,250 in the log$", text, re.M)
        assert robot and 50 <= int(robot[1]) < 60
        assert re.findall(r"^203\.0\.113\.7 +1,25\d lines", text, re.M)
        assert int(re.findall(r"([\d,]+) MB at most in this process$", text, re.M)[0].replace(",", "")) > 20
        digests |= set(re.findall(r"^the counters: (\w+)$", text, re.M))
    assert len(digests) == 1


@pytest.mark.parametrize("option", ["--rows", "--workers", "--by"])
def test_what_makes_no_sense_is_a_usage_error(run: Callable[..., Result], option: str) -> None:
    result = run([str(EXAMPLE), option, "0"], check=False)
    assert result.returncode == 2
    assert f"argument {option}" in result.stderr
