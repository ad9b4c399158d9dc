// rsimport
//! The subjects as a kernel, which is also the text of the crates that are built by hand.
//!
//! ```cargo
//! [dependencies]
//! numpy = "0.30"
//! ```

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

#[pyfunction]
fn increment(i: i64) -> i64 {
    i + 1
}

#[pyfunction]
fn logistic(steps: u64, r: f64, mut x: f64) -> f64 {
    for _ in 0..steps {
        x = r * x * (1.0 - x);
    }
    x
}

#[pyclass]
struct Map {
    r: f64,
}

#[pymethods]
impl Map {
    #[new]
    fn new(r: f64) -> Self {
        Map { r }
    }

    fn step(&self, x: f64) -> f64 {
        logistic(1, self.r, x)
    }

    fn swap(&mut self, r: f64) -> f64 {
        std::mem::replace(&mut self.r, r)
    }
}

#[pyfunction]
fn length(text: &str) -> usize {
    text.len()
}

#[pyfunction]
fn total(values: PyReadonlyArray1<'_, f64>) -> PyResult<f64> {
    Ok(values.as_slice()?.iter().sum())
}
