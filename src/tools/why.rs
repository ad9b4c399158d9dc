//! What a build of a kernel would be for, input by input.

use std::path::PathBuf;

use crate::cache::entry::parsed_entry;
use crate::engine::{Request, found, resolve};
use crate::error::Result;
use crate::freshness::fingerprint::Fingerprint;
use crate::history::Last;
use crate::observer::Observer;

/// Whether an import would build, and why.
#[derive(Debug)]
pub struct Why {
    /// The crate root.
    pub source: PathBuf,
    /// The library that an import would load.
    pub library: Option<PathBuf>,
    /// In a word: `cached`, or what the build would be for.
    pub verdict: String,
    /// Everything that decides about it.
    pub inputs: Vec<Compared>,
}

/// An input as it is now, compared with the build since which least has changed.
#[derive(Debug)]
pub struct Compared {
    /// What it is.
    pub name: String,
    /// What it is now; empty where that is nothing to show.
    pub now: String,
    /// What it was at the last build, for an input that differs.
    pub before: Option<String>,
    /// Does it differ?
    pub differs: bool,
}

/// Finds out without building anything, starting a process or writing.
pub fn why(request: &Request, observer: &mut dyn Observer) -> Result<Why> {
    let resolved = resolve(request)?;
    let (source, fingerprint) = (&resolved.source, &resolved.fingerprint);
    let lookup = found(&resolved, resolved.tiers, observer)?;
    let last = Last::of(source, &resolved.cache, fingerprint);
    let forced = resolved.config.settings.force_rebuild;
    let hit = lookup.hit.filter(|_| !forced);
    let verdict = match (&hit, &last) {
        (Some(_), _) => "cached".to_owned(),
        _ if forced => "forced".to_owned(),
        _ if !lookup.refused.is_empty() => lookup.refused,
        (None, Some(last)) => last.changes(source, fingerprint),
        (None, None) => "first build".to_owned(),
    };
    // What is loaded has been built from what there is, whatever was built since.
    let nearest = last.as_ref().map(|last| last.nearest(source, fingerprint));
    let before = nearest.filter(|_| hit.is_none()).map(|(fingerprint, _)| fingerprint);
    let mut inputs: Vec<Compared> = fingerprint.inputs().map(|(name, now)| compared(name, now, before)).collect();
    let further = match (&hit, &nearest) {
        (Some(hit), _) => parsed_entry(&hit.metadata).map(|entry| entry.inputs).unwrap_or_default(),
        (None, Some((_, inputs))) => inputs.to_vec(),
        (None, None) => Vec::new(),
    };
    inputs.extend(further.iter().map(|input| {
        let differs = hit.is_none() && !input.holds(&source.base);
        Compared { name: input.name(), now: String::new(), before: None, differs }
    }));
    Ok(Why { source: source.path.clone(), library: hit.map(|hit| hit.path), verdict, inputs })
}

fn compared(name: &str, now: &str, before: Option<&Fingerprint>) -> Compared {
    let old = before.map(|before| before.value(name)).filter(|old| *old != now);
    Compared { name: name.to_owned(), now: shortened(now), before: old.map(shortened), differs: old.is_some() }
}

/// The start of a digest is enough to tell two apart, and lists of flags are told by their beginning.
fn shortened(value: &str) -> String {
    let is_digest = value.len() == 40 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let longest = if is_digest { 12 } else { 40 };
    match value.char_indices().nth(longest) {
        Some((at, _)) => format!("{}{}", &value[..at], if is_digest { "" } else { "..." }),
        None => value.to_owned(),
    }
}
