"""What a notebook shows of kernels, their errors, warnings and progress."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from helpers import REPOSITORY, block, line_of, value, write
from notebooks import HELPER, USE, fresh

import rsimport


def test_info_shows_a_table_of_all_kernels_or_everything_about_one(shell, kernel, capsys):
    shell.run("%rsimport info")
    kernel("k", value(1) + "fn unused() {}\n")
    shell.run("%%rsimport -n a_cell\n" + USE + value(46))
    shell.run("import k")
    capsys.readouterr()
    shell.run("%rsimport info")
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["kernel", "source", "why", "built", "seconds", "profile", *head.split()[6:]]
    rows = [row for row in rows if row.startswith(("a_cell ", "k "))]
    assert "<cell a_cell>" in rows[0] and " k.rs " in rows[1] and "first build" in rows[1]
    shell.run("%rsimport info k")
    text = capsys.readouterr().out
    artifact = rsimport.info(sys.modules["k"])
    for fact in (
        artifact.source,
        artifact.path,
        "first build",
        f"{artifact.seconds:.2f}",
        "release",
        "dead_code",
    ):
        assert fact in text


def text_of(outputs: list[Any], name: str) -> str:
    return "".join(output["text"] for output in outputs if output.get("name") == name)


@pytest.mark.parametrize(
    "statement", ["import k", "%%rsimport -n c\nCELL", "import rsimport; rsimport.imp('k')"]
)
def test_a_kernel_shows_the_compilers_colours_and_no_traceback(notebook, kernel, statement):
    kernel("k", value("WRONG"))
    cell = statement.replace("CELL", USE + value("WRONG"))
    *_, outputs = notebook("%load_ext rsimport", cell)
    (output,) = (output for output in outputs if output["output_type"] == "error")
    shown = "\n".join(output["traceback"])
    assert output["ename"] == "CompileError" and "E0425" in shown and "\x1b[" in shown
    assert "Traceback" not in shown and "_loader.py" not in shown and "_notebook.py" not in shown


def test_a_terminal_shows_the_compilers_words_and_no_traceback(kernel, run):
    path = kernel("k", value("WRONG"))
    said = run(["-m", "IPython", "-c", "import rsimport.import_hook, k"], check=False)
    assert f"{path}:{line_of(path, 'WRONG')}" in said.text and "E0425" in said.text
    assert "Traceback" not in said.text


def test_warnings_of_a_kernel_are_shown_once_for_a_build_and_never_those_of_dependencies(
    notebook, kernel, project
):
    write(project, HELPER)
    kernel(
        "k",
        "fn unused_here() {}\n" + value("helper::number()"),
        block=block("[dependencies]", 'helper = { path = "helper" }'),
    )
    cell = "%%rsimport -n c\n" + USE + "fn unused_cell() {}\n" + value(fresh())
    outputs = notebook(
        "%load_ext rsimport\nimport rsimport.import_hook",
        "import k",
        "import importlib; importlib.reload(k); del __import__('sys').modules['k']; import k",
        cell,
        cell,
        "import c\nof_k, of_c = (__import__('rsimport').info(m).warnings for m in (k, c))",
        "print(len(of_k), len(of_c), of_c[0].file)",
    )
    said = [text_of(found, "stderr") for found in outputs]
    assert "unused_here" in said[1] and "`unused`" not in said[1] and said[2] == ""
    assert "<cell c>:3:4" in said[3] and said[4] == ""
    assert all("\x1b[" in text for text in (said[1], said[3]))
    assert text_of(outputs[6], "stdout").strip() == "1 1 <cell c>"


def test_progress_leaves_nothing_behind_that_can_be_seen(notebook, kernel):
    kernel("k", value(1))
    _, _, cell, imported = notebook(
        "%load_ext rsimport\nimport rsimport.import_hook",
        "from rsimport import _progress\n_progress.PATIENCE = 0.01",
        "%%rsimport -n c\n" + USE + value(fresh()),
        "print('before')\nimport k\nprint('after')",
    )
    assert cell == []
    assert text_of(imported, "stdout") == "before\nafter\n"
    (remains,) = [output for output in imported if output["output_type"] != "stream"]
    assert remains["output_type"] == "display_data" and remains["data"] == {}


def test_the_example_notebook_runs_and_draws(notebook):
    path = REPOSITORY / "examples" / "notebook.ipynb"
    nbformat = pytest.importorskip("nbformat")
    stored = nbformat.read(path, 4)
    nbformat.validate(stored)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    outputs = notebook(*(cell.source for cell in code))
    assert not [output for found in outputs for output in found if output["output_type"] == "error"]
    for found in (outputs, [cell.outputs for cell in code]):
        assert any("image/png" in output.get("data", {}) for output in found[-1])
    text = re.sub(r'"image/png": ".*?"', "", path.read_text())
    assert not re.search(r"/(home|root|tmp|usr|Users|work)\b|cpython-3", text)
    assert path.stat().st_size < 100_000
