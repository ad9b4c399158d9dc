// rsimport
//! The logistic map, x -> r * x * (1 - x), iterated in Rust.
//!
//! A first kernel to copy from: plain functions, plain numbers, no `#[pymodule]`; rsimport makes
//! the module from the functions marked `#[pyfunction]`. Source of the map: R. M. May, "Simple
//! mathematical models with very complicated dynamics", Nature 261 (1976).

use pyo3::prelude::*;

/// Rounds between two looks at pending signals: a fifth of a second, long enough for their cost to
/// vanish.
const STEPS_BETWEEN_SIGNALS: u64 = 100_000_000;

/// Iterate the logistic map and return the last x.
///
/// `steps` is the number of rounds, 0 or more; `r` the growth rate and `x` the start, pure numbers.
/// The result equals Python's own `x = r * x * (1 - x)` bit for bit. Values that leave 0..1 run off
/// to -inf or nan, as in Python. One call holds the GIL from start to end, which suits short runs:
/// `logistic(1, r, x)` is a single step.
///
/// Raises OverflowError if `steps` is negative or needs more than 64 bits, TypeError for what is no
/// number.
#[pyfunction]
fn logistic(steps: u64, r: f64, x: f64) -> f64 {
    iterate(steps, r, x)
}

/// Iterate the logistic map with the GIL released, so that other Python threads run meanwhile.
///
/// Takes, returns and raises what `logistic` does, and KeyboardInterrupt within a moment of a
/// Ctrl-C. Meant for runs of a millisecond and more: for a single step, releasing the GIL costs
/// more than the step itself.
#[pyfunction]
fn logistic_nogil(py: Python<'_>, steps: u64, r: f64, mut x: f64) -> PyResult<f64> {
    let mut left = steps;
    while left > 0 {
        let batch = left.min(STEPS_BETWEEN_SIGNALS);
        x = py.detach(|| iterate(batch, r, x));
        py.check_signals()?;
        left -= batch;
    }
    Ok(x)
}

/// One step, `double logistic_step(double, double)` in C, for callers that have a loop of their own.
///
/// They reach it through `rsimport.native`, or by its name in the library: a function compiled by
/// Numba, an integrator of SciPy or a program in C calls it without Python, in a nanosecond or two.
/// It cannot panic, which would end the process.
// SAFETY: no other function of this library has the name.
#[unsafe(no_mangle)]
pub extern "C" fn logistic_step(r: f64, x: f64) -> f64 {
    r * x * (1.0 - x)
}

fn iterate(steps: u64, r: f64, mut x: f64) -> f64 {
    for _ in 0..steps {
        x = r * x * (1.0 - x);
    }
    x
}
