"""The benchmarks that need only a C compiler and rsimport: what they compare gives the right results."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import LIMIT, REPOSITORY

UNABLE = {
    ("logistic", "C API, METH_O"),
    ("method", "rsimport, C API by hand"),
    ("change", "rsimport, C API by hand"),
    ("array", "rsimport, C API by hand"),
}
"""What is not compared: the subject, and the contestant that cannot do it."""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_every_way_to_call_gives_the_same_and_is_measured(tmp_path: Path, shared_cache: Path) -> None:
    pytest.importorskip("numpy")
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "calls.py"), "--rounds", "1"]
    report = tmp_path / "calls.json"
    done = subprocess.run(
        [
            *command,
            "--only",
            "python",
            "capi",
            "rsimport",
            "--json",
            str(report),
            "--cache",
            str(shared_cache),
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    assert not found["left_out"]
    cells = {
        (key, name): own
        for key, subject in found["subjects"].items()
        for name, own in subject["contestants"].items()
    }
    assert {at for at, own in cells.items() if own["steady"] is None} == UNABLE
    assert all(cells[at]["note"] for at in UNABLE)
    assert "METH_FASTCALL" in done.stdout
