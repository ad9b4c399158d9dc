"""Notebooks: the magic in a shell of this process, and what a real kernel sends to the front end."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from helpers import REPOSITORY, block, line_of, package, snapshot, value, write
from nbclient import NotebookClient
from test_reload import EDIT

import rsimport
from rsimport import _auto

InteractiveShell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell

USE = "use pyo3::prelude::*;\n"
MODULE = """#[pymodule]
fn {0}(m: &Bound<'_, PyModule>) -> PyResult<()> {{
    m.add_function(wrap_pyfunction!(value, m)?)
}}
"""
HELPER = {
    "helper/Cargo.toml": package("helper"),
    "helper/src/lib.rs": "fn unused() {}\npub fn number() -> i64 {\n    5\n}\n",
}


def fresh() -> int:
    """A number that no text in any cache has."""
    return uuid.uuid4().int >> 70


@pytest.fixture
def project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the notebook runs."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("IPYTHONDIR", str(project.parent / "ipython"))
    monkeypatch.setenv("JPY_SESSION_NAME", str(project / "a.ipynb"))
    return project


class Shell:
    """An IPython shell in which the extension is loaded."""

    def __init__(self) -> None:
        from traitlets.config import Config

        config = Config({"HistoryManager": {"enabled": False, "hist_file": ":memory:"}})
        self.ip: Any = InteractiveShell(config=config)
        self.run("%load_ext rsimport")

    def run(self, cell: str) -> Any:
        """What the cell's last line gives; an error in it is raised."""
        result = self.ip.run_cell(cell)
        result.raise_error()
        return result.result

    def fails(self, cell: str) -> Any:
        """The error that the cell ends with."""
        result = self.ip.run_cell(cell)
        error = result.error_before_exec or result.error_in_exec
        assert error is not None, "no error"
        return error


@pytest.fixture
def shell(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell of this process; what is imported in it is forgotten afterwards."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.syspath_prepend(str(project))
    known = set(sys.modules)
    with rsimport.install():
        started = Shell()
        yield started
        started.run("%unload_ext rsimport")
    for name in set(sys.modules) - known:
        if "__rsimport__" in vars(sys.modules[name]) or (project / f"{name}.py").exists():
            del sys.modules[name]


@pytest.fixture
def notebook(project: Path) -> Callable[..., list[list[Any]]]:
    """Runs cells in a real kernel, and tells what outputs each of them is left with."""

    def run_cells(*cells: str) -> list[list[Any]]:
        sheet = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        resources = {"metadata": {"path": str(project)}}
        client = NotebookClient(
            sheet, timeout=300, allow_errors=True, kernel_name="python3", resources=resources
        )
        client.execute()
        return [cell.outputs for cell in sheet.cells]

    return run_cells


def test_the_names_of_a_cell_are_there_and_its_module_can_be_imported(shell):
    cell = "%%rsimport -n k_names\n" + USE + value(41) + "fn hidden() {}\n"
    shell.run(cell)
    assert shell.run("value()") == 41
    shell.run("del value")
    shell.run(cell)
    assert shell.run("import k_names; value(), k_names.value()") == (41, 41)
    assert "hidden" not in shell.ip.user_ns


def test_a_cell_that_another_session_has_compiled_is_a_hit(shell):
    cell = "%%rsimport -n k_hit\n" + USE + value(42)
    shell.run(cell)
    del sys.modules["k_hit"], shell.ip.user_ns["value"]
    shell.run(cell)
    assert shell.run("value()") == 42 and not rsimport.info(sys.modules["k_hit"]).built


def test_a_changed_cell_replaces_its_module_and_the_names_that_it_no_longer_has(shell):
    shell.run("%%rsimport -n k\n" + USE + value(1) + value(2, "gone"))
    shell.run("import k; other = 3; gone_too = gone")
    shell.run("%%rsimport -n k\n" + USE + value(2))
    assert shell.run("value(), k.value(), other, hasattr(k, 'gone')") == (2, 2, 3, False)
    assert isinstance(shell.fails("gone"), NameError)


def test_a_cell_without_a_name_gets_one_that_what_it_defines_decides(shell):
    cell = "%%rsimport\n" + USE + value(43)
    names = []
    for text in (cell, cell.replace("43", "44"), cell + value(1, "other")):
        shell.run(text)
        names.append(shell.ip.user_ns["value"].__module__)
    assert names[0] == names[1] != names[2] and all(name.isidentifier() for name in names)
    shell.run("%%rsimport\n" + USE + value(44) + MODULE.format("own_name"))
    assert sys.modules["own_name"].value() == 44


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        ("", "", ""),
        ("", "", MODULE.format("k")),
        ("--deps 'helper = { path = \"helper\" }'", "", ""),
        ("", block("[dependencies]", 'helper = { path = "helper" }'), ""),
        ("--profile dev", "// rsimport\n", ""),
    ],
    ids=["plain", "own module", "dependencies", "own block", "marker"],
)
def test_diagnostics_name_the_cell_and_count_lines_as_the_notebook_does(
    shell, project, options, before, after
):
    write(project, HELPER)
    cell = f"%%rsimport -n k {options}\n{before}{USE}{value('WRONG')}{after}"
    line = next(number for number, text in enumerate(cell.splitlines(), 1) if "WRONG" in text)
    for _ in range(2):  # The first time cargo may compile it, the second time the recorded call.
        error = shell.fails(cell)
        assert isinstance(error, rsimport.CompileError)
        first = error.diagnostics[0]
        assert (first.file, first.line) == ("<cell k>", line)
        assert f"<cell k>:{line}:" in first.rendered and f"<cell k>:{line}: kernel `k`" in error.message
        assert "cells" not in str(error), str(error)


