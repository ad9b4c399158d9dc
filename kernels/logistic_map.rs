// rsimport
//! The logistic map, x -> r * x * (1 - x), for whole arrays of growth rates at once.
//!
//! One orbit is a chain in which every step waits for the one before, so a processor that could do
//! dozens of such steps at a time does one. Orbits of different r do not wait for each other:
//! here, groups of them advance together in vector registers, and the groups in several threads.
//! Every value still comes from the same operations in the same order as in `logistic`, and equals
//! its result bit for bit.
//!
//! Sources: R. M. May, "Simple mathematical models with very complicated dynamics", Nature 261
//! (1976), for the map and its bifurcations; J. C. Sprott, "Chaos and Time-Series Analysis" (2003),
//! section 5.3, for the Lyapunov exponent of a map as the mean of ln |f'(x)|.
//!
//! ```cargo
//! [dependencies]
//! numpy = "0.30"
//! rayon = "1.12"
//! ```

use std::thread::available_parallelism;

use numpy::ndarray::Axis;
use numpy::prelude::*;
use numpy::{BorrowError, PyArray1, PyArray2};
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

#[path = "logistic_map/orbits.rs"]
mod orbits;
use orbits::{LANES, groups, step};

/// Steps of all orbits between two looks at pending signals: some tenths of a second.
const STEPS_BETWEEN_SIGNALS: u64 = 1 << 27;
/// The same of a single orbit, whose steps take many times as long.
const ITEMS_BETWEEN_SIGNALS: usize = 1 << 22;
/// Steps that are worth a thread of their own: starting it takes about as long as half of them.
const STEPS_PER_THREAD: u64 = 1 << 21;

/// Iterate the map for each growth rate, and return the last x of each.
///
/// `rs` are the growth rates, an array of shape (n,) of any layout or a list, read once at the
/// start; `steps` is the number of rounds, 0 or more; `x` the start of all orbits. All are pure
/// numbers. The result is a new float64 array of shape (n,), whose item i equals
/// `logistic(steps, rs[i], x)` bit for bit. Values that leave 0..1 run off to -inf or nan.
///
/// The GIL is released. `threads` is the most that are used, by default one for each processor;
/// little work stays in the calling thread. The result does not depend on it.
///
/// Raises TypeError if `rs` is no 1-D array of real numbers, ValueError if NumPy can make no array of
/// it or if `threads` is 0, OverflowError if `steps` or `threads` is negative or needs more than 64
/// bits, MemoryError if there is no room, KeyboardInterrupt within a moment of a Ctrl-C.
#[pyfunction]
#[pyo3(signature = (rs, steps, x = 0.5, threads = None))]
fn final_values<'py>(
    py: Python<'py>,
    rs: &Bound<'py, PyAny>,
    steps: u64,
    x: f64,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let rs = copied(rs)?.try_into_readonly()?;
    let rs = rs.as_slice()?;
    let last = zeros(py, &[rs.len()])?.cast_into::<PyArray1<f64>>()?;
    {
        let mut xs = last.try_readwrite()?;
        let mut orbits = groups(rs, xs.as_slice_mut()?, x);
        let team = Team::new(threads, rs.len(), steps)?;
        in_batches(py, rs.len(), steps, |steps| {
            team.each(&mut orbits, |orbits| orbits.advance(steps));
        })?;
    }
    Ok(last)
}

/// Write the orbit of `x` into `out`: item i is x after i + 1 rounds.
///
/// `out` is a float64 array of shape (n,), contiguous or strided; `r` and `x` are pure numbers.
/// Returns the last value, which equals `logistic(n, r, x)` bit for bit, or `x` where `out` is empty.
/// The GIL is released; other threads should leave `out` alone meanwhile. After a Ctrl-C, `out`
/// holds the beginning of the orbit.
///
/// Raises TypeError if `out` is no 1-D array of float64, ValueError if it is read-only or not aligned,
/// if its items share memory, or while another call writes to it, KeyboardInterrupt within a moment
/// of a Ctrl-C.
#[pyfunction]
fn iterate_into(py: Python<'_>, out: &Bound<'_, PyAny>, r: f64, mut x: f64) -> PyResult<f64> {
    let out = out.cast::<PyArray1<f64>>();
    let out = out.map_err(|_| PyTypeError::new_err("out has to be a 1-D array of float64"))?;
    let mut out = out.try_readwrite().map_err(|error| match error {
        BorrowError::NotWriteable => PyValueError::new_err("out is read-only"),
        _ => PyValueError::new_err("another call writes to out"),
    })?;
    if out.is_empty() {
        return Ok(x);
    }
    check_layout(&out)?;
    let mut out = out.as_array_mut();
    for mut part in out.axis_chunks_iter_mut(Axis(0), ITEMS_BETWEEN_SIGNALS) {
        py.detach(|| {
            for item in &mut part {
                x = step(r, x);
                *item = x;
            }
        });
        py.check_signals()?;
    }
    Ok(x)
}

