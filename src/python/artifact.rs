//! An artifact as Python sees it, with what rustc said about it and what it exports.

use std::path::PathBuf;
use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::convert::text;
use crate::cache::entry::{Entry, parsed_entry};
use crate::engine;
use crate::error;
use crate::kernel::cell::Cell;
use crate::kernel::exports;
use crate::shown::{coloured, named, plain};

/// A compiled kernel in the cache. Whatever its import has no need of is read when it is asked for.
#[pyclass(frozen, module = "rsimport._engine")]
pub(super) struct Artifact {
    artifact: engine::Artifact,
    entry: OnceLock<Option<Entry>>,
}

/// A function that a kernel exports to native callers.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub(super) struct Export {
    name: String,
    signature: Option<String>,
    types: Vec<String>,
    problem: Option<String>,
    file: String,
    line: usize,
}

/// A message of rustc about a kernel's code.
#[pyclass(frozen, get_all, from_py_object, module = "rsimport._engine")]
#[derive(Clone)]
pub(super) struct Diagnostic {
    level: String,
    code: Option<String>,
    message: String,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    rendered: String,
    ansi: String,
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
    fn key(&self) -> &str {
        &self.artifact.key
    }

    /// What `key` was called before; it goes with the next release.
    #[getter]
    fn fingerprint(&self) -> &str {
        self.key()
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
    fn exports(&self) -> Vec<Export> {
        let entry = self.entry().filter(|_| self.artifact.exporting);
        entry.into_iter().flat_map(|entry| entry.exports.iter().map(|export| self.export(entry, export))).collect()
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
    /// As the engine knows it.
    pub(super) fn plain(&self) -> &engine::Artifact {
        &self.artifact
    }

    /// Its metadata; none of a library of which nobody said anything.
    fn entry(&self) -> Option<&Entry> {
        self.entry.get_or_init(|| parsed_entry(&self.artifact.metadata).ok()).as_ref()
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

impl From<error::Diagnostic> for Diagnostic {
    fn from(from: error::Diagnostic) -> Self {
        let file = PathBuf::from(from.file.clone().unwrap_or_default());
        let from = error::Diagnostic { ansi: coloured(&named(&from.ansi, &file)).into_owned(), ..from };
        let rendered = from.rendered();
        Diagnostic {
            level: from.level,
            code: from.code,
            message: plain(&from.message).into_owned(),
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
