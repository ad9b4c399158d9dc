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

/// Return the address of the same for native callers, `int64_t increment_native(int64_t)` in C.
///
/// A caller that takes a function pointer, such as `ctypes`, Numba or a C library, reaches it
/// without Python, from any thread. It has no way to report an error, so past 2**63 - 1 it wraps to
/// -2**63. The address holds as long as the process runs, also after a reload, when it still leads to
/// the old code.
#[pyfunction]
fn increment_address() -> usize {
    increment_native as *const () as usize
}

/// What the address leads to, which whoever opens the library also finds by its name. A panic must
/// not unwind into C, and this cannot panic.
// SAFETY: the name stands for this function alone, as nothing else in the library exports it.
#[unsafe(no_mangle)]
pub extern "C" fn increment_native(i: i64) -> i64 {
    i.wrapping_add(1)
}
