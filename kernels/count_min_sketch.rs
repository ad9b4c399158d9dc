// rsimport
//! Count-Min sketch: how often did each key occur in a stream, in a fixed amount of memory.
//!
//! `depth` rows of `width` counters. A key owns one counter in every row: inserting it raises them
//! all, and the smallest of them is the estimate. Source: G. Cormode and S. Muthukrishnan, "An
//! improved data stream summary: the count-min sketch and its applications", J. Algorithms 55 (2005).
//!
//! ```cargo
//! [dependencies]
//! xxhash-rust = { version = "0.8.19", features = ["xxh3"] }
//!
//! # Two seconds more to compile, and a sixth less for every single insert and count.
//! [profile.release]
//! codegen-units = 1
//! lto = "fat"
//! ```

use std::ffi::c_int;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::types::{PyBytes, PyType};
use pyo3::{ffi, prelude::*, pybacked::PyBackedBytes};

#[path = "count_min_sketch/array.rs"]
mod array;
#[path = "count_min_sketch/arrow.rs"]
mod arrow;
#[path = "count_min_sketch/batch.rs"]
mod batch;
#[path = "count_min_sketch/capsule.rs"]
mod capsule;
#[path = "count_min_sketch/counter.rs"]
mod counter;
#[path = "count_min_sketch/dropin.rs"]
mod dropin;
#[path = "count_min_sketch/heavy.rs"]
mod heavy;
#[path = "count_min_sketch/keys.rs"]
mod keys;
#[path = "count_min_sketch/quick.rs"]
mod quick;
#[path = "count_min_sketch/saved.rs"]
mod saved;
#[path = "count_min_sketch/table.rs"]
mod table;
#[path = "count_min_sketch/top.rs"]
mod top;

use dropin::{CountMinSketchInt, CountMinSketchStr, class, dimension};
use keys::{Hasher, Keys, Probe};
use table::Table;

/// Count-Min sketch: estimates how often each key occurred in a stream, in fixed memory.
///
/// `CountMinSketch(width, depth, conservative=False, counter_bits=32, seed=0)` holds `width * depth`
/// counters of 32 or 64 bits. `count` is never below the truth and, with probability
/// 1 - exp(-depth), at most `e / width * total` above it. A full counter stays full. With
/// `conservative`, an insert raises only the counters that are below the new estimate: the estimates
/// are closer, but nothing can be taken back. Sketches of different seeds err independently.
///
/// Keys are str, bytes, int of any size, float, None and tuples of these. They are the same when
/// Python holds them equal: True, 1 and 1.0 are one key, "1" and b"1" are two others. All nans are
/// one key. The ints of NumPy are ints, and its strings str and bytes.
///
/// Threads may call every method at once, and no insert is lost. Sketches can be pickled and copied,
/// and the same stream gives the same counters on every machine. A sketch is a read-only buffer of
/// its counters.
///
/// Raises ValueError unless width and depth are at least 1, width * depth is at most 2**28 and
/// counter_bits 32 or 64, MemoryError if there is no room, and in all methods TypeError for keys of
/// other types and ValueError for tuples that lie more than 64 deep.
#[pyclass(frozen, subclass)]
pub struct CountMinSketch {
    table: Table,
    hasher: Hasher,
    /// Where a buffer of the counters finds its dimensions.
    shape: [isize; 2],
    strides: [isize; 2],
}

#[pymethods]
impl CountMinSketch {
    #[new]
    #[pyo3(signature = (width, depth, conservative = false, counter_bits = 32, seed = 0))]
    fn new(
        py: Python<'_>,
        #[pyo3(from_py_with = dimension)] width: usize,
        #[pyo3(from_py_with = dimension)] depth: usize,
        conservative: bool,
        counter_bits: usize,
        seed: u64,
    ) -> PyResult<Self> {
        Self::of(
            py,
            Keys::Any,
            width,
            depth,
            conservative,
            counter_bits,
            seed,
        )
    }

