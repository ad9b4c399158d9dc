//! The published builds: looking one up, publishing one, listing and removing them.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::cache::entry::{Entry, METADATA, entry_in, entry_of, parsed_entry, read_metadata, text_of, unreadable};
use crate::cache::layout::{Cache, LARGEST_METADATA, now, read_bounded};
use crate::cache::staging::Staging;
use crate::digest::{checksum, seal, stamp, stamp_of};
use crate::error::{Error, Kind, Result};
use crate::freshness::inputs::Input;
use crate::freshness::machine::{Glibc, has_glibc, parsed};
use crate::limits::{failed, is_out_of_files};

/// A hit renews the date of its entry at most that often, so that a warm import does not write.
const DATE_PRECISION: Duration = Duration::from_secs(24 * 3600);
/// The link in a key's folder.
const NEWEST: &str = "newest";

/// What a lookup found.
#[derive(Debug, Default)]
pub struct Found {
    /// The build that is to be loaded.
    pub hit: Option<Hit>,
    /// Sentences about entries that were damaged and have been removed.
    pub damaged: Vec<String>,
    /// The glibc that an entry needs and this machine does not have.
    pub needs: Option<Glibc>,
}

/// Why an entry cannot be taken.
enum Refused {
    /// The inputs are others.
    Inputs,
    Glibc(Glibc),
    Cpu,
    Damaged(io::Error),
}

/// A published build whose inputs hold.
#[derive(Debug)]
pub struct Hit {
    /// The library.
    pub library: PathBuf,
    /// What the build has read besides what the key names.
    pub inputs: Vec<Input>,
    /// The text of its metadata, for whoever asks after the entry is gone.
    pub metadata: Vec<u8>,
}

/// Looks for an artifact under a key whose further inputs hold; `library` is the file name that it has where nothing is
/// damaged. Starts no process and takes no lock.
pub fn find(cache: &Cache, key: &str, library: &str, base: &Path) -> Result<Found> {
    let mut found = Found::default();
    let of_key = cache.layout().join("kernels").join(key);
    // It nearly always is the newest one, and the link to it spares listing the folder.
    if let Ok(newest) = std::fs::read_link(of_key.join(NEWEST)) {
        let folder = of_key.join(newest);
        found.hit = sealed(cache, &folder, library).or_else(|| hit(cache, &folder, base).ok());
        if found.hit.is_some() {
            return Ok(found);
        }
    }
    let mut folders = folders(&of_key);
    // The newest first: names begin with the time at which they were published.
    folders.sort_unstable_by(|a, b| b.cmp(a));
    for folder in folders {
        match hit(cache, &folder, base) {
            Ok(hit) => {
                found.hit = Some(hit);
                return Ok(found);
            }
            Err(Refused::Inputs | Refused::Cpu) => {}
            Err(Refused::Glibc(needed)) => found.needs = Some(needed),
            // What cannot be opened for want of a descriptor is not damaged.
            Err(Refused::Damaged(error)) if is_out_of_files(&error) => {
                return Err(failed(Kind::Cache, format_args!("{} cannot be read", folder.display()), &error));
            }
            Err(Refused::Damaged(_)) if cache.is_shared() => {}
            Err(Refused::Damaged(damage)) => {
                found.damaged.push(format!(
                    "the cached artifact {} was damaged ({damage}) and is built again",
                    folder.display()
                ));
                // Where it cannot be removed, the next build is found before it.
                let _ = cache.remove(&folder);
            }
        }
    }
    Ok(found)
}

/// The artifact in an entry whose seal holds: no file in it was touched since it was published, and it needs nothing
/// besides the key's inputs, so that its metadata need not be parsed.
fn sealed(cache: &Cache, folder: &Path, library: &str) -> Option<Hit> {
    let mut name = folder.file_name()?.to_str()?.split('-').skip(2);
    let (expected, needed) = (name.next()?, name.next());
    if needed.is_some_and(|needed| !parsed(needed).is_some_and(has_glibc)) {
        return None;
    }
    let library = folder.join(library);
    let metadata = std::fs::metadata(&library).ok()?;
    let described = File::open(folder.join(METADATA)).ok()?;
    let seal = seal(&[stamp_of(&metadata)?, stamp_of(&described.metadata().ok()?)?]);
    if seal != expected {
        return None;
    }
    let text = read_bounded(described)?;
    Some(used(cache, folder, &metadata, Hit { library, inputs: Vec::new(), metadata: text }))
}

