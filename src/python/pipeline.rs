//! A kernel's way from its source to its artifact, and where artifacts came from.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::artifact::Artifact;
use super::convert::{asked, given, interpreter, object, text};
use super::watcher::{Watcher, raised, watched};
use crate::engine::{self, Request};

/// Where an artifact came from.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub struct Origin {
    kernel: String,
    source: String,
    settings: Py<PyDict>,
    further: bool,
}

/// Finds a kernel's artifact in the cache without starting a process or taking a lock; None where it must be built.
#[pyfunction]
pub fn lookup(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    settings: &Bound<'_, PyDict>,
) -> PyResult<Option<Artifact>> {
    let request = asked(source, module, abi, settings)?;
    let mut observer = Watcher::new(None);
    let found = engine::lookup(&request, &mut observer).map_err(|e| raised(py, e))?;
    Ok(found.map(Artifact::from))
}

/// Finds a kernel's artifact, or builds it; `ahead` prepares the fast builds of later edits.
#[pyfunction]
#[pyo3(signature = (source, module, abi, python, settings, progress, ahead = false))]
#[allow(clippy::too_many_arguments)]
pub fn build(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    python: &Bound<'_, PyDict>,
    settings: &Bound<'_, PyDict>,
    progress: Option<Py<PyAny>>,
    ahead: bool,
) -> PyResult<Artifact> {
    let request = Request { ahead, ..asked(source, module, abi, settings)? };
    let python = interpreter(python)?;
    watched(py, progress, |observer| engine::build(&request, &python, observer)).map(Artifact::from)
}

/// The key of a kernel as it is now: what its content is unless its build reads more than the key names.
#[pyfunction]
pub fn key(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    settings: &Bound<'_, PyDict>,
) -> PyResult<String> {
    let request = asked(source, module, abi, settings)?;
    engine::key(&request).map_err(|e| raised(py, e))
}

/// Writes down where an artifact came from. Returns the file, and the cache's folder where others would not look in it.
#[pyfunction]
pub fn note(
    py: Python<'_>,
    artifact: &Artifact,
    kernel: PathBuf,
    settings: &Bound<'_, PyDict>,
) -> PyResult<(String, Option<String>)> {
    let (file, root) = crate::recall::note(artifact.plain(), &kernel, &given(settings)?).map_err(|e| raised(py, e))?;
    Ok((text(file), root.map(text)))
}

/// What a cache knows of a content: an artifact of it, and where it came from.
#[pyfunction]
#[pyo3(signature = (content, module, abi, root))]
pub fn recall(
    py: Python<'_>,
    content: &str,
    module: &str,
    abi: &str,
    root: Option<PathBuf>,
) -> PyResult<(Option<Artifact>, Option<Origin>)> {
    let recalled = crate::recall::recall(content, module, abi, root.as_deref()).map_err(|e| raised(py, e))?;
    let origin = recalled.origin.map(|origin| {
        let given = PyDict::new(py);
        for (name, value) in &origin.given {
            given.set_item(name, object(py, value)?)?;
        }
        Ok::<_, PyErr>(Origin {
            kernel: text(origin.kernel),
            source: text(origin.source),
            settings: given.unbind(),
            further: origin.further,
        })
    });
    Ok((recalled.artifact.map(Artifact::from), origin.transpose()?))
}

/// Is it this process that should have the optimised build of a kernel made in the background?
#[pyfunction]
pub fn claim(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    settings: &Bound<'_, PyDict>,
) -> PyResult<bool> {
    let request = asked(source, module, abi, settings)?;
    engine::claim(&request, &mut Watcher::new(None)).map_err(|e| raised(py, e))
}
