//! Libraries that a process has loaded: their functions, and the copies for further loads.

use std::ffi::CString;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::convert::text;
use super::watcher::raised;
use crate::cache::images;
use crate::compile::symbol;
use crate::limits;

/// The address of a function in a library that is loaded; it stays mapped.
#[pyfunction]
pub fn address(py: Python<'_>, library: PathBuf, name: &str) -> PyResult<usize> {
    symbol::address(&library, name).map(|address| address.as_ptr().addr()).map_err(|e| raised(py, e))
}

/// A capsule of a function in a library that is loaded, named by its signature in C.
#[pyfunction]
pub fn capsule<'py>(
    py: Python<'py>,
    library: PathBuf,
    name: &str,
    signature: CString,
) -> PyResult<Bound<'py, PyCapsule>> {
    let address = symbol::address(&library, name).map_err(|e| raised(py, e))?;
    #[allow(unsafe_code)]
    // SAFETY: the library stays mapped, so the pointer is valid as long as anybody could have it.
    unsafe {
        PyCapsule::new_with_pointer(py, address, symbol::interned(signature))
    }
}

/// Copies a published library for one load, into a folder that lives as long as the process.
#[pyfunction]
pub fn image(py: Python<'_>, library: PathBuf) -> PyResult<String> {
    images::image(&library).map(text).map_err(|e| raised(py, e))
}

/// Removes the copies that `image` has made in this process.
#[pyfunction]
pub fn discard_images() {
    images::discard_images();
}

/// Can one more image be loaded after so many without running into what ends a process? None if so, else what there is
/// no room for.
#[pyfunction]
pub fn lacking(loaded: usize) -> Option<String> {
    limits::lacking(loaded)
}
