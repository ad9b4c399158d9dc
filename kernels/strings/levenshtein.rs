//! Levenshtein and Hamming distances.
//!
//! A column of the matrix of distances is kept as its vertical differences, which are -1, 0 or 1, in
//! two words of bits, and a few operations on them give the next column. Sources: G. Myers, "A fast
//! bit-vector algorithm for approximate string matching based on dynamic programming", J. ACM 46
//! (1999), and H. Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit
//! distances", Nordic J. Computing 10 (2003).

use std::ops::{BitAnd, BitOr, BitXor, Not, Shl};

use super::symbols::{Masks, Symbol, Words};

/// The Levenshtein distance. `pause` is called now and then, and its error ends the work.
#[inline]
pub fn distance<S: Symbol, E>(
    a: &[S],
    b: &[S],
    pause: &(impl Fn() -> Result<(), E> + ?Sized),
) -> Result<usize, E> {
    let (a, b) = trim(a, b);
    let (pattern, text) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if pattern.is_empty() {
        Ok(text.len())
    } else if pattern.len() <= 64 {
        Ok(in_one_word(pattern, text))
    } else {
        in_blocks(pattern, text, pause)
    }
}

/// The Hamming distance; what the longer string has in excess counts as different.
pub fn hamming<S: Symbol>(a: &[S], b: &[S]) -> usize {
    let different = a.iter().zip(b).filter(|(x, y)| x != y).count();
    different + a.len().abs_diff(b.len())
}

/// Both strings without what they have in common at their ends, which never changes a distance.
pub fn trim<'a, S: Symbol>(a: &'a [S], b: &'a [S]) -> (&'a [S], &'a [S]) {
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev());
    let end = end.take_while(|(x, y)| x == y).count();
    (&a[..a.len() - end], &b[..b.len() - end])
}

fn in_one_word<S: Symbol>(pattern: &[S], text: &[S]) -> usize {
    let masks = S::Masks::new(pattern);
    let mut column = Column::<u64, 1>::first();
    for &symbol in text {
        column.advance(&[masks.get(symbol)]);
    }
    column.last(0, low_bits(pattern.len()), text.len())
}

/// The matrix in strips of 64 rows. Of the strip above, a strip needs the differences along its
/// last row only, so the memory grows with the text alone.
fn in_blocks<S: Symbol, E>(
    pattern: &[S],
    text: &[S],
    pause: &(impl Fn() -> Result<(), E> + ?Sized),
) -> Result<usize, E> {
    let mut differences = vec![1_i8; text.len()];
    for strip in pattern.chunks(64) {
        pause()?;
        let masks = S::Masks::new(strip);
        let last = strip.len() - 1;
        let (mut up, mut down) = (u64::MAX, 0_u64);
        for (&symbol, difference) in text.iter().zip(&mut differences) {
            let (more, less) = (u64::from(*difference > 0), u64::from(*difference < 0));
            let equal = masks.get(symbol);
            let vertical = equal | down;
            let equal = equal | less;
            let horizontal = ((equal & up).wrapping_add(up) ^ up) | equal;
            let right_up = down | !(horizontal | up);
            let right_down = up & horizontal;
            *difference = (right_up >> last & 1) as i8 - (right_down >> last & 1) as i8;
            let (right_up, right_down) = (right_up << 1 | more, right_down << 1 | less);
            up = right_down | !(vertical | right_up);
            down = right_up & vertical;
        }
    }
    let along: isize = differences
        .iter()
        .map(|&difference| isize::from(difference))
        .sum();
    Ok(pattern.len().wrapping_add_signed(along))
}

/// A word whose bits are the rows of a column.
pub trait Word:
    Copy
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
    + Shl<u32, Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    fn plus(self, other: Self) -> Self;
    fn ones(self) -> usize;
    fn low_bits(count: usize) -> Self;
}

macro_rules! words {
    ($($word:ty),*) => {$(
        impl Word for $word {
            const ZERO: Self = 0;
            const ONE: Self = 1;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn ones(self) -> usize {
                self.count_ones() as usize
            }

            #[inline(always)]
            fn low_bits(count: usize) -> Self {
                low_bits(count) as Self
            }
        }
    )*};
}

words!(u8, u16, u32, u64);

/// Columns of as many matrices as there are lanes: the same text against other patterns. The arrays
/// are as long as a vector register, and the loops over them become single instructions.
struct Column<W, const LANES: usize> {
    up: [W; LANES],
    down: [W; LANES],
}

impl<W: Word, const LANES: usize> Column<W, LANES> {
    /// The column before the text, where each row is one above the last.
    #[inline(always)]
    fn first() -> Self {
        Self {
            up: [!W::ZERO; LANES],
            down: [W::ZERO; LANES],
        }
    }

    /// From the column before a symbol of the text to that behind it.
    #[inline(always)]
    fn advance(&mut self, equal: &[W; LANES]) {
        for lane in 0..LANES {
            let (up, down, equal) = (self.up[lane], self.down[lane], equal[lane]);
            let same = ((equal & up).plus(up) ^ up) | equal | down;
            // Along the row above the first one, the distance grows by one with every symbol.
            let right_up = (down | !(same | up)) << 1 | W::ONE;
            let right_down = (up & same) << 1;
            self.up[lane] = right_down | !(same | right_up);
            self.down[lane] = right_up & same;
        }
    }

    /// The distance in the last row: that of the row above the first one, and all differences.
    #[inline(always)]
    fn last(&self, lane: usize, rows: W, text_len: usize) -> usize {
        text_len + (self.up[lane] & rows).ones() - (self.down[lane] & rows).ones()
    }
}

/// The distances of a text to the patterns that a table holds, which is how `cdist` gets fast.
pub struct Lanes<W, const LANES: usize> {
    /// For each symbol of the alphabet, where it stands in the pattern of each lane.
    table: Vec<[W; LANES]>,
    /// The rows that each pattern has.
    rows: [W; LANES],
}

impl<W: Word, const LANES: usize> Lanes<W, LANES> {
    pub fn new(alphabet: usize) -> Self {
        Self {
            table: vec![[W::ZERO; LANES]; alphabet],
            rows: [W::ZERO; LANES],
        }
    }

    /// Load the patterns at these places, one for each lane and none longer than a word has bits.
    pub fn load(&mut self, words: &Words, places: &[usize]) {
        for (lane, &place) in places.iter().enumerate() {
            let pattern = words.get(place);
            self.rows[lane] = W::low_bits(pattern.len());
            for (row, &symbol) in pattern.iter().enumerate() {
                let mask = &mut self.table[symbol as usize][lane];
                *mask = *mask | W::ONE << row as u32;
            }
        }
    }

    /// Take out the patterns that `load` put in.
    pub fn unload(&mut self, words: &Words, places: &[usize]) {
        for &symbol in places.iter().flat_map(|&place| words.get(place)) {
            self.table[symbol as usize] = [W::ZERO; LANES];
        }
    }

    #[inline]
    pub fn distances(&self, text: &[u32]) -> [usize; LANES] {
        let mut column = Column::first();
        for &symbol in text {
            column.advance(&self.table[symbol as usize]);
        }
        std::array::from_fn(|lane| column.last(lane, self.rows[lane], text.len()))
    }
}

/// `count` ones, from the lowest bit on.
fn low_bits(count: usize) -> u64 {
    u64::MAX.checked_shr(64 - count as u32).unwrap_or(0)
}
