//! The published builds: looking one up, publishing one, listing and removing them.

use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::cache::{Cache, Staging, now, read_bounded, size_of};
use crate::digest::{Stamp, checksum, stamp};
use crate::error::{Diagnostic, Result};
use crate::inputs::Input;
use crate::tier::Tier;

/// A hit renews the date of its entry at most that often, so that a warm import does not write.
const DATE_PRECISION: Duration = Duration::from_secs(24 * 3600);
/// The metadata in an entry's folder; its date says when the entry was last used.
const METADATA: &str = "entry.json";
/// The link in a key's folder.
const NEWEST: &str = "newest";

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
    /// How much it was optimised.
    pub tier: Tier,
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
    let of_key = cache.layout().join("kernels").join(key);
    // It nearly always is the newest one, and the link to it spares listing the folder.
    if let Ok(newest) = std::fs::read_link(of_key.join(NEWEST))
        && let Ok(hit @ Some(_)) = hit(cache, &of_key.join(newest), base)
    {
        found.hit = hit;
        return found;
    }
    let mut folders = folders(&of_key);
    // The newest first: names begin with the time at which they were published.
    folders.sort_unstable_by(|a, b| b.cmp(a));
    for folder in folders {
        match hit(cache, &folder, base) {
            Ok(None) => {}
            Ok(hit) => {
                found.hit = hit;
                return found;
            }
            Err(damage) => {
                found.damaged.push(format!(
                    "the cached artifact {} was damaged ({damage}) and is built again",
                    folder.display()
                ));
                // Where it cannot be removed, the next build is found before it.
                let _ = cache.remove(&folder);
            }
        }
    }
    found
}

/// The artifact in an entry, if the entry's inputs hold; the error says what is damaged.
fn hit(cache: &Cache, folder: &Path, base: &Path) -> std::result::Result<Option<(Entry, PathBuf)>, String> {
    let (entry, used) = read_entry(folder)?;
    if !entry.inputs.iter().all(|input| input.holds(base)) {
        return Ok(None);
    }
    let library = folder.join(&entry.library);
    check(&library, &entry)?;
    if is_ago(used, DATE_PRECISION) {
        cache.renew_date(&folder.join(METADATA));
    }
    Ok(Some((entry, library)))
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
    cache.write(&prepared.join(METADATA), &serde_json::to_vec(&entry).unwrap_or_default())?;
    let name = format!("{:016x}-{}", now().as_nanos(), &entry.checksum.1[..8]);
    let of_key = cache.layout().join("kernels").join(key);
    let folder = of_key.join(&name);
    cache.place(&prepared, &folder)?;
    cache.point(&of_key.join(NEWEST), name.as_ref());
    let path = folder.join(&entry.library);
    Ok((entry, path))
}

/// All published entries with their folders, the newest first.
pub fn entries(cache: &Cache) -> Vec<(Entry, PathBuf)> {
    let mut entries: Vec<(Entry, PathBuf)> = folders(&cache.layout().join("kernels"))
        .iter()
        .flat_map(|key| folders(key))
        .filter_map(|folder| Some((read_entry(&folder).ok()?.0, folder)))
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
    if let Some(of_key) = folder.parent() {
        // A link that leads nowhere any more would keep the folder.
        let newest = of_key.join(NEWEST);
        if !newest.exists() {
            cache.remove_file(&newest);
        }
        cache.remove_empty(of_key);
    }
    Ok(())
}

/// Was an entry last used that long ago or longer?
pub fn is_unused(folder: &Path, age: Duration) -> bool {
    std::fs::metadata(folder.join(METADATA))
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|used| is_ago(used, age))
}

fn is_ago(time: SystemTime, age: Duration) -> bool {
    time.elapsed().is_ok_and(|elapsed| elapsed >= age)
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
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// The metadata of an entry, and when it was last used.
fn read_entry(folder: &Path) -> std::result::Result<(Entry, SystemTime), String> {
    let unreadable = "its metadata cannot be read";
    let file = File::open(folder.join(METADATA)).map_err(|_| unreadable)?;
    let used = file.metadata().and_then(|metadata| metadata.modified()).map_err(|_| unreadable)?;
    let text = read_bounded(file).ok_or(unreadable)?;
    let entry: Entry = serde_json::from_slice(&text).map_err(|_| "its metadata is garbled")?;
    // The name comes from a file; it must not lead out of the entry.
    match Path::new(&entry.library).components().collect::<Vec<_>>().as_slice() {
        [Component::Normal(_)] => Ok((entry, used)),
        _ => Err("its metadata is garbled".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    /// A cache with two builds under one key: they differ in an environment variable that they have read.
    fn two_builds() -> (tempfile::TempDir, Cache, Vec<PathBuf>) {
        let root = tempfile::tempdir().unwrap();
        let settings =
            Settings { cache_dir: root.path().join("c").to_string_lossy().into_owned(), ..Settings::default() };
        let cache = Cache::open(&settings).unwrap();
        cache.prepare().unwrap();
        let publish = |name: &str| {
            let staging = cache.staging().unwrap();
            let built = staging.path().join("libk.so");
            std::fs::write(&built, name).unwrap();
            let entry = Entry {
                module: "k".into(),
                source: "/k.rs".into(),
                abi: ".so".into(),
                profile: "release".into(),
                tier: Tier::Optimized,
                inputs: vec![Input::Variable { name: name.into(), value: None }],
                reason: String::new(),
                seconds: 0.0,
                warnings: Vec::new(),
                library: "k.so".into(),
                checksum: (0, String::new()),
                stamp: None,
                created: now().as_secs_f64(),
            };
            super::publish(&cache, "key", &staging, &built, entry).unwrap().1
        };
        let libraries = ["RSIMPORT_TEST_OLD", "RSIMPORT_TEST_NEW"].map(publish);
        (root, cache, libraries.to_vec())
    }

    fn found(cache: &Cache) -> Option<PathBuf> {
        find(cache, "key", Path::new("/")).hit.map(|(_, library)| library)
    }

    #[test]
    fn the_newest_build_is_found_first_and_the_older_one_without_it() {
        let (_root, cache, libraries) = two_builds();
        assert_eq!(found(&cache).as_ref(), Some(&libraries[1]));
        drop_entry(&cache, libraries[1].parent().unwrap()).unwrap();
        assert_eq!(found(&cache).as_ref(), Some(&libraries[0]));
    }

    #[test]
    fn builds_are_found_where_links_cannot_be_made() {
        let (_root, cache, libraries) = two_builds();
        std::fs::remove_file(cache.layout().join("kernels/key").join(NEWEST)).unwrap();
        assert_eq!(found(&cache).as_ref(), Some(&libraries[1]));
    }

    #[test]
    fn a_damaged_build_is_reported_once_and_the_older_one_is_taken() {
        let (_root, cache, libraries) = two_builds();
        std::fs::write(&libraries[1], "damaged").unwrap();
        let first = find(&cache, "key", Path::new("/"));
        assert_eq!(first.damaged.len(), 1, "{:?}", first.damaged);
        assert_eq!(first.hit.map(|(_, library)| library).as_ref(), Some(&libraries[0]));
        assert!(find(&cache, "key", Path::new("/")).damaged.is_empty());
    }

    #[test]
    fn the_last_entry_takes_the_folder_of_its_key_with_it() {
        let (_root, cache, libraries) = two_builds();
        for library in libraries.iter().rev() {
            drop_entry(&cache, library.parent().unwrap()).unwrap();
        }
        assert!(!cache.layout().join("kernels/key").exists());
    }
}
