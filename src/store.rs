//! The published builds: looking one up, publishing one, listing and removing them.

use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::cache::{Cache, Staging, now, read_bounded, size_of};
use crate::digest::{Stamp, checksum, stamp};
use crate::error::{Diagnostic, Result};
use crate::inputs::Input;

/// A hit renews the date of its entry at most that often, so that a warm import does not write.
const DATE_PRECISION: Duration = Duration::from_secs(24 * 3600);

/// The metadata of a published build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The module's name, the last component.
    pub module: String,
    /// The crate root that was compiled; a copy of it elsewhere finds this entry too.
    pub source: PathBuf,
    /// The ABI tag.
    pub abi: String,
    /// Cargo's profile.
    pub profile: String,
    /// What the build has read besides.
    pub inputs: Vec<Input>,
    /// Why it was built.
    pub reason: String,
    /// How long that took.
    pub seconds: f64,
    /// rustc's warnings about the user's code.
    pub warnings: Vec<Diagnostic>,
    /// The library's file name.
    pub library: String,
    /// The library's size in bytes and the digest of its content.
    pub checksum: (u64, String),
    /// What the file system said of the library when it was published.
    pub stamp: Option<Stamp>,
    /// Seconds since 1970.
    pub created: f64,
}

/// What a lookup found.
#[derive(Debug, Default)]
pub struct Found {
    /// The entry and the path of its library.
    pub hit: Option<(Entry, PathBuf)>,
    /// Sentences about entries that were damaged and have been removed.
    pub damaged: Vec<String>,
}

/// Looks for an artifact under a key whose further inputs hold. Starts no process and takes no lock.
pub fn find(cache: &Cache, key: &str, base: &Path) -> Found {
    let mut found = Found::default();
    let mut folders = folders(&cache.layout().join("kernels").join(key));
    // The newest first: names begin with the time at which they were published.
    folders.sort_unstable_by(|a, b| b.cmp(a));
    for folder in folders {
        let damage = match read_entry(&folder) {
            Ok(entry) if entry.inputs.iter().all(|input| input.holds(base)) => {
                let library = folder.join(&entry.library);
                match check(&library, &entry) {
                    Ok(()) => {
                        renew_date(cache, &folder);
                        found.hit = Some((entry, library));
                        return found;
                    }
                    Err(why) => why,
                }
            }
            Ok(_) => continue,
            Err(why) => why,
        };
        found
            .damaged
            .push(format!("the cached artifact {} was damaged ({damage}) and is built again", folder.display()));
        // Where it cannot be removed, the next build is found before it.
        let _ = cache.remove(&folder);
    }
    found
}

/// Publishes a library under a key: metadata and library become visible together.
pub fn publish(
    cache: &Cache,
    key: &str,
    staging: &Staging,
    library: &Path,
    mut entry: Entry,
) -> Result<(Entry, PathBuf)> {
    let prepared = staging.path().join("entry");
    cache.move_file(library, &prepared.join(&entry.library))?;
    entry.checksum = checksum(&prepared.join(&entry.library)).map_err(|e| cache.unwritable(&e))?;
    entry.stamp = stamp(&prepared.join(&entry.library));
    cache.write(&prepared.join("entry.json"), &serde_json::to_vec(&entry).unwrap_or_default())?;
    let name = format!("{:016x}-{}", now().as_nanos(), &entry.checksum.1[..8]);
    let folder = cache.layout().join("kernels").join(key).join(name);
    cache.place(&prepared, &folder)?;
    let path = folder.join(&entry.library);
    Ok((entry, path))
}

/// All published entries with their folders, the newest first.
pub fn entries(cache: &Cache) -> Vec<(Entry, PathBuf)> {
    let mut entries: Vec<(Entry, PathBuf)> = folders(&cache.layout().join("kernels"))
        .iter()
        .flat_map(|key| folders(key))
        .filter_map(|folder| read_entry(&folder).ok().map(|entry| (entry, folder)))
        .collect();
    entries.sort_by(|a, b| b.0.created.total_cmp(&a.0.created));
    entries
}

/// Removes entries that were not used for that long, or with `None` the whole cache. Returns how many entries and bytes.
pub fn clear(cache: &Cache, unused: Option<Duration>) -> Result<(usize, u64)> {
    let mut entries = entries(cache);
    let Some(age) = unused else {
        let bytes = size_of(&cache.layout());
        cache.remove_all()?;
        return Ok((entries.len(), bytes));
    };
    entries.retain(|(_, folder)| is_unused(folder, age));
    let mut bytes = 0;
    for (_, folder) in &entries {
        bytes += size_of(folder);
        drop_entry(cache, folder)?;
    }
    Ok((entries.len(), bytes))
}

/// Removes an entry, and the folder of its key with the last one.
pub fn drop_entry(cache: &Cache, folder: &Path) -> Result<()> {
    cache.remove(folder)?;
    if let Some(key) = folder.parent() {
        cache.remove_empty(key);
    }
    Ok(())
}

/// Was an entry last used that long ago or longer?
pub fn is_unused(folder: &Path, age: Duration) -> bool {
    last_used(folder).and_then(|used| used.elapsed().ok()).is_some_and(|elapsed| elapsed >= age)
}

/// Is the library what was published? If nothing has touched the file since, its content need not be read again;
/// otherwise, as after a copy of the whole cache, its checksum tells.
fn check(library: &Path, entry: &Entry) -> std::result::Result<(), String> {
    if entry.stamp.is_some() && stamp(library) == entry.stamp {
        return Ok(());
    }
    match checksum(library) {
        Ok(sum) if sum == entry.checksum => Ok(()),
        Ok(_) => Err("its content is not what was written".to_owned()),
        Err(e) => Err(format!("it cannot be read: {e}")),
    }
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn read_entry(folder: &Path) -> std::result::Result<Entry, String> {
    let text = read_bounded(&folder.join("entry.json")).ok_or("its metadata cannot be read")?;
    let entry: Entry = serde_json::from_slice(&text).map_err(|_| "its metadata is garbled")?;
    // The name comes from a file; it must not lead out of the entry.
    match Path::new(&entry.library).components().collect::<Vec<_>>().as_slice() {
        [Component::Normal(_)] => Ok(entry),
        _ => Err("its metadata is garbled".into()),
    }
}

fn last_used(folder: &Path) -> Option<SystemTime> {
    std::fs::metadata(folder.join("entry.json")).ok()?.modified().ok()
}

fn renew_date(cache: &Cache, folder: &Path) {
    if is_unused(folder, DATE_PRECISION) {
        cache.renew_date(&folder.join("entry.json"));
    }
}
