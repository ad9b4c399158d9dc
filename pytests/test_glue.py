"""Short kernels: an edit compiles the user's text alone, and nobody can tell."""

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

CLASSES = """
//! Forms of classes.
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use pyo3::prelude::*;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::types::{PyDict, PyType};

static ALIVE: AtomicI64 = AtomicI64::new(0);

/// A counter of words.
///
/// With a "quoted" text.
#[pyclass(module = "words", name = "Words", get_all, subclass, weakref, dict)]
#[derive(Debug, Default, PartialEq)]
struct Counter {
    /// What it is called.
    label: String,
    /// How many.
    #[pyo3(set)]
    total: u64,
    seen: Vec<u32>,
}

mod inner {
    pub struct Hidden(pub i64);
}

#[pyclass(frozen)]
pub struct Pair(inner::Hidden, f64);

#[pyclass]
struct Empty;

#[pyclass]
struct Fields {
    #[pyo3(get, set, name = "x")]
    first: f64,
    #[pyo3(get)]
    r#type: Option<String>,
    secret: HashMap<String, i64>,
    last: [u8; 2],
}

impl Drop for Pair {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pair {
    fn made(a: i64, b: f64) -> Pair {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Pair(inner::Hidden(a), b)
    }
}

#[pymethods]
impl Counter {
    #[new]
    #[pyo3(signature = (label = "none", *words, total = 0, **more))]
    fn new(label: &str, words: Vec<String>, total: u64, more: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        if label == "bad" {
            return Err(PyValueError::new_err("a bad label"));
        }
        let more = more.map_or(0, |more| more.len() as u64);
        let seen = words.iter().map(|w| w.len() as u32).collect();
        Ok(Counter { label: label.to_owned(), total: total + more, seen })
    }

    /// Take a word.
    #[pyo3(text_signature = "($self, word)")]
    fn add(&mut self, word: &str) -> u64 {
        self.seen.push(word.len() as u32);
        self.total += 1;
        self.total
    }

    #[getter]
    fn longest(&self) -> Option<u32> {
        self.seen.iter().max().copied()
    }

    #[getter(short)]
    fn get_short(&self) -> &str {
        &self.label[..1]
    }

    #[setter]
    fn set_short(&mut self, to: &str) -> PyResult<()> {
        if to.is_empty() {
            return Err(PyKeyError::new_err("empty"));
        }
        self.label = to.to_owned();
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> u64 {
        self.total += other.total;
        self.total
    }

    fn same(&self, other: &Counter) -> bool {
        self == other
    }

    fn pair(&self, by: f64) -> Pair {
        Pair::made(self.total as i64, by)
    }

    #[staticmethod]
    fn of(label: &str, more: Option<f64>) -> Option<Counter> {
        more.map(|more| Counter { label: label.into(), total: more as u64, seen: vec![] })
    }

    #[classmethod]
    fn whose(cls: &Bound<'_, PyType>, n: i32) -> PyResult<String> {
        Ok(format!("{} {n}", cls.name()?))
    }

    fn borrowed<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        py.check_signals()?;
        key.repr().map(Bound::into_any)
    }

    fn calls(&mut self, f: &Bound<'_, PyAny>) -> PyResult<u64> {
        f.call0()?;
        Ok(self.total)
    }

    fn __len__(&self) -> usize { self.seen.len() }
    fn __getitem__(&self, at: usize) -> PyResult<u32> {
        self.seen.get(at).copied().ok_or_else(|| pyo3::exceptions::PyIndexError::new_err("far"))
    }
    fn __repr__(&self) -> String { format!("{self:?}") }
    fn __eq__(&self, other: &Self) -> bool { self == other }
    fn panics(&self, at: usize) -> u32 { self.seen[at] }
}

#[pymethods]
impl Pair {
    #[new]
    fn new(a: i64, b: f64) -> Self { Pair::made(a, b) }
    fn sum(&self, scale: f64) -> f64 { (self.0.0 as f64 + self.1) * scale }
    fn __add__(&self, other: &Pair) -> Pair { Pair::made(self.0.0 + other.0.0, self.1 + other.1) }
    fn __hash__(&self) -> u64 { self.0.0 as u64 }
    fn __bool__(&self) -> bool { self.0.0 != 0 }
}

#[pymethods]
impl Fields {
    #[new]
    fn new() -> Self {
        let secret = HashMap::from([("k".to_owned(), 3)]);
        Fields { first: 1.5, r#type: None, secret, last: [1, 2] }
    }
    fn get(&self, key: &str) -> Option<i64> { self.secret.get(key).copied() }
    fn bytes(&self) -> [u8; 2] { self.last }
}

/// How many pairs there are.
#[pyfunction]
fn alive() -> i64 { ALIVE.load(Ordering::Relaxed) }

#[pyfunction]
fn both(a: &Counter, b: &Pair) -> Result<Pair, std::num::ParseIntError> {
    let n: i64 = a.label.parse()?;
    Ok(Pair::made(n, b.1))
}
#[pyfunction]
fn change(a: &mut Counter) { a.total = 77; }
"""

