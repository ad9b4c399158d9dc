"""Short kernels of functions: an edit compiles the user's text alone, and nobody can tell."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from helpers import Result, value

FORMS = """
//! Forms of functions.

use std::cell::Cell;
use std::collections::HashMap;
use std::num::ParseIntError;
use std::sync::atomic::{AtomicI64, Ordering};

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::types::{PyDict, PyModule, PyTuple};

#[global_allocator]
static ALLOCATOR: std::alloc::System = std::alloc::System;

static COUNT: AtomicI64 = AtomicI64::new(0);

thread_local! {
    static LAST: Cell<i64> = const { Cell::new(7) };
}

/// Add two numbers.
///
/// A "quoted" text, and a backslash: \\\\
#[pyfunction]
fn add(a: i32, b: u8) -> i64 {
    a as i64 + b as i64
}

#[pyfunction]
#[pyo3(signature = (n = -1, *rest, scale = 1.5, name = "a,b", **more), text_signature = "(n, *rest, **more)")]
fn many(
    n: i64, // A comment.
    rest: Vec<f64>,
    scale: f64,
    name: &str,
    more: Option<Bound<'_, PyDict>>,
) -> PyResult<String> {
    if n == 9 {
        return Err(PyValueError::new_err("nine"));
    }
    let more = more.map_or(0, |more| more.len());
    Ok(format!("{n} {rest:?} {scale} {name} {more}"))
}

#[pyfunction(name = "renamed")] pub fn r#type(mut r#in: u64, by: Option<u64>) -> u64 {
    r#in *= by.unwrap_or(2);
    r#in
}

#[pyfunction]
fn first<'py>(py: Python<'py>, items: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
    py.check_signals()?;
    items.get_item(0)
}

#[pyfunction(pass_module)]
fn whose(module: &Bound<'_, PyModule>) -> PyResult<String> {
    Ok(module.name()?.to_string())
}

#[pyo3::pyfunction]
fn counts(words: HashMap<String, [u8; 2]>) -> Result<i64, ParseIntError> {
    words.keys().map(|key| key.parse::<i64>()).sum()
}

#[pyfunction]
fn missing(key: &str) -> PyResult<()> {
    Err(PyKeyError::new_err(key.to_owned()))
}

#[pyfunction]
#[inline]
fn state(n: i64) -> (i64, i64, &'static str) {
    let last = LAST.with(|last| last.replace(n));
    (COUNT.fetch_add(n, Ordering::Relaxed), last, module_path!())
}

#[pyfunction] fn panics(items: Vec<u8>, at: usize) -> u8 { items[at] }

#[pyfunction]
fn native_address() -> usize {
    native as *const () as usize
}

#[unsafe(no_mangle)]
pub extern "C" fn native(x: f64) -> f64 {
    2.0 * x
}
"""

TABLE = """
add(2, 3) | add(b=3, a=2) | add(2**31, 0) | add(0, -1) | add("x", 1) | add(1.0, 1) | add() | add(1, 2, 3)
add.__doc__ | add.__text_signature__ | add.__name__ | add.__module__ | __doc__
sorted(n for n in dir() if n[0] != "_") | many() | many(3, 1.0, 2, scale=2, q=1) | many(9) | many("x")
many(1, "x") | many.__text_signature__ | renamed(3) | renamed(3, None) | renamed(3, by=5) | renamed(2**63)
renamed.__text_signature__ | renamed.__name__ | first((1, 2)) | first(()) | first([1]) | whose()
counts({"1": [1, 2], "41": b"ab"}) | counts({"x": [1, 2]}) | counts({"1": [1]}) | counts(3) | missing("k")
state(5) | state(6) | panics([1], 0) | panics([1], 1) | panics([1], -1) | panics("x", 1)
native_address() > 0
"""
CALLS = [call.strip() for line in TABLE.strip().splitlines() for call in line.split("|")]

PROGRAM = """
import json, rsimport, rsimport.import_hook, k
found = []
for call in CALLS:
    try:
        found.append(repr(eval(call, dict(vars(k), dir=lambda: dir(k)))))
    except BaseException as error:
        found.append(f"{type(error).__name__}: {error}")
