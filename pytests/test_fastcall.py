"""Functions and methods of numbers and strings, called without PyO3, behave as PyO3's own do."""

from __future__ import annotations

import re

import pytest
from helpers import Result

ZOO = """
/// Doc of add.
#[pyfunction]
fn add(a: i32, b: u8) -> i64 {
    a as i64 + b as i64
}

#[pyfunction]
#[pyo3(signature = (x, times = 2.0))]
fn scale(x: f64, times: f64) -> f64 {
    x * times
}

#[pyfunction(name = "renamed")]
fn narrow(x: f32) -> PyResult<f32> {
    Ok(x)
}

#[pyfunction]
fn wide(n: u64) -> u64 {
    n
}

#[pyfunction]
fn invert(yes: bool) -> bool {
    !yes
}

#[pyfunction]
fn nothing() {}

#[pyfunction]
fn fail(n: i64) -> PyResult<()> {
    Err(pyo3::exceptions::PyValueError::new_err(format!("bad {n}")))
}

#[pyfunction]
fn panic(n: i64) {
    panic!("number {n}");
}

#[cfg(not(unix))]
#[pyfunction]
fn elsewhere(n: i64) -> i64 {
    n
}

#[pyfunction]
fn repeat(text: &str, times: usize) -> String {
    text.repeat(times)
}

#[pyfunction]
fn length(text: &str) -> PyResult<usize> {
    Ok(text.len())
}

mod own {
    pub struct Odd(pub i64);
    impl From<Odd> for pyo3::PyErr {
        fn from(odd: Odd) -> Self {
            assert!(odd.0 < 100, "too odd");
            pyo3::exceptions::PyArithmeticError::new_err("odd")
        }
    }
    pub type PyResult<T> = Result<T, Odd>;
}

#[pyfunction]
fn halve(n: i64) -> own::PyResult<i64> {
    if n % 2 == 0 { Ok(n / 2) } else { Err(own::Odd(n)) }
}

#[pyfunction]
fn r#match(n: usize) -> usize {
    Python::attach(|_| n)
}

#[pyfunction]
#[pyo3(signature = (text, times = -1, yes = true, x = None, half = 0.1))]
fn usual(text: &str, times: i8, yes: bool, x: Option<f32>, half: f32) -> PyResult<Option<String>> {
    Ok(yes.then(|| format!("{text} {times} {x:?} {half:?}")))
}

#[pyfunction]
fn with_python<'py>(_py: Python<'py>, n: u16) -> u16 {
    n
}

#[pyfunction]
#[pyo3(signature = (first, *rest, last = 3, **more))]
fn many(first: i64, rest: Vec<i64>, last: i64, more: Option<std::collections::HashMap<String, i64>>) -> i64 {
    first + rest.iter().sum::<i64>() + last + more.map_or(0, |more| more.values().sum())
}

/// Doc of Walk.
#[pyclass(subclass, weakref, dict)]
struct Walk {
    #[pyo3(get, set)]
    x: f64,
}

#[pymethods]
impl Walk {
    #[new]
    #[pyo3(signature = (x = 0.5))]
    fn new(x: f64) -> Self {
        Walk { x }
    }

    /// Doc of step.
    fn step(&mut self, r: f64) -> f64 {
        self.x *= r;
        self.x
    }

    #[pyo3(signature = (n, times = 2))]
    fn look(&self, n: u8, times: u64) -> f64 {
        self.x * n as f64 * times as f64
    }

    fn alone(&self) -> Option<f64> {
        (self.x > 0.0).then_some(self.x)
    }

    #[pyo3(name = "called")]
    fn other_name(&self, text: &str) -> String {
        format!("{text} {}", self.x)
    }

    fn r#type(&self, yes: bool) -> bool {
        !yes
    }

    fn fail(&mut self, n: i64) -> PyResult<()> {
        self.x += 1.0;
        Err(pyo3::exceptions::PyKeyError::new_err(n))
    }

    fn panic(&mut self, n: i64) -> i64 {
        panic!("method {n}");
    }

    #[cfg(not(unix))]
    fn elsewhere(&self, n: i64) -> i64 {
        n
    }

    /// Calls back, while it is borrowed.
    fn reenter(&mut self, back: &Bound<'_, PyAny>) -> PyResult<()> {
        back.call0().map(|_| ())
    }

    fn lend(&self, back: &Bound<'_, PyAny>) -> PyResult<()> {
        back.call0().map(|_| ())
    }

    fn of(slf: PyRef<'_, Self>, n: f64) -> f64 {
        slf.x + n
    }

    fn with_(&self, other: &Self) -> f64 {
        self.x + other.x
    }

    #[staticmethod]
    fn fixed(n: i64) -> i64 {
        n
    }

    #[classmethod]
    fn made(_class: &Bound<'_, pyo3::types::PyType>, x: f64) -> Self {
        Walk { x }
    }

    #[getter]
    fn twice(&self) -> f64 {
        self.x * 2.0
    }

    #[setter]
    fn set_twice(&mut self, x: f64) {
        self.x = x / 2.0;
    }

    fn __len__(&self) -> usize {
        self.x as usize
    }

    fn __call__(&self, n: i64) -> i64 {
        n
    }
}

#[pyclass(extends = Walk)]
struct Child {
    n: i64,
}

#[pymethods]
impl Child {
    #[new]
    fn new(n: i64) -> (Self, Walk) {
        (Child { n }, Walk { x: 1.5 })
    }

    fn add(&mut self, n: i64) -> i64 {
        self.n = self.n.checked_add(n).expect("no overflow");
        self.n
    }
}

#[pyclass(frozen, name = "Ice")]
struct Frozen(u32);

#[pymethods]
impl Frozen {
    #[new]
    fn new(n: u32) -> Self {
        Frozen(n)
    }

    fn add(&self, n: u32) -> u32 {
        self.0.wrapping_add(n)
    }
}

mod deep {
    use pyo3::prelude::*;

    #[pyclass(unsendable)]
    pub struct Rooted(std::rc::Rc<i32>);

    #[pymethods]
    impl Rooted {
        #[new]
        fn new() -> Self {
            Rooted(std::rc::Rc::new(7))
        }

        pub fn add(&self, n: i32) -> i32 {
            *self.0 + n
        }

        fn hidden(&self, n: i32) -> i32 {
            *self.0 - n
        }
    }
}
"""

