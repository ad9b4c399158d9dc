//! The engine as Python sees it: thin functions that convert their arguments, call the engine, and convert its errors.
//! The one module that names PyO3's types.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyCapsule, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::abi;
use crate::above::Above;
use crate::cache::{Cache, copy_out, size_of};
use crate::cell::{self, CELLS, Cell, PLACE};
use crate::config::{Config, Given};
use crate::digest::Digest;
use crate::doctor;
use crate::engine::{self, Request};
use crate::environment::Environment;
use crate::error::{self, Error, Kind};
use crate::exports;
use crate::process::{Stage, Watch};
use crate::settings::{Settings, table};
use crate::source;
use crate::store::{self, Entry};
use crate::survey;
use crate::symbol;
use crate::templates::TEMPLATES;
use crate::watch;

/// Builds, keeps and finds compiled kernels.
#[pymodule]
mod _engine {
    #[pymodule_export]
    use super::{
        Artifact, CacheEntry, Check, Diagnostic, Export, Follower, Setting, address, build, cache_clear, cache_dir,
        cache_entries, capsule, checks, claim, crate_source, inplace, kernels, lookup, marked, settings,
        settings_table, templates, warm, write_cell,
    };

    #[pymodule_init]
    fn init(_module: &super::Bound<'_, super::PyModule>) -> super::PyResult<()> {
        super::engine::prepare();
        Ok(())
    }

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// A message of rustc about a kernel's code.
#[pyclass(frozen, get_all, from_py_object, module = "rsimport._engine")]
#[derive(Clone)]
struct Diagnostic {
    level: String,
    code: Option<String>,
    message: String,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    rendered: String,
    ansi: String,
}

/// A compiled kernel in the cache. Whatever its import has no need of is read when it is asked for.
#[pyclass(frozen, module = "rsimport._engine")]
struct Artifact {
    artifact: engine::Artifact,
    entry: OnceLock<Option<Entry>>,
}

/// A function that a kernel exports to native callers.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
struct Export {
    name: String,
    signature: Option<String>,
    types: Vec<String>,
    problem: Option<String>,
    file: String,
    line: usize,
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

/// A published build in the cache.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
struct CacheEntry {
    source: String,
    module: String,
    profile: String,
    abi: String,
    bytes: u64,
    created: f64,
    path: String,
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
impl Diagnostic {
    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        level: String,
        code: Option<String>,
        message: String,
        file: Option<String>,
        line: Option<usize>,
        column: Option<usize>,
        rendered: String,
        ansi: String,
    ) -> Self {
        Diagnostic { level, code, message, file, line, column, rendered, ansi }
    }

    /// What `new` takes, so that an error can cross from one process of a pool to another.
    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let this = self.clone();
        (this.level, this.code, this.message, this.file, this.line, this.column, this.rendered, this.ansi)
            .into_pyobject(py)
    }

    fn __repr__(&self) -> String {
        let place = self.file.as_ref().map_or_else(String::new, |file| {
            format!(" at {file}:{}:{}", self.line.unwrap_or(0), self.column.unwrap_or(0))
        });
        format!("<{} {}: {}{place}>", self.level, self.code.as_deref().unwrap_or("-"), self.message)
    }
}

#[pymethods]
impl Artifact {
    #[getter]
    fn path(&self) -> String {
        text(&self.artifact.path)
    }

    #[getter]
    fn source(&self) -> String {
        text(&self.artifact.source)
    }

    #[getter]
    fn module(&self) -> &str {
        &self.artifact.module
    }

    #[getter]
    fn fingerprint(&self) -> &str {
        &self.artifact.fingerprint
    }

    #[getter]
    fn content(&self) -> &str {
        &self.artifact.content
    }

    #[getter]
    fn profile(&self) -> &str {
        &self.artifact.profile
    }

    #[getter]
    fn tier(&self) -> &'static str {
        self.artifact.tier.name()
    }

    #[getter]
    fn built(&self) -> bool {
        self.artifact.built
    }

    #[getter]
    fn provisional(&self) -> bool {
        self.artifact.provisional
    }

    #[getter]
    fn inputs(&self) -> Vec<String> {
        self.artifact.inputs.iter().map(text).collect()
    }

