//! Orbits of the map that advance side by side in vector registers.
//!
//! The loops over the lanes are plain Rust, of a length that the compiler knows: it unrolls them and
//! takes the widest vectors that the processor has. It fuses no multiplication with an addition and
//! reorders nothing, so every lane has the bits that a loop over its orbit alone would give.

use std::array::from_fn;
use std::f64::consts::LN_2;
use std::ops::Range;

/// Orbits that advance together: enough for the steps of the others to fill the time in which one
/// waits for its own last step, and not more than the vector registers hold.
pub const LANES: usize = 32;
/// The same where no more are left: they take hardly longer than a single orbit would.
const FEW_LANES: usize = 8;

/// Factors below 2 whose product cannot overflow.
const STEPS_PER_PRODUCT: u64 = 1000;
/// Steps that are kept before they are written, so that each row gets whole cache lines.
const TILE: usize = 32;

/// The parts of a float64 that is neither zero, subnormal, infinite nor nan.
const MANTISSA: u64 = (1 << 52) - 1;
const ONE: u64 = 1023 << 52;

/// Orbits that advance together, at most `LANES`.
pub struct Orbits<'a> {
    rs: &'a [f64],
    xs: &'a mut [f64],
}

/// Divide orbits that all start at `x` into groups; `xs` is where their x will be kept.
pub fn groups<'a>(rs: &'a [f64], xs: &'a mut [f64], x: f64) -> Vec<Orbits<'a>> {
    xs.fill(x);
    let groups = rs.chunks(LANES).zip(xs.chunks_mut(LANES));
    groups.map(|(rs, xs)| Orbits { rs, xs }).collect()
}

/// One round. All results rest on this order of operations, which is that of `logistic`.
#[inline(always)]
pub fn step(r: f64, x: f64) -> f64 {
    r * x * (1.0 - x)
}

impl Orbits<'_> {
    /// Advance all of them.
    pub fn advance(&mut self, steps: u64) {
        match self.rs.len() {
            ..=FEW_LANES => self.advance_lanes::<FEW_LANES>(steps),
            _ => self.advance_lanes::<LANES>(steps),
        }
    }

    /// Advance, and write the value of each step into a column of `rows`, which are `width` long.
    pub fn record(&mut self, rows: &mut [f64], width: usize, columns: Range<usize>) {
        match self.rs.len() {
            ..=FEW_LANES => self.record_lanes::<FEW_LANES>(rows, width, columns),
            _ => self.record_lanes::<LANES>(rows, width, columns),
        }
    }

    /// Advance, and add ln |r (1 - 2 x)| of each step to `sums`.
    pub fn stretch(&mut self, sums: &mut [f64], steps: u64) {
        match self.rs.len() {
            ..=FEW_LANES => self.stretch_lanes::<FEW_LANES>(sums, steps),
            _ => self.stretch_lanes::<LANES>(sums, steps),
        }
    }

    fn advance_lanes<const N: usize>(&mut self, steps: u64) {
        let (r, mut x) = self.lanes::<N>();
        for _ in 0..steps {
            for i in 0..N {
                x[i] = step(r[i], x[i]);
            }
        }
        self.keep(&x);
    }

    fn record_lanes<const N: usize>(
        &mut self,
        rows: &mut [f64],
        width: usize,
        columns: Range<usize>,
    ) {
        let (r, mut x) = self.lanes::<N>();
        let mut tile = [[0.0; N]; TILE];
        for first in columns.clone().step_by(TILE) {
            let count = TILE.min(columns.end - first);
            for values in &mut tile[..count] {
                for i in 0..N {
                    x[i] = step(r[i], x[i]);
                }
                *values = x;
            }
            for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                let turned: [f64; TILE] = from_fn(|j| tile[j][i]);
                row[first..first + count].copy_from_slice(&turned[..count]);
            }
        }
        self.keep(&x);
    }

    /// A logarithm takes as long as dozens of steps. So the factors are multiplied, as their
    /// exponents, which are added, and their mantissas, whose product stays in range.
    fn stretch_lanes<const N: usize>(&mut self, sums: &mut [f64], mut steps: u64) {
        let (r, mut x) = self.lanes::<N>();
        while steps > 0 {
            let part = steps.min(STEPS_PER_PRODUCT);
            let start = x;
            let (mut product, mut exponent) = ([1.0; N], [0; N]);
            let (mut least, mut total) = ([f64::INFINITY; N], [0.0; N]);
            for _ in 0..part {
                for i in 0..N {
                    let factor = slope(r[i], x[i]);
                    product[i] *= f64::from_bits(factor.to_bits() & MANTISSA | ONE);
                    exponent[i] += factor.to_bits() >> 52;
                    least[i] = if factor < least[i] { factor } else { least[i] };
                    total[i] += factor;
                    x[i] = step(r[i], x[i]);
                }
            }
            for (i, sum) in sums.iter_mut().enumerate() {
                // One infinite or nan factor shows in their sum.
                let normal = least[i] >= f64::MIN_POSITIVE && total[i].is_finite();
                *sum += if normal {
                    let exponent = exponent[i] as i64 - 1023 * part as i64;
                    exponent as f64 * LN_2 + product[i].ln()
                } else {
                    stretch_alone(r[i], start[i], part)
                };
            }
            steps -= part;
        }
        self.keep(&x);
    }

    /// All r and x, filled up with orbits that stay at 0.
    fn lanes<const N: usize>(&self) -> ([f64; N], [f64; N]) {
        let (mut r, mut x) = ([0.0; N], [0.0; N]);
        r[..self.rs.len()].copy_from_slice(self.rs);
        x[..self.xs.len()].copy_from_slice(self.xs);
        (r, x)
    }

    fn keep(&mut self, x: &[f64]) {
        self.xs.copy_from_slice(&x[..self.xs.len()]);
    }
}

/// What the map does to a small distance at x.
#[inline(always)]
fn slope(r: f64, x: f64) -> f64 {
    (r * (1.0 - 2.0 * x)).abs()
}

/// The sum of the logarithms where a factor is zero, subnormal, infinite or nan.
fn stretch_alone(r: f64, mut x: f64, steps: u64) -> f64 {
    let mut sum = 0.0;
    for _ in 0..steps {
        sum += slope(r, x).ln();
        x = step(r, x);
    }
    sum
}
