//! What stubs are made of, as Python sees it.

use std::path::PathBuf;

use pyo3::prelude::*;

use super::watcher::raised;
use crate::tools::introspection;

/// What PyO3 says of a kernel in a library that was built with its feature `experimental-inspect`: texts in JSON.
#[pyfunction]
pub(super) fn descriptions(py: Python<'_>, library: PathBuf) -> PyResult<Vec<String>> {
    py.detach(|| introspection::descriptions(&library)).map_err(|e| raised(py, e))
}
