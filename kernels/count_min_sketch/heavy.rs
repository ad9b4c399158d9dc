//! Heavy hitters: the most frequent keys of a stream, without candidates from the caller.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use std::ffi::c_int;

use pyo3::exceptions::PyValueError;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyType};
use pyo3::{PyTypeInfo, ffi, prelude::*};

use super::arrow::{Chunks, Given};
use super::batch::{given, listed, look_for_signals, read_weights};
use super::counts::{self, Counts};
use super::keys::{Keys, Probe};
use super::options::Options;
use super::pickling::{self, Lent};
use super::{bounds, saved};

const MAX_K: usize = 1 << 20;

/// Finds the `k` most frequent keys of a stream, without knowing any of them before.
///
/// `HeavyHitters(k, width=None, depth=5, seed=0)` counts in a Count-Min sketch with conservative
/// update and counters of 64 bits, `width` being 64 * k and at least 1024 unless it is given, and
/// remembers the `2 * k` keys with the highest estimates so far. A key that makes up more than
/// `1 / (2 * k) + e / width` of the stream is among them, with probability 1 - exp(-depth); its
/// count is never below the truth. Keys are those of CountMinSketch, and what is given back is the
/// object that was inserted.
///
/// Threads may call every method at once. Source: M. Charikar, K. Chen and M. Farach-Colton,
/// "Finding frequent items in data streams", ICALP 2002, with the sketch of CountMinSketch.
///
/// Raises ValueError unless k is 1 to 2**20 and width and depth suit a CountMinSketch, MemoryError
/// if there is no room, and in all methods TypeError for keys of other types.
#[pyclass(frozen)]
pub struct HeavyHitters {
    /// Number of keys to find.
    #[pyo3(get)]
    k: usize,
    counts: Counts,
    kept: Mutex<Kept>,
}

#[pymethods]
impl HeavyHitters {
    #[new]
    #[pyo3(signature = (k, width = None, depth = 5, seed = 0))]
    fn new(
        py: Python<'_>,
        k: usize,
        width: Option<usize>,
        depth: usize,
        seed: u64,
    ) -> PyResult<Self> {
        if !(1..=MAX_K).contains(&k) {
            return Err(PyValueError::new_err("k must be 1 to 2**20"));
        }
        let options = Options {
            width: width.unwrap_or(1024.max(64 * k)),
            depth,
            conservative: true,
            counter_bits: 64,
            seed,
        };
        Ok(Self {
            k,
            counts: Counts::new(py, Keys::Any, options, false)?,
            kept: Mutex::default(),
        })
    }

    /// Counters in a row of the sketch.
    #[getter]
    fn width(&self) -> usize {
        self.counts.table.width
    }

    /// Number of rows of the sketch.
    #[getter]
    fn depth(&self) -> usize {
        self.counts.table.depth
    }

    /// Sum of all counts inserted.
    #[getter]
    fn total(&self) -> u64 {
        self.counts.table.total()
    }

    /// Add `count` occurrences of `key`.
    ///
    /// Raises OverflowError if `count` is negative or needs more than 64 bits.
    #[pyo3(signature = (key, count = 1))]
    fn insert(&self, key: &Bound<'_, PyAny>, count: u64) -> PyResult<()> {
        let probe = self.counts.hasher.key(key)?;
        self.count_in(key.py(), probe, count, || Ok(key.clone().unbind()))
    }

    /// Add every key of a batch, once or as often as the weight at its place says.
    ///
    /// Takes the batches that `insert_many` of CountMinSketch takes, and makes objects of Arrow's
    /// items only where they are remembered. An error names the place of the wrong item, and leaves
    /// the keys before it counted; one of a wrong weight comes before the first key.
    ///
    /// Raises ValueError if there are fewer or more weights than keys, TypeError and OverflowError
    /// as `insert` does.
    #[pyo3(signature = (items, weights = None, *, column = None))]
    fn insert_many(
        &self,
        items: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
        column: Option<&str>,
    ) -> PyResult<()> {
        let mut weights = weights.map(read_weights).transpose()?.map(Vec::into_iter);
        let mut weight = || match &mut weights {
            Some(weights) => weights.next().ok_or_else(unequal),
            None => Ok(1),
        };
        let (items, given) = given(items, column)?;
        let py = items.py();
        match given {
            Some(Given::Whole(chunks)) => self.count_chunks(py, &chunks, &mut weight)?,
            Some(Given::Stream(mut stream)) => {
                while let Some(chunks) = stream.next(py)? {
                    self.count_chunks(py, &chunks, &mut weight)?;
                }
            }
            None => {
                for (n, key) in listed(&items)?.try_iter()?.enumerate() {
                    let key = key?;
                    look_for_signals(py, n)?;
                    let probe = self.counts.hasher.item(n, &key)?;
                    self.count_in(py, probe, weight()?, || Ok(key.unbind()))?;
                }
            }
        }
        match weights.is_some_and(|weights| weights.len() > 0) {
            true => Err(unequal()),
            false => Ok(()),
        }
    }

