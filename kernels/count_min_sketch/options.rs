//! What the sketches are called with.

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::keys::Keys;

/// Dimensions and options of a sketch.
#[derive(Clone, Copy, PartialEq)]
pub struct Options {
    pub width: usize,
    pub depth: usize,
    pub conservative: bool,
    pub counter_bits: usize,
    pub seed: u64,
}

impl Options {
    /// Raises TypeError where the arguments are not those of a sketch. Whether there can be a sketch of
    /// these dimensions shows when its counters are made.
    pub fn of(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let parse = wrap_pyfunction!(parse, args.py())?;
        let (width, depth, conservative, counter_bits, seed) =
            parse.call(args, kwargs)?.extract()?;
        Ok(Self {
            width,
            depth,
            conservative,
            counter_bits,
            seed,
        })
    }

    /// Calls a class with them; what is as usual is left out, so that the `__init__` of a subclass needs
    /// to know only what it is used with.
    pub fn call<'py>(&self, class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
        let unusual = PyDict::new(class.py());
        if self.conservative {
            unusual.set_item("conservative", true)?;
        }
        if self.counter_bits != 32 {
            unusual.set_item("counter_bits", self.counter_bits)?;
        }
        if self.seed != 0 {
            unusual.set_item("seed", self.seed)?;
        }
        class.call((self.width, self.depth), Some(&unusual))
    }

    /// All of them, in their order.
    pub fn all(&self) -> (usize, usize, bool, usize, u64) {
        let Self { width, depth, .. } = *self;
        (
            width,
            depth,
            self.conservative,
            self.counter_bits,
            self.seed,
        )
    }

    /// The call that makes a sketch like this one.
    pub fn shown(&self, keys: Keys) -> String {
        let mut text = format!("{}({}, {}", keys.class(), self.width, self.depth);
        if self.conservative {
            text += ", conservative=True";
        }
        if self.counter_bits != 32 {
            text += &format!(", counter_bits={}", self.counter_bits);
        }
        if self.seed != 0 {
            text += &format!(", seed={}", self.seed);
        }
        text + ")"
    }
}

/// PyO3 reads the arguments, and says what is wrong with them as of a Python function of this name.
#[pyfunction]
#[pyo3(
    name = "__init__",
    signature = (width, depth, conservative = false, counter_bits = 32, seed = 0)
)]
fn parse(
    #[pyo3(from_py_with = dimension)] width: usize,
    #[pyo3(from_py_with = dimension)] depth: usize,
    conservative: bool,
    counter_bits: usize,
    seed: u64,
) -> (usize, usize, bool, usize, u64) {
    (width, depth, conservative, counter_bits, seed)
}

/// An int that no `usize` can hold is as wrong a dimension as zero is, and gets the same error.
fn dimension(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    match value.extract::<usize>() {
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Ok(0),
        result => result,
    }
}
