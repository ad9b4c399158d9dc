//! The matrix of all pairs of two lists, computed in tiles by several threads.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use super::damerau;
use super::jaro::{self, Variant};
use super::levenshtein::{self, Lanes, Word};
use super::symbols::Words;

/// Enough columns to fill the lanes with patterns of about the same length, and few enough for a
/// tile to stay in a processor's cache.
const TILE_COLUMNS: usize = 2048;
/// Enough rows for the tables of the patterns to pay, and few enough for all threads to get some.
const TILE_ROWS_MIN: usize = 16;
const TILE_ROWS_MAX: usize = 256;
/// Up to as many pairs of symbols, a call is over before a thread has started.
const SMALL: usize = 1 << 16;
/// How long a Ctrl-C may wait.
const BETWEEN_SIGNALS: Duration = Duration::from_millis(100);

/// How many edits apart.
#[derive(Clone, Copy)]
pub enum Distance {
    Levenshtein,
    DamerauLevenshtein,
    Hamming,
}

/// Two lists of words over one alphabet, and how to share the work.
pub struct Job {
    pub left: Words,
    pub right: Words,
    pub alphabet: usize,
    pub threads: usize,
}

/// Says that the work was stopped before its end.
pub struct Stopped;

/// Tells all threads to stop.
#[derive(Default)]
pub struct Stop(AtomicBool);

/// A part of the matrix: pieces of neighbouring rows, all of the same columns.
struct Tile<'a, T> {
    first_row: usize,
    first_column: usize,
    rows: Vec<&'a mut [T]>,
}

impl Job {
    /// Fill the matrix with distances, those above the cutoff as one more than it.
    pub fn distances(&self, matrix: &mut [u32], metric: Distance, cutoff: u32) -> PyResult<()> {
        self.run(matrix, |tile, stop| {
            let store = |cell: &mut u32, distance: usize| {
                let distance = u32::try_from(distance).unwrap_or(u32::MAX);
                *cell = distance.min(cutoff.saturating_add(1));
            };
            match metric {
                Distance::Levenshtein => self.levenshtein(tile, &store, stop),
                Distance::DamerauLevenshtein => {
                    let mut columns = Vec::new();
                    self.each(tile, stop, |a, b, cell| {
                        store(
                            cell,
                            damerau::distance(a, b, &mut columns, &|| stop.check())?,
                        );
                        Ok(())
                    })
                }
                Distance::Hamming => self.each(tile, stop, |a, b, cell| {
                    store(cell, levenshtein::hamming(a, b));
                    Ok(())
                }),
            }
        })
    }

    /// Fill the matrix with similarities, those below the cutoff as 0.
    pub fn similarities(&self, matrix: &mut [f64], variant: Variant, cutoff: f64) -> PyResult<()> {
        let store = |cell: &mut f64, similarity: f64| {
            *cell = if similarity < cutoff { 0.0 } else { similarity };
        };
        self.run(matrix, |tile, stop| {
            let mut masks = vec![0_u64; self.alphabet];
            for column in 0..tile.columns() {
                let b = self.right.get(tile.first_column + column);
                if b.len() <= 64 {
                    for (place, &symbol) in b.iter().enumerate() {
                        masks[symbol as usize] |= 1 << place;
                    }
                }
                for (row, cells) in (tile.first_row..).zip(&mut tile.rows) {
                    let a = self.left.get(row);
                    let similarity = if b.len() <= 64 {
                        jaro::similarity_to_short(a, b, |s| masks[s as usize], variant)
                    } else {
                        jaro::similarity(a, b, variant)
                    };
                    store(&mut cells[column], similarity);
                }
                for &symbol in b {
                    masks[symbol as usize] = 0;
                }
                stop.check()?;
            }
            Ok(())
        })
    }

    /// Patterns of about the same length share a register, in words as short as that length allows.
    fn levenshtein(
        &self,
        tile: &mut Tile<'_, u32>,
        store: &impl Fn(&mut u32, usize),
        stop: &Stop,
    ) -> Result<(), Stopped> {
        let len = |column: &usize| self.right.get(*column).len();
        let mut order: Vec<usize> = (tile.first_column..).take(tile.columns()).collect();
        order.sort_unstable_by_key(len);
        let (tiny, order) = order.split_at(order.partition_point(|column| len(column) <= 8));
        let (short, order) = order.split_at(order.partition_point(|column| len(column) <= 16));
        let (middle, order) = order.split_at(order.partition_point(|column| len(column) <= 32));
        let (long, order) = order.split_at(order.partition_point(|column| len(column) <= 64));
        self.in_lanes::<u8, 64>(tiny, tile, store, stop)?;
        self.in_lanes::<u16, 32>(short, tile, store, stop)?;
        self.in_lanes::<u32, 16>(middle, tile, store, stop)?;
        self.in_lanes::<u64, 8>(long, tile, store, stop)?;
        for &column in order {
            let b = self.right.get(column);
            for (row, cells) in (tile.first_row..).zip(&mut tile.rows) {
                let distance = levenshtein::distance(self.left.get(row), b, &|| stop.check())?;
                store(&mut cells[column - tile.first_column], distance);
            }
        }
        Ok(())
    }