    /// Make a sketch whose estimates are at most `epsilon * total` too high, each with probability
    /// 1 - `delta` at least: `width` is e / epsilon, `depth` ln(1 / delta), both rounded up.
    ///
    /// Raises ValueError unless epsilon and delta lie between 0 and 1, and what the class raises.
    #[classmethod]
    #[pyo3(signature = (epsilon, delta, conservative = false, counter_bits = 32, seed = 0))]
    fn from_error<'py>(
        cls: &Bound<'py, PyType>,
        epsilon: f64,
        delta: f64,
        conservative: bool,
        counter_bits: usize,
        seed: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let inside = |x: f64| 0.0 < x && x < 1.0;
        if !inside(epsilon) || !inside(delta) {
            return Err(PyValueError::new_err(
                "epsilon and delta must lie between 0 and 1",
            ));
        }
        let (width, depth) = (
            (std::f64::consts::E / epsilon).ceil(),
            (1.0 / delta).ln().ceil(),
        );
        let size = (width as usize, depth as usize);
        cls.call1((size.0, size.1, conservative, counter_bits, seed))
    }

    /// Make a sketch of what `to_bytes` gave.
    ///
    /// Raises ValueError if the bytes are damaged, or those of a sketch of another class.
    #[classmethod]
    fn from_bytes<'py>(
        cls: &Bound<'py, PyType>,
        data: PyBackedBytes,
    ) -> PyResult<Bound<'py, Self>> {
        let py = cls.py();
        let saved = saved::read(&data)?;
        let fits = match saved.keys {
            Keys::Any => {
                !cls.is_subclass_of::<CountMinSketchStr>()?
                    && !cls.is_subclass_of::<CountMinSketchInt>()?
            }
            Keys::Str => cls.is_subclass_of::<CountMinSketchStr>()?,
            Keys::Int => cls.is_subclass_of::<CountMinSketchInt>()?,
        };
        if !fits {
            let text = format!(
                "the saved sketch is a {}, not a {}",
                class(saved.keys),
                cls.name()?
            );
            return Err(PyValueError::new_err(text));
        }
        let options = (
            saved.width,
            saved.depth,
            saved.conservative,
            saved.bits,
            saved.seed,
        );
        let sketch = cls.call1(options)?.cast_into::<Self>()?;
        let table = &sketch.get().table;
        if table.len() * (table.bits() / 8) != saved.cells.len() {
            return Err(PyTypeError::new_err(
                "the class makes sketches of another size",
            ));
        }
        table.restore(py, saved.total, saved.cells);
        Ok(sketch)
    }

    /// Return the sketch as bytes: the same bytes for the same counters on every machine.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        saved::write(py, &self.table, &self.hasher)
    }

    /// Counters in a row.
    #[getter(width)]
    fn columns(&self) -> usize {
        self.table.width
    }

    /// Number of rows.
    #[getter(depth)]
    fn rows(&self) -> usize {
        self.table.depth
    }

    /// Does an insert raise only the counters that are below the new estimate?
    #[getter]
    fn conservative(&self) -> bool {
        self.table.conservative
    }

    /// Bits of a counter, 32 or 64: the highest count is 2**32 - 1 or 2**64 - 1.
    #[getter]
    fn counter_bits(&self) -> usize {
        self.table.bits()
    }

    /// Sets the hashes of this sketch apart from those of other seeds.
    #[getter]
    fn seed(&self) -> u64 {
        self.hasher.seed
    }

    /// An estimate's error, as a part of `total`, that is exceeded with probability `delta` at most:
    /// e / width.
    #[getter]
    fn epsilon(&self) -> f64 {
        std::f64::consts::E / self.table.width as f64
    }

    /// The probability that an estimate is more than `epsilon * total` too high: exp(-depth).
    #[getter]
    fn delta(&self) -> f64 {
        (-(self.table.depth as f64)).exp()
    }

    /// Sum of all counts inserted, less those taken back; it stops at 2**64 - 1.
    #[getter]
    fn total(&self) -> u64 {
        self.table.total()
    }

    /// Bytes that the counters take.
    #[getter]
    fn memory_bytes(&self) -> usize {
        self.table.len() * (self.table.bits() / 8)
    }

    /// The counters as a NumPy array of shape (depth, width), which cannot be written and changes
    /// with the sketch.
    #[getter]
    fn counters<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("numpy")?.call_method1("asarray", (slf,))
    }

    /// Return the width: the property as a method, as the package cmsketch has it.
    fn get_width(&self) -> usize {
        self.table.width
    }

    /// Return the depth: the property as a method, as the package cmsketch has it.
    fn get_depth(&self) -> usize {
        self.table.depth
    }

    /// Add `count` occurrences of `key`.
    ///
    /// Raises OverflowError if `count` is negative or needs more than 64 bits.
    #[pyo3(signature = (key, count = 1))]
    fn insert(&self, key: &Bound<'_, PyAny>, count: u64) -> PyResult<()> {
        let probe = self.hasher.key(key)?;
        let turn = self.table.turn_attached(key.py());
        self.table.add(&turn, probe, count);
        Ok(())
    }

    /// Add `count` occurrences of `key` and return the new estimate.
    ///
    /// Raises OverflowError if `count` is negative or needs more than 64 bits.
    #[pyo3(signature = (key, count = 1))]
    fn add(&self, key: &Bound<'_, PyAny>, count: u64) -> PyResult<u64> {
        let probe = self.hasher.key(key)?;
        let turn = self.table.turn_attached(key.py());
        self.table.add(&turn, probe, count);
        Ok(self.table.estimate(probe))
    }

    /// Take back `count` occurrences of `key` that were inserted before.
    ///
    /// A full counter stays full. Raises ValueError if the sketch is conservative or the key's
    /// estimate is below `count`, OverflowError as `insert` does.
    #[pyo3(signature = (key, count = 1))]
    fn decrement(&self, key: &Bound<'_, PyAny>, count: u64) -> PyResult<()> {
        if self.table.conservative {
            return Err(PyValueError::new_err(
                "a conservative sketch cannot take counts back",
            ));
        }
        let probe = self.hasher.key(key)?;
        let turn = self.table.turn_attached(key.py());
        let taken = self.table.take(&turn, probe, count);
        taken.map_err(|estimate| {
            PyValueError::new_err(format!(
                "cannot take {count} back from a count of {estimate}"
            ))
        })
    }

    /// Add every key of a batch, once or as often as the weight at its place says.
    ///
    /// `items` is any iterable of keys. Arrays of NumPy with ints or byte strings (dtype S), other
    /// buffers of these, and Arrow arrays and streams of strings, bytes and ints are read in place
    /// without an object for each item, an Arrow null being None. `weights` is an iterable of as
    /// many ints; `insert_many(counts.keys(), counts.values())` adds a dict of counts.
    ///
    /// The GIL is released while a large batch is counted. A wrong item raises an error that names
    /// its place, and of lists, tuples, arrays and whatever has weights nothing is counted then; of
    /// other iterables, which may be endless, some of the items before it are.
    ///
    /// Raises ValueError if there are fewer or more weights than keys or an array is not of 1
    /// dimension, TypeError for wrong keys, OverflowError for weights that are negative or need more
    /// than 64 bits.
    #[pyo3(signature = (items, weights = None))]
    fn insert_many(
        &self,
        items: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        batch::insert(&self.table, &self.hasher, items, weights)
    }

    /// Estimate how often `key` was inserted: never too low, unless a counter is full.
    fn count(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        Ok(self.table.estimate(self.hasher.key(key)?))
    }

    /// Estimate the count of every key of a batch, as a NumPy array of uint64.
    ///
    /// Takes the batches that `insert_many` takes, and raises what it raises.
    fn count_many<'py>(&self, items: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        batch::count(&self.table, &self.hasher, items)
    }

    /// Return (lower, upper): the count of `key` is not above `upper`, the estimate, and not below
    /// `lower` with probability 1 - delta, being `epsilon * total` less and at least 0.
    fn bounds(&self, key: &Bound<'_, PyAny>) -> PyResult<(u64, u64)> {
        Ok(bounds(&self.table, self.hasher.key(key)?))
    }

    /// Return the `k` most frequent of the `candidates` as (key, count), highest count first.
    ///
    /// A sketch keeps no keys, so they come from the caller, as any iterable; HeavyHitters keeps
    /// them. Equal counts keep the order of the candidates, a repeated candidate is listed once, and
    /// fewer than `k` candidates give a shorter list.
    ///
    /// Raises OverflowError if `k` is negative.
    fn top_k<'py>(
        &self,
        k: usize,
        candidates: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, u64)>> {
        top::top(&self.table, &self.hasher, k, candidates)
    }

    /// Add all counts of `other`, as if its stream had been inserted here.
    ///
    /// `other` is a sketch or an iterable of sketches; `weights` an int or as many ints, which the
    /// counts are multiplied by. All sketches are looked at before the first is added.
    ///
    /// Raises ValueError if class, dimensions, options or seed differ or there are fewer or more
    /// weights than sketches, OverflowError if a weight is negative or needs more than 64 bits.
    #[pyo3(signature = (other, weights = None))]
    fn merge(&self, other: &Bound<'_, PyAny>, weights: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let others: Vec<Bound<'_, Self>> = match other.cast::<Self>() {
            Ok(other) => vec![other.clone()],
            Err(_) => {
                let others = other.try_iter()?;
                others
                    .map(|other| Ok(other?.cast_into::<Self>()?))
                    .collect::<PyResult<_>>()?
            }
        };
        let weights: Vec<u64> = match weights {
            None => vec![1; others.len()],
            Some(weights) => match weights.try_iter() {
                Ok(weights) => weights.map(|w| w?.extract()).collect::<PyResult<_>>()?,
                Err(_) => vec![weights.extract()?; others.len()],
            },
        };
        if weights.len() != others.len() {
            let text = format!(
                "there are {} sketches, but {} weights",
                others.len(),
                weights.len()
            );
            return Err(PyValueError::new_err(text));
        }
        for other in &others {
            self.check(other.get())?;
        }
        for (other, weight) in others.iter().zip(weights) {
            let theirs = &other.get().table;
            self.table.merge(other.py(), theirs, weight);
        }
        Ok(())
    }

    /// Halve all counts, rounding down, so that what comes later weighs more.
    fn halve(&self, py: Python<'_>) {
        self.table.halve(py);
    }

    /// Forget everything that was inserted.
    fn clear(&self, py: Python<'_>) {
        self.table.clear(py);
    }

    fn __or__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let Ok(other) = other.cast::<Self>() else {
            return Ok(py.NotImplemented().into_bound(py));
        };
        slf.get().check(other.get())?;
        let sketch = slf
            .get_type()
            .call_method1("from_bytes", (slf.get().to_bytes(py)?,))?;
        sketch.cast::<Self>()?.get().merge(other, None)?;
        Ok(sketch)
    }

    fn __ior__(&self, other: &Bound<'_, Self>) -> PyResult<()> {
        self.merge(other.as_any(), None)
    }

    fn __iadd__(&self, other: &Bound<'_, Self>) -> PyResult<()> {
        self.merge(other.as_any(), None)
    }

    fn __repr__(&self) -> String {
        let (table, hasher) = (&self.table, &self.hasher);
        let mut text = format!("{}({}, {}", class(hasher.keys), table.width, table.depth);
        if table.conservative {
            text += ", conservative=True";
        }
        if table.bits() != 32 {
            text += ", counter_bits=64";
        }
        if hasher.seed != 0 {
            text += &format!(", seed={}", hasher.seed);
        }
        text + ")"
    }

    /// Pickle as bytes; copies are made in the same way.
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let make = slf.get_type().getattr("from_bytes")?;
        Ok((make, (slf.get().to_bytes(slf.py())?,)))
    }

    /// Lends the counters, of format I or Q and shape (depth, width), for reading only.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        // SAFETY: the view is the caller's, and waits to be filled.
        unsafe { dropin::lend(slf, view, flags) }
    }
}

