// rsimport
//! Count-Min sketch: how often did each key occur in a stream, in a fixed amount of memory.
//!
//! `depth` rows of `width` counters. A key owns one counter in every row: inserting it raises them
//! all, and the smallest of them is the estimate. Source: G. Cormode and S. Muthukrishnan, "An
//! improved data stream summary: the count-min sketch and its applications", J. Algorithms 55 (2005).
//!
//! ```cargo
//! [dependencies]
//! xxhash-rust = { version = "0.8", features = ["xxh3"] }
//! ```

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use pyo3::exceptions::{PyMemoryError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// One GiB of counters: a slip of the keyboard shall raise an error, not exhaust the machine.
const MAX_CELLS: usize = 1 << 28;
const LIMITS: &str = "width and depth must be at least 1, width * depth at most 2**28";

/// Sets the hashes of ints apart from those of strings, so that 1 and "1" are different keys.
const INT_SEED: u64 = 1;

/// Count-Min sketch: estimates how often each key occurred in a stream, in fixed memory.
///
/// `CountMinSketch(width, depth)` holds `width * depth` counters of 4 bytes. `count` is never below
/// the truth and, with probability 1 - exp(-depth), at most `e / width * total` above it. A counter
/// that reaches 2**32 - 1 stays there.
///
/// Keys are str and int of any size, the same when Python holds them equal: True is 1, "1" is not.
/// Threads may call every method at once without a lock, and no insert is lost. Sketches can be
/// pickled and copied, and the same stream gives the same counts on every machine.
///
/// Raises ValueError unless width and depth are at least 1 and width * depth at most 2**28,
/// MemoryError if there is no room for them, and in all methods TypeError for keys of other types.
#[pyclass(frozen)]
struct CountMinSketch {
    /// Counters in a row.
    #[pyo3(get)]
    width: usize,
    /// Number of rows.
    #[pyo3(get)]
    depth: usize,
    /// The rows, one after the other.
    cells: Vec<AtomicU32>,
}

#[pymethods]
impl CountMinSketch {
    #[new]
    fn new(
        #[pyo3(from_py_with = dimension)] width: usize,
        #[pyo3(from_py_with = dimension)] depth: usize,
    ) -> PyResult<Self> {
        let size = width
            .checked_mul(depth)
            .filter(|size| (1..=MAX_CELLS).contains(size))
            .ok_or_else(|| PyValueError::new_err(LIMITS))?;
        let mut cells = Vec::new();
        let reserved = cells.try_reserve_exact(size);
        reserved.map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        cells.resize_with(size, AtomicU32::default);
        Ok(Self {
            width,
            depth,
            cells,
        })
    }

    /// Sum of all counts inserted, as long as no counter is full; the time grows with the width.
    #[getter]
    fn total(&self) -> u64 {
        // An insert raises one counter in each row, so any row knows the total. A counter for it
        // alone would be the one word that all threads fight for.
        let first_row = &self.cells[..self.width];
        first_row.iter().map(|c| u64::from(c.load(Relaxed))).sum()
    }

    /// Add `count` occurrences of `key`.
    ///
    /// Raises OverflowError if `count` is negative or needs more than 64 bits.
    #[pyo3(signature = (key, count = 1))]
    fn insert(&self, key: &Bound<'_, PyAny>, count: u64) -> PyResult<()> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.cells_of(hash(key)?).for_each(|cell| add(cell, count));
        Ok(())
    }

    /// Estimate how often `key` was inserted: never too low, unless a counter is full.
    fn count(&self, key: &Bound<'_, PyAny>) -> PyResult<u32> {
        Ok(self.estimate(hash(key)?))
    }

    /// Add all counts of `other`, as if its stream had been inserted here.
    ///
    /// Raises ValueError if the widths or depths differ.
    fn merge(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<()> {
        let other = other.get();
        if (self.width, self.depth) != (other.width, other.depth) {
            let text = format!("cannot merge {} into {}", other.__repr__(), self.__repr__());
            return Err(PyValueError::new_err(text));
        }
        py.detach(|| {
            for (cell, more) in self.cells.iter().zip(&other.cells) {
                add(cell, more.load(Relaxed));
            }
        });
        Ok(())
    }

    /// Forget everything that was inserted.
    fn clear(&self) {
        for cell in &self.cells {
            cell.store(0, Relaxed);
        }
    }

    /// Return the `k` most frequent of the `candidates` as (key, count), highest count first.
    ///
    /// A sketch keeps no keys, so they come from the caller, as any iterable. Equal counts keep the
    /// order of the candidates, a repeated candidate is listed once, and fewer than `k` candidates
    /// give a shorter list.
    ///
    /// Raises OverflowError if `k` is negative.
    fn top_k<'py>(
        &self,
        k: usize,
        candidates: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, u32)>> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for key in candidates.try_iter()? {
            let key = key?;
            let hash = hash(&key)?;
            if seen.insert(hash) {
                found.push((key, self.estimate(hash)));
            }
        }
        found.sort_by_key(|&(_, count)| Reverse(count));
        found.truncate(k);
        Ok(found)
    }

    fn __repr__(&self) -> String {
        format!("CountMinSketch({}, {})", self.width, self.depth)
    }

    /// Pickle as the dimensions and, as the state, the counters in little-endian order.
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> (Bound<'py, PyType>, (usize, usize), Bound<'py, PyBytes>) {
        let sketch = slf.get();
        let cells = sketch.cells.iter().map(|cell| cell.load(Relaxed));
        let state: Vec<u8> = cells.flat_map(u32::to_le_bytes).collect();
        let state = PyBytes::new(slf.py(), &state);
        (slf.get_type(), (sketch.width, sketch.depth), state)
    }

    fn __setstate__(&self, state: &[u8]) -> PyResult<()> {
        if state.len() != size_of_val(&*self.cells) {
            return Err(PyValueError::new_err("the state is of another size"));
        }
        for (cell, bytes) in self.cells.iter().zip(state.chunks_exact(4)) {
            cell.store(u32::from_le_bytes(bytes.try_into()?), Relaxed);
        }
        Ok(())
    }
}

