//! Follows files for `rsimport watch`.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use super::convert::text;
use super::watcher::{raised, watched};
use crate::tools::watch;

/// Follows files as they are saved.
#[pyclass(frozen, module = "rsimport._engine")]
pub struct Follower(Mutex<watch::Follower>);

#[pymethods]
impl Follower {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        watch::Follower::new().map(|follower| Follower(Mutex::new(follower))).map_err(|e| raised(py, e))
    }

    /// Follows these files and folders from now on; True if there is anything among them that was not followed before.
    fn follow(&self, py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<bool> {
        py.detach(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).follow(&paths)).map_err(|e| raised(py, e))
    }

    /// Waits until something was saved, and returns the paths that changed.
    fn wait(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        watched(py, None, |observer| {
            let changed = self.0.lock().unwrap_or_else(PoisonError::into_inner).wait(|| observer.interrupted());
            Ok(changed.into_iter().map(text).collect())
        })
    }
}
