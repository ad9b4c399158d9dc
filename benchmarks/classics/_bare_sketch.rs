// rsimport
//! What counting ints costs at least: one thread, no lock, no full counters, no checks of the input.
//!
//! ```cargo
//! [dependencies]
//! xxhash-rust = { version = "0.8.19", features = ["xxh3"] }
//! ```

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Counters of a Count-Min sketch and nothing else.
#[pyclass]
struct Bare {
    cells: Vec<u32>,
    width: usize,
}

#[pymethods]
impl Bare {
    #[new]
    fn new(width: usize, depth: usize) -> Self {
        let cells = vec![0; width * depth];
        Self { cells, width }
    }

    /// Count the ints of a contiguous array of int64.
    fn insert_many(&mut self, keys: PyBuffer<i64>) -> PyResult<()> {
        let text = "the array must be contiguous";
        let keys = keys
            .as_slice_ptr()
            .ok_or_else(|| PyValueError::new_err(text))?;
        // SAFETY: the buffer is held, and this thread holds the GIL, so that no other writes to it.
        for key in unsafe { keys.as_ref() } {
            let hash = xxh3_128_with_seed(&key.to_le_bytes(), 1);
            let (mut at, step) = (hash as u64, (hash >> 64) as u64 | 1);
            let mut start = 0;
            while start < self.cells.len() {
                let column = (u128::from(at) * self.width as u128) >> 64;
                self.cells[start + column as usize] += 1;
                at = at.wrapping_add(step);
                start += self.width;
            }
        }
        Ok(())
    }

    /// The sum of a row, and so of all counts.
    fn total(&self) -> u64 {
        self.cells[..self.width]
            .iter()
            .map(|&cell| u64::from(cell))
            .sum()
    }
}
