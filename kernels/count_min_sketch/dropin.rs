//! The sketches that take one type of key, named as in the package cmsketch, and what they share
//! with the one that takes all: names, dimensions, and the buffer of their counters.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;

use pyo3::exceptions::{PyBufferError, PyOverflowError};
use pyo3::{ffi, prelude::*};

use super::CountMinSketch;
use super::keys::Keys;
use super::table::Cells;

/// A CountMinSketch of str only: takes the place of the class of this name in the package cmsketch.
///
/// It has the arguments and methods of CountMinSketch, and raises what that raises, TypeError for
/// keys that are no str.
#[pyclass(frozen, subclass, extends = CountMinSketch)]
pub struct CountMinSketchStr;

#[pymethods]
impl CountMinSketchStr {
    #[new]
    #[pyo3(signature = (width, depth, conservative = false, counter_bits = 32, seed = 0))]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = dimension)] width: usize,
        #[pyo3(from_py_with = dimension)] depth: usize,
        conservative: bool,
        counter_bits: usize,
        seed: u64,
    ) -> PyResult<PyClassInitializer<Self>> {
        let sketch = CountMinSketch::of(
            py,
            Keys::Str,
            width,
            depth,
            conservative,
            counter_bits,
            seed,
        )?;
        Ok(PyClassInitializer::from(sketch).add_subclass(Self))
    }
}

/// A CountMinSketch of int only: takes the place of the class of this name in the package cmsketch.
///
/// It has the arguments and methods of CountMinSketch, and raises what that raises, TypeError for
/// keys that are no int. Ints of any size are taken, and True is 1.
#[pyclass(frozen, subclass, extends = CountMinSketch)]
pub struct CountMinSketchInt;

#[pymethods]
impl CountMinSketchInt {
    #[new]
    #[pyo3(signature = (width, depth, conservative = false, counter_bits = 32, seed = 0))]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = dimension)] width: usize,
        #[pyo3(from_py_with = dimension)] depth: usize,
        conservative: bool,
        counter_bits: usize,
        seed: u64,
    ) -> PyResult<PyClassInitializer<Self>> {
        let sketch = CountMinSketch::of(
            py,
            Keys::Int,
            width,
            depth,
            conservative,
            counter_bits,
            seed,
        )?;
        Ok(PyClassInitializer::from(sketch).add_subclass(Self))
    }
}

/// The name of the class that takes these keys.
pub fn class(keys: Keys) -> &'static str {
    match keys {
        Keys::Any => "CountMinSketch",
        Keys::Str => "CountMinSketchStr",
        Keys::Int => "CountMinSketchInt",
    }
}

/// An int that no `usize` can hold is as wrong a dimension as zero is, and gets the same error.
pub fn dimension(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    match value.extract::<usize>() {
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Ok(0),
        result => result,
    }
}

/// Fills a view of a sketch's counters.
///
/// # Safety
///
/// `view` is null or can be written.
pub unsafe fn lend(
    slf: Bound<'_, CountMinSketch>,
    view: *mut ffi::Py_buffer,
    flags: c_int,
) -> PyResult<()> {
    if view.is_null() {
        return Err(PyBufferError::new_err("there is no view to fill"));
    }
    let asks = |flag: c_int| flags & flag == flag;
    let refused = if asks(ffi::PyBUF_WRITABLE) {
        Some("the counters of a sketch cannot be written")
    } else if asks(ffi::PyBUF_F_CONTIGUOUS) {
        Some("the counters of a sketch lie row by row")
    } else {
        None
    };
    if let Some(text) = refused {
        // SAFETY: the caller's promise; a view that is refused has no owner.
        unsafe { (*view).obj = null_mut() };
        return Err(PyBufferError::new_err(text));
    }
    let sketch = slf.get();
    let (cells, format): (*const c_void, &'static CStr) = match &sketch.table.cells {
        Cells::Narrow(cells) => (cells.as_ptr().cast(), c"I"),
        Cells::Wide(cells) => (cells.as_ptr().cast(), c"Q"),
    };
    let text = |given: bool| {
        if given {
            format.as_ptr().cast_mut()
        } else {
            null_mut()
        }
    };
    let array = |given: bool, of: &[isize; 2]| {
        if given {
            of.as_ptr().cast_mut()
        } else {
            null_mut()
        }
    };
    let has_shape = asks(ffi::PyBUF_ND);
    let filled = ffi::Py_buffer {
        buf: cells.cast_mut(),
        len: sketch.shape[0] * sketch.strides[0],
        itemsize: sketch.strides[1],
        readonly: 1,
        ndim: if has_shape { 2 } else { 1 },
        format: text(asks(ffi::PyBUF_FORMAT)),
        shape: array(has_shape, &sketch.shape),
        strides: array(asks(ffi::PyBUF_STRIDES), &sketch.strides),
        suboffsets: null_mut(),
        internal: null_mut(),
        // The view keeps the sketch alive, whose counters and dimensions never move.
        obj: slf.clone().into_any().into_ptr(),
    };
    // SAFETY: the caller's promise.
    unsafe { view.write(filled) };
    Ok(())
}
