//! Single inserts and counts from a loop in Python, where the call costs more than the work.
//!
//! The call of a PyO3 method takes longer than that of a C function by what it takes to unpack
//! arguments by a table, to count attachments to Python and to catch panics. So C functions stand in
//! front of the methods `insert` and `count` for the frequent case, one str or int and nothing else.
//! All the rest is handed on to the methods: keywords, weights, other keys, and whatever is wrong.

use std::ffi::CString;
use std::ptr::null_mut;
use std::slice;

use pyo3::ffi::{self, METH_FASTCALL, METH_KEYWORDS, PyMethodDef, PyMethodDefPointer, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple};

use super::CountMinSketch;
use super::counts::Counts;
use super::dropin::class;
use super::keys::{Keys, Probe};
use super::table::Table;

/// What cmsketch calls a key.
const ITEM: &str = "item";

/// PyO3's own `insert` and `count`.
static METHODS: PyOnceLock<[Py<PyAny>; 2]> = PyOnceLock::new();

/// Puts the functions in front of the methods of the class and of those that extend it.
///
/// Each of them gets its own, for CPython has a shorter way to a method of an object's very class
/// than to an inherited one.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let class = class(py, Keys::Any);
    let methods = [class.getattr("insert")?, class.getattr("count")?];
    let kept = methods.clone().map(Bound::unbind);
    if METHODS.set(py, kept).is_err() {
        return Ok(());
    }
    let functions: [Function; 2] = [insert, count];
    for keys in [Keys::Str, Keys::Int, Keys::Any] {
        for (method, function) in methods.iter().zip(functions) {
            put(py, keys, method, function)?;
        }
    }
    Ok(())
}

type Function = unsafe extern "C" fn(
    *mut PyObject,
    *const *mut PyObject,
    ffi::Py_ssize_t,
    *mut PyObject,
) -> *mut PyObject;

/// Gives a class a function under the name of a method, and with its documentation.
fn put(py: Python<'_>, keys: Keys, method: &Bound<'_, PyAny>, function: Function) -> PyResult<()> {
    let class = class(py, keys);
    let text = |name: &str| method.getattr(name)?.extract::<String>();
    let name = text("__name__")?;
    let (mut signature, mut doc) = (text("__text_signature__")?, text("__doc__")?);
    if keys != Keys::Any {
        signature = signature.replace("key", ITEM);
        doc = doc.replace("`key`", &format!("`{ITEM}`"));
    }
    let definition = PyMethodDef {
        ml_name: CString::new(name.as_str())?.into_raw(),
        ml_meth: PyMethodDefPointer {
            PyCFunctionFastWithKeywords: function,
        },
        ml_flags: METH_FASTCALL | METH_KEYWORDS,
        ml_doc: CString::new(format!("{name}{signature}\n--\n\n{doc}"))?.into_raw(),
    };
    // SAFETY: the class is a type; the definition and its texts are never freed, as the class is not.
    let function = unsafe {
        let definition = Box::leak(Box::new(definition));
        let function = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
        Bound::from_owned_ptr_or_err(py, function)?
    };
    class.setattr(name, function)
}

unsafe extern "C" fn insert(
    slf: *mut PyObject,
    arguments: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: these are Python's arguments for the method of a sketch.
    unsafe {
        match frequent(slf, arguments, count, keywords) {
            Some((table, probe)) => {
                let turn = table.turn_attached(Python::assume_attached());
                table.add(&turn, probe, 1);
                ffi::Py_NewRef(ffi::Py_None())
            }
            None => hand_on(0, slf, arguments, count, keywords),
        }
    }
}

unsafe extern "C" fn count(
    slf: *mut PyObject,
    arguments: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: these are Python's arguments for the method of a sketch.
    unsafe {
        match frequent(slf, arguments, count, keywords) {
            Some((table, probe)) => ffi::PyLong_FromUnsignedLongLong(table.estimate(probe)),
            None => hand_on(1, slf, arguments, count, keywords),
        }
    }
}

/// The counters, and the way of the key, where it is the only argument and of a frequent type.
///
/// # Safety
///
/// Python has given these arguments to the method of a sketch.
#[inline(always)]
unsafe fn frequent<'a>(
    slf: *mut PyObject,
    arguments: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut PyObject,
) -> Option<(&'a Table, Probe)> {
    if count != 1 || !keywords.is_null() {
        return None;
    }
    // SAFETY: Python calls only from attached threads, has looked whether `slf` is of the class or of
    // one that extends it, and keeps it and the arguments alive for as long as the call takes.
    unsafe {
        let py = Python::assume_attached();
        let sketch = Borrowed::from_ptr(py, slf)
            .cast_unchecked::<CountMinSketch>()
            .get();
        let key = Borrowed::from_ptr(py, *arguments);
        let Counts { table, hasher, .. } = sketch.counts.get()?;
        Some((table, hasher.frequent(&key)?))
    }
}

/// Calls PyO3's method with the same arguments.
///
/// # Safety
///
/// Python has given these arguments to the method of a sketch.
#[cold]
unsafe fn hand_on(
    method: usize,
    slf: *mut PyObject,
    arguments: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the promise, and that a call has as many values more as it has keywords.
    unsafe {
        let py = Python::assume_attached();
        let methods = METHODS.get(py);
        let methods = methods.expect("they are kept before any function is called");
        let named = match keywords.is_null() {
            true => 0,
            false => ffi::PyTuple_GET_SIZE(keywords),
        };
        let mut all = vec![slf];
        if count + named > 0 {
            all.extend_from_slice(slice::from_raw_parts(arguments, (count + named) as usize));
        }
        let keywords = match translated(&Borrowed::from_ptr(py, slf), keywords) {
            Ok(keywords) => keywords,
            Err(error) => {
                error.restore(py);
                return null_mut();
            }
        };
        ffi::PyObject_Vectorcall(
            methods[method].as_ptr(),
            all.as_ptr(),
            all.len() - named as usize,
            keywords.as_ref().map_or(null_mut(), Bound::as_ptr),
        )
    }
}

/// The names of keywords, with the one that cmsketch has for a key as ours in the classes that take the
/// place of its own.
///
/// # Safety
///
/// `keywords` is null or a tuple of names, and `slf` a sketch.
unsafe fn translated<'py>(
    slf: &Bound<'py, PyAny>,
    keywords: *mut PyObject,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let py = slf.py();
    // SAFETY: the caller's promise.
    let (names, sketch) = unsafe {
        let names = Bound::from_borrowed_ptr_or_opt(py, keywords);
        let names = names.map(|names| names.cast_into_unchecked::<PyTuple>());
        (names, slf.cast_unchecked::<CountMinSketch>())
    };
    let Some(names) = names else {
        return Ok(None);
    };
    if sketch.get().keys == Keys::Any {
        return Ok(Some(names));
    }
    let own = |name: Bound<'py, PyAny>| match name.eq(ITEM) {
        Ok(true) => Ok(PyString::intern(py, "key").into_any()),
        other => other.map(|_| name),
    };
    let names = names.iter().map(own).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, names).map(Some)
}