CALLS = [
    "add(1, 2)",
    "add(a=1, b=2)",
    "add(1, b=2)",
    "add(True, 2)",
    "add(2**40, 1)",
    "add(1, 300)",
    "add(1, -1)",
    "add(2**70, 1)",
    "add(1)",
    "add(1, 2, 3)",
    "add(1.0, 2)",
    "add('1', 2)",
    "add(numpy_like(5), 2)",
    "scale(3.0)",
    "scale(3.0, 4.0)",
    "scale(3, 4)",
    "scale(times=1.5, x=2.0)",
    "scale(float_like(2.5), 2.0)",
    "scale('x', 2.0)",
    "renamed(0.1)",
    "renamed(1e300)",
    "wide(2**63)",
    "wide(2**64 - 1)",
    "wide(2**64)",
    "wide(-1)",
    "invert(True)",
    "invert(False)",
    "invert(1)",
    "nothing()",
    "nothing(1)",
    "fail(3)",
    "panic(3)",
    "repeat('Grüße', 2)",
    "repeat('', 5)",
    "repeat(text='a', times=2)",
    "repeat('\\0', 3)",
    "repeat(str_like('sub'), 2)",
    "repeat(b'a', 2)",
    "length('\\udc80')",
    "length('\\U0001f600')",
    "halve(4)",
    "halve(3)",
    "halve(101)",
    "match(7)",
    "missing",
    "elsewhere(1)",
    "usual('a')",
    "usual('a', 3)",
    "usual('a', 3, False)",
    "usual('a', 3, True, 2.5)",
    "usual('a', 3, True, None, 0.7)",
    "usual('a', 3, True, None, None)",
    "usual('a', half=1.0)",
    "usual('a', 200)",
    "usual()",
    "[with_python(n) for n in (1, 65535)]",
    "sum(with_python(1) for _ in range(1000))",
    "with_python(65536)",
    "many(1)",
    "many(1, 2, 3, last=4, a=5)",
    "[w := Walk(), w.step(3.0), w.step(2.0), w.x][1:]",
    "Walk(0.5).step(r=2.0)",
    "Walk(0.5).step(2)",
    "Walk(0.5).step('2')",
    "Walk(0.5).step()",
    "Walk(0.5).step(1.0, 2.0)",
    "Walk.step(Walk(3.0), 2.0)",
    "Walk.step(3.0, 2.0)",
    "Walk.step()",
    "Walk.step.__get__(Walk(3.0))(2.0)",
    "list(map(Walk(3.0).step, [1.0, 2.0, 3]))",
    "Walk(2.0).look(2)",
    "Walk(2.0).look(2, 3)",
    "Walk(2.0).look(256, 3)",
    "Walk(2.0).look(2, -3)",
    "Walk(2.0).look(times=1, n=1)",
    "Walk(2.0).alone()",
    "Walk(-2.0).alone()",
    "Walk(2.0).alone(1)",
    "Walk.alone(Child(1))",
    "Walk.alone(Ice(1))",
    "Walk(2.0).called('text')",
    "Walk(2.0).called(b'text')",
    "Walk(2.0).other_name('text')",
    "Walk(2.0).type(True)",
    "[w := Walk(2.0), caught(w.fail, 5), w.x][1:]",
    "[w := Walk(2.0), caught(w.panic, 5), w.step(2.0)][1:]",
    "Walk(2.0).panic(5)",
    "Walk(2.0).elsewhere(1)",
    "[w := Walk(2.0), w.reenter(lambda: w.step(2.0))]",
    "[w := Walk(2.0), w.reenter(lambda: w.look(2))]",
    "[w := Walk(2.0), w.reenter(w.alone)]",
    "[w := Walk(2.0), w.lend(lambda: w.look(2)), w.lend(w.alone)][1:]",
    "[w := Walk(2.0), w.lend(lambda: w.step(2.0))]",
    "[w := Walk(2.0), caught(w.lend, lambda: w.step(2.0)), w.step(2.0)][1:]",
    "Walk(2.0).of(1.0)",
    "Walk(2.0).with_(Walk(1.0))",
    "(Walk.fixed(3), Walk(1.0).fixed(4), Walk.made(2.0).x)",
    "[w := Walk(2.0), w.twice, setattr(w, 'twice', 10.0), len(w), w(3)][1:]",
    "Under(2.0).step(3.0)",
    "Over(2.0).step(3.0)",
    "Walk.step(Over(2.0), 3.0)",
    "Child(1).step(2.0)",
    "Child(1).add(2)",
    "Child(1).add(2**63 - 1)",
    "Child.add(Walk(2.0), 1)",
    "Ice(2**32 - 1).add(1)",
    "Ice(1).add(2**32)",
    "Ice(1).add(n=5)",
    "Rooted().add(3)",
    "Rooted().hidden(3)",
    "elsewhere_in_a_thread(Rooted(), 'add', 3)",
    "elsewhere_in_a_thread(Ice(1), 'add', 3)",
    "ref(w := Walk(2.0))().step(2.0)",
]
"""What can make a call go one way or the other: types, numbers and names of arguments, results, errors."""

