//! Calls of Python that survive the exit of the interpreter.
//!
//! Before Python 3.14 a thread that wants the GIL back from an interpreter that is exiting is ended
//! in the middle of its call, by a forced unwinding of its stack. That would drop what the Rust
//! functions below it own without the GIL, and crash. Here such a thread sleeps instead until the
//! process is gone, as threads do from Python 3.14 on.

use std::hint::black_box;
use std::mem::forget;
use std::ptr::null_mut;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// `callable(*arguments)`.
pub fn call<'py>(
    callable: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    type Declared =
        unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject;
    type Unwinding =
        unsafe extern "C-unwind" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject;
    // SAFETY: these differ only in that the compiler must expect an unwinding, which it would rule
    // out again if it saw which function this is.
    let function = black_box(unsafe {
        std::mem::transmute::<Declared, Unwinding>(ffi::PyObject_Call as Declared)
    });
    let guard = SleepForEver;
    // SAFETY: the pointers are of objects that live as long as the call, and the GIL is held.
    let result = unsafe { function(callable.as_ptr(), arguments.as_ptr(), null_mut()) };
    forget(guard);
    // SAFETY: PyObject_Call returns a reference of the caller's own, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(callable.py(), result) }
}

/// Run what calls Python in other ways than by `call`, such as by dropping objects.
pub fn guarded<T>(run: impl FnOnce() -> T) -> T {
    let guard = SleepForEver;
    let result = run();
    forget(guard);
    result
}

struct SleepForEver;

impl Drop for SleepForEver {
    fn drop(&mut self) {
        // A panic is no forced unwinding, and may go on.
        while !std::thread::panicking() {
            std::thread::park();
        }
    }
}