    /// Estimate how often `key` was inserted: never too low.
    fn count(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        Ok(self.counts.table.estimate(self.counts.hasher.key(key)?))
    }

    /// Return (lower, upper): the count of `key` is not above `upper`, and not below `lower` with
    /// probability 1 - exp(-depth).
    fn bounds(&self, key: &Bound<'_, PyAny>) -> PyResult<(u64, u64)> {
        Ok(bounds(&self.counts.table, self.counts.hasher.key(key)?))
    }

    /// Return the `n` most frequent keys, `k` if not given, as (key, count), highest count first.
    ///
    /// At most `2 * k` keys are remembered; equal counts come in no particular order, but the same
    /// every time. Raises OverflowError if `n` is negative.
    #[pyo3(signature = (n = None))]
    fn top(&self, py: Python<'_>, n: Option<usize>) -> Vec<(Py<PyAny>, u64)> {
        let mut slots: Vec<_> = {
            let kept = self.lock(py);
            let slots = kept.slots.iter();
            slots
                .map(|slot| (slot.count, slot.probe, slot.key.clone_ref(py)))
                .collect()
        };
        slots.sort_by_key(|&(count, probe, _)| (Reverse(count), probe));
        slots.truncate(n.unwrap_or(self.k));
        slots
            .into_iter()
            .map(|(count, _, key)| (key, count))
            .collect()
    }

    /// Add all counts of `other`.
    ///
    /// They are never too low then, but as a rule higher than if its stream had been inserted here,
    /// since the update is conservative. The keys that either remembers compete for the places.
    /// Raises ValueError if the widths, depths or seeds differ.
    fn merge(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<()> {
        let other = other.get();
        let shape = |h: &Self| {
            (
                h.counts.table.width,
                h.counts.table.depth,
                h.counts.hasher.seed,
            )
        };
        if shape(self) != shape(other) {
            let text = format!("cannot merge {} into {}", other.__repr__(), self.__repr__());
            return Err(PyValueError::new_err(text));
        }
        let theirs = other.remembered(py);
        self.counts.table.merge(py, &other.counts.table, 1);
        for (probe, key) in self.remembered(py).into_iter().chain(theirs) {
            self.offer(py, probe, self.counts.table.estimate(probe), || Ok(key))?;
        }
        Ok(())
    }

    /// Forget everything that was inserted.
    fn clear(&self, py: Python<'_>) {
        self.counts.table.clear(py);
        let old = std::mem::take(&mut *self.lock(py));
        // Dropped with the lock open: the end of a key may run Python code.
        drop(old);
    }

    fn __repr__(&self) -> String {
        let (width, depth, seed) = (
            self.counts.table.width,
            self.counts.table.depth,
            self.counts.hasher.seed,
        );
        format!("HeavyHitters({}, {width}, {depth}, seed={seed})", self.k)
    }

    /// Bytes that this takes, the counters and the places for keys among them, but not the keys.
    fn __sizeof__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let object = PyAny::type_object(slf.py()).call_method1("__sizeof__", (slf,))?;
        let heavy = slf.get();
        let kept = heavy.lock(slf.py()).memory();
        Ok(object.extract::<usize>()? + heavy.counts.table.memory() + kept)
    }

    /// Pickle as the bytes of the sketch and the keys.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, State<'py>)> {
        let (py, heavy) = (slf.py(), slf.get());
        let bytes = saved::write(py, &heavy.counts.table, &heavy.counts.hasher)?;
        let state = (heavy.k, bytes, heavy.objects(py), None);
        Ok((slf.get_type().getattr("_restore")?, state))
    }

    /// Pickle from protocol 5 on without a copy of the counters, which can stay out of the pickle.
    fn __reduce_ex__<'py>(
        slf: &Bound<'py, Self>,
        protocol: i32,
    ) -> PyResult<(Bound<'py, PyAny>, State<'py>)> {
        if !pickling::lends(protocol) {
            return Self::__reduce__(slf);
        }
        let heavy = slf.get();
        let (header, cells) = pickling::lent(slf.as_any(), &heavy.counts)?;
        let state = (heavy.k, header, heavy.objects(slf.py()), Some(cells));
        Ok((slf.get_type().getattr("_restore")?, state))
    }

    /// Make one of what was pickled.
    #[classmethod]
    #[pyo3(signature = (k, data, keys, cells = None))]
    fn _restore(
        cls: &Bound<'_, PyType>,
        k: usize,
        data: &[u8],
        keys: Vec<Py<PyAny>>,
        cells: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let lent = cells.map(Lent::of).transpose()?;
        let saved = match &lent {
            Some(lent) => saved::parse(data, lent.bytes())?,
            None => saved::read(data)?,
        };
        let options = saved.options;
        if saved.keys != Keys::Any || !options.conservative || options.counter_bits != 64 {
            return Err(PyValueError::new_err("no saved sketch of heavy hitters"));
        }
        let py = cls.py();
        let heavy = Self::new(py, k, Some(options.width), options.depth, options.seed)?;
        heavy.counts.table.restore(py, saved.total, saved.cells);
        for key in keys {
            let probe = heavy.counts.hasher.key(key.bind(py))?;
            heavy.offer(py, probe, heavy.counts.table.estimate(probe), || Ok(key))?;
        }
        Ok(heavy)
    }

    /// Lends the counters, of format Q and shape (depth, width), for reading only.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        // SAFETY: the view is the caller's, and waits to be filled; the object keeps its counters.
        unsafe { counts::lend(Ok(&slf.get().counts), slf.clone().into_any(), view, flags) }
    }
}

