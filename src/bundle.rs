//! A cache that is made to be shared: kernels that say for themselves on which machines they run.

use std::path::Path;

use crate::cache::entries;
use crate::cache::entry::Entry;
use crate::cache::layout::Cache;
use crate::cache::parcel;
use crate::config::settings::Settings;
use crate::digest::Digest;
use crate::engine::{Artifact, Request, resolve};
use crate::error::{Error, Result};

/// Adds the artifact of a kernel to the cache in a folder, which becomes one if it is empty.
pub fn add(request: &Request, artifact: &Artifact, folder: &Path) -> Result<()> {
    let target = Cache::open(&Settings { cache_dir: folder.to_string_lossy().into_owned(), ..Settings::default() })?;
    target.prepare()?;
    let resolved = resolve(request)?;
    let entry = entries::intact(&artifact.path)
        .filter(|_| resolved.fingerprint.key_of(artifact.tier) == artifact.key)
        .ok_or_else(|| {
            let what = format!("{} was changed after it was compiled", resolved.source.path.display());
            Error::config(what).hint("build it once more").kernel(&resolved.source.path)
        })?;
    let mut entry = Entry { foreign: true, stamp: None, ..entry };
    entry.inputs = entry.inputs.iter().map(|input| input.content()).collect();
    let portable = resolved.fingerprint.portable_key_of(artifact.tier);
    let mut content = portable.clone();
    if !entry.inputs.is_empty() {
        let further = serde_json::to_string(&entry.inputs).unwrap_or_default();
        content = Digest::default().with(content.as_bytes()).with(further.as_bytes()).hex();
    }
    let publish = |key: &str, entry: &Entry| -> Result<()> {
        let staging = target.staging()?;
        entries::publish(&target, key, &staging, &artifact.path, entry.clone()).map(drop)
    };
    publish(&portable, &entry)?;
    // Whoever is told a content knows nothing of what it was built from.
    entry.inputs.clear();
    [content, artifact.content.clone()].iter().try_for_each(|content| publish(&parcel::key_of(content), &entry))
}
