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
use std::sync::OnceLock;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::types::{PyBytes, PyDict, PyTuple, PyType};
use pyo3::{PyTypeInfo, ffi, prelude::*, pybacked::PyBackedBytes};

#[path = "count_min_sketch/array.rs"]
mod array;
#[path = "count_min_sketch/arrow.rs"]
mod arrow;
#[path = "count_min_sketch/batch.rs"]
mod batch;
#[path = "count_min_sketch/capsule.rs"]
mod capsule;
#[path = "count_min_sketch/column.rs"]
mod column;
#[path = "count_min_sketch/counter.rs"]
mod counter;
#[path = "count_min_sketch/counts.rs"]
mod counts;
#[path = "count_min_sketch/dropin.rs"]
mod dropin;
#[path = "count_min_sketch/heavy.rs"]
mod heavy;
#[path = "count_min_sketch/keys.rs"]
mod keys;
#[path = "count_min_sketch/options.rs"]
mod options;
#[path = "count_min_sketch/pickling.rs"]
mod pickling;
#[path = "count_min_sketch/quick.rs"]
mod quick;
#[path = "count_min_sketch/saved.rs"]
mod saved;
#[path = "count_min_sketch/table.rs"]
mod table;
#[path = "count_min_sketch/top.rs"]
mod top;

use counts::Counts;
use dropin::{CountMinSketchInt, CountMinSketchStr};
use keys::{Keys, Probe};
use options::Options;
use table::Table;

/// Count-Min sketch: estimates how often each key occurred in a stream, in fixed memory.
///
/// `CountMinSketch(width, depth, conservative=False, counter_bits=32, seed=0)` holds `width * depth`
/// counters of 32 or 64 bits. `count` is never below the truth and, with probability
/// 1 - exp(-depth), at most `e / width * total` above it. A full counter stays full. With
/// `conservative`, an insert raises only the counters that are below the new estimate: the estimates
/// are closer, but nothing can be taken back, and merging is not exact: merged sketches are never too
/// low, but not those of the whole stream. Sketches of different seeds err independently.
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
#[pyclass(frozen, subclass, weakref)]
pub struct CountMinSketch {
    keys: Keys,
    /// What `__new__` was called with, where that fits.
    asked: Option<Options>,
    /// Set once: by `__new__`, or where a class has an `__init__` of its own by ours, which that calls,
    /// or by the first use.
    counts: OnceLock<Counts>,
}

