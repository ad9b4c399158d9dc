//! A counter, and what is done to those of one key.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::keys::Probe;

/// A counter of 32 or 64 bits, at zero where all its bytes are; the ordering of accesses is the lock's business.
pub trait Counter {
    /// What it is where nobody shares it: it lies in memory in the same way.
    type Plain: Copy;
    const FULL: u64;
    const SIZE: usize;
    fn get(&self) -> u64;
    /// Expects at most `FULL`.
    fn set(&self, value: u64);
    /// The sum, or a full counter.
    fn sum(one: Self::Plain, other: Self::Plain) -> Self::Plain;
}

impl Counter for AtomicU32 {
    type Plain = u32;
    const FULL: u64 = u32::MAX as u64;
    const SIZE: usize = 4;

    #[inline(always)]
    fn get(&self) -> u64 {
        self.load(Relaxed).into()
    }

    #[inline(always)]
    fn set(&self, value: u64) {
        self.store(value as u32, Relaxed);
    }

    #[inline(always)]
    fn sum(one: Self::Plain, other: Self::Plain) -> Self::Plain {
        one.saturating_add(other)
    }
}

impl Counter for AtomicU64 {
    type Plain = u64;
    const FULL: u64 = u64::MAX;
    const SIZE: usize = 8;

    #[inline(always)]
    fn get(&self) -> u64 {
        self.load(Relaxed)
    }

    #[inline(always)]
    fn set(&self, value: u64) {
        self.store(value, Relaxed);
    }

    #[inline(always)]
    fn sum(one: Self::Plain, other: Self::Plain) -> Self::Plain {
        one.saturating_add(other)
    }
}

pub fn full<C: Counter>(_: &[C]) -> u64 {
    C::FULL
}

/// Adds, and stops at a full counter.
#[inline(always)]
pub fn saturate<C: Counter>(cell: &C, count: u64) {
    cell.set(cell.get().saturating_add(count).min(C::FULL));
}

/// A full counter has forgotten how far it should be, and stays where it is.
pub fn lower<C: Counter>(cell: &C, count: u64) {
    let value = cell.get();
    if value != C::FULL {
        cell.set(value - count);
    }
}

/// A key's counter in each row. Iterators over chunks or steps begin with a division, which takes as
/// long as all the rest; this one does not.
#[inline(always)]
pub fn own<C>(
    cells: &[C],
    (width, depth): (usize, usize),
    mut probe: Probe,
) -> impl Iterator<Item = &C> {
    (0..depth).map(move |row| &cells[row * width + probe.next(width)])
}

#[inline(always)]
pub fn bump<C: Counter>(
    cells: &[C],
    shape: (usize, usize),
    ceiling: u64,
    probe: Probe,
    count: u64,
) {
    if ceiling < C::FULL {
        own(cells, shape, probe).for_each(|cell| cell.set(cell.get().wrapping_add(count)));
    } else {
        own(cells, shape, probe).for_each(|cell| saturate(cell, count));
    }
}

#[inline(always)]
pub fn least<C: Counter>(cells: &[C], shape: (usize, usize), probe: Probe) -> u64 {
    own(cells, shape, probe).fold(u64::MAX, |least, cell| least.min(cell.get()))
}

/// Conservative update: raises only the counters that are below the new estimate. Source: C. Estan
/// and G. Varghese, "New directions in traffic measurement and accounting", SIGCOMM 2002.
pub fn raise<C: Counter>(cells: &[C], shape: (usize, usize), probe: Probe, count: u64) {
    let estimate = least(cells, shape, probe)
        .saturating_add(count)
        .min(C::FULL);
    own(cells, shape, probe).for_each(|cell| cell.set(cell.get().max(estimate)));
}

/// Adds counters to those at the same places.
pub fn absorb<C: Counter>(mine: &[C], theirs: &[C], weight: u64) {
    for (cell, more) in mine.iter().zip(theirs) {
        saturate(cell, more.get().saturating_mul(weight));
    }
}

/// Sets counters to the sums of those at the same places, many at a time, as no atomic can be.
///
/// # Safety
///
/// Nobody changes any of them meanwhile, and nobody else knows of the first yet.
pub unsafe fn sum<C: Counter>(target: &[C], one: &[C], other: &[C]) {
    let len = target.len().min(one.len()).min(other.len());
    // SAFETY: they are as long, and the same in memory; the rest is the caller's promise.
    let (target, one, other) = unsafe {
        (
            std::slice::from_raw_parts_mut(target.as_ptr().cast_mut().cast::<C::Plain>(), len),
            std::slice::from_raw_parts(one.as_ptr().cast::<C::Plain>(), len),
            std::slice::from_raw_parts(other.as_ptr().cast::<C::Plain>(), len),
        )
    };
    for ((target, &one), &other) in target.iter_mut().zip(one).zip(other) {
        *target = C::sum(one, other);
    }
}

/// Writes counters as bytes, the lowest first.
pub fn spill<C: Counter>(cells: &[C], bytes: &mut [u8]) {
    for (target, cell) in bytes.chunks_exact_mut(C::SIZE).zip(cells) {
        target.copy_from_slice(&cell.get().to_le_bytes()[..C::SIZE]);
    }
}

/// Sets counters to such bytes, and returns the highest.
pub fn fill<C: Counter>(cells: &[C], bytes: &[u8]) -> u64 {
    let mut highest = 0;
    for (cell, bytes) in cells.iter().zip(bytes.chunks_exact(C::SIZE)) {
        let mut value = [0; 8];
        value[..C::SIZE].copy_from_slice(bytes);
        let value = u64::from_le_bytes(value);
        cell.set(value);
        highest = highest.max(value);
    }
    highest
}
