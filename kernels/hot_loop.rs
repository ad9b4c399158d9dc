// rsimport
//! Callbacks from a hot loop: the same integral with a Python function and with a native one.
//!
//! A loop in Rust that calls back for every point can call Python, which costs a float object and a
//! call for each, with the GIL held; or machine code by its address, which costs a few instructions,
//! with the GIL released. `integrate` does the first, `integrate_native` and `integrate_at_address`
//! the second. Where such code comes from: Numba's `cfunc`, Cython's `__pyx_capi__`, a library
//! loaded by ctypes, or `native_example` here, for which no compiler is needed.
//!
//! Source of the composite midpoint rule: P. J. Davis and P. Rabinowitz, "Methods of Numerical
//! Integration", 2nd edition, section 2.1 (1984).

use std::convert::Infallible;
use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

/// The signature in C, by which capsules of SciPy and Cython are named.
const SIGNATURE: &CStr = c"double (double)";

/// Points between two looks at pending signals.
const POINTS_BETWEEN_SIGNALS: u64 = 1 << 20;
/// A Python function takes some hundred times as long, one of Python's own in C included.
const CALLS_BETWEEN_SIGNALS: u64 = 1 << 14;

type Native = unsafe extern "C" fn(f64) -> f64;

/// Integrate a Python function from `a` to `b` by the midpoint rule with `n` points.
///
/// `f` takes a float and returns a number; it is called at the middle of each of `n` equal parts, in
/// order, with the GIL held. `a` and `b` are in the unit of the argument, and b may be below a. The
/// error falls with n squared where f is smooth. A nan or an infinity among the values goes into the
/// result, as in Python.
///
/// Raises what `f` raises, TypeError if it returns no number, ValueError if `n` is 0, OverflowError
/// if it is negative, KeyboardInterrupt within a moment of a Ctrl-C.
#[pyfunction]
fn integrate(f: &Bound<'_, PyAny>, a: f64, b: f64, n: u64) -> PyResult<f64> {
    let py = f.py();
    let points = Points::new(a, b, n)?;
    points.integrate(CALLS_BETWEEN_SIGNALS, |sum, from, to| {
        py.check_signals()?;
        points.add(sum, from, to, |x| f.call1((x,))?.extract::<f64>())
    })
}

/// Integrate a native function, given as a capsule of the name "double (double)".
///
/// The safe way to machine code: whoever makes a capsule vouches for the function in it by its name.
/// Takes and returns what `integrate` does, but calls `f` with the GIL released. The function may
/// take the GIL itself, as those of `ctypes.CFUNCTYPE` do. It must return: an exception of C++ that
/// leaves it ends the process.
///
/// Raises TypeError if `f` is no capsule or one of another name, ValueError if `n` is 0,
/// OverflowError if it is negative, KeyboardInterrupt within a moment of a Ctrl-C.
#[pyfunction]
fn integrate_native(f: &Bound<'_, PyAny>, a: f64, b: f64, n: u64) -> PyResult<f64> {
    let capsule = f.cast::<PyCapsule>().ok();
    let pointer = capsule.and_then(|capsule| capsule.pointer_checked(Some(SIGNATURE)).ok());
    let Some(pointer) = pointer else {
        let text = "f must be a capsule of the name \"double (double)\"";
        return Err(PyTypeError::new_err(text));
    };
    // SAFETY: the name says that the pointer is of a function of this signature, and the capsule,
    // which keeps it valid, is the caller's until this returns.
    unsafe { integrate_pointer(f.py(), pointer, a, b, n) }
}

