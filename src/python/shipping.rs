//! What leaves this machine: libraries that lie beside their source.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::artifact::Artifact;
use super::convert::given;
use super::watcher::raised;
use crate::beside as library;
use crate::cache::entries;
use crate::engine::Request;

/// A library beside a kernel, and what tells it from what a build would give.
#[pyfunction]
pub(super) fn beside(
    py: Python<'_>,
    source: PathBuf,
    library: PathBuf,
    module: String,
    abi: String,
    settings: &Bound<'_, PyDict>,
) -> PyResult<(Artifact, Option<String>)> {
    let request = Request { path: source, module, abi, given: given(settings)?, ahead: false };
    let found = library::beside(&request, &library).map_err(|e| raised(py, e))?;
    Ok((found.artifact.into(), found.differs))
}

/// Copies an artifact to a place outside of the cache, together with what it was compiled from.
#[pyfunction]
pub(super) fn inplace(
    py: Python<'_>,
    artifact: &Artifact,
    kernel: PathBuf,
    settings: &Bound<'_, PyDict>,
    target: PathBuf,
) -> PyResult<()> {
    let artifact = artifact.plain();
    let abi = entries::entry_of(&artifact.path).map(|entry| entry.abi).unwrap_or_default();
    let request = Request { path: kernel, module: artifact.module.clone(), abi, given: given(settings)?, ahead: false };
    library::copy_out(&request, artifact, &target).map_err(|e| raised(py, e))
}
