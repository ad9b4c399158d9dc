"""Cells as kernels: `%%rsimport` and its options."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers import block, package, rlibs, snapshot, value, write
from notebooks import HELPER, MODULE, USE

import rsimport


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
        ("--profile profiling", "// rsimport\n", ""),
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


def test_an_error_in_a_cell_leaves_the_old_names_and_what_was_compiled(own_cache, shell):
    shell.run("%%rsimport -n k\n" + USE + value(1))
    before = rlibs(own_cache, "*")
    shell.fails("%%rsimport -n k\n" + USE + value("WRONG"))
    shell.fails("%%rsimport -n k -f\n" + USE + value("WRONG"))
    assert shell.run("import k; value(), k.value()") == (1, 1)
    assert before and rlibs(own_cache, "*") == before


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
    shell.run("%%rsimport -n k --profile profiling" + cell)
    first = rsimport.info(sys.modules["k"])
    shell.run("%%rsimport -n k --profile profiling -f" + cell)
    second = rsimport.info(sys.modules["k"])
    assert first.profile == second.profile == "profiling" and first.path != second.path
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
