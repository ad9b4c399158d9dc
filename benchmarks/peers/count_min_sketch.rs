//! Count-Min sketch over NumPy arrays: how often did each key occur in a stream, in a fixed table.
//!
//! Source: G. Cormode and S. Muthukrishnan, "An improved data stream summary: the count-min sketch
//! and its applications", J. Algorithms 55 (2005).

use numpy::ndarray::{Array2, ArrayView2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Return an empty sketch: `depth` rows of `width` counters.
#[pyfunction]
fn sketch(py: Python<'_>, depth: usize, width: usize) -> PyResult<Bound<'_, PyArray2<u32>>> {
    if depth == 0 || width == 0 {
        return Err(PyValueError::new_err("depth and width must be at least 1"));
    }
    Ok(Array2::zeros((depth, width)).into_pyarray(py))
}

/// Count every key once.
#[pyfunction]
fn insert(mut cells: PyReadwriteArray2<'_, u32>, keys: PyReadonlyArray1<'_, u64>) {
    let mut cells = cells.as_array_mut();
    let (depth, width) = cells.dim();
    for &key in keys.as_array() {
        for row in 0..depth {
            let cell = &mut cells[(row, column(key, row, width))];
            *cell = cell.saturating_add(1);
        }
    }
}

/// Estimate how often each key was inserted: never too low, sometimes too high.
#[pyfunction]
fn estimate<'py>(
    py: Python<'py>,
    cells: PyReadonlyArray2<'py, u32>,
    keys: PyReadonlyArray1<'py, u64>,
) -> Bound<'py, PyArray1<u32>> {
    let (cells, keys) = (cells.as_array(), keys.as_array());
    let counts = py.detach(|| keys.mapv(|key| least(&cells, key)));
    counts.into_pyarray(py)
}

fn least(cells: &ArrayView2<'_, u32>, key: u64) -> u32 {
    let (depth, width) = cells.dim();
    let counts = (0..depth).map(|row| cells[(row, column(key, row, width))]);
    counts.min().unwrap_or(0)
}

/// The column that a key owns in a row: splitmix64 of both, scaled down to the width.
fn column(key: u64, row: usize, width: usize) -> usize {
    let mut hash = key.wrapping_add((row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    ((u128::from(hash) * width as u128) >> 64) as usize
}
