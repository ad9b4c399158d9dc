"""Functions that take arrays, called without PyO3, behave as those of PyO3 and rust-numpy do."""

from __future__ import annotations

import pytest
from helpers import block

pytest.importorskip("numpy")

KERNEL = """
use numpy::{
    Complex64, PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArrayDyn,
    PyReadwriteArray1,
};
use pyo3::prelude::*;

#[pyfunction]
fn total(values: PyReadonlyArray1<'_, f64>) -> PyResult<f64> {
    Ok(values.as_slice()?.iter().sum())
}

#[pyfunction]
fn strided(values: PyReadonlyArray1<'_, f64>) -> f64 {
    values.as_array().sum()
}

#[pyfunction]
fn small(values: PyReadonlyArray1<'_, f32>) -> f32 {
    values.as_array().sum()
}

#[pyfunction]
fn bytes(values: PyReadonlyArray1<'_, u8>) -> u8 {
    values.as_array().iter().fold(0, |sum, value| sum ^ value)
}

#[pyfunction]
fn truths(values: PyReadonlyArray1<'_, bool>) -> usize {
    values.as_array().iter().filter(|value| **value).count()
}

#[pyfunction]
fn complex(values: PyReadonlyArray1<'_, Complex64>) -> f64 {
    values.as_array().iter().map(|value| value.im).sum()
}

#[pyfunction]
fn plane(values: PyReadonlyArray2<'_, f64>, at: usize) -> f64 {
    values.as_array().row(at).sum()
}

#[pyfunction]
fn any(values: PyReadonlyArrayDyn<'_, i64>) -> i64 {
    values.as_array().sum()
}

#[pyfunction]
#[pyo3(signature = (values, x = 7.0))]
fn fill(mut values: PyReadwriteArray1<'_, f64>, x: f64) {
    values.as_array_mut().fill(x);
}

#[pyfunction]
fn copy(from: PyReadonlyArray1<'_, f64>, mut to: PyReadwriteArray1<'_, f64>) {
    to.as_array_mut().assign(&from.as_array());
}

#[pyfunction]
fn pair(a: PyReadonlyArray1<'_, f64>, b: PyReadonlyArray1<'_, f64>) -> f64 {
    a.as_array().dot(&b.as_array())
}

#[pyfunction]
fn bound(values: &Bound<'_, PyArray1<f64>>) -> f64 {
    values.readonly().as_array().sum()
}

#[pyfunction]
fn owned(values: Bound<'_, PyArray1<f64>>) -> f64 {
    values.readwrite().as_array_mut().fill(0.0);
    0.0
}

#[pyfunction]
fn twice<'py>(py: Python<'py>, values: PyReadonlyArray1<'py, f64>) -> Bound<'py, PyArray1<f64>> {
    PyArray1::from_owned_array(py, values.as_array().mapv(|value| value * 2.0))
}

#[pyfunction]
fn panic(values: PyReadonlyArray1<'_, f64>, mut to: PyReadwriteArray1<'_, f64>) -> f64 {
    to.as_array_mut()[0] = 1.0;
    panic!("{} values", values.as_array().len());
}

#[pyfunction]
fn read_and(_values: PyReadonlyArray1<'_, f64>, back: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(back.call0()?.to_string())
}

#[pyfunction]
fn write_and(_values: PyReadwriteArray1<'_, f64>, back: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(back.call0()?.to_string())
}

#[pyfunction]
fn all(arrays: Vec<PyReadonlyArray1<'_, f64>>, mut one: PyReadwriteArray1<'_, f64>) -> usize {
    one.as_array_mut().fill(3.0);
    arrays.len()
}

#[pyclass(frozen)]
struct Scale(f64);

#[pymethods]
impl Scale {
    #[new]
    fn new(x: f64) -> Self {
        Scale(x)
    }

    fn total(&self, values: PyReadonlyArray1<'_, f64>) -> f64 {
        values.as_array().sum() * self.0
    }
}
"""