type State<'py> = (
    usize,
    Bound<'py, PyBytes>,
    Vec<Py<PyAny>>,
    Option<Bound<'py, PyAny>>,
);

impl HeavyHitters {
    fn count_chunks(
        &self,
        py: Python<'_>,
        chunks: &Chunks,
        weight: &mut impl FnMut() -> PyResult<u64>,
    ) -> PyResult<()> {
        chunks.each(&self.counts.hasher, |probe, column, n| {
            self.count_in(py, probe, weight()?, || Ok(column.object(py, n)?.unbind()))
        })?;
        py.check_signals()
    }

    fn count_in(
        &self,
        py: Python<'_>,
        probe: Probe,
        count: u64,
        key: impl FnOnce() -> PyResult<Py<PyAny>>,
    ) -> PyResult<()> {
        let turn = self.counts.table.turn_attached(py);
        self.counts.table.add(&turn, probe, count);
        drop(turn);
        self.offer(py, probe, self.counts.table.estimate(probe), key)
    }

    /// Remembers a key if its count is high enough. It is only made then.
    fn offer(
        &self,
        py: Python<'_>,
        probe: Probe,
        count: u64,
        key: impl FnOnce() -> PyResult<Py<PyAny>>,
    ) -> PyResult<()> {
        if count > 0 && self.lock(py).wants(2 * self.k, probe, count) {
            let key = key()?;
            let gone = self.lock(py).offer(2 * self.k, key, probe, count);
            // Dropped with the lock open: the end of a key may run Python code.
            drop(gone);
        }
        Ok(())
    }

    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Kept> {
        self.kept
            .lock_py_attached(py)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn objects(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.remembered(py)
            .into_iter()
            .map(|(_, key)| key)
            .collect()
    }

    fn remembered(&self, py: Python<'_>) -> Vec<(Probe, Py<PyAny>)> {
        let kept = self.lock(py);
        let slots = kept.slots.iter();
        slots
            .map(|slot| (slot.probe, slot.key.clone_ref(py)))
            .collect()
    }
}

fn unequal() -> PyErr {
    PyValueError::new_err("there are not as many weights as keys")
}

/// The keys with the highest estimates.
#[derive(Default)]
struct Kept {
    slots: Vec<Slot>,
    places: HashMap<Probe, usize>,
    /// A count and a place for every slot, the lowest count first. The count may be out of date,
    /// and then is lower than the slot's.
    lowest: BinaryHeap<Reverse<(u64, usize)>>,
}

struct Slot {
    probe: Probe,
    key: Py<PyAny>,
    count: u64,
}

impl Kept {
    fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.places.capacity() * size_of::<(Probe, usize)>()
            + self.lowest.capacity() * size_of::<Reverse<(u64, usize)>>()
    }

    /// Is the count of a key that is not remembered high enough? That of one that is, is brought up to date.
    #[inline]
    fn wants(&mut self, size: usize, probe: Probe, count: u64) -> bool {
        let lowest = self.lowest.peek();
        if self.slots.len() >= size && lowest.is_some_and(|&Reverse((least, _))| count <= least) {
            return false;
        }
        let Some(&place) = self.places.get(&probe) else {
            return true;
        };
        let slot = &mut self.slots[place];
        slot.count = slot.count.max(count);
        false
    }

    /// Remembers a key if its count is high enough, and gives back the one that makes room.
    fn offer(
        &mut self,
        size: usize,
        key: Py<PyAny>,
        probe: Probe,
        count: u64,
    ) -> Option<Py<PyAny>> {
        // While the key was made, another thread may have come first.
        if !self.wants(size, probe, count) {
            return Some(key);
        }
        let full = self.slots.len() >= size;
        let slot = Slot { probe, key, count };
        if !full {
            self.places.insert(probe, self.slots.len());
            self.lowest.push(Reverse((count, self.slots.len())));
            self.slots.push(slot);
            return None;
        }
        let place = self.lowest_place()?;
        if self.slots[place].count >= count {
            return Some(slot.key);
        }
        self.lowest.pop();
        self.lowest.push(Reverse((count, place)));
        let gone = std::mem::replace(&mut self.slots[place], slot);
        self.places.remove(&gone.probe);
        self.places.insert(probe, place);
        Some(gone.key)
    }

    /// Brings the top of the heap up to date.
    fn lowest_place(&mut self) -> Option<usize> {
        loop {
            let mut top = self.lowest.peek_mut()?;
            let Reverse((count, place)) = *top;
            let now = self.slots[place].count;
            if now == count {
                return Some(place);
            }
            *top = Reverse((now, place));
        }
    }
}
