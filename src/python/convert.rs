//! Values of Python for the engine, and those of the engine for Python.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::config::abi;
use crate::config::layers::Overrides;
use crate::engine::Request;

/// What is asked of the engine about a kernel.
pub(super) fn asked(path: PathBuf, module: String, abi: String, settings: &Bound<'_, PyDict>) -> PyResult<Request> {
    Ok(Request { path, module, abi, given: given(settings)?, ahead: false })
}

/// Settings as a call gives them; what is None is not given.
pub(super) fn given(settings: &Bound<'_, PyDict>) -> PyResult<Overrides> {
    settings
        .iter()
        .filter(|(_, value)| !value.is_none())
        .map(|(name, value)| Ok((name.extract()?, value_of(&value)?)))
        .collect()
}

/// A Python value as TOML. A path is text; what TOML cannot say becomes its `repr`, which the check of types reports.
pub(super) fn value_of(value: &Bound<'_, PyAny>) -> PyResult<toml::Value> {
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

pub(super) fn object(py: Python<'_>, value: &toml::Value) -> PyResult<Py<PyAny>> {
    Ok(match value {
        toml::Value::Boolean(flag) => flag.into_pyobject(py)?.to_owned().into_any().unbind(),
        toml::Value::Integer(number) => number.into_pyobject(py)?.into_any().unbind(),
        toml::Value::Float(number) => number.into_pyobject(py)?.into_any().unbind(),
        toml::Value::Array(items) => {
            let items = items.iter().map(|item| object(py, item)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any().unbind()
        }
        other => other.as_str().unwrap_or_default().into_pyobject(py)?.into_any().unbind(),
    })
}

pub(super) fn interpreter(python: &Bound<'_, PyDict>) -> PyResult<abi::Python> {
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

/// A path by which Python finds the file again, be it text or not.
pub(super) fn native(path: impl AsRef<Path>) -> OsString {
    path.as_ref().as_os_str().to_owned()
}

/// A path to be shown.
pub(super) fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}