TABLE_OF_CLASSES = """
Words() | Words("w", "a", "bcd", total=5, q=1) | Words("bad") | Words(1) | Words("w", total=-1)
Words.__doc__ | Words.__text_signature__ | Words.__module__ | Words.__name__ | Words.__init__.__doc__
Words.label.__doc__ | [name for name in dir(Words) if name[0] != "_"] | Words.add.__text_signature__
Words.add.__doc__ | word.add("abc") | word.add(1) | word.add() | word.longest | word.short
setattr(word, "short", "nine") | word.label | setattr(word, "short", "") | setattr(word, "label", 1)
setattr(word, "total", 9) | setattr(word, "total", "x") | word.total | word.seen | word.merge(word)
word.merge(other) | word.merge(Pair(1, 2)) | word.same(word) | word.same(other) | word.pair(2.5).sum(2)
Words.of("x", None) | Words.of("x", 2) | Words.whose(3) | word.borrowed({"a": 1}) | len(word)
list(word) | word[0] | word[99] | word == other | word != other | word.panics(99)
word.calls(lambda: word.add("x")) | word.calls(lambda: 3) | word.more | setattr(word, "more", 3)
type("Sub", (Words,), {"m": 1})("s").m | weakref.ref(word)() is word | word.__dict__ | pickle.dumps(word)
Pair(3, 4.5).sum(2) | (Pair(1, 2) + Pair(3, 4)).sum(1) | Pair(1, 2) + 3 | hash(Pair(7, 0))
bool(Pair(0, 1)) | Pair() | Pair("x", 1) | Pair.__doc__ | alive() | both(Words("12"), Pair(1, 2)).sum(1)
both(Words("x"), Pair(1, 2)) | both(word, word) | change(word) | word.total | change(3) | Empty()
Empty.__doc__ | Fields().x | Fields().type | setattr(fields, "x", 2) | fields.x
setattr(fields, "x", "y") | delattr(fields, "x") | fields.get("k") | fields.bytes() | fields.secret
setattr(fields, "type", "t") | [name for name in dir() if name[0] != "_"] | type("Sub", (Pair,), {})
[alive() for _ in range(2)] | gc.collect() * 0 | alive.__doc__
"""

PROGRAM = """
import gc, json, pickle, weakref, rsimport, rsimport.import_hook, k
found = []
names = dict(vars(k), dir=lambda *of: dir(*of) if of else dir(k), gc=gc, pickle=pickle, weakref=weakref)
if hasattr(k, "Words"):
    names |= dict(word=k.Words("w", "ab"), other=k.Words("o"), fields=k.Fields())
for call in CALLS:
    try:
        found.append(repr(eval(call, names)))
    except BaseException as error:
        found.append(f"{type(error).__name__}: {error}")
found.append([[export.name, export.signature] for export in rsimport.info(k).exports])
found.append(rsimport.native(k).ctypes("native")(1.5) if hasattr(k, "add") else None)
print(json.dumps([rsimport.info(k).tier, found]))
"""