/// Integrate the native function at an address, an int, without any check: for the careful.
///
/// The address must be of a function of the C type `double (double)`, as in
/// `ctypes.cast(f, ctypes.c_void_p).value` or the `address` of a Numba `cfunc`, and whatever holds it
/// must be kept alive. Any other number but 0 crashes the process or worse; nothing can check that.
/// Otherwise this is `integrate_native`.
///
/// Raises ValueError if the address or `n` is 0, OverflowError if one is negative or too large.
#[pyfunction]
fn integrate_at_address(py: Python<'_>, address: usize, a: f64, b: f64, n: u64) -> PyResult<f64> {
    let pointer = NonNull::new(std::ptr::with_exposed_provenance_mut(address));
    let Some(pointer) = pointer else {
        return Err(PyValueError::new_err("address must not be 0"));
    };
    // SAFETY: the caller has been told in the documentation what the address must be of.
    unsafe { integrate_pointer(py, pointer, a, b, n) }
}

/// The native function of this module, 4 / (1 + x**2), as a capsule; from 0 to 1 its integral is pi.
///
/// ctypes finds it in the module's file as well, under the name `hot_loop_example`.
#[pyfunction]
fn native_example(py: Python<'_>) -> PyResult<Bound<'_, PyCapsule>> {
    let pointer = NonNull::new(hot_loop_example as *mut c_void);
    let pointer = pointer.expect("a function has an address");
    // SAFETY: the function is never unloaded, for Python unloads no modules, and is what the name
    // says.
    unsafe { PyCapsule::new_with_pointer(py, pointer, SIGNATURE) }
}

/// The address of the native function of this module, for `integrate_at_address` and for ctypes.
#[pyfunction]
fn native_example_address() -> usize {
    hot_loop_example as *const () as usize
}

// SAFETY: no other function of this process has the name, as it begins with the module's.
#[unsafe(no_mangle)]
pub extern "C" fn hot_loop_example(x: f64) -> f64 {
    4.0 / (1.0 + x * x)
}

/// # Safety
///
/// The pointer must be of a function of the C type `double (double)`.
unsafe fn integrate_pointer(
    py: Python<'_>,
    pointer: NonNull<c_void>,
    a: f64,
    b: f64,
    n: u64,
) -> PyResult<f64> {
    // SAFETY: this is what the caller vouches for.
    let f = unsafe { std::mem::transmute::<NonNull<c_void>, Native>(pointer) };
    let points = Points::new(a, b, n)?;
    points.integrate(POINTS_BETWEEN_SIGNALS, |sum, from, to| {
        py.check_signals()?;
        let Ok(sum) = py.detach(|| {
            // SAFETY: the same.
            let f = |x| Ok::<_, Infallible>(unsafe { f(x) });
            points.add(sum, from, to, f)
        });
        Ok(sum)
    })
}

/// The middles of `n` equal parts of a range.
struct Points {
    start: f64,
    step: f64,
    n: u64,
}

impl Points {
    fn new(a: f64, b: f64, n: u64) -> PyResult<Self> {
        if n == 0 {
            return Err(PyValueError::new_err("n must be at least 1"));
        }
        let step = (b - a) / n as f64;
        Ok(Self { start: a, step, n })
    }

    /// Let `part` add up the values of a few points after the others.
    fn integrate(
        &self,
        few: u64,
        mut part: impl FnMut(f64, u64, u64) -> PyResult<f64>,
    ) -> PyResult<f64> {
        let (mut sum, mut from) = (0.0, 0);
        while from < self.n {
            let to = from + few.min(self.n - from);
            sum = part(sum, from, to)?;
            from = to;
        }
        Ok(sum * self.step)
    }

    /// Both kinds of functions go through this loop, so that their results are the same to the bit.
    fn add<E>(
        &self,
        mut sum: f64,
        from: u64,
        to: u64,
        f: impl Fn(f64) -> Result<f64, E>,
    ) -> Result<f64, E> {
        for i in from..to {
            sum += f(self.start + (i as f64 + 0.5) * self.step)?;
        }
        Ok(sum)
    }
}

/// Callbacks from a hot loop: the same integral with a Python function and with a native one.
#[pymodule]
mod hot_loop {
    #[pymodule_export]
    use super::{
        integrate, integrate_at_address, integrate_native, native_example, native_example_address,
    };
}
