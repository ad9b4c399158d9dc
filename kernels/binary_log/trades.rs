//! Made-up trades, to try a reader on.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;

use crate::draft::Draft;
use crate::format::{Entry, Fault, Kind, TIMESTAMP, Value};

/// Sizes of a trade and how often each occurs, in 64ths.
const SIZES: [(i64, u64); 8] = [
    (1, 20),
    (2, 12),
    (5, 10),
    (10, 9),
    (20, 6),
    (50, 4),
    (100, 2),
    (500, 1),
];

/// Rows between two looks at pending signals, about a tenth of a second.
const ROWS_BETWEEN_SIGNALS: u64 = 1_000_000;

/// 2020-01-01 00:00 UTC in nanoseconds since 1970.
const START: i64 = 1_577_836_800_000_000_000;

/// Write a log of made-up trades with the columns "price", "size" and "signal".
///
/// Timestamps rise by up to 2 ms from row to row; the price (float64) moves in steps of 0.01; the
/// size (int64) is one of 1, 2, 5, 10, 20, 50, 100 and 500, small ones more often; the signal
/// (float64) falls back towards 0 and rises with each trade, with larger ones more. The same seed
/// gives the same bytes on every machine. The random numbers are those of SplitMix64, from G. L.
/// Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
///
/// `rows` is their number, 0 or more, `seed` any number of 64 bits. The GIL is released. Raises
/// OverflowError for numbers out of range, OSError if the file cannot be written, and as with
/// `RowWriter` no half of a log is left under its name.
#[pyfunction]
#[pyo3(signature = (path, rows, seed = 0))]
pub fn write_trades(py: Python<'_>, path: PathBuf, rows: u64, seed: u64) -> PyResult<()> {
    let raise = |fault: Fault| fault.raise(py, &path);
    let mut market = Market::open(&path, seed).map_err(raise)?;
    let mut left = rows;
    while left > 0 {
        let batch = left.min(ROWS_BETWEEN_SIGNALS);
        py.detach(|| market.trade(batch)).map_err(raise)?;
        py.check_signals()?;
        left -= batch;
    }
    py.detach(|| market.log.finish()).map_err(raise)
}

struct Market {
    log: Draft,
    random: SplitMix64,
    timestamp: i64,
    /// In steps of 0.01.
    price: i64,
    signal: f64,
}

impl Market {
    fn open(path: &Path, seed: u64) -> Result<Self, Fault> {
        let columns = [
            (TIMESTAMP, Kind::Int),
            ("price", Kind::Float),
            ("size", Kind::Int),
            ("signal", Kind::Float),
        ];
        let table: Vec<Entry> = columns
            .into_iter()
            .zip(0..)
            .map(|((name, kind), id)| Entry {
                id,
                kind,
                name: name.to_owned(),
            })
            .collect();
        Ok(Self {
            log: Draft::create(path, &table)?,
            random: SplitMix64(seed),
            timestamp: START,
            price: 10_000,
            signal: 0.0,
        })
    }

    fn trade(&mut self, rows: u64) -> Result<(), Fault> {
        for _ in 0..rows {
            self.timestamp += self.random.below(2_000_000) as i64 + 1;
            let step = self.random.below(5) as i64 - 2;
            self.price = (self.price + step).max(1);
            let size = self.size();
            let noise = self.random.below(2001) as f64 / 1000.0 - 1.0;
            // A root and no logarithm: it is the same to the last bit everywhere.
            self.signal = 0.95 * self.signal + 0.05 * ((size as f64).sqrt() - 3.0) + 0.1 * noise;
            let values = [
                Value::Int(self.timestamp),
                Value::Float(self.price as f64 / 100.0),
                Value::Int(size),
                Value::Float(self.signal),
            ];
            for (id, value) in (0_u16..).zip(values) {
                let [a, b] = id.to_le_bytes();
                let [c, d, e, f, g, h, i, j] = value.encode();
                self.log.write(&[a, b, c, d, e, f, g, h, i, j])?;
            }
        }
        Ok(())
    }

    fn size(&mut self) -> i64 {
        let mut ticket = self.random.below(64);
        for (size, share) in SIZES {
            if ticket < share {
                return size;
            }
            ticket -= share;
        }
        unreachable!("the shares add up to 64")
    }
}

struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end` - 1; for these small ends the bias is beyond notice.
    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }
}
