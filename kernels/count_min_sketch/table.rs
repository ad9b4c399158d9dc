//! The counters, and the lock that those who change them take.

use std::alloc::{Layout, alloc_zeroed};
use std::cmp::Ordering::{Equal, Greater, Less};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use super::counter::{Counter, absorb, bump, fill, full, least, lower, own, raise, saturate, sum};
use super::keys::Probe;

/// A slip of the keyboard shall raise an error, not exhaust the machine.
const MAX_CELLS: usize = 1 << 28;
const LIMITS: &str = "width and depth must be at least 1, width * depth at most 2**28";

/// Keys counted in one go: few enough for their ways to stay in the fastest cache.
pub const BLOCK: usize = 256;

/// Counters of which most lie in a cache that answers at once.
const NEAR: usize = 1 << 18;

/// `depth` rows of `width` counters, one after the other.
///
/// Only one thread at a time changes counters, with plain additions, which cost a fifth of atomic
/// ones. As long as all threads hold the GIL when they do, that is enough. While one works without
/// it, all lock for each key or block of keys, and never while Python code can run. Readers do not:
/// a counter is an atomic, of which they see a value before or after.
pub struct Table {
    pub width: usize,
    pub depth: usize,
    pub conservative: bool,
    pub cells: Cells,
    /// Sum of all counts.
    total: AtomicU64,
    /// No counter is higher. Below the highest count of a counter, none can get full, and adding
    /// need not look.
    ceiling: AtomicU64,
    lock: Mutex<()>,
    /// Threads at work without the GIL. It changes only under the GIL; in a Python without one it
    /// is never zero.
    detached: AtomicUsize,
}

pub enum Cells {
    Narrow(Vec<AtomicU32>),
    Wide(Vec<AtomicU64>),
}

/// The right to change counters: the lock, or none where the GIL is as good.
pub type Turn<'a> = Option<MutexGuard<'a, ()>>;

/// Runs the same code for both widths of counter.
macro_rules! each_width {
    ($table:expr, $cells:ident => $code:expr) => {
        match &$table.cells {
            Cells::Narrow($cells) => $code,
            Cells::Wide($cells) => $code,
        }
    };
}
pub(crate) use each_width;

impl Table {
    pub fn new(
        py: Python<'_>,
        width: usize,
        depth: usize,
        conservative: bool,
        wide: bool,
    ) -> PyResult<Self> {
        let size = width
            .checked_mul(depth)
            .filter(|size| (1..=MAX_CELLS).contains(size))
            .ok_or_else(|| PyValueError::new_err(LIMITS))?;
        let cells = if wide {
            Cells::Wide(zeros(size)?)
        } else {
            Cells::Narrow(zeros(size)?)
        };
        Ok(Self {
            width,
            depth,
            conservative,
            cells,
            total: AtomicU64::new(0),
            ceiling: AtomicU64::new(0),
            lock: Mutex::new(()),
            detached: AtomicUsize::new(without_gil(py)?.into()),
        })
    }

