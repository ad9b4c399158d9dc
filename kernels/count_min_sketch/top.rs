//! The most frequent of some candidates.

use std::cmp::Reverse;
use std::collections::HashSet;

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PyString};

use super::batch::{hash_frequent, tuple};
use super::keys::{Hasher, Keys, Probe};
use super::table::Table;

/// The `k` candidates of the highest estimates, with these; of equal ones the first, and each once
/// unless the sketch takes the place of one that lists them as often as they come.
pub fn top<'py>(
    table: &Table,
    hasher: &Hasher,
    k: usize,
    candidates: &Bound<'py, PyAny>,
) -> PyResult<Vec<(Bound<'py, PyAny>, u64)>> {
    let once = hasher.keys == Keys::Any;
    let list = candidates.cast_exact::<PyList>().ok();
    if let Some((list, hashes)) = list.and_then(|list| Some((list, hash_frequent(hasher, list)?))) {
        let best = best(table, k, &hashes, once).into_iter();
        return best
            .map(|(n, count)| Ok((list.get_item(n)?, count)))
            .collect();
    }
    let keys = tuple(candidates)?;
    let keys = keys.as_slice();
    let hashes = keys.iter().map(|key| Ok(hasher.key(key)?.hash()));
    let best = best(table, k, &hashes.collect::<PyResult<Vec<_>>>()?, once).into_iter();
    best.map(|(n, count)| Ok((given(hasher.keys, &keys[n])?, count)))
        .collect()
}

/// The key as it is given back: as it came, or where that is no str or int in a sketch of these, the str
/// or int that it stands for.
fn given<'py>(keys: Keys, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = key.py();
    match keys {
        Keys::Str if !key.is_instance_of::<PyString>() => {
            py.get_type::<PyString>().call1((key, "utf-8"))
        }
        Keys::Int if !key.is_instance_of::<PyInt>() => py.get_type::<PyInt>().call1((key,)),
        _ => Ok(key.clone()),
    }
}

/// The places of the best, with their estimates.
fn best(table: &Table, k: usize, hashes: &[u64], once: bool) -> Vec<(usize, u64)> {
    let mut found: Vec<(u64, usize)> = Vec::with_capacity(hashes.len());
    for (n, &hash) in hashes.iter().enumerate() {
        found.push((table.estimate(Probe::new(hash)), n));
    }
    found.sort_unstable_by_key(|&(count, n)| (Reverse(count), n));
    let mut best: Vec<(usize, u64)> = Vec::with_capacity(k.min(found.len()));
    // A candidate that is repeated has the same estimate each time, so only among equal ones is
    // there need to look.
    let mut seen = HashSet::new();
    for (at, &(count, n)) in found.iter().enumerate() {
        if best.len() == k {
            break;
        }
        let alone = |other: Option<&(u64, usize)>| other.is_none_or(|other| other.0 != count);
        if !once
            || alone(found.get(at + 1)) && alone(at.checked_sub(1).and_then(|at| found.get(at)))
            || seen.insert(hashes[n])
        {
            best.push((n, count));
        }
    }
    best
}
