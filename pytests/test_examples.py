"""The shipped examples run and print what they promise, on small input."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable

import pytest
from helpers import REPOSITORY, Result

EXAMPLES = REPOSITORY / "examples"

Run = Callable[..., Result]


def test_bench_logistic_prints_three_times_and_the_two_ratios_between_them(run: Run) -> None:
    text = run([str(EXAMPLES / "bench_logistic.py"), "--steps", "2000000"]).stdout
    assert "after 10 steps, Python and Rust agree" in text
    assert "2,000,000 steps, best of 3" in text
    times = {name: float(ms) for name, ms in re.findall(r"^(.+?) +([\d.,]+) ms ", text, re.M)}
    assert list(times) == ["python", "rust batched", "rust per step"]
    for above, ratio in re.findall(r"^(.+?) / rust batched +([\d.]+) x", text, re.M):
        assert float(ratio) == pytest.approx(times.pop(above) / times["rust batched"], rel=0.2)
    assert list(times) == ["rust batched"]


def test_bench_logistic_stops_when_the_languages_disagree() -> None:
    example = runpy.run_path(str(EXAMPLES / "bench_logistic.py"))
    with pytest.raises(SystemExit, match="disagree after 10 steps"):
        example["compare"](lambda steps, r, x: 0.104009713)


def test_heavy_hitters_finds_the_busiest_addresses(run: Run) -> None:
    text = run([str(EXAMPLES / "heavy_hitters.py"), "--packets", "20000"]).stdout
    assert text.startswith("20,000 packets from ")
    rows = re.findall(r"^([\d.]+) +([\d,]+) +([\d,]+) +([\d,]+)$", text, re.M)
    assert len(rows) == 10
    for address, *counts in rows:
        sketch, exact, surplus = (int(count.replace(",", "")) for count in counts)
        assert sketch - exact == surplus >= 0, address
    assert int(re.findall(r"of the true top 10, the sketch found (\d+)", text)[0]) >= 8
    assert "counted too low: 0 addresses" in text


@pytest.mark.parametrize("arguments", [("bench_logistic.py", "--steps"), ("heavy_hitters.py", "--packets")])
@pytest.mark.parametrize("number", ["0", "-5", "many"])
def test_a_size_that_makes_no_sense_is_a_usage_error(
    run: Run, arguments: tuple[str, str], number: str
) -> None:
    script, option = arguments
    result = run([str(EXAMPLES / script), option, number], check=False)
    assert result.returncode == 2
    assert f"argument {option}" in result.stderr
