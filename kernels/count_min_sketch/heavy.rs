//! Heavy hitters: the most frequent keys of a stream, without candidates from the caller.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::PyTypeInfo;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyType};

use super::arrow::{Chunks, Given};
use super::batch::{given, listed};
use super::keys::{Hasher, Keys, Probe};
use super::table::Table;
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
    table: Table,
    hasher: Hasher,
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
        Ok(Self {
            k,
            table: Table::new(py, width.unwrap_or(1024.max(64 * k)), depth, true, true)?,
            hasher: Hasher::new(Keys::Any, seed),
            kept: Mutex::default(),
        })
    }

    /// Counters in a row of the sketch.
    #[getter]
    fn width(&self) -> usize {
        self.table.width
    }

    /// Number of rows of the sketch.
    #[getter]
    fn depth(&self) -> usize {
        self.table.depth
    }

    /// Sum of all counts inserted.
    #[getter]
    fn total(&self) -> u64 {
        self.table.total()
    }

    /// Add `count` occurrences of `key`.
    ///
    /// Raises OverflowError if `count` is negative or needs more than 64 bits.
    #[pyo3(signature = (key, count = 1))]
    fn insert(&self, key: &Bound<'_, PyAny>, count: u64) -> PyResult<()> {
        let probe = self.hasher.key(key)?;
        self.count_in(key.py(), probe, count, || Ok(key.clone().unbind()))
    }

    /// Add every key of a batch, once or as often as the weight at its place says.
    ///
    /// Takes the batches that `insert_many` of CountMinSketch takes, and makes objects of Arrow's
    /// items only where they are remembered. An error names the place of the wrong item, and leaves
    /// the keys before it counted.
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
        let mut weights = weights
            .map(|weights| listed(weights)?.try_iter())
            .transpose()?;
        let mut weight = || match &mut weights {
            Some(weights) => weights.next().ok_or_else(unequal)??.extract(),
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
                    let probe = self.hasher.item(n, &key)?;
                    self.count_in(py, probe, weight()?, || Ok(key.unbind()))?;
                }
            }
        }
        match weights.and_then(|mut weights| weights.next()) {
            Some(_) => Err(unequal()),
            None => Ok(()),
        }
    }

    /// Estimate how often `key` was inserted: never too low.
    fn count(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        Ok(self.table.estimate(self.hasher.key(key)?))
    }

    /// Return (lower, upper): the count of `key` is not above `upper`, and not below `lower` with
    /// probability 1 - exp(-depth).
    fn bounds(&self, key: &Bound<'_, PyAny>) -> PyResult<(u64, u64)> {
        Ok(bounds(&self.table, self.hasher.key(key)?))
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
        let shape = |h: &Self| (h.table.width, h.table.depth, h.hasher.seed);
        if shape(self) != shape(other) {
            let text = format!("cannot merge {} into {}", other.__repr__(), self.__repr__());
            return Err(PyValueError::new_err(text));
        }
        let theirs = other.remembered(py);
        self.table.merge(py, &other.table, 1);
        for (probe, key) in self.remembered(py).into_iter().chain(theirs) {
            self.offer(py, probe, self.table.estimate(probe), || Ok(key))?;
        }
        Ok(())
    }

    /// Forget everything that was inserted.
    fn clear(&self, py: Python<'_>) {
        self.table.clear(py);
        let old = std::mem::take(&mut *self.lock(py));
        // Dropped with the lock open: the end of a key may run Python code.
        drop(old);
    }

    fn __repr__(&self) -> String {
        let (width, depth, seed) = (self.table.width, self.table.depth, self.hasher.seed);
        format!("HeavyHitters({}, {width}, {depth}, seed={seed})", self.k)
    }

    /// Bytes that this takes, the counters and the places for keys among them, but not the keys.
    fn __sizeof__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let object = PyAny::type_object(slf.py()).call_method1("__sizeof__", (slf,))?;
        let heavy = slf.get();
        let kept = heavy.lock(slf.py()).memory();
        Ok(object.extract::<usize>()? + heavy.table.memory() + kept)
    }

    /// Pickle as the bytes of the sketch and the keys.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, State<'py>)> {
        let (py, heavy) = (slf.py(), slf.get());
        let keys = heavy
            .remembered(py)
            .into_iter()
            .map(|(_, key)| key)
            .collect();
        let bytes = saved::write(py, &heavy.table, &heavy.hasher)?;
        Ok((slf.get_type().getattr("_restore")?, (heavy.k, bytes, keys)))
    }

    #[classmethod]
    fn _restore(
        cls: &Bound<'_, PyType>,
        k: usize,
        data: &[u8],
        keys: Vec<Py<PyAny>>,
    ) -> PyResult<Self> {
        let saved = saved::read(data)?;
        let options = saved.options;
        if saved.keys != Keys::Any || !options.conservative || options.counter_bits != 64 {
            return Err(PyValueError::new_err("no saved sketch of heavy hitters"));
        }
        let py = cls.py();
        let heavy = Self::new(py, k, Some(options.width), options.depth, options.seed)?;
        heavy.table.restore(py, saved.total, saved.cells);
        for key in keys {
            let probe = heavy.hasher.key(key.bind(py))?;
            heavy.offer(py, probe, heavy.table.estimate(probe), || Ok(key))?;
        }
        Ok(heavy)
    }
}

type State<'py> = (usize, Bound<'py, PyBytes>, Vec<Py<PyAny>>);

impl HeavyHitters {
    fn count_chunks(
        &self,
        py: Python<'_>,
        chunks: &Chunks,
        weight: &mut impl FnMut() -> PyResult<u64>,
    ) -> PyResult<()> {
        chunks.each(&self.hasher, |probe, column, n| {
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
        let turn = self.table.turn_attached(py);
        self.table.add(&turn, probe, count);
        drop(turn);
        self.offer(py, probe, self.table.estimate(probe), key)
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
