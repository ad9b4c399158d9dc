//! The counters, and the lock that those who change them take.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use super::keys::Probe;

/// A slip of the keyboard shall raise an error, not exhaust the machine.
const MAX_CELLS: usize = 1 << 28;
const LIMITS: &str = "width and depth must be at least 1, width * depth at most 2**28";

/// Keys counted in one go: few enough for their ways to stay in the fastest cache.
pub const BLOCK: usize = 256;

/// `depth` rows of `width` counters, one after the other.
///
/// Whoever changes counters holds the lock, for a key or a block of keys, and never while Python
/// code can run. A plain addition costs a fifth of an atomic one, and one lock serves all rows.
/// Readers take no lock: a counter is an atomic, of which they see a value before or after.
pub struct Table {
    pub width: usize,
    pub depth: usize,
    pub conservative: bool,
    pub cells: Cells,
    ledger: Mutex<Ledger>,
}

pub enum Cells {
    Narrow(Vec<AtomicU32>),
    Wide(Vec<AtomicU64>),
}

/// What is known of the counters as a whole.
#[derive(Default)]
pub struct Ledger {
    pub total: u64,
    /// No counter is higher. Below the highest count of a counter, none can get full, and adding need not
    /// look.
    ceiling: u64,
}

impl Ledger {
    fn grow(&mut self, count: u64) {
        self.total = self.total.saturating_add(count);
        self.ceiling = self.ceiling.saturating_add(count);
    }
}

/// A counter of 32 or 64 bits; the ordering of accesses is the lock's business.
pub trait Counter: Default {
    const FULL: u64;
    fn get(&self) -> u64;
    /// Expects at most `FULL`.
    fn set(&self, value: u64);
}

impl Counter for AtomicU32 {
    const FULL: u64 = u32::MAX as u64;

    #[inline(always)]
    fn get(&self) -> u64 {
        self.load(Relaxed).into()
    }

    #[inline(always)]
    fn set(&self, value: u64) {
        self.store(value as u32, Relaxed);
    }
}

impl Counter for AtomicU64 {
    const FULL: u64 = u64::MAX;

    #[inline(always)]
    fn get(&self) -> u64 {
        self.load(Relaxed)
    }