/// Return what the orbits of each growth rate settle on: the points of a bifurcation diagram.
///
/// Every orbit starts at `x` and makes `warmup` rounds, then `keep` rounds, each of which gives a
/// value. The result is a new float64 array of shape (n, keep); its item [i, j] equals
/// `logistic(warmup + j + 1, rs[i], x)` bit for bit. `rs`, `threads` and the GIL are as in
/// `final_values`. Source: May (1976), see the module.
///
/// Raises TypeError if `rs` is no 1-D array of real numbers, ValueError if NumPy can make no array of
/// it or if `threads` is 0, OverflowError if `warmup`, `keep` or `threads` is negative or needs more
/// than 64 bits, MemoryError if there is no room, KeyboardInterrupt within a moment of a Ctrl-C.
#[pyfunction]
#[pyo3(signature = (rs, warmup = 1000, keep = 200, x = 0.5, threads = None))]
fn bifurcation<'py>(
    py: Python<'py>,
    rs: &Bound<'py, PyAny>,
    warmup: u64,
    keep: usize,
    x: f64,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let rs = copied(rs)?.try_into_readonly()?;
    let rs = rs.as_slice()?;
    let points = zeros(py, &[rs.len(), keep])?.cast_into::<PyArray2<f64>>()?;
    let team = Team::new(threads, rs.len(), warmup.saturating_add(keep as u64))?;
    // Where there is nothing to return, no warm-up is worth its time.
    if points.is_empty() {
        return Ok(points);
    }
    {
        let scratch = zeros(py, &[rs.len()])?.cast_into::<PyArray1<f64>>()?;
        let mut xs = scratch.try_readwrite()?;
        let mut orbits = groups(rs, xs.as_slice_mut()?, x);
        in_batches(py, rs.len(), warmup, |steps| {
            team.each(&mut orbits, |orbits| orbits.advance(steps));
        })?;

        let mut points = points.try_readwrite()?;
        let rows = points.as_slice_mut()?.chunks_mut(LANES * keep);
        let mut orbits: Vec<_> = orbits.into_iter().zip(rows).collect();
        let mut first = 0;
        in_batches(py, rs.len(), keep as u64, |steps| {
            let columns = first..first + steps as usize;
            first = columns.end;
            team.each(&mut orbits, |(orbits, rows)| {
                orbits.record(rows, keep, columns.clone())
            });
        })?;
    }
    Ok(points)
}

/// Return the Lyapunov exponent of each growth rate, in nats a round: above 0, the map is chaotic.
///
/// That is the mean of ln |r (1 - 2 x)| over the first `steps` values of the orbit, its start `x`
/// included. The result is a new float64 array of shape (n,). An orbit that meets 1/2 exactly has
/// the exponent -inf, one that runs off inf or nan, and zero steps give nan. `rs`, `threads` and the
/// GIL are as in `final_values`. Source: Sprott (2003), see the module.
///
/// Raises TypeError if `rs` is no 1-D array of real numbers, ValueError if NumPy can make no array of
/// it or if `threads` is 0, OverflowError if `steps` or `threads` is negative or needs more than 64
/// bits, MemoryError if there is no room, KeyboardInterrupt within a moment of a Ctrl-C.
#[pyfunction]
#[pyo3(signature = (rs, steps = 10_000, x = 0.5000001, threads = None))]
fn lyapunov<'py>(
    py: Python<'py>,
    rs: &Bound<'py, PyAny>,
    steps: u64,
    x: f64,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let rs = copied(rs)?.try_into_readonly()?;
    let rs = rs.as_slice()?;
    let exponents = zeros(py, &[rs.len()])?.cast_into::<PyArray1<f64>>()?;
    {
        let scratch = zeros(py, &[rs.len()])?.cast_into::<PyArray1<f64>>()?;
        let (mut xs, mut sums) = (scratch.try_readwrite()?, exponents.try_readwrite()?);
        let sums = sums.as_slice_mut()?;
        let orbits = groups(rs, xs.as_slice_mut()?, x).into_iter();
        let mut orbits: Vec<_> = orbits.zip(sums.chunks_mut(LANES)).collect();
        let team = Team::new(threads, rs.len(), steps)?;
        in_batches(py, rs.len(), steps, |steps| {
            team.each(&mut orbits, |(orbits, sums)| orbits.stretch(sums, steps));
        })?;
        drop(orbits);
        sums.iter_mut().for_each(|sum| *sum /= steps as f64);
    }
    Ok(exponents)
}

