// rsimport
//! Whatever a stub has to cope with: "quotes", back\slashes and ünïcödé.
//!
//! ```cargo
//! [dependencies]
//! numpy = "0.30"
//! ```
use std::collections::{HashMap, HashSet};

use numpy::{Complex64, PyArray1, PyArrayLike1, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3, PyUntypedArray};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyIterator, PyList, PySlice, PyTuple, PyType};

type Floats<'py> = PyReadonlyArray1<'py, f64>;

#[derive(FromPyObject)]
enum Image<'py> {
    Bytes(PyReadonlyArray3<'py, u8>),
    Floats(PyReadonlyArray3<'py, f32>),
}

/// Has """three quotes""", a \ backslash, and "one at its end"
#[pyfunction]
#[pyo3(signature = (r#type, lambda, /, count=3, *, text="x\"y\\z"))]
fn words(r#type: i64, lambda: f64, count: u8, text: &str) -> String {
    format!("{type}{lambda}{count}{text}")
}

/// Ends with a backslash \
#[pyfunction]
#[pyo3(signature = (x, y=None))]
fn alias(x: Floats<'_>, y: Option<Floats<'_>>) -> bool {
    x.as_array().len() == y.map_or(0, |y| y.as_array().len())
}

#[pyfunction]
fn grey(image: Image<'_>) -> usize {
    match image {
        Image::Bytes(image) => image.as_array().len(),
        Image::Floats(image) => image.as_array().len(),
    }
}

fn length(x: &Bound<'_, PyAny>) -> PyResult<usize> {
    x.len()
}

#[pyfunction]
fn converted(#[pyo3(from_py_with = length)] n: usize) -> usize {
    n
}

#[pyfunction]
#[pyo3(text_signature = "(a, b=None, /, *, c=1)")]
fn described(a: i64, b: i64, c: i64) -> i64 {
    a + b + c
}

#[pyfunction]
fn arrays<'py>(
    a: PyReadonlyArray2<'py, Complex64>,
    b: PyArrayLike1<'py, i32>,
    c: &Bound<'py, PyUntypedArray>,
) -> PyResult<(Py<PyArray1<u8>>, Vec<Bound<'py, PyArray1<bool>>>)> {
    Err(PyValueError::new_err(format!("{:?} {:?} {c:?}", a.as_array(), b.as_array())))
}

#[pyfunction]
fn bare<'py>(
    a: Vec<Bound<'py, PyList>>,
    b: Bound<'py, PyIterator>,
    c: Bound<'py, PyType>,
    d: Bound<'py, PyCapsule>,
    e: Bound<'py, PySlice>,
) -> HashMap<String, Bound<'py, PyDict>> {
    drop((a, b, c, d, e));
    HashMap::new()
}

#[pyfunction]
#[pyo3(signature = (x=f64::NAN, y=-1, z=vec![], w=None, b=true))]
fn defaults(x: f64, y: i64, z: Vec<i64>, w: Option<&str>, b: bool) -> f64 {
    x + y as f64 + z.len() as f64 + w.map_or(0, str::len) as f64 + f64::from(b)
}

#[pyfunction]
fn containers(a: HashMap<String, Vec<f64>>, b: HashSet<(i64, String)>, c: HashMap<i64, HashMap<String, u8>>) -> usize {
    a.len() + b.len() + c.len()
}

/// Has the name of one of Python's own.
#[pyfunction]
fn int(x: i64) -> i64 {
    x
}