    #[inline(always)]
    fn set(&self, value: u64) {
        self.store(value, Relaxed);
    }
}

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
    pub fn new(width: usize, depth: usize, conservative: bool, wide: bool) -> PyResult<Self> {
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
            ledger: Mutex::default(),
        })
    }

    /// The lock, for threads that have let go of the GIL.
    pub fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, for threads that hold the GIL: they let go of it for as long as they must wait.
    #[inline]
    pub fn lock_attached(&self, py: Python<'_>) -> MutexGuard<'_, Ledger> {
        let locked = self.ledger.lock_py_attached(py);
        locked.unwrap_or_else(PoisonError::into_inner)
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

    /// Counts one key.
    #[inline]
    pub fn add(&self, ledger: &mut Ledger, probe: Probe, count: u64) {
        ledger.grow(count);
        each_width!(self, cells => if self.conservative {
            raise(cells, self.width, probe, count);
        } else {
            bump(cells, self.width, probe, count);
        });
    }

    /// Counts a block of keys, each once or as often as its weight says.
    pub fn add_block(&self, ledger: &mut Ledger, block: &mut [Probe], weights: Option<&[u64]>) {
        let sum = match weights {
            Some(weights) => weights.iter().fold(0u64, |sum, &w| sum.saturating_add(w)),
            None => block.len() as u64,
        };
        ledger.grow(sum);
        each_width!(self, cells => add_block(self, cells, ledger.ceiling, block, weights));
    }

    /// The smallest of a key's counters.
    #[inline]
    pub fn estimate(&self, mut probe: Probe) -> u64 {
        each_width!(self, cells => {
            let rows = cells.chunks_exact(self.width);
            rows.fold(u64::MAX, |least, row| least.min(row[probe.next(row.len())].get()))
        })
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
    pub fn take(&self, ledger: &mut Ledger, mut probe: Probe, count: u64) -> Result<(), u64> {
        let estimate = self.estimate(probe);
        if estimate < count {
            return Err(estimate);
        }
        ledger.total = ledger.total.saturating_sub(count);
        each_width!(self, cells => for row in cells.chunks_exact(self.width) {
            lower(&row[probe.next(row.len())], count);
        });
        Ok(())
    }

    /// Adds `weight` times the counts of a table of the same shape.
    pub fn merge(&self, other: &Table, weight: u64) {
        if std::ptr::eq(self, other) {
            let mut ledger = self.lock();
            let (total, ceiling) = (ledger.total, ledger.ceiling);
            return self.absorb(&mut ledger, (total, ceiling), self, weight);
        }
        // Always in the order of addresses, so that two merges in opposite directions do not wait
        // for each other.
        let (mut mine, theirs) = if std::ptr::from_ref(self) < other {
            let mine = self.lock();
            (mine, other.lock())
        } else {
            let theirs = other.lock();
            (self.lock(), theirs)
        };
        self.absorb(&mut mine, (theirs.total, theirs.ceiling), other, weight);
    }

    fn absorb(&self, ledger: &mut Ledger, theirs: (u64, u64), other: &Table, weight: u64) {
        let (total, ceiling) = (
            theirs.0.saturating_mul(weight),
            theirs.1.saturating_mul(weight),
        );
        ledger.total = ledger.total.saturating_add(total);
        ledger.ceiling = ledger.ceiling.saturating_add(ceiling);
        match (&self.cells, &other.cells) {
            (Cells::Narrow(mine), Cells::Narrow(theirs)) => absorb(mine, theirs, weight),
            (Cells::Wide(mine), Cells::Wide(theirs)) => absorb(mine, theirs, weight),
            _ => unreachable!("tables of unequal counters are not merged"),
        }
    }

    /// Halves all counts, rounding down.
    pub fn halve(&self) {
        let mut ledger = self.lock();
        ledger.total /= 2;
        each_width!(self, cells => {
            ledger.ceiling = ledger.ceiling.min(full(cells)) / 2;
            cells.iter().for_each(|cell| cell.set(cell.get() / 2));
        });
    }

    pub fn clear(&self) {
        let mut ledger = self.lock();
        *ledger = Ledger::default();
        each_width!(self, cells => cells.iter().for_each(|cell| cell.set(0)));
    }

    /// Sets the counters to what a saved table had.
    pub fn restore(&self, total: u64, cells: &[u8]) {
        let mut ledger = self.lock();
        let size = self.bits() / 8;
        let values = cells.chunks_exact(size).map(|bytes| {
            let mut value = [0; 8];
            value[..size].copy_from_slice(bytes);
            u64::from_le_bytes(value)
        });
        let mut ceiling = 0;
        each_width!(self, cells => for (cell, value) in cells.iter().zip(values) {
            cell.set(value);
            ceiling = ceiling.max(value);
        });
        *ledger = Ledger { total, ceiling };
    }
}

fn zeros<C: Counter>(size: usize) -> PyResult<Vec<C>> {
    let mut cells = Vec::new();
    let reserved = cells.try_reserve_exact(size);
    reserved.map_err(|error| PyMemoryError::new_err(error.to_string()))?;
    cells.resize_with(size, C::default);
    Ok(cells)
}

fn full<C: Counter>(_: &[C]) -> u64 {
    C::FULL
}

/// Adds, and stops at a full counter.
#[inline(always)]
fn saturate<C: Counter>(cell: &C, count: u64) {
    cell.set(cell.get().saturating_add(count).min(C::FULL));
}

/// A full counter has forgotten how far it should be, and stays where it is.
fn lower<C: Counter>(cell: &C, count: u64) {
    let value = cell.get();
    if value != C::FULL {
        cell.set(value - count);
    }
}

#[inline(always)]
fn bump<C: Counter>(cells: &[C], width: usize, mut probe: Probe, count: u64) {
    for row in cells.chunks_exact(width) {
        saturate(&row[probe.next(row.len())], count);
    }
}

/// Conservative update: raises only the counters that are below the new estimate. Source: C. Estan
/// and G. Varghese, "New directions in traffic measurement and accounting", SIGCOMM 2002.
fn raise<C: Counter>(cells: &[C], width: usize, probe: Probe, count: u64) {
    let mut look = probe;
    let rows = cells.chunks_exact(width);
    let least = rows.fold(u64::MAX, |least, row| {
        least.min(row[look.next(row.len())].get())
    });
    let (estimate, mut probe) = (least.saturating_add(count).min(C::FULL), probe);
    for row in cells.chunks_exact(width) {
        let cell = &row[probe.next(row.len())];
        cell.set(cell.get().max(estimate));
    }
}

fn add_block<C: Counter>(
    table: &Table,
    cells: &[C],
    ceiling: u64,
    block: &mut [Probe],
    weights: Option<&[u64]>,
) {
    let weight = |n: usize| weights.map_or(1, |weights| weights[n]);
    if table.conservative {
        for (n, &mut probe) in block.iter_mut().enumerate() {
            raise(cells, table.width, probe, weight(n));
        }
        return;
    }
    // Row by row, not key by key: the processor works on many keys at once, and waits for the
    // memory of many at once where the table is larger than the caches.
    for row in cells.chunks_exact(table.width) {
        match weights {
            None if ceiling < C::FULL => {
                for probe in &mut *block {
                    let cell = &row[probe.next(row.len())];
                    cell.set(cell.get().wrapping_add(1));
                }
            }
            _ => {
                for (n, probe) in block.iter_mut().enumerate() {
                    saturate(&row[probe.next(row.len())], weight(n));
                }
            }
        }
    }
}

fn absorb<C: Counter>(mine: &[C], theirs: &[C], weight: u64) {
    for (cell, more) in mine.iter().zip(theirs) {
        saturate(cell, more.get().saturating_mul(weight));
    }
}
