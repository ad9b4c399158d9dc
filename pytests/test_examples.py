"""The shipped examples run and print what they promise, on small input."""

from __future__ import annotations

import math
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


def test_integrals_are_pi_whoever_is_called(run: Run) -> None:
    text = run([str(EXAMPLES / "integrals.py"), "--points", "20000"]).stdout
    rows = re.findall(r"^(\w+, by .+?)  +([\d.]+)  +([\d.e-]+)  +([\d.]+)$", text, re.M)
    ways = [name for name, *_ in rows]
    assert ways[:3] == ["Python, by a loop in Python", "Python, by the kernel", "Rust, by its capsule"]
    for name, result, error, nanoseconds in rows:
        assert float(result) == pytest.approx(math.pi, abs=1e-8), name
        assert abs(float(result) - math.pi) == pytest.approx(float(error), abs=1e-11), name
        assert float(nanoseconds) > 0, name


def test_every_way_of_calling_counts_to_the_end(run: Run) -> None:
    text = run([str(EXAMPLES / "price_of_a_call.py"), "--calls", "50000"]).stdout
    assert text.startswith("from 0 to 50,000 by calls")
    rows = re.findall(r"^(.+?)  +50,000  +([\d.]+)$", text, re.M)
    assert [name for name, _ in rows] == ["a function in Python", "the kernel", "the same address, by ctypes"]


def test_counting_wrong_is_noticed() -> None:
    example = runpy.run_path(str(EXAMPLES / "price_of_a_call.py"))
    example["main"].__globals__["ways"] = lambda: [("by two", lambda i: i + 2)]
    with pytest.raises(SystemExit, match="by two arrived at 20, not at 10"):
        example["main"](["--calls", "10"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("bench_logistic.py", "--steps"),
        ("heavy_hitters.py", "--packets"),
        ("integrals.py", "--points"),
        ("price_of_a_call.py", "--calls"),
    ],
)
@pytest.mark.parametrize("number", ["0", "-5", "many"])
def test_a_size_that_makes_no_sense_is_a_usage_error(
    run: Run, arguments: tuple[str, str], number: str
) -> None:
    script, option = arguments
    result = run([str(EXAMPLES / script), option, number], check=False)
    assert result.returncode == 2
    assert f"argument {option}" in result.stderr
