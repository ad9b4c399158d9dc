"""A short run of the fuzz targets; `make fuzz` is a long one."""

from __future__ import annotations

import re
from pathlib import Path

from fuzz import TARGETS
from fuzz.target import Journal
from helpers import REPOSITORY


def test_random_inputs_break_no_promise_of_the_shipped_kernels(run):
    """All in one process: what takes time in so few inputs is the start of Python."""
    found = run(["-m", "fuzz", "--inputs", "200", "--together"], cwd=REPOSITORY / "pytests")
    assert [line.split() for line in found.out.splitlines()] == [[name, "200"] for name in TARGETS]


def test_an_input_that_ends_the_process_is_reported(run):
    found = run(["-m", "fuzz", "--inputs", "1000", "crashing"], cwd=REPOSITORY / "pytests", check=False)
    assert found.returncode == 1
    words = " ".join(found.out.replace("│", " ").split())
    assert "it ends with SIGABRT at input" in words and re.search(r"'shape', \d*07\b", words), words


def test_what_a_journal_is_told_is_read_by_another(tmp_path: Path):
    path = tmp_path / "journal"
    writer, reader = Journal(path, new=True), Journal(path)
    writer.count, writer.text = 7, "é" * 100_000
    assert reader.count == 7 and reader.text.startswith("é" * 1000)