PROGRAM = """
    import inspect, pickle, sys, threading
    from weakref import ref
    import rsimport, rsimport.import_hook, k
    from k import Walk

    class numpy_like:
        def __init__(self, value): self.value = value
        def __index__(self): return self.value

    class float_like(float):
        pass

    class str_like(str):
        pass

    class Under(Walk):
        pass

    class Over(Walk):
        def step(self, r):
            return super().step(r) + 100

    def caught(call, *given):
        try:
            return call(*given)
        except BaseException as error:
            return type(error).__name__, str(error)

    def elsewhere_in_a_thread(thing, name, *given):
        said = []
        thread = threading.Thread(target=lambda: said.append(caught(getattr(thing, name), *given)))
        thread.start()
        thread.join()
        return said

    own = {name: value for name, value in vars().items() if not name.startswith("_")}
    names = {**vars(k), **own}
    for call in %r:
        try:
            print(call, repr(eval(call, names)))
        except BaseException as error:
            print(call, type(error).__name__, error)
    print(rsimport.info(k).warnings)
    for name in ("add", "scale", "renamed", "nothing", "match"):
        function = names[name]
        print(function, inspect.signature(function), function.__doc__)
        print(function.__module__, function.__qualname__)
        assert pickle.loads(pickle.dumps(function)) is function
    for name in sorted(vars(Walk)):
        method = vars(Walk)[name]
        print(name, type(method), getattr(method, "__text_signature__", None), method.__doc__)
    for name in ("step", "alone", "called"):
        method = getattr(Walk, name)
        assert pickle.loads(pickle.dumps(method)) is method
        print(method, inspect.signature(method), method.__qualname__, method.__objclass__)
    step, walk = Walk.step, Walk(2.0)
    Walk.step = lambda self, r: "replaced"
    print(walk.step(3.0), step(walk, 3.0))
    del Walk.step
    print(caught(lambda: walk.step(3.0)), step(walk, 3.0))
"""