#[pyfunction]
#[pyo3(signature = (f: "collections.abc.Callable[[float], Bag]", n=10) -> "list[Bag]")]
fn annotated(f: Bound<'_, PyAny>, n: usize) -> PyResult<Vec<Bound<'_, PyAny>>> {
    (0..n).map(|i| f.call1((i as f64,))).collect()
}

create_exception!(everything, Base, PyException, "Base \"of\" all; `code` says which.");
create_exception!(everything, Special, Base);

#[pyfunction]
fn fail(py: Python<'_>) -> PyResult<()> {
    let error = Special::new_err("no");
    error.value(py).setattr("code", 3)?;
    Err(error)
}

/// Has members with the names of types.
#[pyclass(name = "Bag", module = "everything")]
struct RustBag {
    #[pyo3(get, set)]
    list: Vec<i64>,
    #[pyo3(get)]
    array: Py<PyArray1<f64>>,
    value: i64,
}

#[pymethods]
impl RustBag {
    #[classattr]
    const NAME: &'static str = "bag";

    #[new]
    #[pyo3(signature = (list, *args, **options))]
    fn new(py: Python<'_>, list: Vec<i64>, args: &Bound<'_, PyTuple>, options: Option<&Bound<'_, PyDict>>) -> Self {
        let value = (args.len() + options.map_or(0, |options| options.len())) as i64;
        RustBag { list, array: PyArray1::from_vec(py, vec![1.0]).unbind(), value }
    }
    #[classmethod]
    fn empty(_cls: &Bound<'_, PyType>, py: Python<'_>) -> Self {
        RustBag { list: vec![], array: PyArray1::from_vec(py, vec![]).unbind(), value: 0 }
    }
    #[staticmethod]
    fn level() -> Level {
        Level::High
    }
    fn str(&self, list: Vec<String>) -> Vec<String> {
        list
    }
    fn walk(&self) -> Hidden {
        Hidden { left: 3 }
    }
    /// What it is worth.
    #[getter(worth)]
    fn get_it(&self) -> i64 {
        self.value
    }
    #[setter(worth)]
    fn put_it(&mut self, worth: i64) {
        self.value = worth
    }
    #[deleter(worth)]
    fn delete_it(&mut self) {
        self.value = 0
    }
    fn __eq__(&self, other: &RustBag) -> bool {
        self.value == other.value
    }
    fn __lt__(&self, other: &RustBag) -> bool {
        self.value < other.value
    }
    fn __or__(&self, other: &RustBag) -> i64 {
        self.value | other.value
    }
    fn __ior__(&mut self, other: &RustBag) {
        self.value |= other.value
    }
    fn __pow__(&self, exponent: u32, modulus: Option<i64>) -> i64 {
        self.value.pow(exponent) % modulus.unwrap_or(i64::MAX)
    }
    fn __setitem__(&mut self, key: String, value: i64) {
        self.value = value + key.len() as i64
    }
    fn __getitem__(&self, key: String) -> i64 {
        self.value + key.len() as i64
    }
    fn __bool__(&self) -> bool {
        true
    }
}

/// Is only ever given back.
#[pyclass]
struct Hidden {
    left: u8,
}

#[pymethods]
impl Hidden {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }
    fn __next__(&mut self, py: Python<'_>) -> Option<Py<PyArray1<f64>>> {
        self.left = self.left.checked_sub(1)?;
        Some(PyArray1::from_vec(py, vec![]).unbind())
    }
}

#[pyclass(extends = PyDict, subclass)]
struct Table {}

#[pymethods]
impl Table {
    #[new]
    fn new() -> Self {
        Table {}
    }
    fn get(&self, key: i64) -> i64 {
        key
    }
}

#[pyclass(eq, eq_int)]
#[derive(PartialEq)]
enum Level {
    Low = 1,
    High = 5,
}

#[pyclass]
enum Shape {
    Circle { radius: f64 },
    Square(f64),
}

#[pyfunction]
fn area(shape: &Shape, level: &Level) -> f64 {
    let side = match shape {
        Shape::Circle { radius } => *radius,
        Shape::Square(side) => *side,
    };
    if *level == Level::Low { side } else { side * side }
}

mod deep {
    use pyo3::prelude::*;

    /// Lies in a module below.
    #[pyfunction]
    pub fn f(bag: &super::RustBag) -> i64 {
        bag.value
    }
    #[pyclass]
    pub struct Inner {}
    #[pyfunction]
    pub fn make() -> Inner {
        Inner {}
    }
}

/// Has the name of a function below.
#[pyfunction(name = "f")]
fn outer(inner: &deep::Inner) -> f64 {
    let _ = inner;
    1.0
}

#[pymodule]
fn everything(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add_function(wrap_pyfunction!(words, m)?)?;
    m.add_function(wrap_pyfunction!(alias, m)?)?;
    m.add_function(wrap_pyfunction!(grey, m)?)?;
    m.add_function(wrap_pyfunction!(converted, m)?)?;
    m.add_function(wrap_pyfunction!(described, m)?)?;
    m.add_function(wrap_pyfunction!(arrays, m)?)?;
    m.add_function(wrap_pyfunction!(bare, m)?)?;
    m.add_function(wrap_pyfunction!(defaults, m)?)?;
    m.add_function(wrap_pyfunction!(containers, m)?)?;
    m.add_function(wrap_pyfunction!(int, m)?)?;
    m.add_function(wrap_pyfunction!(annotated, m)?)?;
    m.add_function(wrap_pyfunction!(fail, m)?)?;
    m.add_function(wrap_pyfunction!(area, m)?)?;
    m.add_function(wrap_pyfunction!(outer, m)?)?;
    m.add_class::<RustBag>()?;
    m.add("Sack", py.get_type::<RustBag>())?;
    m.add_class::<Table>()?;
    m.add_class::<Level>()?;
    m.add_class::<Shape>()?;
    m.add("Base", py.get_type::<Base>())?;
    m.add("Special", py.get_type::<Special>())?;
    m.add("VERSION", "1.2")?;
    m.add("LIMITS", (1, 2.5))?;
    m.add("LEVEL", Level::Low)?;
    m.add("math", py.import("math")?)?;
    let below = PyModule::new(py, "below")?;
    below.add_function(wrap_pyfunction!(deep::f, &below)?)?;
    below.add_function(wrap_pyfunction!(deep::make, &below)?)?;
    below.add_class::<deep::Inner>()?;
    m.add_submodule(&below)
}