def test_an_error_in_a_cell_leaves_the_old_names(shell):
    shell.run("%%rsimport -n k\n" + USE + value(1))
    shell.fails("%%rsimport -n k\n" + USE + value("WRONG"))
    assert shell.run("import k; value(), k.value()") == (1, 1)


def test_a_fault_in_a_cells_own_block_names_its_line(shell):
    error = shell.fails("%%rsimport -n k\n" + block("[dependencie]") + USE + value(1))
    assert error.message.startswith("<cell k>:3: ")


@pytest.mark.parametrize(
    "deps",
    ["--deps 'helper={path=\"helper\"}'", '--deps \'helper = { path = "helper" }, other={path="other"}\''],
)
def test_dependencies_come_from_the_magic(shell, project, deps):
    write(project, {**HELPER, "other/Cargo.toml": package("other"), "other/src/lib.rs": ""})
    shell.run(f"%%rsimport -n k {deps}\n" + USE + value("helper::number()"))
    assert shell.run("value()") == 5


def test_what_the_magic_asks_for_is_added_to_the_cells_own_block(shell, project):
    write(
        project,
        {**HELPER, "other/Cargo.toml": package("other"), "other/src/lib.rs": "pub const TEN: i64 = 10;\n"},
    )
    own = block("[dependencies]", 'other = { path = "other" }')
    cell = f"%%rsimport -n k --deps 'helper={{path=\"helper\"}}'\n{own}{USE}"
    shell.run(cell + value("helper::number() + other::TEN"))
    assert shell.run("value()") == 15


def test_several_specifications_are_split_at_commas_and_spaces():
    from rsimport._notebook import _specs

    expected = ["numpy=0.30", "rand=0.9"]
    for given in ["numpy=0.30 rand=0.9"], ["numpy=0.30, rand = 0.9"], ["numpy=0.30,", "rand=0.9"]:
        assert _specs(given) == expected
    table = 'rand={ version="0.9", features=["small_rng", "std"] }'
    assert _specs([f"numpy {table}"]) == ["numpy", table]


def test_a_cell_reads_files_and_settings_of_the_folder_that_the_notebook_runs_in(shell, project):
    write(
        project,
        {
            "part.rs": "pub fn number() -> i64 {\n    7\n}\n",
            "data.txt": "12345",
            "pyproject.toml": '[tool.rsimport]\nprofile = "dev"\n',
        },
    )
    for own in ("", MODULE.format("k")):
        text = value('part::number() + include_str!("data.txt").len() as i64')
        shell.run(f"%%rsimport -n k\nmod part;\n{USE}{text}{own}")
        assert shell.run("value()") == 12
    artifact = rsimport.info(sys.modules["k"])
    assert artifact.profile == "dev"
    assert {Path(file).name for file in artifact.inputs} >= {"part.rs", "data.txt"}