found.append([[export.name, export.signature] for export in rsimport.info(k).exports])
found.append(rsimport.native(k).ctypes("native")(1.5))
print(json.dumps([rsimport.info(k).tier, found]))
"""


@pytest.fixture
def edit(kernel, run, own_cache):
    """Edits `k`, which is little work for the compiler whatever was measured, and runs a program.

    The first build is the thorough one, after which the compiler's work is known.
    """

    def edit_of(body: str, program: str, tier: str | None = None, **options: object) -> Result:
        weights = list(own_cache.glob("v1/work/*-optimized/weight.json"))
        weights = [weight for weight in weights if (weight.parent / "src/k.rs").exists()]
        for weight in weights:
            weight.write_text("0.01")
        kernel("k", body, **options)
        tier = tier or ("fast" if weights else "optimized")
        return run(program, env={"RSIMPORT_TIER": tier, "RUST_BACKTRACE": None})

    return edit_of


@pytest.fixture
def tell(edit):
    """The same: the value of `k`, its tier and the number of its warnings."""

    def tell_of(body: str, **options: object) -> list[object]:
        program = (
            "import json, rsimport, rsimport.import_hook, k; seen = rsimport.info(k)\n"
            "print(json.dumps([k.value(), seen.tier, len(seen.warnings)]))"
        )
        return json.loads(edit(body, program, **options).out.splitlines()[-1])

    return tell_of


def is_halved(cache: Path) -> bool:
    """Whether the last edit was compiled without its glue."""
    staged = [path for path in cache.glob("v1/work/*/src/k.rs") if "-optimized" not in str(path)]
    return "__rsimport_fill" in staged[0].read_text()


def test_every_form_of_a_function_is_the_same_in_two_halves(edit, own_cache):
    program = PROGRAM.replace("CALLS", repr(CALLS))
    whole, halves = edit(FORMS, program, prelude=False), edit(FORMS + "// edited", program, prelude=False)
    assert is_halved(own_cache)
    assert json.loads(halves.out) == json.loads(whole.out)
    places = [re.findall(r"panicked at (k\.rs:\d+:\d+)", result.stderr) for result in (whole, halves)]
    assert places[0] == places[1] != []


def test_an_edit_is_optimised_at_once_and_a_new_signature_arrives(tell, own_cache):
    assert tell(value(1)) == [1, "optimized", 0]
    assert tell(value(2)) == [2, "optimized", 0]
    assert is_halved(own_cache)
    wider = value(3).replace("i64", "f64").replace("3\n", "3.5\n")
    assert tell(wider) == [3.5, "optimized", 0]
    assert tell(wider + value(4, "other")) == [3.5, "optimized", 0]
    assert is_halved(own_cache)
    assert len(list(own_cache.glob("v1/targets/*/glue/*"))) == 3


def test_the_setting_leaves_everything_in_one_piece(tell, own_cache, monkeypatch):
    monkeypatch.setenv("RSIMPORT_REUSE_GLUE", "false")
    assert tell(value(1)) == [1, "optimized", 0]
    assert tell(value(2)) == [2, "fast", 0]
    assert not is_halved(own_cache)


def test_what_is_heavy_is_compiled_fast(tell, kernel, run, own_cache):
    tell(value(1))
    (staged,) = own_cache.glob("v1/work/*-optimized/src/k.rs")
    weight = staged.parents[1] / "weight.json"
    assert 0 <= float(weight.read_text()) < 60
    kernel("k", value(2))
    weight.write_text("9.5")
    assert (
        run("import rsimport, rsimport.import_hook, k; print(k.value(), rsimport.info(k).tier)").out
        == "2 fast"
    )


@pytest.mark.parametrize(("setup", "prepared"), [("import sys; sys.ps1 = '>>> '", True), ("", False)])
def test_the_glue_is_prepared_where_one_edits(kernel, run, own_cache, setup, prepared):
    kernel("k", value(1))
    # Whatever the machine: a kernel of one line is little work.
    code = f"""
    import pathlib, time
    {setup}
    import rsimport, rsimport.import_hook
    from rsimport import _background
    _background.QUIET = 0.01
    import k
    cache = pathlib.Path({str(own_cache)!r})
    for staged in cache.glob("v1/work/*-optimized/src/k.rs"):
        (staged.parents[1] / "weight.json").write_text("0.01")
    end = time.monotonic() + (300 if {prepared} else 1)
    while not list(cache.glob("v1/targets/*/glue/*")) and time.monotonic() < end:
        time.sleep(0.05)
    print(bool(list(cache.glob("v1/targets/*/glue/*"))), rsimport.info(k).tier)
    for process in _background._started:
        process.wait()
    """
    assert run(code, env={"RSIMPORT_TIER": "auto"}).out == f"{prepared} optimized"


def test_of_what_the_compiler_says_only_the_plain_text_counts(tell, own_cache):
    tell(value(1))
    assert tell(value(2) + "fn unused() {}\n") == [2, "fast", 1]
    assert tell(value(3) + "fn unused() {}\n") == [3, "fast", 1]
    assert not is_halved(own_cache)
    tell(value(4))
    assert tell(value(5)) == [5, "optimized", 0]


@pytest.mark.parametrize(
    "shadow",
    [
        "macro_rules! own { () => { struct Vec(i64); } }\nown!();\n"
        "impl<'a, 'py> FromPyObject<'a, 'py> for Vec {\n    type Error = PyErr;\n"
        "    fn extract(from: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {\n"
        "        Ok(Vec(from.extract()?))\n    }\n}\n"
        "#[pyfunction]\nfn takes(v: Vec) -> i64 {\n    v.0\n}\n",
        "mod own {\n    pub type Option<T> = pyo3::PyResult<T>;\n}\nuse own::*;\n"
        "#[pyfunction]\nfn takes() -> Option<i64> {\n    Ok(3)\n}\n",
    ],
)
def test_types_that_only_the_compiler_tells_apart_are_compiled_in_one_piece(tell, shadow):
    tell(value(1) + shadow)
    assert tell(value(2) + shadow)[0] == 2


def test_only_imports_that_nothing_needs_are_told(tell, own_cache):
    explicit = "use pyo3::pyfunction;\n"
    assert tell(explicit + value(1), prelude=False) == [1, "optimized", 0]
    assert tell(explicit + value(2), prelude=False) == [2, "optimized", 0]
    assert is_halved(own_cache)


@pytest.mark.parametrize("damage", ["garble", "cut", "remove", "checksum"])
def test_damaged_glue_is_made_again(tell, own_cache, damage):
    tell(value(1))
    tell(value(2))
    (library,) = own_cache.glob("v1/targets/*/glue/*/*.rlib")
    content = library.read_bytes()
    half = len(content) // 2
    match damage:
        case "garble":
            library.write_bytes(content[:half] + b"\0" * 64 + content[half + 64 :])
        case "cut":
            library.write_bytes(content[:half])
        case "remove":
            library.unlink()
        case "checksum":
            (library.parent / "checksum").unlink()
    assert tell(value(3)) == [3, "optimized", 0]
    assert library.read_bytes() == content
