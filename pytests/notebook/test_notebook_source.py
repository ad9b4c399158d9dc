"""What `?`, `??`, `%psource` and `%pfile` show of Rust: sources, files, and signatures with types."""

from __future__ import annotations

import inspect
import re

import pytest
from helpers import write
from notebooks import CONFIG, USE, Shell

import rsimport

LIBRARY = """/// Sums a list.
#[pyfunction]
#[pyo3(signature = (a, scale=1.0, *rest))]
fn total(a: Vec<f64>, scale: f64, rest: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<f64> {
    Ok(a.iter().sum::<f64>() * scale + rest.len() as f64)
}

#[pyfunction(name = "python_name")]
fn rust_name(a: i64) -> i64 {
    a // part of python_name
}

fn hidden() {}

/// Counts.
#[pyclass(name = "Count", subclass)]
struct Counter {
    #[pyo3(get)]
    number: u64,
}

#[pymethods]
impl Counter {
    #[new]
    fn make(number: u64) -> Self {
        hidden();
        Counter { number }
    }

    fn add(&mut self, other: PyRef<'_, Counter>) -> Option<u64> {
        other.number.checked_add(self.number)
    }

    #[getter]
    fn get_half(&self) -> f64 {
        self.number as f64 / 2.0
    }

    #[staticmethod]
    fn zero() -> Self {
        Counter { number: 0 }
    }
}

macro_rules! made {
    ($name:ident) => {
        #[pyfunction]
        fn $name() -> u8 {
            1
        }
    };
}
made!(by_macro);

#[pymodule]
fn NAME(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(total, m)?)?;
    m.add_function(wrap_pyfunction!(rust_name, m)?)?;
    m.add_function(wrap_pyfunction!(by_macro, m)?)?;
    m.add_function(wrap_pyfunction!(part::from_part, m)?)?;
    let inner = PyModule::new(m.py(), "inner")?;
    inner.add_function(wrap_pyfunction!(inner::deep, &inner)?)?;
    m.add_submodule(&inner)?;
    m.add_class::<Counter>()
}

mod inner {
    use super::*;

    #[pyfunction]
    pub fn deep(a: u8) -> String {
        a.to_string()
    }
}
mod part;
"""

PART = "use pyo3::prelude::*;\n\n#[pyfunction]\npub fn from_part() -> u8 {\n    2\n}\n"


@pytest.fixture
def looked(shell: Shell, project, capsys):
    """A shell with a kernel `k` as a file and one as a cell `c`, and what it shows of something."""
    write(project, {"part.rs": PART, "k.rs": "// rsimport\n" + USE + LIBRARY.replace("NAME", "k")})
    shell.run("%colors nocolor")
    shell.run("%%rsimport -n c\n" + USE + LIBRARY.replace("NAME", "c"))
    shell.run("import c, k\nheld = Count(2)\nclass Own(Count): pass\nown = Own(2)")
    capsys.readouterr()

    def look(line: str) -> str:
        shell.run(line)
        return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)

    return look


