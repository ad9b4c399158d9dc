//! The tools of cargo's as Python sees them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::artifact::Diagnostic;
use super::convert::{asked, interpreter, native, text};
use super::watcher::{raised, watched};
use crate::kernel::source::Source;
use crate::tools::format::make_readable;
use crate::tools::items;
use crate::tools::project;
use crate::tools::run::{Call, Wishes};
use crate::tools::tested::files;

/// A kernel as a package of cargo's.
#[pyclass(frozen, module = "rsimport._engine")]
pub(super) struct Project(project::Project);

/// What a run of cargo has come to.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub(super) struct ProjectRun {
    success: bool,
    diagnostics: Vec<Py<Diagnostic>>,
    failure: Option<Py<PyAny>>,
    output: Vec<String>,
    text: String,
    library: Option<String>,
    executable: Option<String>,
}

/// The files that a kernel's modules are in, its root first; none where it cannot be read.
#[pyfunction]
pub(super) fn module_files(py: Python<'_>, source: PathBuf) -> Vec<OsString> {
    py.detach(|| Source::open(&source, "kernel").map(|source| files(&source)).unwrap_or_default())
        .into_iter()
        .map(native)
        .collect()
}

/// Runs rustfmt on a kernel's own files: whether all is in order, and its lines on stdout and stderr.
#[pyfunction]
pub(super) fn format(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    settings: &Bound<'_, PyDict>,
    arguments: Vec<String>,
) -> PyResult<(bool, Vec<String>, Vec<String>)> {
    let request = asked(source, module, abi, settings)?;
    let done = watched(py, None, |observer| crate::tools::format::format(&request, &arguments, observer))?;
    Ok((done.success, done.output, done.errors))
}

/// Stages a kernel as a package on which cargo's verbs can be run.
#[pyfunction]
#[pyo3(signature = (source, module, abi, python, settings, progress = None, *, pyo3_features = Vec::new(), below = String::new(), own_macros = false))]
#[allow(clippy::too_many_arguments)]
pub(super) fn project_open(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    python: &Bound<'_, PyDict>,
    settings: &Bound<'_, PyDict>,
    progress: Option<Py<PyAny>>,
    pyo3_features: Vec<String>,
    below: String,
    own_macros: bool,
) -> PyResult<Project> {
    let request = asked(source, module, abi, settings)?;
    let python = interpreter(python)?;
    let wishes = Wishes { pyo3_features, below, own_macros };
    watched(py, progress, |observer| project::Project::open(&request, &python, wishes, observer)).map(Project)
}

#[pymethods]
impl Project {
    #[getter]
    fn folder(&self) -> OsString {
        native(self.0.folder())
    }

    #[getter]
    fn manifest(&self) -> OsString {
        native(self.0.manifest())
    }

    #[getter]
    fn root(&self) -> OsString {
        native(self.0.root())
    }

    #[getter]
    fn source(&self) -> OsString {
        native(self.0.source())
    }

    #[getter]
    fn target(&self) -> OsString {
        native(self.0.target())
    }

    #[getter]
    fn work(&self) -> OsString {
        native(self.0.work())
    }

    #[getter]
    fn sysroot(&self) -> String {
        text(self.0.sysroot())
    }

    #[getter]
    fn crate_name(&self) -> &str {
        self.0.crate_name()
    }

    #[getter]
    fn profile(&self) -> &str {
        self.0.profile()
    }

    /// The user's name for a path that the compiler named.
    fn real(&self, path: PathBuf) -> OsString {
        native(self.0.real(&path))
    }

    #[getter]
    fn base(&self) -> OsString {
        native(self.0.base())
    }

    /// Lines of cargo's with the names and the places of the user's files, without those about generated code.
    #[pyo3(signature = (lines, *, colours = false))]
    fn in_users_words(&self, py: Python<'_>, lines: Vec<String>, colours: bool) -> Vec<String> {
        py.detach(|| self.0.in_users_words(&lines, colours))
    }

    /// The tests of the kernel, with file and line.
    fn tests(&self) -> Vec<(String, OsString, usize)> {
        self.0.tests().into_iter().map(|test| (test.name, native(test.file), test.line)).collect()
    }

    /// Formats generated code in the cache, where rustfmt is there and can read it.
    fn format(&self, py: Python<'_>, file: PathBuf) -> PyResult<()> {
        watched(py, None, |observer| make_readable(self.0.toolchain(), &file, observer))
    }

    /// The text of an item in a text of Rust.
    fn item(&self, py: Python<'_>, text: &str, path: &str) -> PyResult<String> {
        items::item(text, path).map_err(|error| raised(py, error.kernel(self.0.source())))
    }

    /// Where a tool of Rust's is.
    fn tool(&self, name: &str) -> Option<String> {
        self.0.toolchain().tool(name).map(text)
    }

    /// Runs a verb of cargo's on the package, or with `kept` gives the program that an earlier run has made of the same.
    #[pyo3(signature = (verb, arguments = Vec::new(), flags = Vec::new(), *, profile = None, environment = BTreeMap::new(), unstable = false, kept = false, progress = None))]
    #[allow(clippy::too_many_arguments)]
    fn run(
        &self,
        py: Python<'_>,
        verb: String,
        arguments: Vec<String>,
        flags: Vec<String>,
        profile: Option<String>,
        environment: BTreeMap<String, String>,
        unstable: bool,
        kept: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<ProjectRun> {
        let call = Call { verb, arguments, flags, profile, environment: environment.into_iter().collect(), unstable };
        let run = watched(py, progress, |observer| match kept {
            true => self.0.program(&call, observer),
            false => self.0.run(&call, observer),
        })?;
        let (library, executable) = (run.library.as_deref().map(text), run.program.as_deref().map(text));
        let diagnostics = run.diagnostics.into_iter().map(|found| Py::new(py, Diagnostic::from(found)));
        Ok(ProjectRun {
            success: run.success,
            diagnostics: diagnostics.collect::<PyResult<_>>()?,
            failure: run.failure.map(|error| raised(py, error).into_value(py).into_any()),
            output: run.output,
            text: run.text,
            library,
            executable,
        })
    }
}