/// The artifact in an entry, if the entry's inputs hold and this machine has what it needs.
fn hit(cache: &Cache, folder: &Path, base: &Path) -> std::result::Result<Hit, Refused> {
    let text = read_metadata(folder).map_err(Refused::Damaged)?;
    let entry = parsed_entry(&text).map_err(Refused::Damaged)?;
    if !entry.inputs.iter().all(|input| input.holds(base)) {
        return Err(Refused::Inputs);
    }
    if let Some(needed) = entry.glibc.filter(|needed| !has_glibc(*needed)) {
        return Err(Refused::Glibc(needed));
    }
    if entry.foreign && !entry.misfits().is_empty() {
        return Err(Refused::Cpu);
    }
    let library = folder.join(&entry.library);
    let metadata = std::fs::metadata(&library).map_err(|e| Refused::Damaged(unreadable("it", e)))?;
    check(&library, &metadata, &entry).map_err(Refused::Damaged)?;
    Ok(used(cache, folder, &metadata, Hit { library, inputs: entry.inputs, metadata: text }))
}

fn used(cache: &Cache, folder: &Path, metadata: &Metadata, hit: Hit) -> Hit {
    // Most file systems note by themselves, once a day, that a library is read.
    if !cache.is_shared() && is_ago(metadata.accessed(), DATE_PRECISION) && is_unused(folder, DATE_PRECISION) {
        cache.renew_date(folder);
    }
    hit
}

/// The metadata of a published library that is what was published; none where it was removed or damaged since.
pub fn intact(library: &Path) -> Option<Entry> {
    let entry = entry_of(library)?;
    check(library, &std::fs::metadata(library).ok()?, &entry).ok()?;
    Some(entry)
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
    cache.copy_file(library, &prepared.join(&entry.library))?;
    entry.checksum = checksum(&prepared.join(&entry.library)).map_err(|e| cache.unwritable(&e))?;
    entry.stamp = stamp(&prepared.join(&entry.library));
    let metadata = text_of(&entry);
    if metadata.len() as u64 > LARGEST_METADATA {
        let (name, count) = (entry.source.display(), entry.inputs.len());
        let what = format!("{name}: what its build has read cannot be kept track of: {count} files and variables");
        return Err(Error::config(what).hint("a build script that names folders in `rerun-if-changed` has fewer"));
    }
    cache.write(&prepared.join(METADATA), &metadata)?;
    let mut name = format!("{:016x}-{}", now().as_nanos(), &entry.checksum.1[..8]);
    let stamps = entry.stamp.clone().zip(stamp(&prepared.join(METADATA)));
    let stamps = stamps.filter(|_| entry.inputs.is_empty() && !entry.foreign);
    if let Some((library, metadata)) = stamps {
        // Of a sealed entry the metadata are not parsed, so what else decides about it is in its name.
        name = format!("{name}-{}", seal(&[library, metadata]));
        if let Some((major, minor)) = entry.glibc {
            name = format!("{name}-{major}.{minor}");
        }
    }
    let of_key = cache.layout().join("kernels").join(key);
    let folder = of_key.join(&name);
    cache.reveal(&prepared, &folder)?;
    cache.point(&of_key.join(NEWEST), name.as_ref(), staging.path());
    let path = folder.join(&entry.library);
    Ok((entry, path))
}

/// All published entries with their folders, the newest first.
pub fn entries(cache: &Cache) -> Vec<(Entry, PathBuf)> {
    let of = |folder: PathBuf| Some((entry_in(&folder).ok()?, folder));
    let mut entries: Vec<(Entry, PathBuf)> = all(cache).into_iter().filter_map(of).collect();
    entries.sort_by(|a, b| b.0.created.total_cmp(&a.0.created));
    entries
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
    is_ago(last_used(folder), age)
}

/// When an entry was last used. Its folder's date and its library's date of access tell.
pub fn last_used(folder: &Path) -> io::Result<SystemTime> {
    let mut latest = std::fs::metadata(folder)?.modified()?;
    for file in std::fs::read_dir(folder)?.flatten().filter(|file| file.file_name() != METADATA) {
        latest = latest.max(file.metadata()?.accessed()?);
    }
    Ok(latest)
}