impl CountMinSketch {
    fn estimate(&self, hash: u128) -> u32 {
        let counts = self.cells_of(hash).map(|cell| cell.load(Relaxed));
        counts.min().unwrap_or(0)
    }

    /// A key's counter in each row: column a + i * b of row i, a and b being the halves of one good
    /// hash. That is enough for rows that err independently; b is odd, and so never zero.
    fn cells_of(&self, hash: u128) -> impl Iterator<Item = &AtomicU32> {
        let (a, b) = (hash as u64, (hash >> 64) as u64 | 1);
        let rows = self.cells.chunks_exact(self.width).zip(0u64..);
        rows.map(move |(row, i)| {
            let spread = a.wrapping_add(i.wrapping_mul(b));
            // Scales 0..2**64 down to 0..width, without the slow division of a remainder.
            let column = (u128::from(spread) * row.len() as u128) >> 64;
            &row[column as usize]
        })
    }
}

/// Raise a counter without a lock, and not by `fetch_add`, which would wrap a full one to zero.
fn add(cell: &AtomicU32, n: u32) {
    let mut old = cell.load(Relaxed);
    while let Err(now) = cell.compare_exchange_weak(old, old.saturating_add(n), Relaxed, Relaxed) {
        old = now;
    }
}

/// A published, stable hash of 128 bits (XXH3) of a string's UTF-8 or an int's little-endian bytes.
fn hash(key: &Bound<'_, PyAny>) -> PyResult<u128> {
    if let Ok(text) = key.cast::<PyString>() {
        if let Ok(text) = text.to_str() {
            return Ok(xxh3_128(text.as_bytes()));
        }
        // Lone surrogates, as undecodable file names have them: no UTF-8, but bytes of their own.
        let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
        return Ok(xxh3_128(bytes.cast::<PyBytes>()?.as_bytes()));
    }
    match key.extract::<i64>() {
        Ok(number) => Ok(xxh3_128_with_seed(&number.to_le_bytes(), INT_SEED)),
        Err(error) if error.is_instance_of::<PyOverflowError>(key.py()) => {
            // 16 hexadecimal digits and more, so no clash with the 8 bytes of the ints above.
            let number = key.call_method0("__index__")?;
            let digits: String = number.call_method1("__format__", ("x",))?.extract()?;
            Ok(xxh3_128_with_seed(digits.as_bytes(), INT_SEED))
        }
        Err(_) => {
            let name = key.get_type().name()?;
            let text = format!("a key must be str or int, not {name}");
            Err(PyTypeError::new_err(text))
        }
    }
}

/// An int that no `usize` can hold is as wrong a dimension as zero is, and gets the same error.
fn dimension(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    match value.extract::<usize>() {
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Ok(0),
        result => result,
    }
}

/// Count-Min sketch: how often did each key occur in a stream, in a fixed amount of memory.
#[pymodule]
mod count_min_sketch {
    #[pymodule_export]
    use super::CountMinSketch;
}
