//! A build without the GIL: what it tells goes to Python, and what interrupts or fails it becomes an exception.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::artifact::Diagnostic;
use super::convert::text;
use crate::config::environment::Captured;
use crate::error::{self, Error, Kind};
use crate::kernel::cell;
use crate::observer::{Observer, Phase};
use crate::shown::{line, named, plain};

/// Passes what a build tells on to Python, and Python's signals to the build.
pub(super) struct Watcher {
    progress: Option<Py<PyAny>>,
    raised: Option<PyErr>,
}

impl Watcher {
    pub(super) fn new(progress: Option<Py<PyAny>>) -> Self {
        Watcher { progress, raised: None }
    }

    fn call(&mut self, call: impl FnOnce(Python<'_>) -> PyResult<()>) {
        if self.raised.is_none() {
            self.raised = Python::attach(call).err();
        }
    }
}

impl Observer for Watcher {
    fn interrupted(&mut self) -> bool {
        self.call(|py| py.check_signals());
        self.raised.is_some()
    }

    fn progress(&mut self, phase: Phase, done: usize, total: usize, detail: &str) {
        let phase = match phase {
            Phase::Waiting => "waiting",
            Phase::Dependencies => "dependencies",
            Phase::Kernel => "kernel",
        };
        if let Some(progress) = self.progress.take() {
            self.call(|py| progress.call1(py, (phase, done, total, line(detail))).map(drop));
            self.progress = Some(progress);
        }
    }

    fn warning(&mut self, text: &str) {
        self.call(|py| {
            let logger = py.import("logging")?.call_method1("getLogger", ("rsimport",))?;
            logger.call_method1("warning", ("%s", plain(text))).map(drop)
        });
    }
}

/// Runs a build without the GIL. What the progress callback or a signal handler raised beats the build's own result.
pub(super) fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    work: impl FnOnce(&mut dyn Observer) -> error::Result<T> + Send,
) -> PyResult<T> {
    let mut observer = Watcher::new(progress);
    let environment = Captured::now();
    let result = py.detach(|| environment.during(|| work(&mut observer)));
    match observer.raised {
        Some(raised) => Err(raised),
        None => result.map_err(|e| raised(py, e)),
    }
}

/// The Python exception for an error of the engine.
pub(super) fn raised(py: Python<'_>, error: Error) -> PyErr {
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
        let kernel = error.kernel.clone().unwrap_or_default();
        let shown = |text: &str| plain(&named(text, &kernel)).into_owned();
        let (message, hint) = (shown(&error.message), error.hint.as_deref().map(shown));
        arguments.set_item("hint", hint)?;
        arguments.set_item("kernel", error.kernel.map(text))?;
        if error.kind == Kind::Compile {
            let diagnostics = error.diagnostics.into_iter().map(|diagnostic| Py::new(py, Diagnostic::from(diagnostic)));
            arguments.set_item("diagnostics", diagnostics.collect::<PyResult<Vec<_>>>()?)?;
        }
        let exception = py.import("rsimport._errors")?.getattr(class)?.call((message,), Some(&arguments))?;
        Ok(PyErr::from_value(exception))
    })();
    made.unwrap_or_else(|failure| failure)
}
