"""`rsimport.compile`: kernels that are texts of a program."""

from __future__ import annotations

import pickle
import sys

import pytest

import rsimport

TEXT = """
#[pyfunction]
fn times(x: i64) -> i64 {
    FACTOR * x
}

#[pyclass]
struct Number {
    #[pyo3(get)]
    value: i64,
}

#[pymethods]
impl Number {
    #[new]
    fn new(value: i64) -> Number {
        Number { value }
    }

    fn __getnewargs__(&self) -> (i64,) {
        (self.value,)
    }
}
"""


@pytest.fixture(scope="module")
def versions():
    """Two texts of one name."""
    return [rsimport.compile(TEXT.replace("FACTOR", str(factor)), "factors") for factor in (2, 3)]


def test_the_same_text_is_the_same_module_and_another_one_is_beside_it(versions):
    first, second = versions
    assert [module.times(5) for module in versions] == [10, 15]
    assert rsimport.compile(TEXT.replace("FACTOR", "2"), "factors") is first is not second
    assert sys.modules["factors"] is first and second in sys.modules.values()


def test_what_is_in_them_pickles_here_and_in_another_process(versions, run, tmp_path):
    for module in versions:
        assert pickle.loads(pickle.dumps(module)) is module
        assert pickle.loads(pickle.dumps(module.times)) is module.times
        assert type(pickle.loads(pickle.dumps(module.Number(3)))) is module.Number
    pickled = pickle.dumps([(module.times, module.Number(3)) for module in versions]).hex()
    code = f"import pickle; print([t(n.value) for t, n in pickle.loads(bytes.fromhex('{pickled}'))])"
    assert run(code, cwd=tmp_path).out == "[6, 9]"


def test_a_module_that_could_be_imported_keeps_its_name(tmp_path, monkeypatch):
    (tmp_path / "taken.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    module = rsimport.compile(TEXT.replace("FACTOR", "2"), "taken")
    import taken

    assert taken.x == 1 and module.times(1) == 2


def test_an_error_names_the_text_and_counts_its_lines_from_one():
    with pytest.raises(rsimport.CompileError) as caught:
        rsimport.compile("#[pyfunction]\nfn f() -> i64 {\n    missing\n}", "wrong")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.file, diagnostic.line) == ("<kernel wrong>", 3)
    assert "--> <kernel wrong>:3:5" in str(caught.value) and "texts" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("#[pyfunction] fn f() {}", "a-b"), "'a-b' cannot be the name of a kernel"),
        (("#[pyfunction] fn f() {}", "fn"), None),
        (("#[pyfunction] fn f() {}", "def"), "'def' cannot be the name of a kernel"),
        (("fn f() {}", "bare"), "<kernel bare>: the kernel has no #[pyfunction]"),
        (("#[pyfunction] fn f() {}", "odd", ["a b"]), '"a b" is not a dependency'),
        (("\ud800", "odd"), "the text of the kernel is not Unicode"),
        ((b"#[pyfunction] fn f() {}", "odd"), "the text of a kernel is a str, not bytes"),
        ((None, "odd"), "the text of a kernel is a str, not NoneType"),
        (("#[pyfunction] fn f() {}", 3), "the name of a kernel is a str, not int"),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else str(value)[:12],
)
def test_what_cannot_be_compiled_is_told(arguments, message):
    if message is None:
        assert rsimport.compile(*arguments).f() is None
        return
    with pytest.raises((rsimport.ConfigError, TypeError)) as caught:
        rsimport.compile(*arguments)
    assert str(caught.value).startswith(message)


def test_dependencies_and_files_start_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "data.txt").write_text("data")
    crate = tmp_path / "helper"
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_text('[package]\nname = "helper"\nversion = "1.0.0"\nedition = "2021"\n')
    (crate / "src/lib.rs").write_text("pub fn one() -> i64 { 1 }")
    monkeypatch.chdir(tmp_path)
    text = '#[pyfunction] fn f() -> (i64, &\'static str) { (helper::one(), include_str!("data.txt")) }'
    assert rsimport.compile(text, dependencies=['helper = { path = "helper" }']).f() == (1, "data")
    with pytest.raises(rsimport.CompileError) as caught:
        rsimport.compile("#[pyfunction] fn f() -> u8 { fastrand::u8(..) }")
    assert caught.value.hint == 'compile it with dependencies=["fastrand=2"]'
