// rsimport
//! Subjects in Rust by the bare C API: the least that a kernel's functions can cost.
//!
//! What PyO3's `#[pyfunction]` adds is given up: arguments by name, errors that name them, and
//! panics as exceptions. A panic in one of these functions ends the process.

use std::ffi::CStr;
use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::prelude::*;

type Object = *mut ffi::PyObject;

/// The arguments, if there are so many; otherwise a TypeError is set.
// SAFETY: for functions that CPython calls by METH_FASTCALL, with an array of `count` live objects.
unsafe fn arguments<const N: usize>(
    array: *mut Object,
    count: ffi::Py_ssize_t,
) -> Option<[Object; N]> {
    if count == N as ffi::Py_ssize_t {
        // SAFETY: the array is as long as the caller says.
        return Some(unsafe { *array.cast::<[Object; N]>() });
    }
    // SAFETY: the interpreter is attached, since it is what called.
    unsafe { ffi::PyErr_SetString(ffi::PyExc_TypeError, c"wrong number of arguments".as_ptr()) };
    None
}

/// Is the value that a conversion returns for an error one?
fn failed(suspicious: bool) -> bool {
    // SAFETY: only called by functions that the interpreter called.
    suspicious && unsafe { !ffi::PyErr_Occurred().is_null() }
}

// SAFETY: the signature is that of METH_FASTCALL, and only CPython calls this.
unsafe extern "C" fn increment(
    _module: Object,
    array: *mut Object,
    count: ffi::Py_ssize_t,
) -> Object {
    // SAFETY: the arguments are CPython's, who keeps them alive during the call.
    unsafe {
        let Some([i]) = arguments(array, count) else {
            return null_mut();
        };
        let i = ffi::PyLong_AsLongLong(i);
        if failed(i == -1) {
            null_mut()
        } else {
            ffi::PyLong_FromLongLong(i.wrapping_add(1))
        }
    }
}

// SAFETY: the signature is that of METH_FASTCALL, and only CPython calls this.
unsafe extern "C" fn logistic(
    _module: Object,
    array: *mut Object,
    count: ffi::Py_ssize_t,
) -> Object {
    // SAFETY: the arguments are CPython's, who keeps them alive during the call.
    unsafe {
        let Some([steps, r, x]) = arguments(array, count) else {
            return null_mut();
        };
        let steps = ffi::PyLong_AsUnsignedLongLong(steps);
        if failed(steps == u64::MAX) {
            return null_mut();
        }
        let r = ffi::PyFloat_AsDouble(r);
        if failed(r == -1.0) {
            return null_mut();
        }
        let mut x = ffi::PyFloat_AsDouble(x);
        if failed(x == -1.0) {
            return null_mut();
        }
        for _ in 0..steps {
            x = r * x * (1.0 - x);
        }
        ffi::PyFloat_FromDouble(x)
    }
}

// SAFETY: the signature is that of METH_FASTCALL, and only CPython calls this.
unsafe extern "C" fn length(_module: Object, array: *mut Object, count: ffi::Py_ssize_t) -> Object {
    // SAFETY: the argument is CPython's, who keeps it alive during the call.
    unsafe {
        let Some([text]) = arguments(array, count) else {
            return null_mut();
        };
        let mut size = 0;
        if ffi::PyUnicode_AsUTF8AndSize(text, &mut size).is_null() {
            null_mut()
        } else {
            ffi::PyLong_FromSsize_t(size)
        }
    }
}

fn definition(name: &'static CStr, function: ffi::PyCFunctionFast) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFast: function,
        },
        ml_flags: ffi::METH_FASTCALL,
        ml_doc: std::ptr::null(),
    }
}

#[pymodule]
fn by_hand(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let definitions = [
        definition(c"increment", increment),
        definition(c"logistic", logistic),
        definition(c"length", length),
        ffi::PyMethodDef::zeroed(),
    ];
    // The functions refer to them as long as the process runs.
    let definitions = Box::leak(Box::new(definitions));
    // SAFETY: the definitions end with an empty one, and are never freed.
    match unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), definitions.as_mut_ptr()) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(module.py())),
    }
}
