"""Kernels that panic, or fail while they initialise: an exception, and the process lives."""

from __future__ import annotations

import re

import pytest
from helpers import value


def test_a_panic_in_a_call_is_an_exception_and_the_process_lives(kernel, run):
    kernel("k", '#[pyfunction]\nfn fail() {\n    panic!("boom {}", 1 + 1);\n}\n' + value(3))
    program = """
        import rsimport.import_hook, k
        for attempt in range(3):
            try:
                k.fail()
            except BaseException as error:
                print(type(error).__name__, error)
        print(k.value())
    """
    assert run(program).out.splitlines() == ["PanicException boom 2"] * 3 + ["3"]


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        ('Err(pyo3::exceptions::PyValueError::new_err("no table"))?', "ValueError no table"),
        ('panic!("no table")', "PanicException no table"),
        ('Err(pyo3::exceptions::PyImportError::new_err("no table"))?', "ImportError no table"),
    ],
)
def test_a_failure_while_the_module_initialises_is_an_import_error_that_keeps_its_cause(
    kernel, run, statement, cause
):
    body = (
        f"#[pymodule]\nfn k(_m: &Bound<'_, PyModule>) -> PyResult<()> {{\n    {statement};\n    Ok(())\n}}\n"
    )
    kernel("k", "#[allow(unreachable_code)]\n" + body)
    program = """
        import sys, rsimport.import_hook
        for attempt in range(2):
            try:
                import k
            except ImportError as error:
                reason = error.__cause__ or error
                print(type(reason).__name__, reason, "k" in sys.modules)
    """
    lines = run(program).out.splitlines()
    assert len(lines) == 2 and all(re.fullmatch(rf"{re.escape(cause)}.* False", line) for line in lines), (
        lines
    )


def test_what_ends_the_program_while_a_module_initialises_does_and_shows_no_frame_of_ours(kernel, run):
    body = """
#[pymodule]
fn k(_m: &Bound<'_, PyModule>) -> PyResult<()> {
    use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
    match std::env::var("RAISE").as_deref() {
        Ok("SystemExit") => Err(PySystemExit::new_err(3)),
        Ok("KeyboardInterrupt") => Err(PyKeyboardInterrupt::new_err(())),
        _ => Ok(()),
    }
}
"""
    kernel("k", body)
    program = """
        import importlib, os, sys, traceback, rsimport, rsimport.import_hook
        def ends(action):
            try:
                action()
            except BaseException as error:
                files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
                print(type(error).__name__, any("rsimport" in file for file in files), "k" in sys.modules)
        for name in ("SystemExit", "KeyboardInterrupt"):
            os.environ["RAISE"] = name
            ends(lambda: __import__("k"))
            ends(lambda: rsimport.imp("k"))
            os.environ["RAISE"] = ""
            import k
            os.environ["RAISE"] = name
            ends(lambda: importlib.reload(k))
            ends(lambda: rsimport.reload(k))
            del sys.modules["k"]
    """
    each = [*["{} False False"] * 2, *["{} False True"] * 2]
    expected = [line.format(name) for name in ("SystemExit", "KeyboardInterrupt") for line in each]
    assert run(program).out.splitlines() == expected
