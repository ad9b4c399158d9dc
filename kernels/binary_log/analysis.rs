//! What is computed over whole columns.

use std::cmp::Ordering;
use std::collections::{HashMap, TryReserveError};
use std::ops::AddAssign;

use foldhash::fast::RandomState;

use crate::format::Value;
use crate::log::{Column, Values};

/// Places that are kept at hand, a power of two.
const RECENT: usize = 256;

/// The multiplier of Fibonacci hashing, 2**64 divided by the golden ratio: it spreads neighbours.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// A comparison of a column's values with a number.
#[derive(Clone, Copy)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    /// Reads it as Python writes it.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            _ => return None,
        })
    }

    /// Whether it holds, given the order of both sides; there is none where one of them is nan.
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Less => order.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
        }
    }
}

/// The rows whose value in a column compares with `x`; a missing value compares with nothing.
pub fn rows_where(
    column: &Column,
    length: usize,
    comparison: Comparison,
    x: Value,
) -> Result<Vec<i64>, TryReserveError> {
    let gaps = gaps(column, length)?;
    let mut found = Vec::new();
    match column.values(length)? {
        Values::Int(values) => select(values, gaps, comparison, x, &mut found)?,
        Values::Float(values) => select(values, gaps, comparison, x, &mut found)?,
    }
    Ok(found)
}

fn select<N: Number>(
    values: &[N],
    gaps: Option<&[bool]>,
    comparison: Comparison,
    x: Value,
    found: &mut Vec<i64>,
) -> Result<(), TryReserveError> {
    for (row, value) in values.iter().enumerate() {
        if comparison.holds(value.compare(x)) && gaps.is_none_or(|mask| mask[row]) {
            if found.len() == found.capacity() {
                found.try_reserve(1)?;
            }
            found.push(row as i64);
        }
    }
    Ok(())
}

/// A value of the column grouped by, the rows that have it, and their mean change.
pub type Group = (Value, u64, f64);

/// Groups the rows by one column, and averages over each group by how much the value of another
/// differs from that of the row before.
pub fn mean_change_by(
    by: &Column,
    of: &Column,
    length: usize,
) -> Result<Vec<Group>, TryReserveError> {
    let gaps = (gaps(by, length)?, gaps(of, length)?);
    match (by.values(length)?, of.values(length)?) {
        (Values::Int(by), Values::Int(of)) => group(by, of, gaps),
        (Values::Int(by), Values::Float(of)) => group(by, of, gaps),
        (Values::Float(by), Values::Int(of)) => group(by, of, gaps),
        (Values::Float(by), Values::Float(of)) => group(by, of, gaps),
    }
}

fn group<K: Number, V: Number>(
    by: &[K],
    of: &[V],
    gaps: (Option<&[bool]>, Option<&[bool]>),
) -> Result<Vec<Group>, TryReserveError> {
    // Seeded anew in each process, so that no file can be made whose keys all collide.
    let mut places: HashMap<u64, usize, _> = HashMap::with_hasher(RandomState::default());
    // The place of a key seen not long ago, without the map: few values are what one groups by.
    let mut recent = [(0, usize::MAX); RECENT];
    let mut groups: Vec<(K, u64, V::Sum)> = Vec::new();
    for row in 1..by.len() {
        let whole = gaps.0.is_none_or(|mask| mask[row])
            && gaps.1.is_none_or(|mask| mask[row - 1] && mask[row]);
        let Some(key) = by[row].key().filter(|_| whole) else {
            continue;
        };
        let line = key.wrapping_mul(SPREAD) >> (u64::BITS - RECENT.ilog2());
        let seen = &mut recent[line as usize];
        if seen.0 != key || seen.1 == usize::MAX {
            places.try_reserve(1)?;
            *seen = (key, *places.entry(key).or_insert(groups.len()));
            if seen.1 == groups.len() {
                groups.try_reserve(1)?;
                groups.push((by[row], 0, V::Sum::default()));
            }
        }
        let (_, count, sum) = &mut groups[seen.1];
        *count += 1;
        *sum += of[row].change(of[row - 1]);
    }
    groups.sort_unstable_by(|a, b| a.0.order(b.0));
    let means = groups.into_iter();
    Ok(means
        .map(|(key, count, sum)| (key.value(), count, V::mean(sum, count)))
        .collect())
}

/// The mask of a column, if there is any need to look at it.
fn gaps(column: &Column, length: usize) -> Result<Option<&[bool]>, TryReserveError> {
    (!column.is_full(length))
        .then(|| column.mask(length))
        .transpose()
}

/// What both types of columns can do.
trait Number: Copy {
    type Sum: AddAssign + Default;

    /// Equal for equal numbers; none for what equals nothing, not even itself.
    fn key(self) -> Option<u64>;
    /// Sorts numbers that have a key.
    fn order(self, other: Self) -> Ordering;
    /// Compares as Python does, ints with floats too: exactly.
    fn compare(self, x: Value) -> Option<Ordering>;
    fn change(self, before: Self) -> Self::Sum;
    fn mean(sum: Self::Sum, count: u64) -> f64;
    fn value(self) -> Value;
}

impl Number for i64 {
    /// No sum of changes of 64-bit numbers leaves it.
    type Sum = i128;

    fn key(self) -> Option<u64> {
        Some(self as u64)
    }

    fn order(self, other: Self) -> Ordering {
        self.cmp(&other)
    }

    fn compare(self, x: Value) -> Option<Ordering> {
        match x {
            Value::Int(x) => Some(self.cmp(&x)),
            Value::Float(x) => compare(self, x),
        }
    }

    fn change(self, before: Self) -> i128 {
        i128::from(self) - i128::from(before)
    }

    fn mean(sum: i128, count: u64) -> f64 {
        sum as f64 / count as f64
    }

    fn value(self) -> Value {
        Value::Int(self)
    }
}

impl Number for f64 {
    type Sum = f64;

    fn key(self) -> Option<u64> {
        // Adding zero turns -0.0 into 0.0, which it equals.
        (!self.is_nan()).then(|| (self + 0.0).to_bits())
    }

    fn order(self, other: Self) -> Ordering {
        self.total_cmp(&other)
    }

    fn compare(self, x: Value) -> Option<Ordering> {
        match x {
            Value::Int(x) => compare(x, self).map(Ordering::reverse),
            Value::Float(x) => self.partial_cmp(&x),
        }
    }

    fn change(self, before: Self) -> f64 {
        self - before
    }

    fn mean(sum: f64, count: u64) -> f64 {
        sum / count as f64
    }

    fn value(self) -> Value {
        Value::Float(self)
    }
}

/// Compares without rounding the int to a float, which would make different numbers equal.
fn compare(int: i64, float: f64) -> Option<Ordering> {
    /// 2**63, the first float above all ints.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= ABOVE {
        return Some(Ordering::Less);
    }
    if float < -ABOVE {
        return Some(Ordering::Greater);
    }
    // Within these bounds the whole part of a float is an int, and what is left decides ties.
    let whole = int.cmp(&(float.trunc() as i64));
    Some(whole.then(0.0_f64.total_cmp(&(float.fract() + 0.0))))
}
