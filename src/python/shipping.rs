//! What leaves this machine: libraries that lie beside their source.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::artifact::Artifact;
use super::convert::{self, given};
use super::watcher::raised;
use super::{current_folder, opened};
use crate::beside as library;
use crate::cache::entries;
use crate::digest::Digest;
use crate::engine::Request;
use crate::error;
use crate::kernel::cell::{self, FOLDER_FILE, TEXTS};

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

/// Writes the text of a program's kernel, with its dependencies, to a file in the cache, and returns its path. Each text has
/// a file of its own, which is never changed.
#[pyfunction]
pub(super) fn write_text(
    py: Python<'_>,
    name: &str,
    text: &str,
    deps: Vec<String>,
    settings: &Bound<'_, PyDict>,
) -> PyResult<String> {
    let cache = opened(py, settings)?;
    let folder = current_folder();
    let written = || -> error::Result<PathBuf> {
        let text = cell::with_dependencies(text, &deps)?;
        let place = Digest::default().with(folder.as_os_str().as_encoded_bytes()).with(name.as_bytes());
        let place = cache.layout().join(TEXTS).join(&place.with(text.as_bytes()).hex()[..24]);
        let path = place.join(format!("{name}.rs"));
        if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            return Ok(path);
        }
        cache.prepare()?;
        cache.write(&place.join(FOLDER_FILE), folder.to_string_lossy().as_bytes())?;
        cache.write(&path, text.as_bytes())?;
        Ok(path)
    };
    written().map(convert::text).map_err(|e| raised(py, e))
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