    #[getter]
    fn exporting(&self) -> bool {
        self.artifact.exporting
    }

    #[getter]
    fn exports(&self, py: Python<'_>) -> PyResult<Vec<Export>> {
        if !self.artifact.exporting {
            return Ok(Vec::new());
        }
        let Some(entry) = self.entry() else {
            let error =
                Error::cache(format!("what {} exports was removed from the cache", self.artifact.path.display()));
            let error = error.hint("reload the kernel").kernel(&self.artifact.source);
            return Err(raised(py, error));
        };
        Ok(entry.exports.iter().map(|export| self.export(entry, export)).collect())
    }

    #[getter]
    fn reason(&self) -> Option<&str> {
        self.entry().map(|entry| entry.reason.as_str())
    }

    #[getter]
    fn seconds(&self) -> f64 {
        self.entry().map_or(0.0, |entry| entry.seconds)
    }

    #[getter]
    fn warnings(&self) -> Vec<Diagnostic> {
        self.entry().into_iter().flat_map(|entry| entry.warnings.clone()).map(Diagnostic::from).collect()
    }

    fn __repr__(&self) -> String {
        let engine::Artifact { module, profile, path, .. } = &self.artifact;
        format!("<Artifact {module} ({profile}) at {}>", path.display())
    }
}

impl Artifact {
    /// Its metadata, unless they are gone.
    fn entry(&self) -> Option<&Entry> {
        self.entry.get_or_init(|| store::entry_of(&self.artifact.path)).as_ref()
    }

