"""PyO3's macros as the engine expands them, beside PyO3's own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import QUICK, block

import rsimport
from rsimport.toolbox._project import Kernel
from rsimport.toolbox.stubs._making import QUICK_PROFILE

KERNELS = Path(rsimport.__file__).parent / "kernels"

TYPICAL = """
macro_rules! made {
    ($name:ident, $class:ident, $type:ty, $default:expr, $doc:literal) => {
        #[doc = $doc]
        #[pyfunction]
        #[pyo3(signature = (x = $default))]
        fn $name(x: $type) -> $type { x + $default }
        #[pyclass]
        #[derive(Clone)]
        struct $class { #[pyo3(get, set)] v: $type }
        #[pymethods]
        impl $class {
            #[new]
            fn new(v: $type) -> Self { Self { v } }
            #[classattr]
            const K: $type = $default;
        }
    };
}
made!(f, F, u64, 1 + 2, "Doc f.");
made!(g, G, f64, 1.5, "Doc g.");
#[pyfunction]
#[pyo3(signature = (*args, r#in = "é\\n", **kwargs))]
/// Text with "quotes" and \\ more.
fn h<'py>(py: Python<'py>, args: &Bound<'py, pyo3::types::PyTuple>, r#in: &str,
          kwargs: Option<&Bound<'py, pyo3::types::PyDict>>) -> PyResult<(usize, String, usize)> {
    let _ = py;
    Ok((args.len(), r#in.to_owned(), kwargs.map_or(0, |kwargs| kwargs.len())))
}
#[pyclass(eq, eq_int)]
#[derive(PartialEq)]
enum Kind { A, B = 5 }
#[pyclass]
enum Shape { Circle { r: f64 }, Rect(f64, f64), #[pyo3(constructor = (x = 1))] Pt { x: i32 } }
#[derive(FromPyObject)]
enum IntOrStr { #[pyo3(transparent)] I(i64), #[pyo3(transparent)] S(String) }
#[derive(IntoPyObject)]
struct Pair { a: i64, b: String }
#[pyfunction]
fn pair(v: IntOrStr) -> Pair {
    match v { IntOrStr::I(a) => Pair { a, b: String::new() }, IntOrStr::S(b) => Pair { a: 0, b } }
}
"""

WRONG = """
use std::rc::Rc;
struct NotPython;
#[pyfunction]
fn f(x: NotPython, #[pyo3(from_py_with = nope)] y: f64) -> f64 { y }
#[pyfunction]
#[pyo3(signature = (a, b = "x"))]
fn g(a: f64, b: f64) -> NotPython { NotPython }
#[pyfunction]
#[pyo3(signature = (*a, **k))]
fn stars(a: i32, k: i32) {}
#[pyfunction(nonsense)]
fn h() {}
#[pyfunction]
fn generic<T>(x: T) {}
#[pyclass]
struct C { #[pyo3(get)] v: NotPython }
#[pyclass]
struct NotSend(Rc<u8>);
#[pymethods]
impl C {
    #[new]
    fn new(z: u8) -> Self { C { v: NotPython } }
    fn m(&self, q: &NotPython) -> PyResult<u8> { let s: i32 = "no"; Ok(q) }
    #[getter]
    fn bad(&self, n: u8, k: u8) -> u8 { n }
    fn __add__(&self, other: &Self) -> Rc<u8> { loop {} }
}
#[derive(FromPyObject)]
struct D { a: NotPython }
#[pyfunction]
fn undefined(x: Missing) {}
"""

REFUSED = """
mod types { pub type Number = i64; }
macro_rules! in_this_crate {
    ($name:ident) => { #[pyfunction] fn $name(x: $crate::types::Number) -> i64 { x + 1 } };
}
in_this_crate!(f);
"""


def both(path: Path, *flags: str) -> tuple[list[str], list[Any]]:
    """What is made of a kernel by the engine's macros and by PyO3's own, and what is said of it.

    What it depends on is what other tests have compiled: of all kernels, and as it is for stubs.
    """
    texts, said, targets = [], [], set()
    for fast in (True, False):
        kernel = Kernel(path, {"fast_macros": fast, "progress": False})
        file = Path(kernel.project.work, "made")
        file.unlink(missing_ok=True)
        made = ["-o", str(file), *flags]
        quick = [] if fast else [f"--config=profile.release.{line}" for line in QUICK_PROFILE]
        run = kernel.run("rustc", quick, made, unstable=True)
        lines = [json.loads(line) for line in run.output if line.startswith("{")]
        said.append(_seen([line["message"] for line in lines if line["reason"] == "compiler-message"]))
        texts.append(file.read_text(encoding="utf-8") if file.exists() and run.success else "")
        targets.add(kernel.project.target)
    assert len(targets) == 2
    return texts, said


def _seen(value: Any) -> Any:
    """Messages without the places in which macros are defined, which nobody is shown."""
    if isinstance(value, list):
        return [_seen(part) for part in value]
    if isinstance(value, dict):
        return {key: _seen(part) for key, part in value.items() if key != "def_site_span"}
    return value


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyO3's own macros are used")
def test_the_engine_makes_of_a_kernel_what_pyo3_makes_of_it_and_rustc_says_the_same(kernel):
    """One text has every form of PyO3's, the other mistakes."""
    texts, said = both(kernel("typical", TYPICAL), "-Zunpretty=expanded")
    assert texts[0] == texts[1] and "__pyo3" in texts[0]
    texts, said = both(kernel("wrong", WRONG), "--emit=metadata")
    assert said[0] == said[1] and len(said[0]) > 10


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyO3's own macros are used")
@pytest.mark.parametrize("name", sorted(path.stem for path in KERNELS.glob("*.rs")))
def test_a_shipped_kernel_is_expanded_to_the_same_text(name):
    texts, _ = both(KERNELS / f"{name}.rs", "-Zunpretty=expanded")
    assert texts[0] == texts[1] and "__pyo3" in texts[0]


def test_what_the_engine_refuses_is_left_to_pyo3(kernel, shared_cache):
    """`$crate` is a name that only a compiler can read."""
    notes = set(shared_cache.glob("v1/work/*/macros.json"))
    module = rsimport.imp_from_filepath(kernel("refused", REFUSED, block=block(*QUICK.splitlines())))
    assert module.f(1) == 2
    if sys.platform == "linux":
        assert set(shared_cache.glob("v1/work/*/macros.json")) - notes