#[pymethods]
impl CountMinSketch {
    #[new]
    #[classmethod]
    #[pyo3(
        signature = (*args, **kwargs),
        text_signature = "(width, depth, conservative=False, counter_bits=32, seed=0)"
    )]
    fn new(
        cls: &Bound<'_, PyType>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Self::made::<Self>(cls, Keys::Any, args, kwargs)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __init__(
        &self,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let py = args.py();
        match self.counts.get() {
            // Counters are never thrown away: a second call does nothing.
            Some(counts) if !counts.early => Ok(()),
            Some(counts) if counts.options() == Options::of(args, kwargs)? => Ok(()),
            Some(_) => Err(PyTypeError::new_err(
                "the sketch was used before its __init__() was called",
            )),
            None => {
                let counts = Counts::new(py, self.keys, Options::of(args, kwargs)?, false)?;
                // Where two threads come here at once, the first one's counters stay.
                let _ = self.counts.set(counts);
                Ok(())
            }
        }
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
        let options = Options {
            width: width as usize,
            depth: depth as usize,
            conservative,
            counter_bits,
            seed,
        };
        options.call(cls)
    }

    /// Make a sketch of what `to_bytes` gave.
    ///
    /// A subclass is called with width and depth, and with those options by name that are not as
    /// usual. Raises ValueError if the bytes are damaged, or those of a sketch of another class.
    #[classmethod]
    fn from_bytes<'py>(
        cls: &Bound<'py, PyType>,
        data: PyBackedBytes,
    ) -> PyResult<Bound<'py, PyAny>> {
        pickling::remake(cls, &data)
    }

    /// Return the sketch as bytes: the same bytes for the same counters on every machine.
    ///
    /// They are kept for good: each version of rsimport reads what all before it have written, and
    /// counts the same keys in the same places. An older one says so of bytes that it cannot read.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let counts = self.counts(py)?;
        saved::write(py, &counts.table, &counts.hasher)
    }

    /// Counters in a row.
    #[getter(width)]
    fn columns(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.counts(py)?.table.width)
    }

    /// Number of rows.
    #[getter(depth)]
    fn rows(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.counts(py)?.table.depth)
    }

    /// Does an insert raise only the counters that are below the new estimate?
    #[getter]
    fn conservative(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.counts(py)?.table.conservative)
    }

    /// Bits of a counter, 32 or 64: the highest count is 2**32 - 1 or 2**64 - 1.
    #[getter]
    fn counter_bits(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.counts(py)?.table.bits())
    }

    /// Sets the hashes of this sketch apart from those of other seeds.
    #[getter]
    fn seed(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.counts(py)?.hasher.seed)
    }

    /// An estimate's error, as a part of `total`, that is exceeded with probability `delta` at most:
    /// e / width.
    #[getter]
    fn epsilon(&self, py: Python<'_>) -> PyResult<f64> {
        Ok(std::f64::consts::E / self.counts(py)?.table.width as f64)
    }

    /// The probability that an estimate is more than `epsilon * total` too high: exp(-depth).
    #[getter]
    fn delta(&self, py: Python<'_>) -> PyResult<f64> {
        Ok((-(self.counts(py)?.table.depth as f64)).exp())
    }

    /// Sum of all counts inserted, less those taken back; it stops at 2**64 - 1.
    #[getter]
    fn total(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.counts(py)?.table.total())
    }

    /// Bytes that the counters take.
    #[getter]
    fn memory_bytes(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.counts(py)?.table.memory())
    }

    /// The counters as a NumPy array of shape (depth, width), which cannot be written and changes
    /// with the sketch.
    #[getter]
    fn counters<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("numpy")?.call_method1("asarray", (slf,))
    }

    /// Return the width: the property as a method, as the package cmsketch has it.
    fn get_width(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.counts(py)?.table.width)
    }

    /// Return the depth: the property as a method, as the package cmsketch has it.
    fn get_depth(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.counts(py)?.table.depth)
    }

    /// Add `count` occurrences of `key`.
    ///
    /// Raises OverflowError if `count` is negative or needs more than 64 bits.
    #[pyo3(signature = (key, count = 1))]
    fn insert(&self, key: &Bound<'_, PyAny>, count: u64) -> PyResult<()> {
        let Counts { table, hasher, .. } = self.counts(key.py())?;
        let probe = hasher.key(key)?;
        let turn = table.turn_attached(key.py());
        table.add(&turn, probe, count);
        Ok(())
    }

    /// Add `count` occurrences of `key` and return the new estimate.
    ///
    /// Raises OverflowError if `count` is negative or needs more than 64 bits.
    #[pyo3(signature = (key, count = 1))]
    fn add(&self, key: &Bound<'_, PyAny>, count: u64) -> PyResult<u64> {
        let Counts { table, hasher, .. } = self.counts(key.py())?;
        let probe = hasher.key(key)?;
        let turn = table.turn_attached(key.py());
        table.add(&turn, probe, count);
        Ok(table.estimate(probe))
    }

    /// Take back `count` occurrences of `key` that were inserted before.
    ///
    /// A full counter stays full. Raises ValueError if the sketch is conservative or the key's
    /// estimate is below `count`, OverflowError as `insert` does.
    #[pyo3(signature = (key, count = 1))]
    fn decrement(&self, key: &Bound<'_, PyAny>, count: u64) -> PyResult<()> {
        let Counts { table, hasher, .. } = self.counts(key.py())?;
        if table.conservative {
            return Err(PyValueError::new_err(
                "a conservative sketch cannot take counts back",
            ));
        }
        let probe = hasher.key(key)?;
        let turn = table.turn_attached(key.py());
        let taken = table.take(&turn, probe, count);
        taken.map_err(|estimate| {
            PyValueError::new_err(format!(
                "cannot take {count} back from a count of {estimate}"
            ))
        })
    }

    /// Add every key of a batch, once or as often as the weight at its place says.
    ///
    /// `items` is any iterable of keys. Arrays of NumPy with ints or byte strings (dtype S), other
    /// buffers of these, and what offers Arrow data of strings, bytes and ints, also in dictionaries,
    /// as pyarrow and polars do and pandas for most of its types, is read in place without an object
    /// for each item, an Arrow null being None. Of a table, a data frame, a dict or a reader `column`
    /// names what to count: `insert_many(reader, column="ip")` reads batch after batch, and so needs
    /// memory for one of them. `weights` is an iterable of as many ints; `insert_many(counts.keys(),
    /// counts.values())` adds a dict of counts.
    ///
    /// The GIL is released while a large batch is counted. A wrong item raises an error that names
    /// its place, and of lists, tuples, arrays and whatever has weights nothing is counted then; of
    /// other iterables and of readers, which may be endless, some of the items before it are.
    ///
    /// Raises ValueError if there are fewer or more weights than keys, an array is not of 1 dimension
    /// or there is no such column, TypeError for wrong keys, OverflowError for weights that are
    /// negative or need more than 64 bits, and what a reader raises or `items[column]`.
    #[pyo3(signature = (items, weights = None, *, column = None))]
    fn insert_many(
        &self,
        items: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
        column: Option<&str>,
    ) -> PyResult<()> {
        let Counts { table, hasher, .. } = self.counts(items.py())?;
        batch::insert(table, hasher, items, weights, column)
    }

    /// Estimate how often `key` was inserted: never too low, unless a counter is full.
    fn count(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        let Counts { table, hasher, .. } = self.counts(key.py())?;
        Ok(table.estimate(hasher.key(key)?))
    }

    /// Estimate the count of every key of a batch, as a NumPy array of uint64.
    ///
    /// Takes the batches that `insert_many` takes, and raises what it raises.
    #[pyo3(signature = (items, *, column = None))]
    fn count_many<'py>(
        &self,
        items: &Bound<'py, PyAny>,
        column: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Counts { table, hasher, .. } = self.counts(items.py())?;
        batch::count(table, hasher, items, column)
    }

    /// Return (lower, upper): the count of `key` is not above `upper`, the estimate, and not below
    /// `lower` with probability 1 - delta, being `epsilon * total` less and at least 0.
    fn bounds(&self, key: &Bound<'_, PyAny>) -> PyResult<(u64, u64)> {
        let Counts { table, hasher, .. } = self.counts(key.py())?;
        Ok(bounds(table, hasher.key(key)?))
    }

    /// Return the `k` most frequent of the `candidates` as (key, count), highest count first.
    ///
    /// A sketch keeps no keys, so they come from the caller, as any iterable; HeavyHitters keeps
    /// them. Equal counts keep the order of the candidates, a repeated candidate is listed once (by
    /// CountMinSketchStr and CountMinSketchInt, as by cmsketch's, as often as it comes), and fewer
    /// than `k` candidates give a shorter list. Keys come back as they are; from those two classes
    /// always as str and int, also where they came as bytes and NumPy's ints.
    ///
    /// Raises OverflowError if `k` is negative.
    fn top_k<'py>(
        &self,
        k: usize,
        candidates: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<(Bound<'py, PyAny>, u64)>> {
        let Counts { table, hasher, .. } = self.counts(candidates.py())?;
        top::top(table, hasher, k, candidates)
    }

    /// Add all counts of `other`, as if its stream had been inserted here.
    ///
    /// Of conservative sketches, not quite: the estimates are still never too low, but as a rule higher
    /// than those of one sketch that has seen both streams, which depend on the order of its inserts.
    ///
    /// `other` is a sketch or an iterable of sketches; `weights` an int or as many ints, which the
    /// counts are multiplied by. All sketches are looked at before the first is added.
    ///
    /// Raises ValueError if dimensions, options or seed differ or there are fewer or more weights than
    /// sketches, TypeError if one takes other keys, OverflowError if a weight is negative or needs more than 64 bits.
    #[pyo3(signature = (other, weights = None))]
    fn merge(&self, other: &Bound<'_, PyAny>, weights: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let py = other.py();
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
        let counts = self.counts(py)?;
        for other in &others {
            counts.check(other.get().counts(py)?)?;
        }
        for (other, weight) in others.iter().zip(weights) {
            let theirs = &other.get().counts(py)?.table;
            counts.table.merge(py, theirs, weight);
        }
        Ok(())
    }

    /// Halve all counts, rounding down, so that what comes later weighs more.
    fn halve(&self, py: Python<'_>) -> PyResult<()> {
        self.counts(py)?.table.halve(py);
        Ok(())
    }

    /// Forget everything that was inserted.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.counts(py)?.table.clear(py);
        Ok(())
    }

    fn __or__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let Ok(other) = other.cast::<Self>() else {
            return Ok(py.NotImplemented().into_bound(py));
        };
        Ok(pickling::joined(slf, other)?.into_any())
    }

    fn __ior__(&self, other: &Bound<'_, Self>) -> PyResult<()> {
        self.merge(other.as_any(), None)
    }

    fn __iadd__(&self, other: &Bound<'_, Self>) -> PyResult<()> {
        self.merge(other.as_any(), None)
    }

    fn __repr__(&self) -> String {
        let options = self.counts.get().map(Counts::options).or(self.asked);
        match options {
            Some(options) => options.shown(self.keys),
            None => format!("<{} without counters>", self.keys.class()),
        }
    }

    /// Bytes that the sketch takes, its counters among them.
    fn __sizeof__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let object = PyAny::type_object(slf.py()).call_method1("__sizeof__", (slf,))?;
        let counts = slf.get().counts.get();
        Ok(object.extract::<usize>()? + counts.map_or(0, |counts| counts.table.memory()))
    }

    /// Pickle as bytes; copies are made in the same way.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<pickling::Reduced<'py>> {
        pickling::reduce(slf)
    }

    /// Pickle from protocol 5 on without a copy of the counters, which can stay out of the pickle.
    fn __reduce_ex__<'py>(slf: &Bound<'py, Self>, protocol: i32) -> PyResult<Bound<'py, PyAny>> {
        pickling::reduce_ex(slf, protocol)
    }

    /// Make a sketch of what was pickled.
    #[classmethod]
    #[pyo3(signature = (data, cells = None))]
    fn _restore<'py>(
        cls: &Bound<'py, PyType>,
        data: PyBackedBytes,
        cells: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        pickling::restore(cls, &data, cells)
    }

    /// Lends the counters, of format I or Q and shape (depth, width), for reading only.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let counts = slf.get().counts(slf.py());
        // SAFETY: the view is the caller's, and waits to be filled; the sketch keeps its counters.
        unsafe { counts::lend(counts, slf.clone().into_any(), view, flags) }
    }
}

