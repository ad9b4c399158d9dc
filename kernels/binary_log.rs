// rsimport
//! Logs of timestamped rows in a binary file: a reader with rows and columns, and a writer.
//!
//! A log is a file of records, each of an id and a number. A record of the timestamp's id starts a
//! row, and all records up to the next timestamp belong to it. This is version 1 of the format; all
//! numbers are little-endian, and nothing is padded:
//!
//! ```text
//! header  magic     8 bytes  89 52 4F 57 4C 4F 47 0A, "\x89ROWLOG\n"
//!         version   u16      1
//!         columns   u16      entries of the table
//!         records   u64      2**64 - 1 until the log is finished
//! table   id        u16      for each column; no two are equal
//!         type      u8       1 for int64, 2 for float64 (IEEE 754)
//!         length    u8       bytes of the name, 1 to 255
//!         name      UTF-8    no two are equal
//! record  id        u16      one of the table
//!         value     8 bytes  of the column's type
//! ```
//!
//! The column named "timestamp" must be there and int64, in nanoseconds since 1970 (UTC); its values
//! need not rise. The first record is a timestamp, a row has at most one value of each column, and
//! the file ends with the last record. A file that breaks a rule is not read at all.
//!
//! The format is this kernel's own. Records that name their column, in place of rows of one shape,
//! are those of tagged formats such as Protocol Buffers; columns with a validity mask beside the
//! values follow the Apache Arrow columnar format.
//!
//! ```cargo
//! [dependencies]
//! foldhash = "0.2"
//! numpy = "0.30"
//! ```

#[path = "binary_log/analysis.rs"]
mod analysis;
#[path = "binary_log/draft.rs"]
mod draft;
#[path = "binary_log/format.rs"]
mod format;
#[path = "binary_log/log.rs"]
mod log;
#[path = "binary_log/rows.rs"]
mod rows;
#[path = "binary_log/trades.rs"]
mod trades;
#[path = "binary_log/writer.rs"]
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use numpy::ndarray::ArrayView1;
use numpy::{Element, PyArray1};
use pyo3::create_exception;
use pyo3::exceptions::{PyKeyError, PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::analysis::{Comparison, Group};
use crate::format::{Fault, Value};
use crate::log::{Column, Log, Values};
use crate::rows::Rows;

create_exception!(
    binary_log,
    LogError,
    PyValueError,
    "A file is no log, or a damaged one; `offset` is the byte at which it stops being one."
);

/// Reads a log: its rows as objects, its columns as arrays.
///
/// `RowReader(path)` reads and checks the whole file, with the GIL released, and closes it; what it
/// keeps in memory is about as long as the file. Rows, iterators and arrays share that
/// memory and keep it alive. A value that a row does not have is nan in an array of floats, 0 in an
/// array of ints and False in the `mask`.
///
/// Raises LogError (a ValueError, with the byte as `offset`) if the file is not a log from its first
/// byte to its last, OSError if it cannot be read, MemoryError if there is no room for it. All
/// methods that take the name of a column raise KeyError if there is none, and the arrays need
/// numpy, else ImportError. The format stands at the head of the kernel.
#[pyclass(frozen)]
struct RowReader {
    path: PathBuf,
    log: Arc<Log>,
}

#[pymethods]
impl RowReader {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        match py.detach(|| Log::read(&path)) {
            Ok(log) => Ok(Self {
                path,
                log: Arc::new(log),
            }),
            Err(fault) => Err(fault.raise(py, &path)),
        }
    }

    /// All rows, in the order of the file.
    #[getter]
    fn rows(&self) -> Rows {
        Rows::all(&self.log)
    }

    /// The columns as a dict from name to type, "int64" or "float64", in the order of the table.
    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let columns = PyDict::new(py);
        for column in &self.log.columns {
            columns.set_item(&column.entry.name, column.entry.kind.name())?;
        }
        Ok(columns)
    }

    /// Return the name of the column that has an id.
    ///
    /// Raises KeyError if none has it, OverflowError if no id can be that number.
    fn id_name(&self, id: u16) -> PyResult<&str> {
        let column = self.log.column_of(id);
        let unknown = || PyKeyError::new_err(format!("the log has no id {id}"));
        column.map(|column| &*column.entry.name).ok_or_else(unknown)
    }

    /// Return the values of a column as a read-only array of shape (n,), n the number of rows.
    ///
    /// The dtype is int64 or float64. A missing value is 0 or nan, and `mask` tells which these are.
    /// The array shares the memory of the reader; only a column that has gaps is laid out anew, once.
    fn values<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let (this, py) = (slf.get(), slf.py());
        let column = this.column(name)?;
        let values = py.detach(|| column.values(this.log.len()));
        match values.map_err(|error| this.raise(py, error))? {
            Values::Int(values) => Ok(shared(slf.as_any(), values)?.into_any()),
            Values::Float(values) => Ok(shared(slf.as_any(), values)?.into_any()),
        }
    }

    /// Return for each row whether it has a value of the column, as a read-only bool array (n,).
    ///
    /// It shares the memory of the reader, too.
    fn mask<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyArray1<bool>>> {
        let (this, py) = (slf.get(), slf.py());
        let column = this.column(name)?;
        let mask = py.detach(|| column.mask(this.log.len()));
        shared(slf.as_any(), mask.map_err(|error| this.raise(py, error))?)
    }

    /// Return the timestamps of the rows, in nanoseconds since 1970 (UTC): `values("timestamp")`.
    fn timestamps<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::values(slf, format::TIMESTAMP)
    }

    /// Return the rows whose value in a column compares with `x`, an int of 64 bits or a float.
    ///
    /// `comparison` is "<", "<=", ">", ">=", "==" or "!=". Ints and floats compare exactly, as in
    /// Python; a missing value compares with nothing, not even by "!=". The result has the numbers of
    /// the rows as `indices()`. The GIL is released. Raises ValueError for another comparison,
    /// TypeError and OverflowError for another `x`.
    fn rows_where(
        &self,
        py: Python<'_>,
        name: &str,
        comparison: &str,
        #[pyo3(from_py_with = number)] x: Value,
    ) -> PyResult<Rows> {
        let column = self.column(name)?;
        let comparison = Comparison::parse(comparison).ok_or_else(|| {
            let text = format!("the comparison must be <, <=, >, >=, == or !=, not {comparison:?}");
            PyValueError::new_err(text)
        })?;
        let found = py.detach(|| analysis::rows_where(column, self.log.len(), comparison, x));
        Ok(Rows::these(
            &self.log,
            found.map_err(|error| self.raise(py, error))?,
        ))
    }

    /// Return for each value of the column `by` the mean change of the column `of` in its rows.
    ///
    /// The change of a row is its value less that of the row before. A row counts if it has a value
    /// of `by` other than nan, and it and the row before have one of `of`. The result is a list of
    /// (value, number of rows, mean), by rising values. Floats are added up in the order of the rows,
    /// which gives what a loop in Python does to the last bit; ints are added exactly. The GIL is
    /// released.
    fn mean_change_by(&self, py: Python<'_>, by: &str, of: &str) -> PyResult<Vec<Group>> {
        let (by, of) = (self.column(by)?, self.column(of)?);
        let groups = py.detach(|| analysis::mean_change_by(by, of, self.log.len()));
        groups.map_err(|error| self.raise(py, error))
    }

    fn __repr__(&self) -> String {
        let (rows, columns) = (self.log.len(), self.log.columns.len());
        format!(
            "<RowReader of {}: {rows} rows, {columns} columns>",
            self.path.display()
        )
    }
}

