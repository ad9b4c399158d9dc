// rsimport
//! NAME: a kernel with one function. The first line marks the file for rsimport.
//!
//! In Python, `import rsimport.import_hook` and then `import NAME`: the import compiles this file
//! when it has changed. Every `#[pyfunction]` here becomes a function of the module.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Return the mean of some numbers: these lines become the docstring.
///
/// PyO3 turns Python's arguments into the Rust types below and raises TypeError where it cannot.
/// Raises ValueError if there are no numbers.
#[pyfunction]
fn mean(values: Vec<f64>) -> PyResult<f64> {
    if values.is_empty() {
        // An `Err` becomes a Python exception.
        return Err(PyValueError::new_err("the mean of no numbers"));
    }
    Ok(values.iter().sum::<f64>() / values.len() as f64)
}