/// The threads of one call, or only the calling one.
///
/// Rayon's own pool lives until the process ends, but its threads are missing in a child that is
/// forked, as multiprocessing does, and the child would wait for them forever. So each call that is
/// worth it has a pool of its own.
struct Team(Option<ThreadPool>);

impl Team {
    fn new(threads: Option<usize>, orbits: usize, steps: u64) -> PyResult<Self> {
        if threads == Some(0) {
            return Err(PyValueError::new_err("threads must be at least 1"));
        }
        let worth = (orbits as u64).saturating_mul(steps) / STEPS_PER_THREAD;
        let useful = worth.min(orbits.div_ceil(LANES) as u64) as usize;
        let mut threads = threads.unwrap_or(useful).min(useful);
        if threads > 1 {
            // Asked only here, because the answer takes longer than little work does.
            threads = threads.min(available_parallelism().map_or(1, usize::from));
        }
        if threads < 2 {
            return Ok(Self(None));
        }
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(Self(Some(pool)))
    }

    fn each<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Sync + Send) {
        match &self.0 {
            Some(pool) => pool.install(|| items.par_iter_mut().for_each(work)),
            None => items.iter_mut().for_each(work),
        }
    }
}

/// Do the steps of all orbits with the GIL released, and look at Python's signals now and then.
fn in_batches(
    py: Python<'_>,
    orbits: usize,
    steps: u64,
    mut work: impl FnMut(u64) + Send,
) -> PyResult<()> {
    if orbits == 0 {
        return Ok(());
    }
    let most = (STEPS_BETWEEN_SIGNALS / orbits as u64).max(1);
    let mut left = steps;
    while left > 0 {
        let batch = left.min(most);
        py.detach(|| work(batch));
        py.check_signals()?;
        left -= batch;
    }
    Ok(())
}

/// The growth rates as an array of their own, contiguous, aligned and out of anybody's reach.
///
/// NumPy copies them, whatever they are: an array of any layout, or a list. It refuses to make
/// numbers of strings and real ones of complex ones.
fn copied<'py>(rs: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray1<f64>>> {
    static AS_ARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let array = AS_ARRAY.import(rs.py(), "numpy", "asarray")?.call1((rs,))?;
    let copy = array.call_method1("astype", ("float64", "C", "same_kind"))?;
    let copy = copy.cast_into::<PyArray1<f64>>();
    copy.map_err(|_| PyTypeError::new_err("rs has to be a 1-D array of numbers"))
}

/// Refuse the arrays of which a Rust reference to each item would be wrong.
fn check_layout(out: &Bound<'_, PyArray1<f64>>) -> PyResult<()> {
    // Between fewer items than two, the stride means nothing.
    let stride = if out.len() > 1 { out.strides()[0] } else { 8 };
    if stride == 0 {
        return Err(PyValueError::new_err("the items of out share memory"));
    }
    if stride % 8 != 0 || !out.is_aligned() {
        return Err(PyValueError::new_err("out is not aligned to 8 bytes"));
    }
    Ok(())
}

/// NumPy makes the new arrays, because it raises an error where there is no room for them.
fn zeros<'py>(py: Python<'py>, shape: &[usize]) -> PyResult<Bound<'py, PyAny>> {
    static ZEROS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    // It would report as something else that a size or their product cannot be represented.
    let bytes = shape
        .iter()
        .try_fold(8usize, |size, n| size.checked_mul((*n).max(1)));
    if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
        let text = format!("no room for an array of shape {shape:?}");
        return Err(PyMemoryError::new_err(text));
    }
    ZEROS.import(py, "numpy", "zeros")?.call1((shape,))
}
