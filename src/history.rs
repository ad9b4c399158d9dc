//! What is remembered of a kernel: its last build, for saying why the next one is needed, and the builds of it that are
//! kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::entries;
use crate::cache::layout::Cache;
use crate::config::tier::Tier;
use crate::digest::Digest;
use crate::freshness::fingerprint::Fingerprint;
use crate::freshness::inputs::Input;
use crate::freshness::machine::native_cpu;
use crate::kernel::cell::Cell;
use crate::kernel::source::Source;

/// So many builds of a kernel are kept in any case; older ones go once they have not been used for [`FORGOTTEN`].
const KEPT: usize = 32;
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3600);
/// So many further builds with so many inputs are remembered, for whoever switches back and forth.
const FURTHER: usize = 4;
const MOST_INPUTS: usize = 64;

/// A kernel's last build.
#[derive(Debug, Serialize, Deserialize)]
pub struct Last {
    /// What it was built from.
    pub fingerprint: Fingerprint,
    /// What it has read besides.
    pub inputs: Vec<Input>,
    /// Seconds since 1970.
    pub built: f64,
    /// The same of those before it, the newest first.
    #[serde(default)]
    before: Vec<(Fingerprint, Vec<Input>)>,
    /// The entries that were published for this kernel, the oldest first.
    published: Vec<PathBuf>,
}

impl Last {
    /// What is remembered of the last build, of whatever tier, for the Python and the machine that ask: another one's
    /// first build is its first.
    pub fn of(source: &Source, cache: &Cache, fingerprint: &Fingerprint) -> Option<Last> {
        let kept = |tier| cache.kept::<Last>("work", &file(&identity(source, tier), fingerprint));
        let mut found: Vec<Last> = [Tier::Fast, Tier::Optimized].into_iter().filter_map(kept).collect();
        found.sort_by(|a, b| a.built.total_cmp(&b.built));
        let mut last = found.pop()?;
        last.before.extend(found.into_iter().flat_map(Last::all));
        Some(last)
    }

    fn all(self) -> impl Iterator<Item = (Fingerprint, Vec<Input>)> {
        [(self.fingerprint, self.inputs)].into_iter().chain(self.before)
    }

    /// The inputs that have not changed since they were written down.
    pub fn confirmed(&self, base: &Path) -> Vec<Input> {
        self.inputs.iter().filter(|input| input.holds(base)).cloned().collect()
    }

    /// The build since which least has changed: who has switched something back, and now switches something else, is told
    /// of that alone.
    pub fn nearest(&self, source: &Source, fingerprint: &Fingerprint) -> (&Fingerprint, &[Input]) {
        let further = self.before.iter().map(|(fingerprint, inputs)| (fingerprint, inputs.as_slice()));
        let last = (&self.fingerprint, self.inputs.as_slice());
        let nearest = [last].into_iter().chain(further);
        nearest.min_by_key(|&known| changes(known, source, fingerprint).len()).unwrap_or(last)
    }

    /// What has changed since, in words.
    pub fn changes(&self, source: &Source, fingerprint: &Fingerprint) -> String {
        let changes = changes(self.nearest(source, fingerprint), source, fingerprint);
        if changes.is_empty() { "the cached artifact is gone".to_owned() } else { changes.join(", ") }
    }
}

fn changes(known: (&Fingerprint, &[Input]), source: &Source, fingerprint: &Fingerprint) -> Vec<String> {
    let (older, inputs) = known;
    let changed = inputs.iter().filter(|input| !input.holds(&source.base));
    let changed = changed.map(|input| format!("{} changed", input.name()));
    fingerprint.difference(older, &source.name()).into_iter().chain(changed).collect()
}

/// Names a kernel whatever its content is, by its path and its module's name. What is optimised in the background does
/// not meet what is compiled meanwhile.
pub fn identity(source: &Source, tier: Tier) -> String {
    // A text of a program has a file for each version.
    let path = match Cell::of(&source.path) {
        Some(cell) if cell.is_text => cell.folder.join(cell.label),
        _ => source.path.clone(),
    };
    let digest = Digest::default().with(path.as_os_str().as_encoded_bytes()).with(source.module.as_bytes());
    let suffix = if tier == Tier::Optimized { "-optimized" } else { "" };
    format!("{}{suffix}", digest.hex())
}

/// Remembers a build that was published, after removing those of the kernel's entries that nobody will come back to.
pub fn remember(
    cache: &Cache,
    identity: &str,
    library: &Path,
    fingerprint: Fingerprint,
    inputs: Vec<Input>,
    built: f64,
) {
    let file = file(identity, &fingerprint);
    let last: Option<Last> = cache.kept("work", &file);
    let mut published = last.as_ref().map(|last| last.published.clone()).unwrap_or_default();
    let mut before: Vec<_> = last.into_iter().flat_map(Last::all).collect();
    before.retain(|(known, inputs)| *known != fingerprint && inputs.len() <= MOST_INPUTS);
    before.truncate(FURTHER);
    published.extend(library.parent().map(Path::to_path_buf));
    let old = published.len().saturating_sub(KEPT);
    let kept = |(at, folder): &(usize, PathBuf)| {
        let forgotten = *at < old && entries::is_unused(folder, FORGOTTEN);
        folder.exists() && !(forgotten && entries::drop_entry(cache, folder).is_ok())
    };
    let published = published.into_iter().enumerate().filter(kept).map(|(_, folder)| folder).collect();
    cache.keep("work", &file, &Last { fingerprint, inputs, built, before, published });
}

fn file(identity: &str, fingerprint: &Fingerprint) -> String {
    let whose = Digest::default().with(fingerprint.value("Python ABI").as_bytes()).with(native_cpu().as_bytes()).hex();
    format!("{identity}/last-{}", &whose[..8])
}