CALLS = [
    "total(a)",
    "total(values=a)",
    "total(a[:0])",
    "total(a[::2])",
    "total(np.matrix([1.0]))",
    "total(a.view(Sub))",
    "total(a.astype('>f8'))",
    "total(a.astype('f4'))",
    "total(a.astype('i8'))",
    "total(np.zeros((2, 2)))",
    "total(np.float64(2.0))",
    "total(np.array(2.0))",
    "total([1.0])",
    "total(None)",
    "total()",
    "total(a, a)",
    "total(np.array([1.0], dtype=object))",
    "total(np.ma.masked_array(a))",
    "total(np.array([1.0], dtype=np.dtype('f8', metadata={'x': 1})))",
    "total(np.zeros(2, dtype='f8,f8')['f1'])",
    "strided(a[::-2])",
    "strided(np.zeros(2, dtype='f8,f8')['f1'])",
    "strided(np.broadcast_to(1.5, (4,)))",
    "strided(np.frombuffer(b'12345678' * 2))",
    "small(a.astype('f4'))",
    "small(a)",
    "bytes(np.frombuffer(b'abc', 'u1'))",
    "bytes(np.frombuffer(b'abc', 'i1'))",
    "truths(np.array([True, False, True])[::2])",
    "truths(np.array([1, 0], 'u1'))",
    "complex(np.array([1 + 2j, 3j])[::-1])",
    "complex(a)",
    "plane(np.arange(6.0).reshape(2, 3).T, 1)",
    "plane(np.arange(6.0).reshape(2, 3), 5)",
    "plane(a, 0)",
    "any(np.arange(24).reshape(2, 3, 4)[:, ::2])",
    "any(np.array(5))",
    "any(np.arange(3, dtype='longlong'))",
    "any(np.arange(3, dtype='i4'))",
    "fill(a)",
    "fill(a[1::3], -1.0)",
    "fill(frozen)",
    "fill(np.broadcast_to(1.5, (4,)))",
    "fill(x=2.0, values=a)",
    "copy(a[:4], a[4:8])",
    "copy(a[:5], a[4:9])",
    "copy(a[:5], a[5:])",
    "copy(a, a)",
    "copy(a[:0], a[:0])",
    "copy(a[::2], a[1::2])",
    "copy(a[::2], a[:5])",
    "copy(a[:9:3], a[1:9:3])",
    "copy(a[:9:2], a[:5:-1])",
    "copy(b[0], b[1])",
    "copy(b[:, 0], b[:, 1])",
    "copy(b[:, 0], b[0, :2])",
    "copy(b.T[0], b.T[1])",
    "copy(np.frombuffer(buffer), np.frombuffer(buffer))",
    "copy(np.frombuffer(buffer)[:2], np.frombuffer(buffer)[2:])",
    "copy(np.frombuffer(memoryview(buffer)), np.frombuffer(memoryview(buffer)))",
    "copy(np.array(a, copy=True), a)",
    "copy(np.broadcast_to(1.5, (4,)), a[:4])",
    "copy(frozen, a[:3])",
    "copy(a, frozen)",
    "copy(1, frozen)",
    "pair(a, a)",
    "pair(a, a[::-1])",
    "bound(a)",
    "bound(frozen)",
    "owned(a.copy())",
    "owned(frozen)",
    "twice(a[:3])",
    "[twice(a[:1]) for _ in range(600)][-1]",
    "panic(a[:3], a[5:])",
    "panic(a, a)",
    "fill(a, 2.0)",
    "read_and(a, lambda: k.total(a))",
    "read_and(a, lambda: k.fill(a))",
    "read_and(a, lambda: other.total(a))",
    "read_and(a, lambda: other.fill(a))",
    "read_and(a[:3], lambda: other.fill(a[3:]))",
    "write_and(a, lambda: k.total(a))",
    "write_and(a, lambda: other.total(a))",
    "write_and(a, lambda: other.bound(a))",
    "write_and(a[::2], lambda: other.total(a[1::2].copy()))",
    "write_and(a, lambda: write(a))",
    "write_and(r := np.zeros(3), lambda: setattr(r, 'shape', (3, 1)))",
    "[r := np.zeros(3), write_and(r[1:], lambda: r.sort()), fill(r), total(r)][1:]",
    "all([a[i : i + 1] for i in range(8)], a[8:])",
    "all([a[i : i + 1] for i in range(9)], a[8:])",
    "all([a] * 300, a.copy())",
    "all([np.zeros(1) for _ in range(3000)], a)",
    "all([a[:1], a[:2]], 5)",
    "Scale(2.0).total(a)",
    "Scale(2.0).total(a[::-1])",
    "Scale(2.0).total([1.0])",
    "Scale(2.0).total(values=a)",
    "fill(a)",
    "total(a)",
]
"""What can make a call go one way or the other, and what borrows of the same memory say to one another."""

PROGRAM = """
    import sys
    import rsimport, rsimport.import_hook
    order = %r
    if order == "before": import numpy as np
    import fast, plain
    import numpy as np
    registry = sys.modules.get("numpy._core.multiarray") or sys.modules["numpy.core.multiarray"]
    assert not hasattr(registry, "_RUST_NUMPY_BORROW_CHECKING_API")
    first, last = (plain, fast) if order == "theirs" else (fast, plain)
    first.total(np.zeros(3))
    assert hasattr(registry, "_RUST_NUMPY_BORROW_CHECKING_API")
    last.total(np.zeros(3))
    for k in (fast, plain):
        with open(rsimport.info(k).path, "rb") as library:
            assert (b"fastcall_0_total" in library.read()) == (k is fast)

    class Sub(np.ndarray):
        pass

    def said(k, other, call):
        a, b, buffer = np.arange(10.0), np.arange(9.0).reshape(3, 3), bytearray(32)
        frozen = np.arange(3.0)
        frozen.flags.writeable = False
        def write(values): values[0] = 5.0
        names = {**vars(k), "k": k, "other": other, "np": np, "Sub": Sub, "write": write}
        names |= {"a": a, "b": b, "buffer": buffer, "frozen": frozen}
        try:
            result = repr(eval(call, names))
        except BaseException as error:
            result = f"{type(error).__name__} {error}"
        after = (a.tolist(), b.tolist(), frozen.tolist(), bytes(buffer), sys.getrefcount(a))
        del a
        return result.replace("plain", "k").replace("fast", "k"), after

    for call in %r:
        ours, theirs = said(fast, plain, call), said(plain, fast, call)
        assert ours == theirs, (call, ours, theirs)
        print(call, ours[0])
"""


def test_a_fast_call_with_arrays_cannot_be_told_from_another(kernel, run):
    lines = ("[dependencies]", 'numpy = "0.30"')
    off = ("[package.metadata.rsimport]", "fast_calls = false")
    kernel("fast", "#![deny(warnings)]\n" + KERNEL, block=block(*lines), prelude=False)
    kernel("plain", KERNEL, block=block(*lines, *off), prelude=False)
    env = {"RSIMPORT_TIER": "optimized", "RUST_BACKTRACE": "0"}

    def said(order: str) -> str:
        return run(PROGRAM % (order, CALLS), env=env).out

    ours = said("before")
    for line in ("total(a) 45.0", "copy(a, a) TypeError", "copy(a[::2], a[1::2]) None", "any(np.array(5)) 5"):
        assert line in ours
    # Whoever comes first publishes the registry that all share: it has to have the rules of rust-numpy's own.
    assert said("after") == said("theirs") == ours
