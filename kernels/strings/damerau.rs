//! The Damerau-Levenshtein distance without restriction: what was transposed may be edited again.
//!
//! Sources: R. Lowrance and R. A. Wagner, "An extension of the string-to-string correction problem",
//! J. ACM 22 (1975), for the recurrence; C. Zhao and S. Sahni, "String correction using the
//! Damerau-Levenshtein distance", BMC Bioinformatics 20 (2019), for its form in linear space.

use super::levenshtein::trim;
use super::symbols::Symbol;

/// More than any distance, and far enough from the end of the range to be added to.
const FAR: u32 = u32::MAX / 4;

/// What the rows so far have left behind in a column.
#[derive(Clone, Copy)]
pub struct Column {
    /// The distance in the last row, and in the row before it.
    above: u32,
    above_2: u32,
    /// The last row whose symbol is this column's, 0 for none.
    match_row: u32,
    /// The distance one row above that match and two columns to its left.
    before_match: u32,
}

/// The distance. `columns` is room to work in, `pause` is called before each row, and its error
/// ends the work.
pub fn distance<S: Symbol, E>(
    a: &[S],
    b: &[S],
    columns: &mut Vec<Column>,
    pause: &(impl Fn() -> Result<(), E> + ?Sized),
) -> Result<usize, E> {
    let (a, b) = trim(a, b);
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    if short.is_empty() {
        return Ok(long.len());
    }
    columns.clear();
    columns.extend((1..=short.len() as u32).map(|above| Column {
        above,
        above_2: FAR,
        match_row: 0,
        before_match: FAR,
    }));
    let mut distance = 0;
    for (row, &symbol) in (1..).zip(long) {
        pause()?;
        distance = fill_row(row, symbol, short, columns);
    }
    Ok(distance as usize)
}

/// Compute the distances of a row and return the last of them.
///
/// A transposition swaps a match of this row's symbol, in an earlier column, with a match of this
/// column's symbol, in an earlier row, and edits away all that stands between. If there is something
/// between in both strings, replacing costs no more. So two kinds are left: the match of this row is
/// in the column just before, or that of this column is in the row just above.
#[inline]
fn fill_row<S: Symbol>(row: u32, symbol: S, text: &[S], columns: &mut [Column]) -> u32 {
    // Distances in the row above, one and two columns to the left; two rows above, one to the left;
    // and in this row, one to the left.
    let (mut above_left, mut above_left_2, mut above_2_left, mut left) =
        (row - 1, FAR, if row > 1 { row - 2 } else { FAR }, row);
    // The last column whose symbol is this row's, 0 for none, and the distance two rows above that
    // match and one column to its left.
    let (mut match_column, mut before_match) = (0, FAR);
    for ((number, &other), column) in (1..).zip(text).zip(columns) {
        let mut distance = left.min(column.above) + 1;
        if other == symbol {
            distance = distance.min(above_left);
            (match_column, before_match) = (number, above_2_left);
            (column.match_row, column.before_match) = (row, above_left_2);
        } else {
            distance = distance.min(above_left + 1);
            if match_column + 1 == number {
                distance = distance.min(column.before_match + (row - column.match_row));
            } else if column.match_row + 1 == row {
                distance = distance.min(before_match + (number - match_column));
            }
        }
        (above_left_2, above_left, above_2_left, left) =
            (above_left, column.above, column.above_2, distance);
        (column.above_2, column.above) = (column.above, distance);
    }
    left
}
