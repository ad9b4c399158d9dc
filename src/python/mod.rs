//! The engine as Python sees it: thin functions that convert their arguments, call the engine, and convert its errors.
//! The one module that names PyO3's types.

mod artifact;
mod cache;
mod convert;
mod shipping;
mod stubs;
mod tools;
mod travel;
mod watcher;

use std::collections::HashMap;
use std::ffi::CString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::cache::images;
use crate::cache::layout::Cache;
use crate::compile::symbol;
use crate::config::ancestors::Ancestors;
use crate::config::environment::Environment;
use crate::config::layers::Config;
use crate::config::misspelled::Misspelled;
use crate::config::settings::{Settings, table};
use crate::digest::Digest;
use crate::engine::{self, Request};
use crate::error;
use crate::kernel::cell::{self, CELLS, FOLDER_FILE};
use crate::kernel::discover;
use crate::kernel::source;
use crate::limits;
use crate::tools::doctor;
use crate::tools::templates::TEMPLATES;
use crate::tools::watch;

use artifact::{Artifact, Diagnostic, Export};
use convert::{given, interpreter, object, text};
use watcher::{Watcher, raised, watched};

/// Builds, keeps and finds compiled kernels.
#[pymodule]
mod _engine {
    #[pymodule_export]
    use super::cache::{
        CacheEntry, Damage, Part, Swept, Why, cache_clear, cache_dir, cache_due, cache_entries, cache_gc, cache_mend,
        cache_parts, cache_why,
    };
    #[pymodule_export]
    use super::shipping::{
        Exported, asks, beside, cargo_is_native, export, inplace, lock_project, parts, wheels_folder, write_text,
    };
    #[pymodule_export]
    use super::{
        Artifact, Check, Diagnostic, Export, Follower, Named, Origin, Setting, address, build, capsule, checks, claim,
        crate_source, discard_images, image, kernels, key, lacking, lookup, marked, misspelled, note, outline, recall,
        settings, settings_table, shown, templates, warm, write_cell,
    };

    #[pymodule_export]
    use super::stubs::descriptions;

