//! What goes from machine to machine: published builds, and sources.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::artifact::Artifact;
use super::convert::{asked, text};
use super::settings::{effective, opened};
use super::watcher::{raised, watched};
use crate::cache::lock::Lock;
use crate::cache::parcel::{self, Needs, Parcel};

/// What a published build needs of a machine, what has to lie beside its source, and the build itself.
#[pyfunction]
pub(super) fn pack(py: Python<'_>, artifact: &Artifact) -> PyResult<(String, Vec<String>, Py<PyBytes>)> {
    let library = &artifact.plain().path;
    let packed = py.detach(|| Parcel::of(library)).map_err(|e| raised(py, e))?;
    Ok((packed.needs, packed.apart, PyBytes::new(py, &packed.bytes).unbind()))
}

/// Why a build with these needs is of no use here, each as half a sentence.
#[pyfunction]
pub(super) fn unmet(needs: &str, abi: &str) -> Vec<String> {
    Needs::read(needs).map_or_else(|| vec!["what it needs cannot be read".to_owned()], |needs| needs.unmet(abi))
}

/// Why the artifacts of a content that are in caches are of no use here, each as half a sentence.
#[pyfunction]
#[pyo3(signature = (content, abi, root))]
pub(super) fn unfit(py: Python<'_>, content: &str, abi: &str, root: Option<PathBuf>) -> PyResult<Vec<String>> {
    py.detach(|| crate::recall::unfit(content, abi, root.as_deref())).map_err(|e| raised(py, e))
}

/// Publishes in the cache what was packed elsewhere, under its content.
#[pyfunction]
pub(super) fn unpack(py: Python<'_>, content: &str, data: &[u8]) -> PyResult<String> {
    crate::recall::check(content).map_err(|e| raised(py, e))?;
    let cache = opened(py, &PyDict::new(py))?;
    py.detach(|| parcel::unpack(&cache, content, data)).map(text).map_err(|e| raised(py, e))
}

/// Writes the files of a kernel that came from elsewhere into the cache, and returns their folder.
#[pyfunction]
pub(super) fn write_source(py: Python<'_>, content: &str, files: Vec<(String, Vec<u8>)>) -> PyResult<String> {
    crate::recall::check(content).map_err(|e| raised(py, e))?;
    let cache = opened(py, &PyDict::new(py))?;
    parcel::write_source(&cache, content, &files).map(text).map_err(|e| raised(py, e))
}

/// Waits until no other process of this host sees to a content, and keeps them waiting until it is let go.
#[pyfunction]
pub(super) fn hold(py: Python<'_>, content: &str) -> PyResult<Held> {
    crate::recall::check(content).map_err(|e| raised(py, e))?;
    let nothing = PyDict::new(py);
    let (cache, timeout) = (opened(py, &nothing)?, effective(py, &nothing)?.lock_timeout);
    let lock = watched(py, None, |observer| {
        cache.prepare()?;
        Lock::acquire(&cache.lock(&format!("content-{content}")), "a kernel", timeout, observer)
    })?;
    Ok(Held(Mutex::new(Some(lock))))
}

/// A content that one process of a host sees to; a context manager.
#[pyclass(frozen, module = "rsimport._engine")]
pub(super) struct Held(Mutex<Option<Lock>>);

#[pymethods]
impl Held {
    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: Vec<Py<PyAny>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Adds the artifact of a kernel to a cache that is made to be shared.
#[pyfunction]
pub(super) fn bundle(
    py: Python<'_>,
    artifact: &Artifact,
    kernel: PathBuf,
    abi: String,
    settings: &Bound<'_, PyDict>,
    folder: PathBuf,
) -> PyResult<()> {
    let artifact = artifact.plain();
    let request = asked(kernel, artifact.module.clone(), abi, settings)?;
    crate::bundle::add(&request, artifact, &folder).map_err(|e| raised(py, e))
}

/// The files that a kernel is built from, as far as they lie in its own folder, with their places in it. One that is a
/// file has no lock file there; that with which it was built goes along.
#[pyfunction]
pub(super) fn own_files(
    py: Python<'_>,
    artifact: &Artifact,
    kernel: PathBuf,
    abi: String,
    settings: &Bound<'_, PyDict>,
) -> PyResult<Vec<(String, Vec<u8>)>> {
    let artifact = artifact.plain();
    let base = if kernel.is_dir() { kernel.clone() } else { kernel.parent().map(Path::to_owned).unwrap_or_default() };
    let request = asked(kernel, artifact.module.clone(), abi, settings)?;
    let parts = crate::tools::export::parts(&request.path).map_err(|e| raised(py, e))?;
    let mut files: Vec<&PathBuf> = parts.iter().chain(&artifact.inputs).filter(|path| path.is_file()).collect();
    files.sort_unstable();
    files.dedup();
    let own = files.into_iter().filter_map(|path| Some((path.strip_prefix(&base).ok()?, path)));
    let mut own: Vec<_> = own.filter_map(|(place, path)| Some((text(place), std::fs::read(path).ok()?))).collect();
    let resolved = crate::engine::resolve(&request).map_err(|e| raised(py, e))?;
    if resolved.source.manifest.is_none() && !own.iter().any(|(place, _)| place == parcel::LOCK) {
        own.push((parcel::LOCK.to_owned(), resolved.lock().into_bytes()));
    }
    Ok(own)
}
