//! Jaro and Jaro-Winkler similarity.
//!
//! Sources: M. A. Jaro, "Advances in record-linkage methodology as applied to matching the 1985
//! census of Tampa, Florida", J. American Statistical Association 84 (1989), and W. E. Winkler,
//! "String comparator metrics and enhanced decision rules in the Fellegi-Sunter model of record
//! linkage", Proc. Section on Survey Research Methods (1990).

use std::collections::HashMap;

use super::symbols::{Masks, Symbol};

/// Winkler's bonus is for strings that are similar enough already, and for as many equal symbols at
/// their start.
const BONUS_FROM: f64 = 0.7;
const BONUS_SYMBOLS: usize = 4;
const BONUS: f64 = 0.1;

/// What is added to Jaro's similarity.
#[derive(Clone, Copy, PartialEq)]
pub enum Variant {
    Jaro,
    Winkler,
    /// With the adjustment for long strings of Winkler's program strcmp95.
    WinklerLong,
}

/// The similarity, from 0 to 1.
#[inline]
pub fn similarity<S: Symbol>(a: &[S], b: &[S], variant: Variant) -> f64 {
    if b.len() <= 64 {
        let masks = S::Masks::new(b);
        similarity_to_short(a, b, |symbol| masks.get(symbol), variant)
    } else {
        let (matches, half_transposed) = in_queues(a, b);
        weigh(a, b, matches, half_transposed, variant)
    }
}

/// The similarity to a `b` of at most 64 symbols, given where each symbol stands in it.
#[inline]
pub fn similarity_to_short<S: Symbol>(
    a: &[S],
    b: &[S],
    mask: impl Fn(S) -> u64,
    variant: Variant,
) -> f64 {
    let reach = reach(a, b);
    // No symbol of `a` beyond these has a partner within reach.
    let a_end = a.len().min(b.len() + reach);
    let mut taken = 0_u64;
    // The symbols of `a` that have a partner are no more than those of `b`.
    let mut matched = [0_usize; 64];
    let mut matches = 0;
    for (place, &symbol) in a[..a_end].iter().enumerate() {
        let behind = u64::MAX.checked_shl(place.saturating_sub(reach) as u32);
        let until = u64::MAX >> 63_usize.saturating_sub(place + reach);
        let free = mask(symbol) & !taken & behind.unwrap_or(0) & until;
        if free != 0 {
            taken |= free & free.wrapping_neg();
            matched[matches] = place;
            matches += 1;
        }
    }
    let mut half_transposed = 0;
    for &place in &matched[..matches] {
        half_transposed += usize::from(a[place] != b[taken.trailing_zeros() as usize]);
        taken &= taken - 1;
    }
    weigh(a, b, matches, half_transposed, variant)
}

/// Matches and half transpositions of long strings, in linear time.
///
/// The first place that is free and within reach is taken. Both ends of the reach only move on, so
/// for each symbol the places before the one taken last are never looked at again: a queue.
fn in_queues<S: Symbol>(a: &[S], b: &[S]) -> (usize, usize) {
    let reach = reach(a, b);
    let none = b.len();
    let mut first = HashMap::with_capacity(64);
    let mut next = vec![none; b.len()];
    for (place, &symbol) in b.iter().enumerate().rev() {
        next[place] = first.insert(symbol, place).unwrap_or(none);
    }
    let mut taken = vec![false; b.len()];
    let mut matched = Vec::new();
    for (place, symbol) in a.iter().enumerate() {
        let Some(head) = first.get_mut(symbol) else {
            continue;
        };
        while *head < place.saturating_sub(reach).min(none) {
            *head = next[*head];
        }
        if *head != none && *head <= place + reach {
            taken[*head] = true;
            matched.push(*symbol);
            *head = next[*head];
        }
    }
    let partners = b.iter().zip(&taken).filter(|&(_, &taken)| taken);
    let transposed = matched.iter().zip(partners);
    let half_transposed = transposed.filter(|&(x, (y, _))| x != y).count();
    (matched.len(), half_transposed)
}

/// How far from its own place a symbol looks for its partner.
#[inline]
fn reach<S>(a: &[S], b: &[S]) -> usize {
    (a.len().max(b.len()) / 2).saturating_sub(1)
}

#[inline]
fn weigh<S: Symbol>(
    a: &[S],
    b: &[S],
    matches: usize,
    half_transposed: usize,
    variant: Variant,
) -> f64 {
    if matches == 0 {
        return 0.0;
    }
    let (m, a_len, b_len) = (matches as f64, a.len() as f64, b.len() as f64);
    let transposed = (half_transposed / 2) as f64;
    let mut weight = (m / a_len + m / b_len + (m - transposed) / m) / 3.0;
    if variant == Variant::Jaro || weight <= BONUS_FROM {
        return weight;
    }
    let start = a.iter().zip(b).take(BONUS_SYMBOLS);
    let equal = start.take_while(|(x, y)| x == y).count();
    weight += equal as f64 * BONUS * (1.0 - weight);
    let shorter = a.len().min(b.len());
    let is_long = shorter > BONUS_SYMBOLS;
    if variant == Variant::WinklerLong
        && is_long
        && matches > equal + 1
        && 2 * matches >= shorter + equal
    {
        let rest = a_len + b_len - equal as f64 * 2.0 + 2.0;
        weight += (1.0 - weight) * (m - equal as f64 - 1.0) / rest;
    }
    weight
}