    /// The right to change counters, for threads in `detach`.
    pub fn turn(&self) -> Turn<'_> {
        Some(self.lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The right to change counters, for threads that hold the GIL: they let go of it for as long as
    /// they must wait.
    #[inline]
    pub fn turn_attached(&self, py: Python<'_>) -> Turn<'_> {
        if self.detached.load(Relaxed) == 0 {
            return None;
        }
        let locked = self.lock.lock_py_attached(py);
        Some(locked.unwrap_or_else(PoisonError::into_inner))
    }

    /// Does work without the GIL, which takes a turn for each part.
    pub fn detach<R: Send>(&self, py: Python<'_>, work: impl FnOnce() -> R + Send) -> R {
        struct End<'a>(&'a AtomicUsize);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Relaxed);
            }
        }
        self.detached.fetch_add(1, Relaxed);
        let _end = End(&self.detached);
        py.detach(work)
    }

    pub fn total(&self) -> u64 {
        self.total.get()
    }

    #[inline(always)]
    fn grow(&self, count: u64) {
        saturate(&self.total, count);
        saturate(&self.ceiling, count);
    }

    /// Bits of a counter.
    pub fn bits(&self) -> usize {
        match self.cells {
            Cells::Narrow(_) => 32,
            Cells::Wide(_) => 64,
        }
    }

    pub fn len(&self) -> usize {
        self.width * self.depth
    }

    /// Bytes that the counters take.
    pub fn memory(&self) -> usize {
        self.len() * (self.bits() / 8)
    }

    fn shape(&self) -> (usize, usize) {
        (self.width, self.depth)
    }

    /// Counts one key.
    #[inline]
    pub fn add(&self, _turn: &Turn<'_>, probe: Probe, count: u64) {
        self.grow(count);
        each_width!(self, cells => if self.conservative {
            raise(cells, self.shape(), probe, count);
        } else {
            bump(cells, self.shape(), self.ceiling.get(), probe, count);
        });
    }

    /// Counts a block of keys, each once or as often as its weight says.
    pub fn add_block(&self, _turn: &Turn<'_>, block: &[Probe], weights: Option<&[u64]>) {
        let sum = match weights {
            Some(weights) => weights.iter().fold(0u64, |sum, &w| sum.saturating_add(w)),
            None => block.len() as u64,
        };
        self.grow(sum);
        each_width!(self, cells => add_block(self, cells, block, weights));
    }

    /// The smallest of a key's counters.
    #[inline]
    pub fn estimate(&self, probe: Probe) -> u64 {
        each_width!(self, cells => least(cells, self.shape(), probe))
    }

    /// The estimates of a block of keys.
    pub fn estimate_block(&self, block: &mut [Probe], counts: &mut [u64]) {
        counts.fill(u64::MAX);
        each_width!(self, cells => for row in cells.chunks_exact(self.width) {
            for (probe, least) in block.iter_mut().zip(&mut *counts) {
                *least = (*least).min(row[probe.next(row.len())].get());
            }
        });
    }

    /// Takes back `count` occurrences, or says how few the key has.
    pub fn take(&self, _turn: &Turn<'_>, probe: Probe, count: u64) -> Result<(), u64> {
        let estimate = self.estimate(probe);
        if estimate < count {
            return Err(estimate);
        }
        self.total.set(self.total().saturating_sub(count));
        each_width!(self, cells => own(cells, self.shape(), probe).for_each(|cell| lower(cell, count)));
        Ok(())
    }

    /// Adds `weight` times the counts of a table of the same shape.
    pub fn merge(&self, py: Python<'_>, other: &Table, weight: u64) {
        self.with(py, other, || {
            saturate(&self.total, other.total().saturating_mul(weight));
            saturate(&self.ceiling, other.ceiling.get().saturating_mul(weight));
            match (&self.cells, &other.cells) {
                (Cells::Narrow(mine), Cells::Narrow(theirs)) => absorb(mine, theirs, weight),
                (Cells::Wide(mine), Cells::Wide(theirs)) => absorb(mine, theirs, weight),
                _ => unreachable!("tables of unequal counters are not merged"),
            }
        });
    }

    /// Sets this table to the sum of two of the same shape.
    ///
    /// # Safety
    ///
    /// Nobody else knows of this table yet.
    pub unsafe fn become_sum(&self, py: Python<'_>, one: &Table, other: &Table) {
        one.with(py, other, || {
            for table in [one, other] {
                self.grow(table.total());
            }
            self.ceiling
                .set(one.ceiling.get().saturating_add(other.ceiling.get()));
            // SAFETY: whoever changes the counters of the two has to wait, and of these nobody knows.
            unsafe {
                match (&self.cells, &one.cells, &other.cells) {
                    (Cells::Narrow(mine), Cells::Narrow(one), Cells::Narrow(other)) => {
                        sum(mine, one, other)
                    }
                    (Cells::Wide(mine), Cells::Wide(one), Cells::Wide(other)) => {
                        sum(mine, one, other)
                    }
                    _ => unreachable!("tables of unequal counters are not merged"),
                }
            }
        });
    }

    /// Does work without the GIL while nobody else changes this table or another one.
    fn with<R: Send>(&self, py: Python<'_>, other: &Table, work: impl FnOnce() -> R + Send) -> R {
        other.detached.fetch_add(1, Relaxed);
        let found = self.detach(py, || {
            // Always in the order of addresses, so that two of these in opposite directions do not
            // wait for each other.
            let turns = match std::ptr::from_ref(self).cmp(&std::ptr::from_ref(other)) {
                Less => (self.turn(), other.turn()),
                Equal => (self.turn(), None),
                Greater => (other.turn(), self.turn()),
            };
            let found = work();
            drop(turns);
            found
        });
        other.detached.fetch_sub(1, Relaxed);
        found
    }

    /// Halves all counts, rounding down.
    pub fn halve(&self, py: Python<'_>) {
        self.detach(py, || {
            let _turn = self.turn();
            self.total.set(self.total() / 2);
            each_width!(self, cells => {
                self.ceiling.set(self.ceiling.get().min(full(cells)) / 2);
                cells.iter().for_each(|cell| cell.set(cell.get() / 2));
            });
        });
    }

    pub fn clear(&self, py: Python<'_>) {
        self.detach(py, || {
            let _turn = self.turn();
            self.total.set(0);
            self.ceiling.set(0);
            each_width!(self, cells => cells.iter().for_each(|cell| cell.set(0)));
        });
    }

    /// Sets the counters to what a saved table had.
    pub fn restore(&self, py: Python<'_>, total: u64, cells: &[u8]) {
        self.detach(py, || {
            let _turn = self.turn();
            self.ceiling
                .set(each_width!(self, counters => fill(counters, cells)));
            self.total.set(total);
        });
    }
}

