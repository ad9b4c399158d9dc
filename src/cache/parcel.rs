//! A published build on its way to another machine: its metadata, and behind them the library.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::entries;
use crate::cache::entry::{Entry, has_its_digest, misfits, parsed_entry, with_digest};
use crate::cache::layout::{Cache, LARGEST_METADATA};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::freshness::inputs::Input;
use crate::freshness::machine::Glibc;

/// The folder of the cache in which sources lie that came from elsewhere, by content.
pub const ARRIVED: &str = "arrived";

/// The lock file that comes along with a kernel that has none of its own.
pub const LOCK: &str = "Cargo.lock";

/// What a library needs of a machine that is to load it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// The suffix of extension modules.
    abi: String,
    /// Processor, operating system and C library.
    platform: String,
    /// The newest glibc that its symbols ask for.
    glibc: Option<Glibc>,
    /// The instruction sets that it may use; `None` where that is not known.
    cpu: Option<Vec<String>>,
}

impl Needs {
    /// What a published build needs.
    pub fn of(entry: &Entry) -> Needs {
        Needs { abi: entry.abi.clone(), platform: platform(), glibc: entry.glibc, cpu: entry.cpu.clone() }
    }

    /// Reads what another machine has written; garbled needs are met nowhere.
    pub fn read(text: &str) -> Option<Needs> {
        serde_json::from_str(text).ok()
    }

    /// Why a library that needs this is of no use here, each as half a sentence.
    pub fn unmet(&self, abi: &str) -> Vec<String> {
        let mut found = Vec::new();
        if self.abi != abi {
            found.push(format!("it is for Pythons with {}, and this one has {abi}", self.abi));
        }
        if self.platform != platform() {
            found.push(format!("it is for {}, and this is {}", self.platform, platform()));
        } else if self.cpu.is_none() {
            found.push("it does not say which CPUs it is for".to_owned());
        }
        found.extend(misfits(self.glibc, self.cpu.as_deref()));
        found
    }
}

/// A published build that can be sent.
pub struct Parcel {
    /// Metadata and library.
    pub bytes: Vec<u8>,
    /// What it needs, as JSON.
    pub needs: String,
    /// What its build has read that does not lie with the kernel: without it, it cannot be built elsewhere.
    pub apart: Vec<String>,
}

impl Parcel {
    /// Packs a published library.
    pub fn of(library: &Path) -> Result<Parcel> {
        let gone = || {
            let hint = "import the kernel once more";
            Error::cache(format!("{} was removed from the cache or damaged", library.display())).hint(hint)
        };
        let mut entry = entries::intact(library).ok_or_else(gone)?;
        let content = std::fs::read(library).map_err(|_| gone())?;
        let apart = entry.inputs.iter().filter_map(apart).collect();
        let needs = serde_json::to_string(&Needs::of(&entry)).unwrap_or_default();
        // What only concerns this machine, or whoever compiles it.
        (entry.stamp, entry.warnings, entry.inputs, entry.foreign) = (None, Vec::new(), Vec::new(), true);
        entry.source = PathBuf::from(entry.source.file_name().unwrap_or_default());
        entry.exports.iter_mut().for_each(|export| {
            export.file = PathBuf::from(export.file.file_name().unwrap_or_default());
        });
        let header = with_digest(serde_json::to_vec(&entry).unwrap_or_default());
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend([header, content].concat());
        Ok(Parcel { bytes, needs, apart })
    }
}

/// Publishes what was packed elsewhere, under a content, and returns the library.
pub fn unpack(cache: &Cache, content: &str, bytes: &[u8]) -> Result<PathBuf> {
    let damaged = || Error::cache("what arrived of a kernel is damaged");
    let (length, rest) = bytes.split_at_checked(8).ok_or_else(damaged)?;
    let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
    if length > LARGEST_METADATA {
        return Err(damaged());
    }
    let (header, library) =
        usize::try_from(length).ok().and_then(|at| rest.split_at_checked(at)).ok_or_else(damaged)?;
    let entry = has_its_digest(header).then(|| parsed_entry(header).ok()).flatten().ok_or_else(damaged)?;
    cache.prepare()?;
    let staging = cache.staging()?;
    let file = staging.path().join("library");
    cache.write(&file, library)?;
    if crate::digest::checksum(&file).ok() != Some(entry.checksum.clone()) || !entry.foreign {
        return Err(damaged());
    }
    entries::publish(cache, &key_of(content), &staging, &file, entry).map(|(_, library)| library)
}

/// The key under which a content is found that other machines have compiled.
pub fn key_of(content: &str) -> String {
    Digest::default().with(b"foreign").with(content.as_bytes()).hex()
}

/// Writes the source of a content that came from elsewhere, and returns its folder.
pub fn write_source(cache: &Cache, content: &str, files: &[(String, Vec<u8>)]) -> Result<PathBuf> {
    cache.prepare()?;
    let folder = cache.layout().join(ARRIVED).join(content);
    for (name, text) in files {
        let path = Path::new(name);
        if name.is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Error::config(format!("{name:?} would lead out of the folder of the kernel")));
        }
        cache.write(&folder.join(path), text)?;
    }
    Ok(folder)
}