@pytest.fixture
def said(kernel, run):
    """What a program prints with a tier."""
    kernel("k", ZOO)

    def with_tier(tier: str) -> list[str]:
        found: Result = run(PROGRAM % (CALLS,), env={"RSIMPORT_TIER": tier, "RUST_BACKTRACE": "0"})
        return found.out.splitlines()

    return with_tier


def test_a_fast_call_cannot_be_told_from_another(said):
    # A build that has to be fast has none: what it prints is PyO3's own.
    without = said("fast")
    assert said("optimized") == without


def test_a_fast_call_can_be_told_by_its_place_in_a_panic(kernel, run):
    # So that the comparison above compares something.
    kernel("k", ZOO)
    program = """
        import rsimport.import_hook, k
        for panic in (k.panic, k.Walk(0.5).panic):
            try: panic(1)
            except BaseException: pass
    """

    def passed_through(tier: str, **more: str) -> list[str]:
        said = run(program, env={"RSIMPORT_TIER": tier, "RUST_BACKTRACE": "1", **more}).stderr
        return list(dict.fromkeys(re.findall(r"fastcall_\d+_(\w*panic)\b", said)))

    assert not passed_through("fast")
    assert passed_through("optimized") == ["panic", "Walk_panic"]
    assert not passed_through("optimized", RSIMPORT_FAST_CALLS="false")


STRICT = """
/// Doc.
#[pyfunction]
fn half(x: f64) -> f64 {
    x / 2.0
}

/// Doc.
#[pyclass]
struct Kept {
    n: i64,
}

#[pymethods]
impl Kept {
    #[new]
    fn new() -> Self {
        Kept { n: 1 }
    }

    fn one(&self) -> i64 {
        self.n
    }

    fn more(&mut self, by: i64) -> i64 {
        self.n += by;
        self.n
    }
}
"""


@pytest.mark.parametrize(
    ("block", "head", "fast"),
    [
        ("", "#![forbid(unsafe_code, unused_imports)]\n", False),
        ('//! ```cargo\n//! [dependencies]\n//! pyo3 = "0.30"\n//! ```\n', "", False),
        (
            "",
            "#![deny(warnings, unused, unsafe_code, missing_docs, unreachable_pub, trivial_casts)]\n"
            "#![deny(trivial_numeric_casts, unused_qualifications)]\n//! Documented.\n",
            True,
        ),
    ],
    ids=["unsafe code is forbidden", "a PyO3 of its own", "warnings are denied"],
)
def test_a_kernel_that_is_strict_or_has_its_own_pyo3_compiles(kernel, run, block, head, fast):
    kernel("k", head + STRICT, block=block, prelude=False)
    program = """
        import rsimport, rsimport.import_hook, k
        print(k.half(3.0), k.half(x=5.0), k.Kept().one(), k.Kept().more(2))
        with open(rsimport.info(k).path, "rb") as library:
            text = library.read()
        print([b"fastcall_" + name in text for name in (b"0_half", b"1_Kept_one", b"2_Kept_more")])
    """
    said = run(program, env={"RSIMPORT_TIER": "optimized"}).out.splitlines()
    assert said == ["1.5 2.5 1 3", str([fast] * 3)]
