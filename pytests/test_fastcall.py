"""Functions of numbers and strings, which an optimised module calls without PyO3, behave as PyO3's own do."""

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
]
"""What can make a call go one way or the other: types, numbers and names of arguments, results, errors."""

PROGRAM = """
    import inspect, pickle, sys
    import rsimport, rsimport.import_hook, k

    class numpy_like:
        def __init__(self, value): self.value = value
        def __index__(self): return self.value

    class float_like(float):
        pass

    class str_like(str):
        pass

    own = {"numpy_like": numpy_like, "float_like": float_like, "str_like": str_like}
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
    program = "import rsimport.import_hook, k\ntry: k.panic(1)\nexcept BaseException: pass"

    def passes_through(tier: str, **more: str) -> bool:
        said = run(program, env={"RSIMPORT_TIER": tier, "RUST_BACKTRACE": "1", **more}).stderr
        return re.search(r"fastcall_\d+_panic", said) is not None

    assert not passes_through("fast")
    assert passes_through("optimized")
    assert not passes_through("optimized", RSIMPORT_FAST_CALLS="false")


@pytest.mark.parametrize(
    ("block", "head"),
    [
        ("", "#![forbid(unsafe_code, unused_imports)]\n"),
        ('//! ```cargo\n//! [dependencies]\n//! pyo3 = "0.30"\n//! ```\n', ""),
        (
            "",
            "#![deny(warnings, unused, unsafe_code, missing_docs, unreachable_pub, trivial_casts)]\n"
            "#![deny(trivial_numeric_casts, unused_qualifications)]\n//! Documented.\n",
        ),
    ],
    ids=["unsafe code is forbidden", "a PyO3 of its own", "warnings are denied"],
)
def test_a_kernel_that_is_strict_or_has_its_own_pyo3_compiles(kernel, run, block, head):
    kernel(
        "k",
        head + "/// Doc.\n#[pyfunction]\nfn half(x: f64) -> f64 {\n    x / 2.0\n}",
        block=block,
        prelude=False,
    )
    program = "import rsimport.import_hook, k; print(k.half(3.0), k.half(x=5.0))"
    assert run(program, env={"RSIMPORT_TIER": "optimized"}).out == "1.5 2.5"