/// The lock file with which a kernel was built where it came from, if it came from elsewhere and is a file: of one that lies
/// in a folder of a user's own, no other file there is looked at.
pub fn lock_of(cache: &Cache, kernel_folder: &Path) -> Option<String> {
    let arrived = cache.layout().join(ARRIVED);
    kernel_folder.starts_with(&arrived).then(|| std::fs::read_to_string(kernel_folder.join(LOCK)).ok()).flatten()
}

/// An input that is not in the kernel's own folder, by its name.
fn apart(input: &Input) -> Option<String> {
    if let Input::Variable { name, value } = input {
        return value.is_some().then(|| format!("the environment variable {name}"));
    }
    let base = Path::new("/kernel");
    let outside = input.paths(base).into_iter().find(|path| !path.starts_with(base));
    outside.map(|_| input.name())
}

fn platform() -> String {
    let libc = if cfg!(target_env = "musl") { "-musl" } else { "" };
    format!("{}-{}{libc}", std::env::consts::ARCH, std::env::consts::OS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::layout::now;
    use crate::config::settings::Settings;
    use crate::config::tier::Tier;

    fn cache(root: &Path) -> Cache {
        let settings = Settings { cache_dir: root.to_string_lossy().into_owned(), ..Settings::default() };
        let cache = Cache::open(&settings).unwrap();
        cache.prepare().unwrap();
        cache
    }

    fn published(cache: &Cache, cpu: &[&str], inputs: Vec<Input>) -> PathBuf {
        let staging = cache.staging().unwrap();
        let built = staging.path().join("libk.so");
        std::fs::write(&built, "library").unwrap();
        let entry = Entry {
            module: "k".into(),
            source: "/made/here/k.rs".into(),
            abi: ".so".into(),
            profile: "release".into(),
            tier: Tier::Optimized,
            inputs,
            reason: String::new(),
            seconds: 0.0,
            warnings: Vec::new(),
            glibc: Some((2, 2)),
            cpu: Some(cpu.iter().map(|name| (*name).to_owned()).collect()),
            foreign: false,
            exports: Vec::new(),
            library: "k.so".into(),
            checksum: (0, String::new()),
            stamp: None,
            created: now().as_secs_f64(),
        };
        entries::publish(cache, "key", &staging, &built, entry).unwrap().1
    }

    #[test]
    fn what_was_packed_is_found_by_its_content_where_it_fits() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, there) = (cache(&here.path().join("c")), cache(&there.path().join("c")));
        let find = || entries::find(&there, &key_of("abc"), "k.so", Path::new("/")).unwrap().hit;
        let strange = Parcel::of(&published(&here, &["made-up"], Vec::new())).unwrap();
        assert_eq!(Needs::read(&strange.needs).unwrap().unmet(".so"), ["this CPU lacks made-up"]);
        unpack(&there, "abc", &strange.bytes).unwrap();
        assert!(find().is_none());
        let parcel = Parcel::of(&published(&here, &[], Vec::new())).unwrap();
        assert!(Needs::read(&parcel.needs).unwrap().unmet(".so").is_empty());
        assert_eq!(Needs::read(&parcel.needs).unwrap().unmet(".other").len(), 1);
        let library = unpack(&there, "abc", &parcel.bytes).unwrap();
        assert_eq!(find().map(|hit| hit.library), Some(library));
        for at in [3, 20, parcel.bytes.len() - 1] {
            let mut damaged = parcel.bytes.clone();
            damaged[at] ^= 1;
            assert!(unpack(&there, "abc", &damaged).is_err(), "{at}");
        }
        assert!(unpack(&there, "abc", &parcel.bytes[..30]).is_err());
    }

    #[test]
    fn what_lies_elsewhere_is_named_and_nothing_is_written_there() {
        let root = tempfile::tempdir().unwrap();
        let cache = cache(&root.path().join("c"));
        let file = |path: &str| Input::File { path: path.into(), digest: None, seal: String::new() };
        let set = Input::Variable { name: "SET".into(), value: Some("x".into()) };
        let inputs = vec![file("k/part.rs"), file("../outside.txt"), set];
        let parcel = Parcel::of(&published(&cache, &[], inputs)).unwrap();
        assert_eq!(parcel.apart, ["../outside.txt", "the environment variable SET"]);
        let written = |name: &str| write_source(&cache, "abc", &[(name.to_owned(), b"text".to_vec())]);
        assert!(written("k/part.rs").unwrap().join("k/part.rs").is_file());
        for name in ["../x", "/x", "", "a/../../x"] {
            assert!(written(name).is_err(), "{name}");
        }
        let folder = written(LOCK).unwrap();
        assert_eq!(lock_of(&cache, &folder).as_deref(), Some("text"));
        std::fs::write(root.path().join(LOCK), "the user's").unwrap();
        assert_eq!(lock_of(&cache, root.path()), None);
    }
}
