// rsimport
//! The smallest useful kernel: one function that adds one.
//!
//! It does next to nothing, so timing it shows what a call from Python into Rust costs. It also
//! shows how a kernel reports an error: a `PyResult` whose `Err` becomes the Python exception.

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

/// Return `i + 1`.
///
/// `i` is a 64-bit signed integer, -2**63 to 2**63 - 1, and so is the result. Python's ints have no
/// such bound, and Rust's would wrap or panic past it, so the check is made here.
///
/// Raises OverflowError if `i` or `i + 1` does not fit, TypeError if `i` is not an int.
#[pyfunction]
fn increment(i: i64) -> PyResult<i64> {
    i.checked_add(1)
        .ok_or_else(|| PyOverflowError::new_err("increment(2**63 - 1) does not fit in 64 bits"))
}