impl RowReader {
    fn column(&self, name: &str) -> PyResult<&Column> {
        let unknown = || PyKeyError::new_err(format!("the log has no column {name:?}"));
        self.log.column(name).ok_or_else(unknown)
    }

    fn raise(&self, py: Python<'_>, error: impl Into<Fault>) -> PyErr {
        error.into().raise(py, &self.path)
    }
}

/// A read-only array of numbers that its owner, the array's base, holds.
fn shared<'py, T: Element>(
    owner: &Bound<'py, PyAny>,
    values: &[T],
) -> PyResult<Bound<'py, PyArray1<T>>> {
    // Without numpy this raises an ImportError, where the call below would panic.
    owner.py().import("numpy")?;
    // SAFETY: All callers pass values in a vector behind an `Arc` of the frozen owner. Nothing takes
    // the `Arc` out of it nor changes the vector, and the array holds a reference to the owner, so
    // the memory stays where it is for as long as there is the array.
    let array = unsafe { PyArray1::borrow_from_array(&ArrayView1::from(values), owner.clone()) };
    array.getattr("flags")?.setattr("writeable", false)?;
    Ok(array)
}

/// An int of 64 bits or a float.
fn number(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    match value.extract::<i64>() {
        Ok(int) => Ok(Value::Int(int)),
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Err(error),
        Err(_) => Ok(Value::Float(value.extract()?)),
    }
}

/// Logs of timestamped rows in a binary file: a reader with rows and columns, and a writer.
#[pymodule]
mod binary_log {
    #[pymodule_export]
    use super::{
        LogError, RowReader,
        rows::{Row, Rows},
        trades::write_trades,
        writer::RowWriter,
    };
}
