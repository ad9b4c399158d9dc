"""The example that draws the bifurcation diagram."""

from __future__ import annotations

import os
import re

import pytest
from helpers import REPOSITORY

EXAMPLE = str(REPOSITORY / "examples" / "bifurcation.py")


def test_bifurcation_finds_the_doublings_and_draws_a_picture(run, tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "picture.png"
    text = run([EXAMPLE, "--width", "300", "--height", "200", "--out", str(out)]).stdout
    rows = re.findall(r"^ +(\d) +([\d.]+) +([\d.]+)$", text, re.M)
    assert [row[0] for row in rows] == ["2", "4"]
    for _, found, theory in rows:
        assert float(found) == pytest.approx(float(theory), abs=1e-4)
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "300 values of r" in text


def test_bifurcation_without_matplotlib_says_what_to_install(run, tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('none', name='matplotlib')")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    seen = run([EXAMPLE], env={"PYTHONPATH": path}, check=False)
    assert seen.returncode == 1
    assert "the picture needs matplotlib: pip install matplotlib" in seen.stderr
    assert "Traceback" not in seen.stderr
