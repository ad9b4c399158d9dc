"""Kernels kept up to date before each cell: `%rsimport auto`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import value, write
from notebooks import Shell
from test_reload import EDIT

import rsimport
from rsimport import _autoreload


@pytest.fixture
def automatic(shell: Shell, kernel: Callable[..., Path], project: Path) -> Shell:
    """A shell with `%rsimport auto`, a kernel `k`, and a function `edit` that changes it."""
    kernel("k", value(111) + value(5, "other"))
    write(project, {"editing.py": EDIT, "holder.py": "import k\nfrom k import value as taken\n"})
    shell.run("from editing import edit")
    shell.run("%rsimport auto\nimport k, holder\nfrom k import value\nfrom k import value as alias")
    return shell


EVERYWHERE = "k.value(), value(), alias(), holder.k.value(), holder.taken()"


def test_auto_brings_modules_and_names_up_to_date_wherever_they_are(automatic):
    automatic.run("edit('111', '222')")
    assert automatic.run(EVERYWHERE) == (222,) * 5
    automatic.run("edit('222', '111')")
    assert automatic.run(EVERYWHERE) == (111,) * 5


def test_off_ends_auto(automatic):
    automatic.run("%rsimport off\nedit('111', '222')")
    assert automatic.run(EVERYWHERE) == (111,) * 5


def test_auto_tells_what_does_not_compile_and_the_cell_runs_with_the_old_module(automatic, capsys):
    automatic.run("edit('111', 'WRONG')")
    capsys.readouterr()
    assert automatic.run(EVERYWHERE) == (111,) * 5
    seen = capsys.readouterr().err
    assert "E0425" in seen and "k stays as it was" in seen and "Traceback" not in seen
    assert automatic.run("k.value()") == 111 and len(capsys.readouterr().err.splitlines()) == 1
    automatic.run("edit('WRONG', '333')")
    capsys.readouterr()
    assert automatic.run(EVERYWHERE) == (333,) * 5 and capsys.readouterr().err == ""


def test_auto_looks_at_the_other_files_of_a_kernel_too(shell, kernel, project):
    write(project, {"editing.py": EDIT, "part.rs": "pub fn number() -> i64 {\n    111\n}\n"})
    kernel("k", "mod part;\n" + value("part::number()"))
    shell.run("%rsimport auto\nimport k\nfrom editing import edit\nedit('111', 'WRONG', 'part.rs')")
    assert shell.run("k.value()") == 111
    shell.run("edit('WRONG', '222', 'part.rs')")
    assert shell.run("k.value()") == 222


def test_auto_reloads_nothing_where_nothing_has_changed(automatic, monkeypatch):
    monkeypatch.setattr(_autoreload, "reload", lambda module: pytest.fail("reloaded"))
    automatic.run("import os, pathlib; os.utime('k.rs')")
    assert automatic.run("k.value()") == 111


def test_auto_leaves_the_optimised_build_of_the_same_text_for_the_next_reload(
    automatic, project, monkeypatch
):
    automatic.run("edit('111', '222')")
    assert automatic.run("import rsimport\nbefore = k.__file__\nrsimport.info(k).tier") == "fast"
    with monkeypatch.context() as patch:
        patch.setenv("RSIMPORT_TIER", "optimized")
        optimised = rsimport.build_filepath(project / "k.rs")
    assert automatic.run("k.__file__ == before")
    assert automatic.run("rsimport.reload(k).__file__") == optimised


@pytest.mark.parametrize("order", [["%autoreload 2", "%rsimport auto"], ["%rsimport auto", "%autoreload 2"]])
def test_auto_works_together_with_autoreload(shell, kernel, project, order):
    kernel("k", value(111))
    write(
        project,
        {"editing.py": EDIT, "other.py": "from k import value\ndef call():\n    return value() + 1000\n"},
    )
    shell.run("%load_ext autoreload")
    for line in order:
        shell.run(line)
    shell.run("import k, other\nfrom other import call\nfrom editing import edit")
    shell.run("edit('111', '222')\nedit('1000', '20000', 'other.py')")
    assert shell.run("call(), other.call(), other.value()") == (20222, 20222, 222)


def test_ctrl_c_in_a_build_before_a_cell_stops_the_cell_too(automatic, capsys, monkeypatch):
    automatic.run("edit('111', '222')\nruns = []")

    def interrupted(module):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_autoreload, "reload", interrupted)
        capsys.readouterr()
        error = automatic.fails("runs.append(1)")
        assert isinstance(error, KeyboardInterrupt)
        automatic.fails("no syntax of Python")
    shown = capsys.readouterr()
    told = "KeyboardInterrupt: k was not compiled to its end; run the cell again to go on"
    assert told in shown.out and not {"Traceback", "callback"} & set((shown.out + shown.err).split())
    assert automatic.run("(runs, k.value())") == ([], 222)
