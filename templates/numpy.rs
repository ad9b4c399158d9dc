// rsimport
//! NAME: a kernel that takes and returns NumPy arrays. The first line marks the file for rsimport.
//!
//! In Python, `import rsimport.import_hook` and then `import NAME`: the import compiles this file
//! when it has changed. The block below lists the crates it needs, as in a Cargo.toml; PyO3 needs
//! no mention.
//!
//! ```cargo
//! [dependencies]
//! numpy = "0.30"
//! ```

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Return the weighted sum of each row.
///
/// `rows` has shape (n, k), `weights` shape (k,), the result shape (n,), all of them float64.
/// Raises ValueError if the shapes do not fit, TypeError for another dtype or number of dimensions.
#[pyfunction]
fn weighted_sums<'py>(
    py: Python<'py>,
    rows: PyReadonlyArray2<'py, f64>,
    weights: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    // Views of Python's own memory, strides included: nothing is copied.
    let (rows, weights) = (rows.as_array(), weights.as_array());
    if rows.ncols() != weights.len() {
        let text = format!("{} columns but {} weights", rows.ncols(), weights.len());
        return Err(PyValueError::new_err(text));
    }
    // Other Python threads run while Rust computes: the closure releases the GIL.
    let sums = py.detach(|| rows.dot(&weights));
    // The result's memory moves into the new array, again without a copy.
    Ok(sums.into_pyarray(py))
}
