// rsimport
//! NAME: a kernel that native code calls without Python. The first line marks the file for
//! rsimport.
//!
//! In Python, `import rsimport.import_hook` and then `import NAME`: the import compiles this file
//! when it has changed. `rsimport.native(NAME)` then has what is exported here to C, for ctypes,
//! SciPy, Numba and Cython.

use std::panic::{UnwindSafe, catch_unwind};

use pyo3::prelude::*;

/// Values at 0, 1, 2, 3 and 4.
const TABLE: [f64; 5] = [0.0, 1.0, 4.0, 9.0, 16.0];

/// Interpolate linearly in the table, `double interpolate_native(double)` in C.
///
/// Each of its types has one in C. Where the table has no values the result is nan, as C knows no
/// exceptions.
// SAFETY: no other function of this library has the name.
#[unsafe(no_mangle)]
pub extern "C" fn interpolate_native(x: f64) -> f64 {
    guard(f64::NAN, || value_at(x))
}

/// Interpolate linearly in the table. The same for Python, where a panic is an exception.
#[pyfunction]
fn interpolate(x: f64) -> f64 {
    value_at(x)
}

/// The value at x, which is at least 0 and below 4; panics beyond the table.
fn value_at(x: f64) -> f64 {
    let left = x.floor() as usize;
    let step = TABLE[left + 1] - TABLE[left];
    TABLE[left] + step * (x - left as f64)
}

/// Let a panic end in a value. If it left a function that C has called, it would end the process.
fn guard<T>(fallback: T, body: impl FnOnce() -> T + UnwindSafe) -> T {
    catch_unwind(body).unwrap_or(fallback)
}
