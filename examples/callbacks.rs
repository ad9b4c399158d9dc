// rsimport
//! What native loops call back: an integrand and a filter for SciPy, and a table of names.
//!
//! Every function here is there twice: exported to C, with types that C has, and for Python, to be
//! compared with. None of them can panic, which would end the process of a caller in C. See
//! skip_python.py beside this file.

use std::ffi::{CStr, c_char, c_int, c_void};

use pyo3::prelude::*;

/// The lines of a made-up gas: wave number in 1/cm and strength.
const LINES: [(f64, f64); 20] = {
    let mut lines = [(0.0, 0.0); 20];
    let mut i = 0;
    while i < lines.len() {
        lines[i] = (i as f64 + 0.1 * (7 * i % 10) as f64, 0.1 + 0.1 * (i % 3) as f64);
        i += 1;
    }
    lines
};

/// Half the width of a line at half its height, in 1/cm.
const WIDTH: f64 = 0.02;

const NAMES: [&CStr; 8] = [c"zero", c"one", c"two", c"three", c"four", c"five", c"six", c"seven"];

/// The part of the light that a gas absorbs at the wave number x, with lines in Lorentz's shape.
///
/// `double absorbed(double, void *)` in C.
///
/// # Safety
///
/// `amount` points to a double, how much gas there is.
// SAFETY of this name and the next ones: no other function of this library has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn absorbed(x: f64, amount: *mut c_void) -> f64 {
    // SAFETY: this is what the caller vouches for.
    let amount = unsafe { *amount.cast::<f64>() };
    let depth: f64 = LINES.iter().map(|(at, strength)| strength * WIDTH / ((x - at).powi(2) + WIDTH * WIDTH)).sum();
    1.0 - (-amount * depth).exp()
}

/// 4 / (1 + x²), whose integral from 0 to 1 is pi: `double bell(double)` in C.
#[unsafe(no_mangle)]
pub extern "C" fn bell(x: f64) -> f64 {
    4.0 / (1.0 + x * x)
}

/// Michelson's contrast of n brightnesses, (max - min) / (max + min), for `generic_filter`.
///
/// `int contrast(double *, intptr_t, double *, void *)` in C; the result is 1 for success.
///
/// # Safety
///
/// `values` points to n doubles, `result` to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn contrast(values: *const f64, n: isize, result: *mut f64, _data: *mut c_void) -> c_int {
    // SAFETY: this is what the caller vouches for.
    let values = unsafe { std::slice::from_raw_parts(values, n as usize) };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for &value in values {
        low = low.min(value);
        high = high.max(value);
    }
    // SAFETY: the same.
    unsafe { *result = (high - low) / (high + low) };
    1
}

/// The name of an id, null where it has none: `const char *id_name(int)` in C.
#[unsafe(no_mangle)]
pub extern "C" fn id_name(id: c_int) -> *const c_char {
    named(id).map_or(std::ptr::null(), CStr::as_ptr)
}

/// Return the name of an id, None where it has none.
#[pyfunction]
fn name_of(id: c_int) -> Option<&'static str> {
    named(id)?.to_str().ok()
}

/// Return the lines of the gas, as tuples of wave number and strength, and their width.
#[pyfunction]
fn lines() -> (Vec<(f64, f64)>, f64) {
    (LINES.to_vec(), WIDTH)
}

fn named(id: c_int) -> Option<&'static CStr> {
    NAMES.get(usize::try_from(id).ok()?).copied()
}
