//! Writes logs row by row from Python.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyDict;

use crate::draft::Draft;
use crate::format::{Entry, Kind, RECORD, TIMESTAMP, Value};

/// Writes a log row by row, best in a `with` statement.
///
/// `RowWriter(path, columns)` takes the columns as a dict from name to type, "int64" or "float64";
/// the column "timestamp" is always there. They get the ids 1, 2, ... in the order of the dict.
///
/// The log appears under its name, all at once, when `close` is called or the `with` block ends,
/// and replaces the file that was there, behind a link if the name is one. Until then it is a hidden
/// file in the same folder, which is removed if the block ends with an exception or the writer is
/// dropped; where the process is killed it stays, and no reader takes it for a log.
///
/// Raises ValueError for an unknown type, more than 65,534 columns, and a name that is "timestamp",
/// empty or longer than 255 bytes in UTF-8; OSError if the file cannot be made, or if there is
/// something else than a file: pipes and devices are left alone.
#[pyclass(frozen)]
pub struct RowWriter {
    path: PathBuf,
    columns: HashMap<String, Entry>,
    /// None when the log is finished or given up.
    draft: Mutex<Option<Draft>>,
}

#[pymethods]
impl RowWriter {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, columns: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut table = vec![Entry {
            id: 0,
            kind: Kind::Int,
            name: TIMESTAMP.to_owned(),
        }];
        for (name, kind) in columns {
            table.push(entry(table.len(), name.extract()?, kind.extract()?)?);
        }
        let draft = Draft::create(&path, &table).map_err(|fault| fault.raise(py, &path))?;
        Ok(Self {
            path,
            columns: table
                .drain(1..)
                .map(|entry| (entry.name.clone(), entry))
                .collect(),
            draft: Mutex::new(Some(draft)),
        })
    }

    /// Add a row: its timestamp, in nanoseconds since 1970 (UTC), and its values by their names.
    ///
    /// Columns that are not named have no value in this row. Raises KeyError for a name that the
    /// log does not have, TypeError and OverflowError for what is no number of the column's type,
    /// ValueError after the end of the log; nothing is written then. An OSError while writing gives
    /// the whole log up.
    fn append(&self, py: Python<'_>, timestamp: i64, values: &Bound<'_, PyDict>) -> PyResult<()> {
        // Complete before the lock is taken: Python code runs in some conversions.
        let mut row = Vec::with_capacity((values.len() + 1) * RECORD);
        row.extend(0_u16.to_le_bytes());
        row.extend(timestamp.to_le_bytes());
        for (name, value) in values {
            let name: String = name.extract()?;
            let unknown = || PyKeyError::new_err(format!("the log has no column {name:?}"));
            let column = self.columns.get(&name).ok_or_else(unknown)?;
            let value = match column.kind {
                Kind::Int => Value::Int(value.extract()?),
                Kind::Float => Value::Float(value.extract()?),
            };
            row.extend(column.id.to_le_bytes());
            row.extend(value.encode());
        }
        let mut draft = self.lock(py);
        let written = draft.as_mut().ok_or_else(ended)?.write(&row);
        written.map_err(|fault| {
            *draft = None;
            fault.raise(py, &self.path)
        })
    }

    /// Finish the log and give it its name; does nothing after the end of the log.
    ///
    /// The bytes have reached the disk when it returns. Raises OSError if they cannot, and then the
    /// log is given up.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let draft = self.lock(py).take();
        let finished = py.detach(|| draft.map_or(Ok(()), Draft::finish));
        finished.map_err(|fault| fault.raise(py, &self.path))
    }

    /// Give the log up: nothing appears under its name.
    fn discard(&self, py: Python<'_>) {
        self.lock(py).take();
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let open = slf.get().lock(slf.py()).is_some();
        open.then_some(slf).ok_or_else(ended)
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        exception: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if exception.is_none() {
            return self.close(py);
        }
        self.discard(py);
        Ok(())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = if self.lock(py).is_some() {
            "open"
        } else {
            "ended"
        };
        format!("<RowWriter of {}, {state}>", self.path.display())
    }
}

impl RowWriter {
    fn lock(&self, py: Python<'_>) -> std::sync::MutexGuard<'_, Option<Draft>> {
        // A panic cannot leave half a row behind the lock, so what it guards is sound.
        self.draft
            .lock_py_attached(py)
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn ended() -> PyErr {
    PyValueError::new_err("the log is closed")
}

/// A column as the user describes it; its place in the table is its id.
fn entry(place: usize, name: String, kind: String) -> PyResult<Entry> {
    let kind = match kind.as_str() {
        "int64" => Kind::Int,
        "float64" => Kind::Float,
        _ => {
            let text =
                format!("the type of {name:?} must be \"int64\" or \"float64\", not {kind:?}");
            return Err(PyValueError::new_err(text));
        }
    };
    if name == TIMESTAMP || !(1..=usize::from(u8::MAX)).contains(&name.len()) {
        let text = format!("{name:?} cannot be a column: it is \"timestamp\", empty or too long");
        return Err(PyValueError::new_err(text));
    }
    // The table counts its entries in 16 bits, and the timestamp is one of them.
    let id = u16::try_from(place).ok().filter(|&id| id < u16::MAX);
    let id = id.ok_or_else(|| PyValueError::new_err("a log has at most 65,534 columns"))?;
    Ok(Entry { id, kind, name })
}
