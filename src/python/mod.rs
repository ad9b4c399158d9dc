//! The engine as Python sees it: thin functions that convert their arguments, call the engine, and convert its errors.
//! The one module that names PyO3's types.

mod artifact;
mod cache;
mod convert;
mod follower;
mod images;
mod pipeline;
mod settings;
mod shipping;
mod stubs;
mod tools;
mod travel;
mod watcher;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::digest::Digest;
use crate::engine;
use crate::error;
use crate::kernel::cell::{self, CELLS, FOLDER_FILE};
use crate::kernel::discover;
use crate::kernel::source;
use crate::tools::doctor;
use crate::tools::templates::TEMPLATES;

use artifact::{Artifact, Diagnostic, Export};
use convert::{given, interpreter, native};
use settings::{current_folder, effective, opened};
use watcher::{raised, watched};

/// Builds, keeps and finds compiled kernels.
#[pymodule]
mod _engine {
    #[pymodule_export]
    use super::cache::{
        CacheEntry, Damage, Part, Swept, Why, cache_clear, cache_dir, cache_due, cache_entries, cache_gc, cache_mend,
        cache_parts, cache_why,
    };
    #[pymodule_export]
    use super::follower::Follower;
    #[pymodule_export]
    use super::images::{address, capsule, discard_images, image, lacking};
    #[pymodule_export]
    use super::pipeline::{Origin, build, claim, key, lookup, note, recall};
    #[pymodule_export]
    use super::settings::{Setting, misspelled, settings, settings_table};
    #[pymodule_export]
    use super::shipping::{
        Exported, asks, beside, cargo_is_native, export, inplace, lock_project, parts, wheels_folder, write_text,
    };
    #[pymodule_export]
    use super::{
        Artifact, Check, Diagnostic, Export, Named, checks, crate_source, kernels, marked, outline, shown, templates,
        warm, write_cell,
    };

    #[pymodule_export]
    use super::stubs::descriptions;

    #[pymodule_export]
    use super::travel::{Held, bundle, hold, own_files, pack, unfit, unmet, unpack, write_source};

    #[pymodule_export]
    use super::tools::{Project, ProjectRun, format, module_files, project_open};

    #[pymodule_init]
    fn init(_module: &super::Bound<'_, super::PyModule>) -> super::PyResult<()> {
        super::engine::prepare();
        Ok(())
    }

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// A part of a kernel's text that has a name.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
struct Named {
    name: String,
    owner: Option<String>,
    exported: bool,
    lines: (usize, usize),
    parameters: HashMap<String, String>,
    returns: Option<String>,
}

/// One thing that `rsimport doctor` looked at.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
    hint: Option<String>,
}

/// Is this .rs file a marked kernel? Never raises.
#[pyfunction]
fn marked(path: PathBuf) -> bool {
    source::is_marked(&path)
}

/// The lib.rs of the marked crate in a folder, or None. Never raises.
#[pyfunction]
fn crate_source(folder: PathBuf) -> Option<OsString> {
    source::crate_source(&folder).map(native)
}

/// A text from outside as a terminal may have it: control characters are written out, and so are the ends of lines unless
/// it may have several.
#[pyfunction]
#[pyo3(signature = (text, *, lines = false))]
fn shown(text: &Bound<'_, PyString>, lines: bool) -> PyResult<String> {
    // A path need not be text.
    let text = match text.to_cow() {
        Ok(text) => text,
        Err(_) => Cow::Owned(text.extract::<OsString>()?.to_string_lossy().into_owned()),
    };
    Ok(if lines { crate::shown::plain(&text).into_owned() } else { crate::shown::line(&text).into_owned() })
}

/// The marked kernel files and the folders of marked crates below a folder.
#[pyfunction]
fn kernels(py: Python<'_>, root: PathBuf) -> Vec<OsString> {
    py.detach(|| discover::kernels(&root)).into_iter().map(native).collect()
}

/// Compiles dependencies ahead, so that the first kernel that uses them builds at once. Returns seconds.
#[pyfunction]
fn warm(
    py: Python<'_>,
    deps: Vec<String>,
    abi: String,
    python: &Bound<'_, PyDict>,
    settings: &Bound<'_, PyDict>,
    progress: Option<Py<PyAny>>,
) -> PyResult<f64> {
    let (python, given) = (interpreter(python)?, given(settings)?);
    let started = Instant::now();
    watched(py, progress, |observer| crate::tools::warm::warm(&deps, &abi, &python, &given, observer))?;
    Ok(started.elapsed().as_secs_f64())
}

/// Writes the text of a notebook's cell, with its dependencies, to a kernel file in the cache, and returns its path.
#[pyfunction]
fn write_cell(
    py: Python<'_>,
    name: &str,
    text: &str,
    deps: Vec<String>,
    notebook: &str,
    settings: &Bound<'_, PyDict>,
) -> PyResult<OsString> {
    let cache = opened(py, settings)?;
    let folder = current_folder();
    let written = || -> error::Result<PathBuf> {
        let identity = Digest::default().with(folder.as_os_str().as_encoded_bytes()).with(notebook.as_bytes()).hex();
        let place = cache.layout().join(CELLS).join(&identity[..16]);
        let path = place.join(format!("{name}.rs"));
        source::check_module_name(&path, name)?;
        let text = cell::file_text(text, &deps)?;
        cache.prepare()?;
        cache.write(&place.join(FOLDER_FILE), folder.to_string_lossy().as_bytes())?;
        cache.write(&path, text.as_bytes())?;
        Ok(path)
    };
    written().map(native).map_err(|e| raised(py, e))
}

/// Everything in a kernel's text that has a name, in its order; nothing where the text does not parse.
#[pyfunction]
#[pyo3(signature = (text, others = Vec::new()))]
fn outline(py: Python<'_>, text: &str, others: Vec<String>) -> Vec<Named> {
    let found = py.detach(|| crate::kernel::outline::outline(text, &others)).into_iter();
    found
        .map(|part| Named {
            name: part.name,
            owner: part.owner,
            exported: part.exported,
            lines: part.lines,
            parameters: part.parameters.into_iter().collect(),
            returns: part.returns,
        })
        .collect()
}

/// Looks at everything that a build needs, with the default settings where those that were given are wrong.
#[pyfunction]
fn checks(py: Python<'_>, settings: &Bound<'_, PyDict>) -> PyResult<Vec<Check>> {
    // Settings that are wrong are told by whoever asks for them; the rest is looked at all the same.
    let settings = effective(py, settings).unwrap_or_default();
    let checks = py.detach(|| doctor::checks(&settings, &current_folder()));
    Ok(checks
        .into_iter()
        .map(|check| Check { name: check.name, ok: check.ok, detail: check.detail, hint: check.hint })
        .collect())
}

/// The templates of `rsimport new`: name, then file name and text with NAME for the module's name.
#[pyfunction]
fn templates(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let out = PyDict::new(py);
    for (name, files) in TEMPLATES {
        let inner = PyDict::new(py);
        for (file, text) in files {
            inner.set_item(file, text)?;
        }
        out.set_item(name, inner)?;
    }
    Ok(out)
}
