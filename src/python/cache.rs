//! The cache as the command line shows it, and what keeps it in order.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::convert::{asked, text};
use super::settings::{effective, opened};
use super::watcher::{Watcher, raised};
use crate::cache::damage::mend;
use crate::cache::entries;
use crate::cache::gc::{self, SPARED, sweep};
use crate::cache::layout::Cache;
use crate::cache::sizes::{parts, size_of};
use crate::config::amounts::Limits;
use crate::error::Error;
use crate::tools::why::why;

/// A published build in the cache.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub(super) struct CacheEntry {
    source: String,
    module: String,
    profile: String,
    tier: &'static str,
    abi: String,
    bytes: u64,
    created: f64,
    path: String,
}

/// A part of the cache, with how many there are of it and what it takes of the disk.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub(super) struct Part {
    name: &'static str,
    count: Option<usize>,
    bytes: u64,
}

/// What was removed, or would be.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub(super) struct Swept {
    removed: Vec<(&'static str, String, u64, f64)>,
    busy: usize,
    before: u64,
    after: u64,
    limit: Option<u64>,
}

/// A published build that was not what was published.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub(super) struct Damage {
    folder: String,
    what: String,
    removed: bool,
}

/// What a build would be for.
#[pyclass(frozen, get_all, module = "rsimport._engine")]
pub(super) struct Why {
    source: String,
    library: Option<String>,
    verdict: String,
    inputs: Vec<(String, String, Option<String>, bool)>,
}

impl From<gc::Swept> for Swept {
    fn from(swept: gc::Swept) -> Self {
        let after = swept.after();
        let seconds = |item: &gc::Item| item.used.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let removed = swept.removed.into_iter();
        let removed = removed.map(|(item, label)| (item.kind.name(), label, item.bytes, seconds(&item))).collect();
        Swept { removed, busy: swept.busy, before: swept.before, after, limit: swept.limit }
    }
}

/// The folder of the cache.
#[pyfunction]
pub(super) fn cache_dir(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<String> {
    Ok(opened(py, given)?.root().display().to_string())
}

/// The published builds in the cache, the newest first.
#[pyfunction]
pub(super) fn cache_entries(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<Vec<CacheEntry>> {
    let entries = entries::entries(&opened(py, given)?);
    Ok(entries
        .into_iter()
        .map(|(entry, folder)| CacheEntry {
            source: text(entry.source),
            module: entry.module,
            profile: entry.profile,
            tier: entry.tier.name(),
            abi: entry.abi,
            bytes: size_of(&folder),
            created: entry.created,
            path: text(folder.join(entry.library)),
        })
        .collect())
}

/// What the cache consists of, with the sizes of its parts.
#[pyfunction]
pub(super) fn cache_parts(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<Vec<Part>> {
    let cache = opened(py, given)?;
    let parts = py.detach(|| parts(&cache));
    Ok(parts.into_iter().map(|part| Part { name: part.name, count: part.count, bytes: part.bytes }).collect())
}

/// Removes everything, or with a number of days what nobody has used for so long.
#[pyfunction]
pub(super) fn cache_clear(py: Python<'_>, given: &Bound<'_, PyDict>, older_than_days: Option<f64>) -> PyResult<Swept> {
    let cache = opened(py, given)?;
    let age = match older_than_days.map(|days| Duration::try_from_secs_f64(days * 86400.0)) {
        Some(Err(_)) => return Err(raised(py, Error::config("the age has to be a number of days, zero or more"))),
        Some(Ok(age)) => age,
        None => {
            let before = parts(&cache).iter().map(|part| part.bytes).sum();
            let kernels = entries::all(&cache).len();
            py.detach(|| cache.remove_all()).map_err(|e| raised(py, e))?;
            let removed = vec![("kernel", String::new(), 0, 0.0); kernels];
            return Ok(Swept { removed, busy: 0, before, after: 0, limit: None });
        }
    };
    swept(py, &cache, &Limits { size: None, age: Some(age) }, Duration::ZERO, false)
}

/// Removes what is too old or too much by the settings.
#[pyfunction]
pub(super) fn cache_gc(py: Python<'_>, given: &Bound<'_, PyDict>, dry_run: bool) -> PyResult<Swept> {
    let limits = Limits::of(&effective(py, given)?);
    swept(py, &opened(py, given)?, &limits, SPARED, dry_run)
}

/// Is it time to do that after a build? True once a day.
#[pyfunction]
pub(super) fn cache_due(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<bool> {
    let settings = effective(py, given)?;
    let cache = Cache::open(&settings).map_err(|e| raised(py, e))?;
    Ok(gc::is_due(&cache, &Limits::of(&settings)))
}

/// Reads every published build and removes what is damaged. Returns how many there were, and what was damaged.
#[pyfunction]
pub(super) fn cache_mend(py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<(usize, Vec<Damage>)> {
    let cache = opened(py, given)?;
    let (count, damages) = py.detach(|| mend(&cache));
    let damages = damages.into_iter();
    let damages = damages.map(|found| Damage { folder: text(found.folder), what: found.what, removed: found.removed });
    Ok((count, damages.collect()))
}

/// What an import of a kernel would be built for, input by input. Builds nothing.
#[pyfunction]
pub(super) fn cache_why(
    py: Python<'_>,
    source: PathBuf,
    module: String,
    abi: String,
    settings: &Bound<'_, PyDict>,
) -> PyResult<Why> {
    let request = asked(source, module, abi, settings)?;
    let why = why(&request, &mut Watcher::new(None)).map_err(|e| raised(py, e))?;
    let inputs = why.inputs.into_iter().map(|input| (input.name, input.now, input.before, input.differs)).collect();
    Ok(Why { source: text(why.source), library: why.library.map(text), verdict: why.verdict, inputs })
}

fn swept(py: Python<'_>, cache: &Cache, limits: &Limits, spared: Duration, dry_run: bool) -> PyResult<Swept> {
    let swept = py.detach(|| sweep(cache, limits, spared, dry_run)).map_err(|e| raised(py, e))?;
    if !dry_run {
        crate::recall::forget(cache);
    }
    Ok(swept.into())
}
