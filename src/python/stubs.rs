//! What stubs are made of, as Python sees it.

use std::path::PathBuf;

use pyo3::prelude::*;

use super::convert::text;
use super::watcher::raised;
use crate::kernel::source::Source;
use crate::kernel::syntax;
use crate::kernel::walk::surface;
use crate::tools::introspection;

/// What PyO3 says of a kernel in a library that was built with its feature `experimental-inspect`: texts in JSON.
#[pyfunction]
pub(super) fn descriptions(py: Python<'_>, library: PathBuf) -> PyResult<Vec<String>> {
    py.detach(|| introspection::descriptions(&library)).map_err(|e| raised(py, e))
}

/// The Rust files of a kernel, its own first.
#[pyfunction]
pub(super) fn rust_files(py: Python<'_>, source: PathBuf, module: &str) -> PyResult<Vec<String>> {
    let source = Source::open(&source, module).map_err(|e| raised(py, e))?;
    let below = py.detach(|| {
        let surface = syntax::parse(&source.text).map(|file| surface(&source, &source.text, &file));
        syntax::forget();
        surface.map_or_else(Vec::new, |surface| surface.files)
    });
    Ok(std::iter::once(&source.path).chain(&below).map(text).collect())
}
