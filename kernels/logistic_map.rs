// rsimport
//! The logistic map over many values of r at once: final values, orbits, bifurcation diagrams.
//!
//! One chain of steps waits for itself: the processor multiplies faster than the next step can
//! begin. So neighbouring values of r are iterated side by side, in lanes, and groups of them by
//! several threads. Every lane does what `logistic` does, in the same order, and gives the same
//! bits. Source of the map: R. M. May, "Simple mathematical models with very complicated dynamics",
//! Nature 261 (1976).
//!
//! ```cargo
//! [dependencies]
//! numpy = "0.30"
//! rayon = "1.11"
//! ```

use numpy::{AllowTypeChange, IntoPyArray, PyArray1, PyArray2, PyArrayLike1, PyArrayMethods};
use pyo3::exceptions::{PyMemoryError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use rayon::prelude::*;

/// Chains that are iterated side by side: enough to keep the multipliers of wide processors busy.
const LANES: usize = 32;
/// Steps of all chains together between two looks for a Ctrl-C: a moment, and far more than a look costs.
const STEPS_BETWEEN_SIGNALS: u64 = 1 << 26;

type Values<'py> = PyArrayLike1<'py, f64, AllowTypeChange>;

/// Iterate the logistic map `steps` times from `x`, for every value of `rs`.
///
/// `rs` is a 1-D array of floats, or what numpy makes one of. Returns a new float64 array of the
/// same length; its values are those of `logistic(steps, r, x)`. The work is done by all processors,
/// without the GIL.
///
/// Raises TypeError or ValueError if `rs` is no 1-D array of numbers, OverflowError if `steps` is negative or
/// needs more than 64 bits, KeyboardInterrupt within a moment of a Ctrl-C.
#[pyfunction]
#[pyo3(signature = (rs, steps, x = 0.5))]
fn final_values<'py>(
    py: Python<'py>,
    rs: Values<'py>,
    steps: u64,
    x: f64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let rs = rs.as_array().to_vec();
    let mut xs = filled(rs.len(), x)?;
    advance(py, &rs, &mut xs, steps)?;
    Ok(xs.into_pyarray(py))
}

/// Write the orbit of the logistic map into a caller's array: `out[i]` is the value after i + 1 steps.
///
/// `out` is a writable 1-D float64 array; it need not be contiguous. Returns the last value, or `x`
/// where `out` is empty. While it is written to, other threads may run and should leave it alone.
///
/// Raises TypeError if `out` is no 1-D float64 array, ValueError if it is read-only or another call
/// is writing to it.
#[pyfunction]
fn iterate_into(py: Python<'_>, out: &Bound<'_, PyAny>, r: f64, mut x: f64) -> PyResult<f64> {
    let array = out.cast::<PyArray1<f64>>();
    let array = array.map_err(|_| PyTypeError::new_err("out has to be a 1-D array of float64"))?;
    let mut out = array
        .try_readwrite()
        .map_err(|error| PyValueError::new_err(format!("out cannot be written to: {error}")))?;
    let mut out = out.as_array_mut();
    py.detach(|| {
        for value in &mut out {
            x = step(r, x);
            *value = x;
        }
    });
    Ok(x)
}

/// Return what the logistic map visits in the long run: `keep` values for every value of `rs`.
///
/// `rs` is a 1-D array of floats. Returns a float64 array of shape (len(rs), keep): row i holds the
/// values after `warmup` + 1, `warmup` + 2, ... steps from `x` with `rs[i]`. Plotted against `rs`,
/// that is the bifurcation diagram.
///
/// Raises TypeError or ValueError if `rs` is no 1-D array of numbers, OverflowError if `warmup` or `keep` is
/// negative, MemoryError if the result does not fit, KeyboardInterrupt within a moment of a Ctrl-C.
#[pyfunction]
#[pyo3(signature = (rs, warmup = 1000, keep = 200, x = 0.5))]
fn bifurcation<'py>(
    py: Python<'py>,
    rs: Values<'py>,
    warmup: u64,
    keep: usize,
    x: f64,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let rs = rs.as_array().to_vec();
    let size = rs.len().checked_mul(keep).ok_or_else(too_large)?;
    let mut visited = filled(size, 0.0)?;
    let mut xs = filled(rs.len(), x)?;
    advance(py, &rs, &mut xs, warmup)?;
    let rows_at_once = (STEPS_BETWEEN_SIGNALS as usize / keep.max(1)).max(1);
    if keep > 0 {
        for ((rows, rs), xs) in visited
            .chunks_mut(rows_at_once.saturating_mul(keep))
            .zip(rs.chunks(rows_at_once))
            .zip(xs.chunks(rows_at_once))
        {
            py.detach(|| {
                let rows = rows.par_chunks_mut(keep).with_min_len(8);
                rows.zip(rs).zip(xs).for_each(|((row, &r), &x)| {
                    let mut x = x;
                    for value in row {
                        x = step(r, x);
                        *value = x;
                    }
                });
            });
            py.check_signals()?;
        }
    }
    visited.into_pyarray(py).reshape([rs.len(), keep])
}