def test_source_and_signature_are_those_of_rust(looked, project, shell):
    sum_ = LIBRARY[: LIBRARY.index("\n\n")]
    made = LIBRARY[LIBRARY.index("    #[new]") : LIBRARY.index("    fn add")].rstrip()
    for name in ("total", "c.total", "k.total"):
        assert sum_ in looked(f"{name}??") and sum_ in looked(f"%psource {name}"), name
        shown = looked(f"{name}?")
        assert f"{name}(a: list[float], scale: float = 1.0, *rest) -> float" in shown
        assert "Sums a list." in shown and "Vec<" not in shown
        where = f"{project / 'k.rs'}:3" if name[0] == "k" else "<cell c>:3"
        assert where in shown
    assert "-> float" in looked("%pdef total")
    # A name that Python alone has, a file of its own, and a macro.
    assert "a // part of python_name" in looked("python_name??")
    assert "pub fn from_part() -> u8" in looked("from_part??") and "part.rs:3" in looked("from_part?")
    assert "made!(by_macro);" in looked("by_macro??")
    # Classes with all their blocks, their members, and objects.
    for name in ("Count", "k.Count", "held"):
        shown = looked(f"%psource {name}")
        assert (
            "/// Counts." in shown
            and "struct Counter" in shown
            and made in shown
            and "hidden() {}" not in shown
        )
    assert "Count(number: int)" in looked("Count?")
    for name in ("Count.add", "held.add", "own.add"):
        assert "fn add(&mut self" in looked(f"%psource {name}")
        assert "other: Count) -> int | None" in looked(f"{name}?")
    assert "fn get_half" in looked("%psource Count.half") and "number: u64" in looked("%psource Count.number")
    assert "fn zero" in looked("Count.zero??") and "-> Count" in looked("Count.zero?")
    # What is in a module within the kernel, and that module.
    assert "pub fn deep" in looked("inner.deep??") and "deep(a: int) -> str" in looked("k.inner.deep?")
    assert "mod inner {\n    use super::*;" in looked("k.inner??")
    # Modules, without the line of ours that a cell's file has.
    assert looked("%psource c").strip() == (USE + LIBRARY.replace("NAME", "c")).strip()
    assert looked("%psource k").startswith("// rsimport\n") and "mod part;" in looked("k??")
    assert "fn rust_name" in looked("%pfile total")


def test_what_is_not_of_rust_is_shown_as_ever(looked, shell):
    shell.run("def plain(a: int) -> str:\n    'Says it.'\n    return 1")
    assert "plain(a: int) -> str" in looked("plain?") and "return 1" in looked("plain??")
    assert "struct" not in looked("Own??")
    assert "len(obj, /)" in looked("len?") and "json/__init__.py" in looked("import json\njson?")
    assert "not found" in looked("nowhere?")


def test_the_text_that_is_loaded_is_shown_not_the_one_that_failed_or_was_edited(looked, shell, project):
    cell = USE + LIBRARY.replace("NAME", "c")
    shell.fails("%%rsimport -n c\n" + cell.replace("sum::<f64>()", "WRONG"))
    assert "sum::<f64>()" in looked("total??")
    text = (project / "k.rs").read_text()
    (project / "k.rs").write_text(text.replace("sum::<f64>()", "EDITED"))
    shown = looked("k.total??")
    assert "EDITED" in shown and "// k.rs has changed since it was loaded." in shown
    (project / "k.rs").unlink()
    assert "Sums a list." in looked("k.total??")


def test_unloading_gives_the_inspector_back(shell, looked):
    taught = type(shell.ip.inspector)
    shell.run("%unload_ext rsimport")
    assert issubclass(taught, type(shell.ip.inspector)) and type(shell.ip.inspector) is not taught
    assert shell.ip.inspector_class is not taught and "fn total" not in looked("total??")
    shell.run("%load_ext rsimport")
    assert "fn total" in looked("total??")
    with pytest.raises(TypeError):  # Python's own inspect knows functions of Python only.
        inspect.getsource(shell.ip.user_ns["total"])


def test_a_terminal_colours_rust_while_it_is_typed():
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from prompt_toolkit.document import Document

    shell = TerminalInteractiveShell(config=CONFIG)

    def kinds() -> list[str]:
        lexer = shell._extra_prompt_options()["lexer"]
        line = lexer.lex_document(Document("%%rsimport -n k\nfn f<'a>() {}"))(1)
        return [kind for kind, text in line if text == "fn"]

    shell.run_line_magic("load_ext", "rsimport")
    assert kinds() == ["class:pygments.keyword"]
    shell.run_line_magic("unload_ext", "rsimport")
    assert kinds() == ["class:pygments.name"]


def test_rust_is_coloured_as_rust_where_the_shell_has_colours(shell, capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    shell.run("%%rsimport -n k_coloured\n" + USE + "#[pyfunction]\nfn f() -> u8 {\n    3\n}\n")
    capsys.readouterr()
    shell.run("%psource f")
    assert "\x1b[" in capsys.readouterr().out
    assert rsimport.info(shell.run("import k_coloured; k_coloured")).source