/// Is this a Python whose threads never wait for each other? Its extensions have names of their own.
fn without_gil(py: Python<'_>) -> PyResult<bool> {
    let sys = py.import("sys")?;
    Ok(match sys.getattr_opt("abiflags")? {
        Some(flags) => flags.extract::<String>()?.contains('t'),
        // Windows has no such flags; where the question can be asked, a lock is always right.
        None => sys.hasattr("_is_gil_enabled")?,
    })
}

/// Counters that are all zero. Memory that is new is so already, and then is not written a second time.
fn zeros<C: Counter>(size: usize) -> PyResult<Vec<C>> {
    let text = format!("memory allocation failed: {} bytes", size * C::SIZE);
    let no_room = || PyMemoryError::new_err(text);
    let Ok(layout) = Layout::array::<C>(size) else {
        return Err(no_room());
    };
    // SAFETY: there is at least one counter, so the layout has a size.
    let first = unsafe { alloc_zeroed(layout) };
    if first.is_null() {
        return Err(no_room());
    }
    // SAFETY: the allocator's own memory of that layout, and zeros are counters at zero.
    Ok(unsafe { Vec::from_raw_parts(first.cast(), size, size) })
}

fn add_block<C: Counter>(table: &Table, cells: &[C], block: &[Probe], weights: Option<&[u64]>) {
    let weight = |n: usize| weights.map_or(1, |weights| weights[n]);
    if table.conservative {
        for (n, &probe) in block.iter().enumerate() {
            raise(cells, table.shape(), probe, weight(n));
        }
        return;
    }
    let simple = weights.is_none() && table.ceiling.get() < C::FULL;
    if simple && cells.len() <= NEAR {
        // Two keys at a time, so that the processor has something to do while it waits for a counter.
        let pairs = block.chunks_exact(2);
        let last = pairs.remainder();
        for pair in pairs {
            let [one, other] = [0, 1].map(|n| own(cells, table.shape(), pair[n]));
            let both = one.zip(other);
            both.for_each(|(one, other)| {
                one.set(one.get().wrapping_add(1));
                other.set(other.get().wrapping_add(1));
            });
        }
        for &probe in last {
            own(cells, table.shape(), probe).for_each(|cell| cell.set(cell.get().wrapping_add(1)));
        }
        return;
    }
    // Row by row, not key by key: the processor works on many keys at once, and waits for the
    // memory of many at once where the table is larger than the caches.
    let mut ways = [Probe::default(); BLOCK];
    let ways = &mut ways[..block.len()];
    ways.copy_from_slice(block);
    for row in cells.chunks_exact(table.width) {
        if simple {
            for probe in &mut *ways {
                let cell = &row[probe.next(row.len())];
                cell.set(cell.get().wrapping_add(1));
            }
        } else {
            for (n, probe) in ways.iter_mut().enumerate() {
                saturate(&row[probe.next(row.len())], weight(n));
            }
        }
    }
}