/// Return the Lyapunov exponents of the logistic map, the mean of ln|r (1 - 2 x)| along the orbit.
///
/// `rs` is a 1-D array of floats. The orbit starts at `x`, and its first `steps` values count.
/// Returns a float64 array of the same length: above zero the map is chaotic, below it settles into
/// a cycle. An orbit that meets 1/2 exactly has the exponent -inf, zero steps give nan.
///
/// Raises TypeError or ValueError if `rs` is no 1-D array of numbers, OverflowError if `steps` is negative or
/// needs more than 64 bits, KeyboardInterrupt within a moment of a Ctrl-C.
#[pyfunction]
#[pyo3(signature = (rs, steps = 10_000, x = 0.5000001))]
fn lyapunov<'py>(
    py: Python<'py>,
    rs: Values<'py>,
    steps: u64,
    x: f64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let rs = rs.as_array().to_vec();
    let mut states: Vec<(f64, f64)> = filled(rs.len(), x)?.into_iter().map(|x| (x, 0.0)).collect();
    in_slices(py, steps, rs.len(), |steps| {
        states.par_iter_mut().zip(&rs).for_each(|((x, sum), &r)| {
            for _ in 0..steps {
                *sum += (r * (1.0 - 2.0 * *x)).abs().ln();
                *x = step(r, *x);
            }
        });
    })?;
    let exponents: Vec<f64> = states.iter().map(|&(_, sum)| sum / steps as f64).collect();
    Ok(exponents.into_pyarray(py))
}

/// One step, with the operations of `logistic` in the order of `logistic`.
#[inline]
fn step(r: f64, x: f64) -> f64 {
    r * x * (1.0 - x)
}

/// Moves every chain on by so many steps.
fn advance(py: Python<'_>, rs: &[f64], xs: &mut [f64], steps: u64) -> PyResult<()> {
    in_slices(py, steps, rs.len(), |steps| {
        let groups = xs.par_chunks_mut(LANES).zip(rs.par_chunks(LANES));
        groups.for_each(|(xs, rs)| {
            // A last group that is not full is filled up, so that all lanes are one loop.
            let (mut x, mut r) = ([0.0; LANES], [0.0; LANES]);
            x[..xs.len()].copy_from_slice(xs);
            r[..rs.len()].copy_from_slice(rs);
            for _ in 0..steps {
                for (x, r) in x.iter_mut().zip(&r) {
                    *x = step(*r, *x);
                }
            }
            xs.copy_from_slice(&x[..xs.len()]);
        });
    })
}

/// Does work of so many steps for so many chains without the GIL, and looks for a Ctrl-C now and then.
fn in_slices(
    py: Python<'_>,
    steps: u64,
    chains: usize,
    mut work: impl FnMut(u64) + Send,
) -> PyResult<()> {
    let slice = (STEPS_BETWEEN_SIGNALS / chains.max(LANES) as u64).max(1);
    let mut left = if chains == 0 { 0 } else { steps };
    while left > 0 {
        let now = left.min(slice);
        py.detach(|| work(now));
        py.check_signals()?;
        left -= now;
    }
    Ok(())
}

/// A vector that raises MemoryError where there is no room for it.
fn filled(size: usize, value: f64) -> PyResult<Vec<f64>> {
    let mut values = Vec::new();
    values.try_reserve_exact(size).map_err(|_| too_large())?;
    values.resize(size, value);
    Ok(values)
}

fn too_large() -> PyErr {
    PyMemoryError::new_err("there is not enough memory for so many values")
}