    #[pymodule_export]
    use super::travel::{Held, bundle, hold, own_files, pack, unmet, unpack, write_source};

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

/// A declared setting.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
struct Setting {
    name: &'static str,
    kind: &'static str,
    default: Py<PyAny>,
    env: String,
    help: &'static str,
    in_kernel: bool,
}

/// Where an artifact came from.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
struct Origin {
    kernel: String,
    source: String,
    settings: Py<PyDict>,
    further: bool,
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

/// Follows files as they are saved.
#[pyclass(frozen, module = "rsimport._engine")]
struct Follower(Mutex<watch::Follower>);

/// One thing that `rsimport doctor` looked at.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
    hint: Option<String>,
}

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

/// Is this .rs file a marked kernel? Never raises.
#[pyfunction]
fn marked(path: PathBuf) -> bool {
    source::is_marked(&path)
}

/// The lib.rs of the marked crate in a folder, or None. Never raises.
#[pyfunction]
fn crate_source(folder: PathBuf) -> Option<String> {
    source::crate_source(&folder).map(text)
}

/// Finds a kernel's artifact in the cache without starting a process or taking a lock; None where it must be built.
#[pyfunction]
fn lookup(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    settings: &Bound<'_, PyDict>,
) -> PyResult<Option<Artifact>> {
    let request = Request { path: source, module, abi, given: given(settings)?, ahead: false };
    let mut observer = Watcher::new(None);
    let found = engine::lookup(&request, &mut observer).map_err(|e| raised(py, e))?;
    Ok(found.map(Artifact::from))
}

/// Finds a kernel's artifact, or builds it; `ahead` prepares the fast builds of later edits.
#[pyfunction]
#[pyo3(signature = (source, module, abi, python, settings, progress, ahead = false))]
#[allow(clippy::too_many_arguments)]
fn build(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    python: &Bound<'_, PyDict>,
    settings: &Bound<'_, PyDict>,
    progress: Option<Py<PyAny>>,
    ahead: bool,
) -> PyResult<Artifact> {
    let request = Request { path: source, module, abi, given: given(settings)?, ahead };
    let python = interpreter(python)?;
    watched(py, progress, |observer| engine::build(&request, &python, observer)).map(Artifact::from)
}

/// The key of a kernel as it is now: what its content is unless its build reads more than the key names.
#[pyfunction]
fn key(py: Python<'_>, source: PathBuf, module: String, abi: String, settings: &Bound<'_, PyDict>) -> PyResult<String> {
    let request = Request { path: source, module, abi, given: given(settings)?, ahead: false };
    engine::key(&request).map_err(|e| raised(py, e))
}

/// Writes down where an artifact came from. Returns the file, and the cache's folder where others would not look in it.
#[pyfunction]
fn note(
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
fn recall(
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
fn claim(py: Python<'_>, source: PathBuf, module: String, abi: String, settings: &Bound<'_, PyDict>) -> PyResult<bool> {
    let request = Request { path: source, module, abi, given: given(settings)?, ahead: false };
    engine::claim(&request, &mut Watcher::new(None)).map_err(|e| raised(py, e))
}

/// A text from outside as a terminal may have it: control characters are written out, and so are the ends of lines unless
/// it may have several.
#[pyfunction]
#[pyo3(signature = (text, *, lines = false))]
fn shown(text: &str, lines: bool) -> String {
    if lines { crate::shown::plain(text).into_owned() } else { crate::shown::line(text).into_owned() }
}

/// The marked kernel files and the folders of marked crates below a folder.
#[pyfunction]
fn kernels(py: Python<'_>, root: PathBuf) -> Vec<String> {
    py.detach(|| discover::kernels(&root)).into_iter().map(text).collect()
}

/// All settings, as they are declared.
#[pyfunction]
fn settings_table(py: Python<'_>) -> PyResult<Vec<Setting>> {
    table()
        .into_iter()
        .map(|setting| {
            let default = object(py, &setting.default)?;
            Ok(Setting {
                name: setting.name,
                kind: setting.kind.name(),
                default,
                env: setting.variable,
                help: setting.help,
                in_kernel: setting.in_kernel,
            })
        })
        .collect()
}

/// The effective settings of a kernel, or of the current folder.
#[pyfunction]
fn settings<'py>(py: Python<'py>, source: Option<PathBuf>, given: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
    let layers = self::given(given)?;
    let effective = match source {
        Some(path) => source::Source::open(&path, "kernel")
            .and_then(|source| {
                Config::of(&source, &layers, &Environment::now(), &Ancestors::of(&source.base, Some(&source.path)))
            })
            .map(|config| config.settings),
        None => Config::of_folder(&current_folder(), &layers),
    };
    let effective = effective.map_err(|e| raised(py, e))?;
    let out = PyDict::new(py);
    let values = toml::Table::try_from(effective).unwrap_or_default();
    for setting in table() {
        if let Some(value) = values.get(setting.name) {
            out.set_item(setting.name, object(py, value)?)?;
        }
    }
    Ok(out)
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
) -> PyResult<String> {
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
    written().map(self::text).map_err(|e| raised(py, e))
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

/// Variables that were meant to set something and do not, of which nothing has been said in this process.
#[pyfunction]
fn misspelled() -> Vec<String> {
    let found = Misspelled::of(&Environment::now());
    found.iter().filter(|one| one.is_news()).map(Misspelled::text).collect()
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

/// The address of a function in a library that is loaded; it stays mapped.
#[pyfunction]
fn address(py: Python<'_>, library: PathBuf, name: &str) -> PyResult<usize> {
    symbol::address(&library, name).map(|address| address.as_ptr().addr()).map_err(|e| raised(py, e))
}

/// A capsule of a function in a library that is loaded, named by its signature in C.
#[pyfunction]
fn capsule<'py>(py: Python<'py>, library: PathBuf, name: &str, signature: CString) -> PyResult<Bound<'py, PyCapsule>> {
    let address = symbol::address(&library, name).map_err(|e| raised(py, e))?;
    #[allow(unsafe_code)]
    // SAFETY: the library stays mapped, so the pointer is valid as long as anybody could have it.
    unsafe {
        PyCapsule::new_with_pointer(py, address, symbol::interned(signature))
    }
}

/// Copies a published library for one load, into a folder that lives as long as the process.
#[pyfunction]
fn image(py: Python<'_>, library: PathBuf) -> PyResult<String> {
    images::image(&library).map(text).map_err(|e| raised(py, e))
}

/// Removes the copies that `image` has made in this process.
#[pyfunction]
fn discard_images() {
    images::discard_images();
}

/// Can one more image be loaded after so many without running into what ends a process? None if so, else what there is
/// no room for.
#[pyfunction]
fn lacking(loaded: usize) -> Option<String> {
    limits::lacking(loaded)
}

pub(crate) fn effective(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<Settings> {
    let layers = self::given(given)?;
    Config::of_folder(&current_folder(), &layers).map_err(|e| raised(py, e))
}

pub(crate) fn opened(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<Cache> {
    Cache::open(&effective(py, given)?).map_err(|e| raised(py, e))
}

fn current_folder() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}
