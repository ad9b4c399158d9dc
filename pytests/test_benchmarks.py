"""The benchmarks whose contestants need only a C compiler: what they compare gives the right results."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from helpers import LIMIT, REPOSITORY


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_every_calling_convention_gives_the_same_and_is_measured(tmp_path):
    pytest.importorskip("numpy")
    command = [sys.executable, str(REPOSITORY / "benchmarks" / "calls.py"), "--only", "python", "capi"]
    report = tmp_path / "calls.json"
    done = subprocess.run(
        [*command, "--rounds", "1", "--json", str(report)], capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    assert not found["left_out"]
    for subject in found["subjects"].values():
        for name, own in subject["contestants"].items():
            assert (own["steady"] is None) == (name == "C API, METH_O" and "logistic" in subject["title"])
    assert "METH_FASTCALL" in done.stdout