fn is_ago(time: io::Result<SystemTime>, age: Duration) -> bool {
    time.is_ok_and(|time| time.elapsed().is_ok_and(|elapsed| elapsed >= age))
}

/// Is the library what was published? If nothing has touched the file since, its content need not be read again;
/// otherwise, as after a copy of the whole cache, its checksum tells.
fn check(library: &Path, metadata: &Metadata, entry: &Entry) -> io::Result<()> {
    if entry.stamp.is_some() && stamp_of(metadata) == entry.stamp {
        return Ok(());
    }
    match checksum(library) {
        Ok(sum) if sum == entry.checksum => Ok(()),
        Ok(_) => Err(io::Error::other("its content is not what was written")),
        Err(e) => Err(unreadable("it", e)),
    }
}

/// Every entry's folder.
pub fn all(cache: &Cache) -> Vec<PathBuf> {
    folders(&cache.layout().join("kernels")).iter().flat_map(|key| folders(key)).collect()
}

/// The folders in a folder.
pub fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::settings::Settings;
    use crate::config::tier::Tier;

    fn cache() -> (tempfile::TempDir, Cache) {
        let root = tempfile::tempdir().unwrap();
        let settings =
            Settings { cache_dir: root.path().join("c").to_string_lossy().into_owned(), ..Settings::default() };
        let cache = Cache::open(&settings).unwrap();
        cache.prepare().unwrap();
        (root, cache)
    }

    fn publish(cache: &Cache, content: &str, inputs: Vec<Input>) -> PathBuf {
        let staging = cache.staging().unwrap();
        let built = staging.path().join("libk.so");
        std::fs::write(&built, content).unwrap();
        super::publish(cache, "key", &staging, &built, entry(inputs)).unwrap().1
    }

    pub(in crate::cache) fn entry(inputs: Vec<Input>) -> Entry {
        Entry {
            module: "k".into(),
            source: "/k.rs".into(),
            abi: ".so".into(),
            profile: "release".into(),
            tier: Tier::Optimized,
            inputs,
            reason: String::new(),
            seconds: 0.0,
            warnings: Vec::new(),
            exports: Vec::new(),
            glibc: None,
            cpu: None,
            foreign: false,
            library: "k.so".into(),
            checksum: (0, String::new()),
            stamp: None,
            created: now().as_secs_f64(),
        }
    }

    /// Two builds under one key: they differ in an environment variable that they have read.
    fn two_builds() -> (tempfile::TempDir, Cache, Vec<PathBuf>) {
        let (root, cache) = cache();
        let build = |name: &str| publish(&cache, name, vec![Input::Variable { name: name.into(), value: None }]);
        let libraries = ["RSIMPORT_TEST_OLD", "RSIMPORT_TEST_NEW"].map(build);
        (root, cache, libraries.to_vec())
    }

    fn found(cache: &Cache) -> Option<PathBuf> {
        find(cache, "key", "k.so", Path::new("/")).unwrap().hit.map(|hit| hit.library)
    }

    #[test]
    fn the_newest_build_is_found_first_and_the_older_one_without_it() {
        let (_root, cache, libraries) = two_builds();
        assert_eq!(found(&cache).as_ref(), Some(&libraries[1]));
        drop_entry(&cache, libraries[1].parent().unwrap()).unwrap();
        assert_eq!(found(&cache).as_ref(), Some(&libraries[0]));
    }

    #[cfg(unix)]
    #[test]
    fn an_untouched_build_is_found_by_its_seal_alone_and_a_touched_one_by_its_checksum() {
        let (_root, cache) = cache();
        let library = publish(&cache, "content", Vec::new());
        let by_seal = || sealed(&cache, library.parent().unwrap(), "k.so").map(|hit| hit.library);
        assert_eq!(by_seal().as_ref(), Some(&library));
        std::fs::write(&library, "content").unwrap();
        assert_eq!((by_seal(), found(&cache).as_ref()), (None, Some(&library)));
        std::fs::write(&library, "another").unwrap();
        assert_eq!((by_seal(), found(&cache)), (None, None));
        let (_root, cache, libraries) = two_builds();
        assert!(sealed(&cache, libraries[1].parent().unwrap(), "k.so").is_none(), "it has further inputs");
    }

    #[test]
    fn what_would_be_too_large_to_be_read_is_not_written() {
        let (_root, cache) = cache();
        cache.keep("work", "k/last", &"small");
        cache.keep("work", "k/last", &" ".repeat(LARGEST_METADATA as usize));
        assert_eq!(cache.kept::<String>("work", "k/last"), None);
        let staging = cache.staging().unwrap();
        let built = staging.path().join("libk.so");
        std::fs::write(&built, "x").unwrap();
        let value = Some(" ".repeat(LARGEST_METADATA as usize));
        let entry = entry(vec![Input::Variable { name: "X".into(), value }]);
        let error = super::publish(&cache, "key", &staging, &built, entry).unwrap_err();
        assert!(error.message.starts_with("/k.rs: ") && found(&cache).is_none(), "{error}");
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
        let first = find(&cache, "key", "k.so", Path::new("/")).unwrap();
        assert_eq!(first.damaged.len(), 1, "{:?}", first.damaged);
        assert_eq!(first.hit.map(|hit| hit.library).as_ref(), Some(&libraries[0]));
        assert!(find(&cache, "key", "k.so", Path::new("/")).unwrap().damaged.is_empty());
    }

    #[test]
    fn the_last_entry_takes_the_folder_of_its_key_with_it() {
        let (_root, cache, libraries) = two_builds();
        for library in libraries.iter().rev() {
            drop_entry(&cache, library.parent().unwrap()).unwrap();
        }
        assert!(!cache.layout().join("kernels/key").exists());
    }

    #[test]
    fn garbled_metadata_is_told_and_its_entry_goes_however_it_is_garbled() {
        type Damage = fn(Vec<u8>) -> Vec<u8>;
        fn flipped(mut data: Vec<u8>, at: usize) -> Vec<u8> {
            data[at] ^= 0x10;
            data
        }
        let damages: [(&str, Damage); 12] = [
            ("truncated", |data| data[..data.len() / 2].to_vec()),
            ("one byte short", |data| data[..data.len() - 1].to_vec()),
            ("emptied", |_| Vec::new()),
            ("a bit flipped at the start", |data| flipped(data, 0)),
            ("a bit flipped at the end", |data| flipped(data.clone(), data.len() - 1)),
            ("filled with zeros", |data| vec![0; data.len()]),
            ("garbage", |_| b"\xff\x00garbage{".repeat(20)),
            ("one byte longer", |data| [data, vec![0]].concat()),
            ("other JSON", |_| b"{\"unexpected\": [1, null]}".to_vec()),
            ("JSON of another shape", |_| b"[]".to_vec()),
            ("a name that leads out of the entry", |data| {
                String::from_utf8(data).unwrap().replace("\"k.so\"", "\"../k.so\"").into_bytes()
            }),
            ("too large to be read", |data| [vec![b' '; 64 << 20], data].concat()),
        ];
        for (how, damage) in damages {
            let (_root, cache, libraries) = two_builds();
            let metadata = libraries[1].with_file_name(METADATA);
            std::fs::write(&metadata, damage(std::fs::read(&metadata).unwrap())).unwrap();
            let first = find(&cache, "key", "k.so", Path::new("/")).unwrap();
            assert_eq!(first.hit.map(|hit| hit.library).as_ref(), Some(&libraries[0]), "{how}");
            assert_eq!(first.damaged.len(), 1, "{how}: {:?}", first.damaged);
            assert!(!metadata.exists(), "{how}");
        }
    }

    #[test]
    fn every_flipped_bit_of_metadata_is_told() {
        let (_root, cache) = cache();
        let library = publish(&cache, "content", Vec::new());
        let metadata = library.with_file_name(METADATA);
        let whole = std::fs::read(&metadata).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            std::fs::create_dir_all(metadata.parent().unwrap()).unwrap();
            std::fs::write(&library, "content").unwrap();
            std::fs::write(&metadata, flipped).unwrap();
            let found = find(&cache, "key", "k.so", Path::new("/")).unwrap();
            assert!(found.hit.is_none() && found.damaged.len() == 1, "byte {at}");
        }
    }
}