    /// An exported function, with the place where it stands in this kernel, which may be a copy of the one that was built.
    fn export(&self, entry: &Entry, from: &exports::Export) -> Export {
        let moved = || {
            let below = from.file.strip_prefix(entry.source.parent()?).ok()?;
            Some(self.artifact.source.parent()?.join(below))
        };
        let file = if from.file == entry.source { Some(self.artifact.source.clone()) } else { moved() };
        let file = file.unwrap_or_else(|| from.file.clone());
        Export {
            name: from.name.clone(),
            signature: from.signature(),
            types: from.types.clone(),
            problem: from.problem.clone(),
            file: Cell::of(&file).map_or_else(|| text(&file), |cell| cell.label),
            line: from.line,
        }
    }
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
        watched(py, None, |watch| {
            let changed = self.0.lock().unwrap_or_else(PoisonError::into_inner).wait(|| watch.interrupted());
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
    let request = Request { path: source, module, abi, given: given(settings)? };
    let mut watch = Watcher::new(None);
    let found = engine::lookup(&request, &mut watch).map_err(|e| raised(py, e))?;
    Ok(found.map(Artifact::from))
}

/// Finds a kernel's artifact, or builds it.
#[pyfunction]
fn build(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    python: &Bound<'_, PyDict>,
    settings: &Bound<'_, PyDict>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Artifact> {
    let request = Request { path: source, module, abi, given: given(settings)? };
    let python = interpreter(python)?;
    watched(py, progress, |watch| engine::build(&request, &python, watch)).map(Artifact::from)
}

/// Is it this process that should have the optimised build of a kernel made in the background?
#[pyfunction]
fn claim(py: Python<'_>, source: PathBuf, module: String, abi: String, settings: &Bound<'_, PyDict>) -> PyResult<bool> {
    let request = Request { path: source, module, abi, given: given(settings)? };
    engine::claim(&request, &mut Watcher::new(None)).map_err(|e| raised(py, e))
}

/// The marked kernel files and the folders of marked crates below a folder.
#[pyfunction]
fn kernels(py: Python<'_>, root: PathBuf) -> Vec<String> {
    py.detach(|| survey::kernels(&root)).into_iter().map(text).collect()
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
            .and_then(|source| Config::of(&source, &layers, &Environment::now(), &Above::of(&source.base)))
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

/// The folder of the cache.
#[pyfunction]
fn cache_dir(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<String> {
    Ok(opened(py, given)?.root().display().to_string())
}

/// The published builds in the cache, the newest first.
#[pyfunction]
fn cache_entries(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<Vec<CacheEntry>> {
    let entries = store::entries(&opened(py, given)?);
    Ok(entries
        .into_iter()
        .map(|(entry, folder)| CacheEntry {
            source: text(entry.source),
            module: entry.module,
            profile: entry.profile,
            abi: entry.abi,
            bytes: size_of(&folder),
            created: entry.created,
            path: text(folder.join(entry.library)),
        })
        .collect())
}

/// Removes what was not used for so many days, or everything. Returns the number of kernels and of bytes.
#[pyfunction]
fn cache_clear(py: Python<'_>, given: &Bound<'_, PyDict>, older_than_days: Option<f64>) -> PyResult<(usize, u64)> {
    let age = match older_than_days.map(|days| Duration::try_from_secs_f64(days * 86400.0)) {
        Some(Err(_)) => return Err(raised(py, Error::config("the age has to be a number of days, zero or more"))),
        Some(Ok(age)) => Some(age),
        None => None,
    };
    store::clear(&opened(py, given)?, age).map_err(|e| raised(py, e))
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
    watched(py, progress, |watch| crate::warm::warm(&deps, &abi, &python, &given, watch))?;
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
        cache.write(&place.join(PLACE), folder.to_string_lossy().as_bytes())?;
        cache.write(&path, text.as_bytes())?;
        Ok(path)
    };
    written().map(self::text).map_err(|e| raised(py, e))
}

/// Looks at everything that a build needs.
#[pyfunction]
fn checks(py: Python<'_>, settings: &Bound<'_, PyDict>) -> PyResult<Vec<Check>> {
    let settings = effective(py, settings)?;
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
        PyCapsule::new_with_pointer(py, address, symbol::kept(signature))
    }
}

/// Copies an artifact to a place outside of the cache, by a rename, so that a library in use is never written to.
#[pyfunction]
fn inplace(py: Python<'_>, artifact_path: PathBuf, target: PathBuf) -> PyResult<()> {
    copy_out(&artifact_path, &target).map_err(|e| raised(py, e))
}

impl From<error::Diagnostic> for Diagnostic {
    fn from(from: error::Diagnostic) -> Self {
        let rendered = from.rendered();
        Diagnostic {
            level: from.level,
            code: from.code,
            message: from.message,
            file: from.file,
            line: from.line,
            column: from.column,
            rendered,
            ansi: from.ansi,
        }
    }
}

impl From<engine::Artifact> for Artifact {
    fn from(artifact: engine::Artifact) -> Self {
        Artifact { artifact, entry: OnceLock::new() }
    }
}

/// Passes what a build tells on to Python, and Python's signals to the build.
struct Watcher {
    progress: Option<Py<PyAny>>,
    raised: Option<PyErr>,
}

impl Watcher {
    fn new(progress: Option<Py<PyAny>>) -> Self {
        Watcher { progress, raised: None }
    }

    fn call(&mut self, call: impl FnOnce(Python<'_>) -> PyResult<()>) {
        if self.raised.is_none() {
            self.raised = Python::attach(call).err();
        }
    }
}

impl Watch for Watcher {
    fn interrupted(&mut self) -> bool {
        self.call(|py| py.check_signals());
        self.raised.is_some()
    }

    fn progress(&mut self, stage: Stage, done: usize, total: usize, detail: &str) {
        let stage = match stage {
            Stage::Waiting => "waiting",
            Stage::Dependencies => "dependencies",
            Stage::Kernel => "kernel",
        };
        if let Some(progress) = self.progress.take() {
            self.call(|py| progress.call1(py, (stage, done, total, detail)).map(drop));
            self.progress = Some(progress);
        }
    }

    fn warning(&mut self, text: &str) {
        self.call(|py| {
            let logger = py.import("logging")?.call_method1("getLogger", ("rsimport",))?;
            logger.call_method1("warning", ("%s", text)).map(drop)
        });
    }
}

/// Runs a build without the GIL. What the progress callback or a signal handler raised beats the build's own result.
fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    work: impl FnOnce(&mut dyn Watch) -> error::Result<T> + Send,
) -> PyResult<T> {
    let mut watch = Watcher::new(progress);
    let result = py.detach(|| work(&mut watch));
    match watch.raised {
        Some(raised) => Err(raised),
        None => result.map_err(|e| raised(py, e)),
    }
}

/// The Python exception for an error of the engine.
fn raised(py: Python<'_>, error: Error) -> PyErr {
    let error = cell::named(error);
    let class = match error.kind {
        Kind::Interrupted => return PyKeyboardInterrupt::new_err(()),
        Kind::Compile => "CompileError",
        Kind::Config => "ConfigError",
        Kind::Toolchain => "ToolchainError",
        Kind::Cache => "CacheError",
    };
    let made = (|| -> PyResult<PyErr> {
        let arguments = PyDict::new(py);
        arguments.set_item("hint", error.hint)?;
        arguments.set_item("kernel", error.kernel.map(text))?;
        if error.kind == Kind::Compile {
            let diagnostics = error.diagnostics.into_iter().map(|diagnostic| Py::new(py, Diagnostic::from(diagnostic)));
            arguments.set_item("diagnostics", diagnostics.collect::<PyResult<Vec<_>>>()?)?;
        }
        let exception = py.import("rsimport._errors")?.getattr(class)?.call((error.message,), Some(&arguments))?;
        Ok(PyErr::from_value(exception))
    })();
    made.unwrap_or_else(|failure| failure)
}

fn given(settings: &Bound<'_, PyDict>) -> PyResult<Given> {
    settings
        .iter()
        .filter(|(_, value)| !value.is_none())
        .map(|(name, value)| Ok((name.extract()?, value_of(&value)?)))
        .collect()
}

/// A Python value as TOML. A path is text; what TOML cannot say becomes its `repr`, which the check of types reports.
fn value_of(value: &Bound<'_, PyAny>) -> PyResult<toml::Value> {
    Ok(if value.is_instance_of::<PyBool>() {
        toml::Value::Boolean(value.extract()?)
    } else if value.is_instance_of::<PyInt>() {
        value.extract().map_or_else(|_| toml::Value::String(value.to_string()), toml::Value::Integer)
    } else if value.is_instance_of::<PyFloat>() {
        toml::Value::Float(value.extract()?)
    } else if value.is_instance_of::<PyString>() {
        toml::Value::String(value.extract()?)
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.map(|item| value_of(&item?)).collect::<PyResult<Vec<_>>>()?;
        toml::Value::Array(items)
    } else if let Ok(path) = value.extract::<PathBuf>() {
        toml::Value::String(text(path))
    } else {
        // A table is no setting's type, so the check refuses it with the text of the value.
        toml::Value::Table(toml::Table::from_iter([(value.repr()?.to_string(), toml::Value::Boolean(true))]))
    })
}

fn object(py: Python<'_>, value: &toml::Value) -> PyResult<Py<PyAny>> {
    Ok(match value {
        toml::Value::Boolean(flag) => flag.into_pyobject(py)?.to_owned().into_any().unbind(),
        toml::Value::Float(number) => number.into_pyobject(py)?.into_any().unbind(),
        toml::Value::Array(items) => {
            let items = items.iter().map(|item| object(py, item)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any().unbind()
        }
        other => other.as_str().unwrap_or_default().into_pyobject(py)?.into_any().unbind(),
    })
}

fn interpreter(python: &Bound<'_, PyDict>) -> PyResult<abi::Python> {
    let item = |name: &str| python.get_item(name).map(|value| value.filter(|value| !value.is_none()));
    let string = |name: &str| item(name)?.map(|value| value.extract::<String>()).transpose();
    Ok(abi::Python {
        implementation: string("implementation")?.unwrap_or_else(|| "CPython".to_owned()),
        version: string("version")?.unwrap_or_default(),
        shared: item("shared")?.map(|value| value.is_truthy()).transpose()?.unwrap_or(false),
        lib_name: string("lib_name")?,
        lib_dir: string("lib_dir")?,
        pointer_width: item("pointer_width")?.map(|value| value.extract()).transpose()?.unwrap_or(64),
        build_flags: string("build_flags")?.unwrap_or_default(),
        python_framework_prefix: string("python_framework_prefix")?,
    })
}

fn effective(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<Settings> {
    let layers = self::given(given)?;
    Config::of_folder(&current_folder(), &layers).map_err(|e| raised(py, e))
}

fn opened(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<Cache> {
    Cache::open(&effective(py, given)?).map_err(|e| raised(py, e))
}

fn current_folder() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}
