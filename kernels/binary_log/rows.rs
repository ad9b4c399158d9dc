//! The rows of a log as Python objects, each of which keeps the log alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use numpy::PyArray1;
use pyo3::exceptions::{PyIndexError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::PySlice;

use crate::format::{TIMESTAMP, Value};
use crate::log::Log;
use crate::shared;

/// Rows of a log, a sequence: all of them, a slice, or those that `rows_where` found.
///
/// `len`, indexing with ints and slices, iteration and `reversed` work as with a tuple, and raise
/// IndexError and TypeError as it does. A slice shares the log. Rows stay valid when the reader is
/// gone.
#[pyclass(frozen)]
pub struct Rows {
    log: Arc<Log>,
    which: Which,
}

/// Which of the log's rows.
#[derive(Clone)]
enum Which {
    /// The first, how far it is from one to the next, and how many they are.
    Every(isize, isize, usize),
    These(Arc<Vec<i64>>),
}

#[pymethods]
impl Rows {
    /// Return the numbers of these rows in the log, as a read-only int64 array of shape (n,).
    ///
    /// What `rows_where` found is shared with the array, not copied.
    fn indices<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let this = slf.get();
        match &this.which {
            Which::These(rows) => shared(slf.as_any(), rows),
            Which::Every(..) => {
                let rows = (0..this.__len__()).map(|at| this.row(at) as i64);
                let these = Which::These(Arc::new(rows.collect()));
                let log = Arc::clone(&this.log);
                Self::indices(&Bound::new(slf.py(), Self { log, which: these })?)
            }
        }
    }

    fn __len__(&self) -> usize {
        match &self.which {
            Which::Every(.., length) => *length,
            Which::These(rows) => rows.len(),
        }
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        if let Ok(slice) = index.cast::<PySlice>() {
            let slice = slice.indices(self.__len__() as isize)?;
            let places = (0..slice.slicelength as isize).map(|i| slice.start + i * slice.step);
            let which = match &self.which {
                Which::Every(start, step, _) => {
                    // Overflow can only meet steps and starts that lead to no row.
                    let start = start.wrapping_add(slice.start.wrapping_mul(*step));
                    Which::Every(start, step.wrapping_mul(slice.step), slice.slicelength)
                }
                Which::These(rows) => {
                    Which::These(Arc::new(places.map(|place| rows[place as usize]).collect()))
                }
            };
            let log = Arc::clone(&self.log);
            return Ok(Bound::new(py, Self { log, which })?.into_any());
        }
        let place: isize = index.extract()?;
        let length = self.__len__() as isize;
        let place = if place < 0 { place + length } else { place };
        if !(0..length).contains(&place) {
            return Err(PyIndexError::new_err("there is no row of this index"));
        }
        Ok(Bound::new(py, self.at(place as usize))?.into_any())
    }

    fn __iter__(&self) -> RowIterator {
        RowIterator::new(&self.log, self.which.clone())
    }

    fn __reversed__(&self) -> RowIterator {
        let which = match &self.which {
            &Which::Every(start, step, length) => {
                let last = start.wrapping_add((length as isize - 1).wrapping_mul(step));
                Which::Every(last, step.wrapping_neg(), length)
            }
            Which::These(rows) => Which::These(Arc::new(rows.iter().rev().copied().collect())),
        };
        RowIterator::new(&self.log, which)
    }

    fn __repr__(&self) -> String {
        format!("<{} rows of a log of {}>", self.__len__(), self.log.len())
    }
}

impl Rows {
    pub fn all(log: &Arc<Log>) -> Self {
        Self {
            log: Arc::clone(log),
            which: Which::Every(0, 1, log.len()),
        }
    }

    /// The rows must exist.
    pub fn these(log: &Arc<Log>, rows: Vec<i64>) -> Self {
        Self {
            log: Arc::clone(log),
            which: Which::These(Arc::new(rows)),
        }
    }

    fn at(&self, place: usize) -> Row {
        Row {
            log: Arc::clone(&self.log),
            index: self.row(place),
        }
    }

    /// The number in the log of the row at a place.
    fn row(&self, place: usize) -> usize {
        match &self.which {
            Which::Every(start, step, _) => (start + place as isize * step) as usize,
            Which::These(rows) => rows[place] as usize,
        }
    }
}

/// Goes through rows once, also if several threads share it.
#[pyclass(frozen)]
struct RowIterator {
    rows: Rows,
    next: AtomicUsize,
}

#[pymethods]
impl RowIterator {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self) -> Option<Row> {
        let place = self.next.load(Relaxed);
        if place >= self.rows.__len__() {
            return None;
        }
        // Each of several threads gets a row of its own, and the last ones may find the end.
        let place = self.next.fetch_add(1, Relaxed);
        (place < self.rows.__len__()).then(|| self.rows.at(place))
    }

    fn __length_hint__(&self) -> usize {
        self.rows.__len__().saturating_sub(self.next.load(Relaxed))
    }
}

impl RowIterator {
    fn new(log: &Arc<Log>, which: Which) -> Self {
        let log = Arc::clone(log);
        Self {
            rows: Rows { log, which },
            next: AtomicUsize::new(0),
        }
    }
}

/// A row of a log: its timestamp and the values that follow it.
///
/// `row["price"]` is the value of a column, an int or a float, and `"price" in row` tells whether
/// there is one; `len(row)` counts the values without the timestamp. Raises KeyError for a column
/// that the row or the log does not have.
#[pyclass(frozen, mapping)]
pub struct Row {
    log: Arc<Log>,
    /// The number of the row in the log, from 0.
    #[pyo3(get)]
    index: usize,
}

#[pymethods]
impl Row {
    /// When it was, in nanoseconds since 1970 (UTC), as the log has it.
    #[getter]
    fn timestamp(&self) -> i64 {
        match self.log.timestamps().value(self.index) {
            Some(Value::Int(timestamp)) => timestamp,
            _ => unreachable!("every row has a timestamp, which is an int"),
        }
    }

    /// The (id, value) pairs of the row without its timestamp, in the order of the file.
    #[getter]
    fn items(&self) -> Vec<(u16, Value)> {
        let records = self.log.records(self.index);
        records
            .map(|(column, value)| (column.entry.id, value))
            .collect()
    }

    /// Return the value of a column, or `default` where the row has none.
    ///
    /// Raises KeyError if the log has no such column.
    #[pyo3(signature = (name, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.value(name)? {
            Some(value) => Ok(Some(value.into_pyobject(py)?)),
            None => Ok(default),
        }
    }

    fn __getitem__(&self, name: &str) -> PyResult<Value> {
        let missing = || PyKeyError::new_err(format!("row {} has no {name:?}", self.index));
        self.value(name)?.ok_or_else(missing)
    }

    fn __contains__(&self, name: &str) -> bool {
        matches!(self.value(name), Ok(Some(_)))
    }

    fn __len__(&self) -> usize {
        self.log.width(self.index)
    }

    fn __repr__(&self) -> String {
        let mut text = format!("<row {}: {TIMESTAMP}={}", self.index, self.timestamp());
        for (column, value) in self.log.records(self.index) {
            let name = &column.entry.name;
            text += &match value {
                Value::Int(value) => format!(" {name}={value}"),
                Value::Float(value) => format!(" {name}={value:?}"),
            };
        }
        text + ">"
    }
}

impl Row {
    fn value(&self, name: &str) -> PyResult<Option<Value>> {
        let unknown = || PyKeyError::new_err(format!("the log has no column {name:?}"));
        Ok(self.log.column(name).ok_or_else(unknown)?.value(self.index))
    }
}