impl CountMinSketch {
    fn of(
        py: Python<'_>,
        keys: Keys,
        width: usize,
        depth: usize,
        conservative: bool,
        counter_bits: usize,
        seed: u64,
    ) -> PyResult<Self> {
        if !matches!(counter_bits, 32 | 64) {
            return Err(PyValueError::new_err("counter_bits must be 32 or 64"));
        }
        let table = Table::new(py, width, depth, conservative, counter_bits == 64)?;
        let size = counter_bits as isize / 8;
        Ok(Self {
            table,
            hasher: Hasher::new(keys, seed),
            shape: [depth as isize, width as isize],
            strides: [width as isize * size, size],
        })
    }

    /// Are the counters of `other` those of the same keys?
    fn check(&self, other: &Self) -> PyResult<()> {
        let options = |s: &Self| {
            (
                s.shape,
                s.strides,
                s.table.conservative,
                s.hasher.keys,
                s.hasher.seed,
            )
        };
        if options(self) == options(other) {
            return Ok(());
        }
        let text = format!("cannot merge {} into {}", other.__repr__(), self.__repr__());
        Err(PyValueError::new_err(text))
    }
}

/// A key's estimate, and before it what is left of it without the error that is likely at most.
fn bounds(table: &Table, probe: Probe) -> (u64, u64) {
    let upper = table.estimate(probe);
    let error = std::f64::consts::E / table.width as f64 * table.total() as f64;
    (upper.saturating_sub(error as u64), upper)
}

/// Count-Min sketch: how often did each key occur in a stream, in a fixed amount of memory.
#[pymodule]
mod count_min_sketch {
    #[pymodule_export]
    use super::{CountMinSketch, CountMinSketchInt, CountMinSketchStr, heavy::HeavyHitters};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        let extending = [
            py.get_type::<CountMinSketchStr>(),
            py.get_type::<CountMinSketchInt>(),
        ];
        super::quick::install(&py.get_type::<CountMinSketch>(), &extending)
    }
}