def test_nothing_is_written_beside_the_notebook(shell, project):
    before = snapshot(project)
    shell.run("%%rsimport -n k\n" + USE + value(1))
    assert snapshot(project) == before


def test_force_and_profile_are_options(shell):
    cell = "\n" + USE + value(45)
    shell.run("%%rsimport -n k --profile dev" + cell)
    first = rsimport.info(sys.modules["k"])
    shell.run("%%rsimport -n k --profile dev -f" + cell)
    second = rsimport.info(sys.modules["k"])
    assert first.profile == second.profile == "dev" and first.path != second.path
    assert second.reason == "forced"
    rsimport.reload(sys.modules["k"])
    assert rsimport.info(sys.modules["k"]).path == second.path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%%rsimport -x", "-x"),
        ("%%rsimport -n", "-n"),
        ("%%rsimport -n 'a b'", "'a b'"),
        ("%%rsimport -n é", "'é'"),
        ("%%rsimport -n fn-1", "'fn-1'"),
        ("%%rsimport -n class", "'class'"),
        ("%%rsimport -n ../k", "'../k'"),
        ("%%rsimport -n json", "json"),
        ("%%rsimport auto", "'auto'"),
        ("%%rsimport -n 'k", "quotation"),
        ("%rsimport", "%rsimport -h"),
        ("%rsimport nonsense", "%rsimport -h"),
        ("%rsimport info nowhere", "nowhere"),
    ],
)
def test_a_wrong_option_is_one_clear_line(shell, capsys, line, words):
    import json  # noqa: F401

    error = shell.fails(f"{line}\n{USE}" if line.startswith("%%") else line)
    seen = capsys.readouterr()
    (shown,) = (seen.out + seen.err).splitlines()
    assert type(error).__name__ == "UsageError" and shown.startswith("UsageError: ") and words in shown


@pytest.mark.parametrize("deps", ["no/such", "'a=1 a=2'", "a=nonsense"])
def test_a_wrong_dependency_is_an_error_without_a_traceback(shell, capsys, deps):
    assert isinstance(shell.fails(f"%%rsimport --deps {deps}\n{USE}{value(1)}"), rsimport.ConfigError)
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.parametrize("line", ["%rsimport -h", "%rsimport --help", "%%rsimport -h\nx"])
def test_the_magic_explains_itself(shell, capsys, line):
    shell.run(line)
    text = capsys.readouterr().out
    assert all(word in text for word in ("--name", "--profile", "--force", "--deps", "auto", "off", "info"))


def test_after_unloading_the_magic_is_gone_and_loading_again_brings_it_back(shell):
    shell.run("%rsimport auto\n%unload_ext rsimport")
    assert type(shell.fails("%rsimport info")).__name__ == "UsageError"
    assert not any("rsimport" in repr(found) for found in shell.ip.events.callbacks["pre_run_cell"])
    shell.run("%load_ext rsimport\n%rsimport info")


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


def test_auto_tells_once_what_does_not_compile_and_the_cell_runs_with_the_old_module(automatic, capsys):
    automatic.run("edit('111', 'WRONG')")
    capsys.readouterr()
    assert automatic.run(EVERYWHERE) == (111,) * 5
    seen = capsys.readouterr().err
    assert "E0425" in seen and "k stays as it was" in seen and "Traceback" not in seen
    assert automatic.run("k.value()") == 111 and capsys.readouterr().err == ""
    automatic.run("edit('WRONG', '333')")
    assert automatic.run(EVERYWHERE) == (333,) * 5 and capsys.readouterr().err == ""


def test_auto_looks_at_the_other_files_of_a_kernel_too(shell, kernel, project):
    write(project, {"editing.py": EDIT, "part.rs": "pub fn number() -> i64 {\n    111\n}\n"})
    kernel("k", "mod part;\n" + value("part::number()"))
    shell.run("%rsimport auto\nimport k\nfrom editing import edit\nedit('111', 'WRONG', 'part.rs')")
    assert shell.run("k.value()") == 111
    shell.run("edit('WRONG', '222', 'part.rs')")
    assert shell.run("k.value()") == 222


def test_auto_reloads_nothing_where_nothing_has_changed(automatic, monkeypatch):
    monkeypatch.setattr(_auto, "reload", lambda module: pytest.fail("reloaded"))
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
    *_, (output,) = notebook("%load_ext rsimport\nimport rsimport.import_hook", cell)
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
