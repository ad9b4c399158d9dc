"""What a notebook is told: names of other cells, cells of one name, former classes, errors that remain."""

from __future__ import annotations

import sys

import pytest
from helpers import value, write
from notebooks import USE
from test_reload import EDIT

CLASS = """#[pyclass]
struct Counter {
    #[pyo3(get)]
    n: i64,
}
#[pymethods]
impl Counter {
    #[new]
    fn new() -> Self {
        Counter { n: NUMBER }
    }
}
"""


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told is compared without colours."""
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_call_into_another_cell_is_explained_with_what_to_paste(shell, project):
    helper = "fn helper(x: i64) -> i64 {\n    x + 1\n}\n\nstruct Shared;\n"
    shell.run("%%rsimport -n first\n" + USE + helper + value("helper(1)"))
    cell = "%%rsimport -n second\n" + USE + value("helper(4)", "other")
    error = shell.fails(cell)
    assert error.hint.startswith("every cell is a crate of its own and <cell first> another one")
    _, _, pasted = error.hint.partition("\n")
    assert pasted.strip() == helper.partition("\n\n")[0]
    shell.run(cell + pasted)
    assert shell.run("other()") == 5
    for call in ("first::helper(1)", "{ use first::helper; helper(1) }", "{ let _: Shared; 1 }"):
        hint = shell.fails("%%rsimport -n third\n" + USE + value(call, "third")).hint
        assert hint and "<cell first>" in hint, call
    # What is nowhere is no other cell's.
    assert "<cell" not in (
        shell.fails("%%rsimport -n third\n" + USE + value("nowhere(1)", "third")).hint or ""
    )


def test_two_cells_of_one_name_are_told(shell, capsys, monkeypatch):
    def run(name: str, cell: str, text: str) -> str:
        shell.ip.get_parent = lambda: {"metadata": {"cellId": cell}}
        shell.run(f"%%rsimport -n {name}\n{USE}{text}")
        return capsys.readouterr().err

    monkeypatch.setattr(type(shell.ip), "get_parent", lambda self: {}, raising=False)
    assert run("two", "a", value(1, "first")) == ""
    assert run("two", "a", value(1, "renamed")) == ""
    said = run("two", "b", value(2, "second"))
    assert "another cell was called two" in said and "renamed" in said and "-n" in said
    assert "second" in run("two", "a", value(1, "renamed"))
    assert run("other", "c", value(1, "first")) == ""
    # A terminal has no cells, but an edit leaves something of what was there.
    for cell, text, told in [
        ("", value(1, "x"), False),
        ("", value(1, "x") + value(1, "y"), False),
        ("", value(2, "y"), False),
        ("", value(1, "z"), True),
    ]:
        assert ("another cell" in run("plain", cell, text)) == told, text


def test_objects_of_a_former_class_are_told_once(shell, capsys, kernel, project):
    write(project, {"editing.py": EDIT})
    for number, told in ((1, False), (2, True), (3, False)):
        shell.run(f"%%rsimport -n classes\n{USE}" + CLASS.replace("NUMBER", str(number)))
        assert ("isinstance" in capsys.readouterr().err) == told
        shell.run("held = Counter()" if number == 1 else "None")
    shell.run("%%rsimport -n unheld\n" + USE + CLASS.replace("NUMBER", "1").replace("Counter", "Free"))
    shell.run("%%rsimport -n unheld\n" + USE + CLASS.replace("NUMBER", "2").replace("Counter", "Free"))
    assert capsys.readouterr().err == ""
    kernel("k", CLASS.replace("NUMBER", "1111").replace("Counter", "Filed"))
    shell.run("import k\nfrom editing import edit\n%rsimport auto\nheld = {'a': [k.Filed()]}")
    shell.run("edit('1111', '2222')")
    shell.run("None")
    said = capsys.readouterr().err
    assert "what held holds is of the Filed" in said and "held, " not in said


def test_what_does_not_compile_is_told_before_each_cell_until_it_is_mended(shell, capsys, kernel, project):
    write(project, {"editing.py": EDIT})
    path = kernel("k", value(111))
    shell.run("import k\nfrom editing import edit\n%rsimport auto")
    shell.run("edit('111', 'WRONG')")
    shell.run("None")
    assert "error[E0425]" in capsys.readouterr().err
    for _ in range(2):
        shell.run("None")
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"k stays as it was: {path}:") and "WRONG" in line
    shell.run("edit('WRONG', '222')")
    capsys.readouterr()
    assert shell.run("k.value()") == 222 and capsys.readouterr().err == ""
    path.unlink()
    shell.run("None")
    assert "k stays as it was" in capsys.readouterr().err
    write(project, {"other.py": ""})
    shell.run("None")
    assert capsys.readouterr().err == ""  # One that was removed is told once.
    # A cell has told it itself.
    shell.run("%%rsimport -n c\n" + USE + value(1))
    shell.fails("%%rsimport -n c\n" + USE + value("WRONG"))
    capsys.readouterr()
    shell.run("None")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("c stays as it was: <cell c>:5: ")
    shell.run("%%rsimport -n d\n" + USE + value(2))  # Another cell changes nothing about it.
    capsys.readouterr()
    shell.run("None")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("c stays as it was: <cell c>:5: ")
    shell.run("%%rsimport -n c\n" + USE + value(1))
    shell.run("None")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%%rsimport step", "did you mean %%rsimport -n step?"),
        ("%%rsimport auto", "did you mean %rsimport auto, with one %?"),
        ("%%rsimport a b", "%rsimport -h"),
        ("%%rsimport -n a b", "%rsimport -h"),
        ("%rsimport inof", "did you mean %rsimport info?"),
        ("%rsimport -n step", "write %%rsimport -n step above it"),
        ("%rsimport auto --deps rand", "%%rsimport auto --deps rand"),
    ],
)
def test_a_mistyped_magic_says_what_was_meant(shell, line, words):
    assert words in str(shell.fails(f"{line}\n{USE}" if line.startswith("%%") else line))


@pytest.mark.parametrize("line", ["!ls", "%time", "%%timeit"])
def test_a_line_for_ipython_within_rust_is_called_so(shell, line):
    hint = shell.fails(f"%%rsimport -n k\n{line}\n{USE}{value(1)}").hint
    assert hint == f"all below %%rsimport is Rust; move `{line}` into a cell of its own"


@pytest.mark.parametrize("line", ["value()", "x = k.value()", "import numpy as np", "from k import value"])
def test_python_below_rust_is_called_so(shell, line):
    hint = shell.fails(f"%%rsimport -n k\n{USE}{value(1)}\n{line}").hint
    assert hint == f"all below %%rsimport is Rust; move `{line}` into a cell of its own"


@pytest.mark.parametrize("above", ["\n\n", "%%time\n", "\n%%time\n", ""])
def test_lines_above_the_magic_count(shell, above, capsys):
    cell = f"{above}%%rsimport -n k\n{USE}{value('WRONG')}"
    line = next(number for number, text in enumerate(cell.splitlines(), 1) if "WRONG" in text)
    shell.ip.run_cell(cell)
    seen = capsys.readouterr()
    assert f"<cell k>:{line}: kernel `k`" in seen.out + seen.err


@pytest.mark.parametrize("above", ["import os", "!ls", "x = 1\n"])
def test_what_stands_above_the_magic_is_told(shell, above, capsys):
    shell.ip.run_cell(f"{above}\n%%rsimport -n k\n{USE}{value(1)}")
    assert "%%rsimport has to be the first line of its cell" in capsys.readouterr().err
    shell.ip.run_cell("x = (\n")
    assert "rsimport" not in capsys.readouterr().err


def test_loading_installs_the_hook_and_unloading_takes_only_its_own(project, kernel, monkeypatch):
    from notebooks import Shell

    from rsimport import _finder

    monkeypatch.setattr(_finder, "_hooks", [])
    _finder._leave()
    monkeypatch.syspath_prepend(str(project))
    kernel("k_hooked", value(7))
    try:
        shell = Shell()
        assert shell.run("import k_hooked; k_hooked.value()") == 7
        shell.run("%reload_ext rsimport")
        assert len(_finder._hooks) == 1
        shell.run("%unload_ext rsimport")
        assert _finder.path_hook not in sys.path_hooks
        with _finder.install():
            shell.run("%load_ext rsimport\n%unload_ext rsimport")
            assert _finder.path_hook in sys.path_hooks
    finally:
        sys.modules.pop("k_hooked", None)
        _finder._leave()


def test_the_tab_key_offers_what_may_follow(shell, project):
    shell.run("%%rsimport -n completed\n" + USE + value(1))
    write(project, {"k.rs": "", "sub/l.rs": "", "m.py": ""})

    def offered(line: str) -> list[str]:
        return shell.ip.complete(None, line, len(line))[1]

    assert offered("%rsimport ") == ["auto", "off", "info", "doctor", "--help"]
    assert offered("%rsimport au") == ["auto"]
    assert offered("%rsimport info comp") == ["completed"]
    assert offered("%rsimport doctor ") == ["k.rs", "sub/"] and offered("%rsimport doctor sub/") == [
        "sub/l.rs"
    ]
    assert offered("%%rsimport --pro") == ["--profile"] and offered("%%rsimport --profile d") == ["dev"]
    assert offered("%%rsimport -n comp") == ["completed"]
    shell.run("%unload_ext rsimport")
    assert "auto" not in offered("%rsimport ")


def test_help_is_in_the_question_mark_and_doctor_in_the_magic(shell, capsys):
    for line in ("%rsimport?", "%%rsimport?"):
        shell.run(line)
        text = capsys.readouterr().out
        assert all(word in text for word in ("[-n NAME]", "--deps", "auto", "off", "info", "doctor"))
    shell.run("%rsimport doctor")
    text = capsys.readouterr().out
    assert "rustc" in text and "linker" in text and "FAILED" not in text