    fn in_lanes<W: Word, const LANES: usize>(
        &self,
        columns: &[usize],
        tile: &mut Tile<'_, u32>,
        store: &impl Fn(&mut u32, usize),
        stop: &Stop,
    ) -> Result<(), Stopped> {
        if columns.is_empty() {
            return Ok(());
        }
        let mut lanes = Lanes::<W, LANES>::new(self.alphabet);
        for columns in columns.chunks(LANES) {
            lanes.load(&self.right, columns);
            for (row, cells) in (tile.first_row..).zip(&mut tile.rows) {
                let distances = lanes.distances(self.left.get(row));
                for (&column, distance) in columns.iter().zip(distances) {
                    store(&mut cells[column - tile.first_column], distance);
                }
                stop.check()?;
            }
            lanes.unload(&self.right, columns);
        }
        Ok(())
    }

    /// Compute the cells of a tile one by one.
    fn each<T>(
        &self,
        tile: &mut Tile<'_, T>,
        stop: &Stop,
        mut compute: impl FnMut(&[u32], &[u32], &mut T) -> Result<(), Stopped>,
    ) -> Result<(), Stopped> {
        for (row, cells) in (tile.first_row..).zip(&mut tile.rows) {
            stop.check()?;
            for (column, cell) in (tile.first_column..).zip(cells.iter_mut()) {
                compute(self.left.get(row), self.right.get(column), cell)?;
            }
        }
        Ok(())
    }

    /// Let threads of their own compute the tiles, while this one looks for signals.
    ///
    /// Each call starts its threads anew: those of a pool that lives on would be missing in a forked
    /// process.
    fn run<T: Send>(
        &self,
        matrix: &mut [T],
        work: impl Fn(&mut Tile<'_, T>, &Stop) -> Result<(), Stopped> + Sync,
    ) -> PyResult<()> {
        let stop = Stop::default();
        let work = |mut tile: Tile<'_, T>| {
            // An error only says that the work was stopped, and whoever did that knows.
            let _ = work(&mut tile, &stop);
        };
        let tiles = self.tiles(matrix);
        let of_all_pairs = self.left.size().saturating_mul(self.right.size());
        if of_all_pairs <= SMALL {
            tiles.into_iter().for_each(work);
            return Ok(());
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(self.threads.min(tiles.len()))
            .build()
            .map_err(|error| PyRuntimeError::new_err(format!("cannot start threads: {error}")))?;
        pool.in_place_scope(|scope| {
            let (running, finished) = channel::<()>();
            scope.spawn(|_| {
                tiles.into_par_iter().for_each(work);
                drop(running);
            });
            while finished.recv_timeout(BETWEEN_SIGNALS) == Err(RecvTimeoutError::Timeout) {
                Python::attach(|py| py.check_signals())
                    .inspect_err(|_| stop.0.store(true, Relaxed))?;
            }
            Ok(())
        })
    }

    fn tiles<'a, T>(&self, matrix: &'a mut [T]) -> Vec<Tile<'a, T>> {
        let (rows, columns) = (self.left.len(), self.right.len());
        let across = columns.div_ceil(TILE_COLUMNS);
        // Some tiles for each thread, as they take unequal times.
        let height = (rows * across).div_ceil(self.threads.saturating_mul(4));
        let height = height.clamp(TILE_ROWS_MIN, TILE_ROWS_MAX);
        let mut tiles = Vec::new();
        if matrix.is_empty() {
            return tiles;
        }
        for (strip, first_row) in matrix
            .chunks_mut(height * columns)
            .zip((0..).step_by(height))
        {
            let first_tile = tiles.len();
            tiles.extend((0..columns).step_by(TILE_COLUMNS).map(|first_column| Tile {
                first_row,
                first_column,
                rows: Vec::with_capacity(height),
            }));
            for row in strip.chunks_mut(columns) {
                for (tile, piece) in tiles[first_tile..]
                    .iter_mut()
                    .zip(row.chunks_mut(TILE_COLUMNS))
                {
                    tile.rows.push(piece);
                }
            }
        }
        tiles
    }
}

impl Stop {
    fn check(&self) -> Result<(), Stopped> {
        if self.0.load(Relaxed) {
            Err(Stopped)
        } else {
            Ok(())
        }
    }
}

impl<T> Tile<'_, T> {
    fn columns(&self) -> usize {
        self.rows.first().map_or(0, |row| row.len())
    }
}