@pytest.fixture
def edit(kernel, run, own_cache):
    """Edits `k`, which is little work for the compiler whatever was measured, and runs a program.

    The first build is the thorough one, after which the compiler's work is known.
    """

    def edit_of(
        body: str, program: str, tier: str | None = None, work: str = "0.01", **options: object
    ) -> Result:
        weights = list(own_cache.glob("v1/work/*-optimized/weight.json"))
        weights = [weight for weight in weights if (weight.parent / "src/k.rs").exists()]
        for weight in weights:
            weight.write_text(work)
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


def places(result: Result) -> list[str]:
    """Where panics were."""
    return re.findall(r"panicked at (k\.rs:\d+:\d+)", result.stderr)


@pytest.mark.parametrize(
    ("text", "table", "works"),
    [
        (FORMS, TABLE, {"0.01": "optimized", "9.5": "fast"}),
        (CLASSES, TABLE_OF_CLASSES, {"0.01": "fast"}),
    ],
    ids=["functions", "classes"],
)
def test_every_form_is_the_same_in_two_halves(edit, kernel, run, project, own_cache, text, table, works):
    calls = [call.strip() for line in table.strip().splitlines() for call in line.split(" | ")]
    program = PROGRAM.replace("CALLS", repr(calls))
    whole = edit(text, program, prelude=False)
    for work, tier in works.items():
        halves = edit(f"{text}// edited {work}", program, prelude=False, work=work)
        assert is_halved(own_cache)
        (_, expected), (found_tier, found) = json.loads(whole.out), json.loads(halves.out)
        assert found_tier == tier
        for call, one, other in zip([*calls, "exports", "native"], expected, found, strict=True):
            assert one == other, call
        assert places(whole) == places(halves) != []
    # Those of a new kernel are compiled at the same time; one with classes is in one piece.
    new = kernel("k", f"{text}// new", prelude=False, folder=project / "new")
    apart = run(
        f"import sys; sys.path.insert(0, {str(new.parent)!r})\n{program}", env={"RSIMPORT_TIER": "auto"}
    )
    assert json.loads(apart.out) == ["fast" if text == FORMS else "optimized", expected]
    assert places(whole) == places(apart)


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


SUM = """
#[pyclass]
struct Sum {
    parts: FIELD,
}
#[pymethods]
impl Sum {
    #[new]
    fn new() -> Self {
        Sum { parts: Default::default() }
    }
    fn size(&self) -> usize {
        std::mem::size_of_val(&self.parts)
    }
}
#[pyfunction]
fn value(py: Python<'_>) -> PyResult<usize> {
    RESULT
}
"""


def test_a_class_keeps_its_glue_whatever_its_objects_are_made_of(tell, own_cache):
    text = SUM.replace("RESULT", "py.check_signals()?;\n    Ok(Sum::new().size())")
    assert tell(text.replace("FIELD", "u64")) == [8, "optimized", 0]
    for size, work in ((16, "0.01"), (0, "9.5"), (12, "9.5")):
        assert tell(text.replace("FIELD", f"[u8; {size}]"), work=work) == [size, "fast", 0]
        assert is_halved(own_cache)
    assert len(list(own_cache.glob("v1/targets/*/glue/*"))) == 1
    # Only PyO3's own class of it has objects in Python.
    wanting = SUM.replace("RESULT", "Ok(Py::new(py, Sum::new())?.borrow(py).size())").replace("FIELD", "u32")
    assert tell(wanting) == [4, "fast", 0]
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
    assert is_halved(own_cache)


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
    assert run(code, env={"RSIMPORT_TIER": "auto"}).out == f"{prepared} fast"


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
