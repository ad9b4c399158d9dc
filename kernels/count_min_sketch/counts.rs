//! What a sketch has once its dimensions are known: counters, hasher, and the buffer of the counters.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;

use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::{ffi, prelude::*};

use super::keys::{Hasher, Keys};
use super::options::Options;
use super::table::{Cells, Table};

pub struct Counts {
    pub table: Table,
    pub hasher: Hasher,
    /// Where a buffer of the counters finds its dimensions.
    shape: [isize; 2],
    strides: [isize; 2],
    /// Were these made because the sketch was used, and not by its `__init__`?
    pub early: bool,
}

impl Counts {
    pub fn new(py: Python<'_>, keys: Keys, options: Options, early: bool) -> PyResult<Self> {
        let Options { width, depth, .. } = options;
        if !matches!(options.counter_bits, 32 | 64) {
            return Err(PyValueError::new_err("counter_bits must be 32 or 64"));
        }
        let wide = options.counter_bits == 64;
        let table = Table::new(py, width, depth, options.conservative, wide)?;
        let size = options.counter_bits as isize / 8;
        Ok(Self {
            table,
            hasher: Hasher::new(keys, options.seed),
            shape: [depth as isize, width as isize],
            strides: [width as isize * size, size],
            early,
        })
    }

    pub fn options(&self) -> Options {
        Options {
            width: self.table.width,
            depth: self.table.depth,
            conservative: self.table.conservative,
            counter_bits: self.table.bits(),
            seed: self.hasher.seed,
        }
    }

    /// Are the counters of `other` those of the same keys?
    pub fn check(&self, other: &Self) -> PyResult<()> {
        let (mine, theirs) = (self.hasher.keys, other.hasher.keys);
        if (mine, self.options()) == (theirs, other.options()) {
            return Ok(());
        }
        let (from, into) = (other.options().shown(theirs), self.options().shown(mine));
        let text = format!("cannot merge {from} into {into}");
        Err(if mine == theirs {
            PyValueError::new_err(text)
        } else {
            PyTypeError::new_err(text)
        })
    }

    /// Fills a view of the counters, of which `owner` is the sketch.
    ///
    /// # Safety
    ///
    /// `view` is null or can be written, and `owner` keeps these counts alive.
    unsafe fn lend(
        &self,
        owner: Bound<'_, PyAny>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let asks = |flag: c_int| flags & flag == flag;
        if asks(ffi::PyBUF_WRITABLE) {
            return refuse("the counters of a sketch cannot be written");
        }
        if asks(ffi::PyBUF_F_CONTIGUOUS) {
            return refuse("the counters of a sketch lie row by row");
        }
        if view.is_null() {
            return refuse("there is no view to fill");
        }
        let (cells, format): (*const c_void, &'static CStr) = match &self.table.cells {
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
            len: self.shape[0] * self.strides[0],
            itemsize: self.strides[1],
            readonly: 1,
            ndim: if has_shape { 2 } else { 1 },
            format: text(asks(ffi::PyBUF_FORMAT)),
            shape: array(has_shape, &self.shape),
            strides: array(asks(ffi::PyBUF_STRIDES), &self.strides),
            suboffsets: null_mut(),
            internal: null_mut(),
            // The view keeps the sketch alive, whose counters and dimensions never move.
            obj: owner.into_ptr(),
        };
        // SAFETY: the caller's promise.
        unsafe { view.write(filled) };
        Ok(())
    }
}

/// Fills a view of the counters of `owner`, or leaves it without an owner.
///
/// # Safety
///
/// As that of `Counts::lend`.
pub unsafe fn lend(
    counts: PyResult<&Counts>,
    owner: Bound<'_, PyAny>,
    view: *mut ffi::Py_buffer,
    flags: c_int,
) -> PyResult<()> {
    // SAFETY: the caller's promise.
    let filled = counts.and_then(|counts| unsafe { counts.lend(owner, view, flags) });
    if filled.is_err() && !view.is_null() {
        // SAFETY: the view can be written; one that is refused has no owner.
        unsafe { (*view).obj = null_mut() };
    }
    filled
}

fn refuse(text: &'static str) -> PyResult<()> {
    Err(PyBufferError::new_err(text))
}
