//! What leaves this machine: libraries that lie beside their source.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::artifact::Artifact;
use super::convert::{self, asked};
use super::settings::{current_folder, opened};
use super::watcher::{raised, watched};
use crate::beside as library;
use crate::cache::entry::entry_of;
use crate::config::ancestors::Ancestors;
use crate::digest::Digest;
use crate::error;
use crate::freshness::cargo_config::CargoConfig;
use crate::kernel::cell::{self, FOLDER_FILE, TEXTS};
use crate::tools::export::About;

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
    let request = asked(source, module, abi, settings)?;
    let found = library::beside(&request, &library).map_err(|e| raised(py, e))?;
    Ok((found.artifact.into(), found.differs))
}

/// The libraries that a library asks for, and the versions of their symbols; nothing where it is no 64-bit library of ELF.
#[pyfunction]
pub(super) fn asks(library: PathBuf) -> Option<(Vec<String>, Vec<String>)> {
    crate::compile::glibc::asks(&library).map(|asks| (asks.libraries, asks.versions))
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
    let abi = entry_of(&artifact.path).map(|entry| entry.abi).unwrap_or_default();
    let request = asked(kernel, artifact.module.clone(), abi, settings)?;
    library::copy_out(&request, artifact, &target).map_err(|e| raised(py, e))
}

/// A kernel as a project of its own.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub(super) struct Exported {
    texts: Vec<(String, String)>,
    copied: Vec<(String, String)>,
    manifest: String,
    lock: String,
    library: String,
    doc: Option<String>,
    features: Vec<String>,
    rustflags: Vec<String>,
    name: String,
    version: String,
    description: Option<String>,
    license: Option<String>,
    authors: Vec<String>,
    repository: Option<String>,
    crates: Vec<String>,
    abi3: bool,
    old: bool,
    notes: Vec<String>,
}

/// Describes the project of a kernel; `inputs` are the files that its build has read.
#[pyfunction]
pub(super) fn export(
    py: Python<'_>,
    kernel: PathBuf,
    module: String,
    abi: String,
    settings: &Bound<'_, PyDict>,
    inputs: Vec<PathBuf>,
) -> PyResult<Exported> {
    let request = asked(kernel, module, abi, settings)?;
    let found = crate::tools::export::export(&request, &inputs).map_err(|e| raised(py, e))?;
    let About { name, version, description, license, authors, repository, crates, abi3, old } = found.about;
    let text = |path: PathBuf| convert::text(path);
    Ok(Exported {
        texts: found.texts.into_iter().map(|(place, content)| (text(place), content)).collect(),
        copied: found.copied.into_iter().map(|(place, from)| (text(place), text(from))).collect(),
        manifest: found.manifest,
        lock: found.lock,
        library: found.library,
        doc: found.doc,
        features: found.features,
        rustflags: found.rustflags,
        name,
        version,
        description,
        license,
        authors,
        repository,
        crates,
        abi3,
        old,
        notes: found.notes,
    })
}

/// Has cargo finish the lock file of a project that was written to a folder.
#[pyfunction]
pub(super) fn lock_project(
    py: Python<'_>,
    folder: PathBuf,
    kernel: PathBuf,
    module: String,
    abi: String,
    settings: &Bound<'_, PyDict>,
) -> PyResult<()> {
    let request = asked(kernel, module, abi, settings)?;
    watched(py, None, |observer| crate::tools::export::lock(&folder, &request, observer))
}

/// Does cargo's configuration for a folder ask for the CPU at hand?
#[pyfunction]
pub(super) fn cargo_is_native(folder: PathBuf) -> bool {
    CargoConfig::of(&Ancestors::of(&folder, None)).is_native()
}

/// Where wheels are compiled: in the cache, so that the next one finds its dependencies compiled.
#[pyfunction]
pub(super) fn wheels_folder(py: Python<'_>, settings: &Bound<'_, PyDict>) -> PyResult<String> {
    let cache = opened(py, settings)?;
    cache.prepare().map_err(|e| raised(py, e))?;
    Ok(convert::text(cache.target("wheels")))
}

/// The files that a kernel is made of, as far as its text names them.
#[pyfunction]
pub(super) fn parts(py: Python<'_>, kernel: PathBuf) -> PyResult<Vec<String>> {
    let found = crate::tools::export::parts(&kernel).map_err(|e| raised(py, e))?;
    Ok(found.into_iter().map(convert::text).collect())
}