impl CountMinSketch {
    /// The sketch that `__new__` of class `T` makes of an instance of `cls`.
    ///
    /// A class without `__new__` and `__init__` of its own is called as we are. Of others any arguments
    /// are taken, and those that fit are kept: they may never come here again.
    fn made<T: PyTypeInfo>(
        cls: &Bound<'_, PyType>,
        keys: Keys,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let (py, ours) = (cls.py(), T::type_object(cls.py()));
        let same = |name: &str| Ok::<_, PyErr>(cls.getattr(name)?.is(&ours.getattr(name)?));
        let (plain_new, plain_init) = (same("__new__")?, same("__init__")?);
        let asked = match Options::of(args, kwargs) {
            Err(error) if plain_new && plain_init => return Err(error),
            asked => asked.ok(),
        };
        let counts = match asked {
            Some(options) if plain_init => Counts::new(py, keys, options, false)?.into(),
            _ => OnceLock::new(),
        };
        Ok(Self {
            keys,
            asked,
            counts,
        })
    }

    #[inline(always)]
    fn counts(&self, py: Python<'_>) -> PyResult<&Counts> {
        match self.counts.get() {
            Some(counts) => Ok(counts),
            None => self.first_use(py),
        }
    }

    #[cold]
    fn first_use(&self, py: Python<'_>) -> PyResult<&Counts> {
        let options = self.asked.ok_or_else(|| {
            let class = self.keys.class();
            PyTypeError::new_err(format!(
                "{class}.__init__() must be called when overriding __init__"
            ))
        })?;
        let counts = Counts::new(py, self.keys, options, true)?;
        // Where two threads come here at once, the first one's counters stay.
        Ok(self.counts.get_or_init(|| counts))
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
        super::quick::install(module.py())
    }
}
