// rsimport
//! NAME: a kernel with one class. The first line marks the file for rsimport.
//!
//! In Python, `import rsimport.import_hook` and then `import NAME`: the import compiles this file
//! when it has changed. Every `#[pyclass]` here becomes a class of the module.

use pyo3::prelude::*;

/// Mean of a stream of numbers, kept up to date without storing them.
#[pyclass]
#[derive(Default)]
struct RunningMean {
    /// How many numbers were seen. `get` makes it an attribute that Python can read.
    #[pyo3(get)]
    count: u64,
    sum: f64,
}

// What stands here can be called from Python; an `impl` without `#[pymethods]` stays in Rust.
#[pymethods]
impl RunningMean {
    /// Runs for `RunningMean()`.
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Take in one more number. Methods that change the object take `&mut self`.
    fn push(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
    }

    /// The mean so far, None at the start: a Rust `Option` is a value or None in Python.
    #[getter]
    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// Special methods keep their Python names.
    fn __repr__(&self) -> String {
        format!("RunningMean(count={}, sum={:?})", self.count, self.sum)
    }
}
