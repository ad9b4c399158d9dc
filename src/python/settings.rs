//! The settings, and what is theirs: the folder's own ones, the cache that they name.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::convert::{given, object};
use super::watcher::raised;
use crate::cache::layout::Cache;
use crate::config::ancestors::Ancestors;
use crate::config::environment::Environment;
use crate::config::layers::Config;
use crate::config::misspelled::Misspelled;
use crate::config::settings::{Settings, table};
use crate::kernel::source::Source;

/// A declared setting.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub struct Setting {
    name: &'static str,
    kind: &'static str,
    default: Py<PyAny>,
    env: String,
    help: &'static str,
    in_kernel: bool,
}

/// All settings, as they are declared.
#[pyfunction]
pub fn settings_table(py: Python<'_>) -> PyResult<Vec<Setting>> {
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
pub fn settings<'py>(
    py: Python<'py>,
    source: Option<PathBuf>,
    given: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    let layers = self::given(given)?;
    let effective = match source {
        Some(path) => Source::open(&path, "kernel")
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

/// Variables that were meant to set something and do not, of which nothing has been said in this process.
#[pyfunction]
pub fn misspelled() -> Vec<String> {
    let found = Misspelled::of(&Environment::now());
    found.iter().filter(|one| one.is_news()).map(Misspelled::text).collect()
}

pub fn effective(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<Settings> {
    let layers = self::given(given)?;
    Config::of_folder(&current_folder(), &layers).map_err(|e| raised(py, e))
}

pub fn opened(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<Cache> {
    Cache::open(&effective(py, given)?).map_err(|e| raised(py, e))
}

pub fn current_folder() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}
