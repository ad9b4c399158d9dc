//! Artifacts by their content: what one process of a host writes down of a kernel that it has loaded, so that another one
//! can load the same, wherever the kernel lies and whatever its source says meanwhile.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::entries;
use crate::cache::entry::{Entry, entry_in, entry_of, text_of};
use crate::cache::layout::Cache;
use crate::cache::parcel::{self, Needs};
use crate::cache::provenance::Provenance;
use crate::config::environment::Environment;
use crate::config::layers::Overrides;
use crate::config::settings::Settings;
use crate::config::tier::Tier;
use crate::engine::Artifact;
use crate::error::{Error, Result};
use crate::freshness::fingerprint::key_of;
use crate::kernel::source::Source;

/// The folder of the cache in which origins lie, by content.
const ORIGINS: &str = "origins";

/// Where an artifact came from, and how it would be made again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    /// The kernel file or the crate's folder.
    pub kernel: PathBuf,
    /// The crate root.
    pub source: PathBuf,
    /// The library that was loaded.
    pub library: PathBuf,
    /// The settings that the call gave.
    pub given: Overrides,
    /// Has its build read more than what its key names?
    pub further: bool,
}

/// What is known of a content.
#[derive(Debug, Default)]
pub struct Recalled {
    /// A library of it, if there is one for this Python.
    pub artifact: Option<Artifact>,
    /// Where it came from, if that was written down.
    pub origin: Option<Origin>,
}

/// Writes down where an artifact came from. Returns the file, and the cache's folder unless other processes find it by
/// themselves; a cache that cannot be written to is left as it is.
pub fn note(artifact: &Artifact, kernel: &Path, given: &Overrides) -> Result<(PathBuf, Option<PathBuf>)> {
    // What lies beside its source is in no cache, and what others share is theirs.
    let own = Cache::of(&artifact.path).filter(|own| !shared().iter().any(|shared| shared.root() == own.root()));
    let cache = opened(own.as_ref().map(Cache::root))?;
    let root = cache.root();
    if own.is_none() {
        cache.prepare().ok();
    }
    let origin = Origin {
        kernel: kernel.to_owned(),
        source: artifact.source.clone(),
        library: artifact.path.clone(),
        given: given.clone(),
        further: artifact.key != key_of(artifact.content.clone(), artifact.tier),
    };
    cache.keep(ORIGINS, &artifact.content, &origin);
    let file = cache.layout().join(ORIGINS).join(format!("{}.json", artifact.content));
    let found = opened(None).is_ok_and(|usual| usual.root() == root);
    Ok((file, (!found).then(|| root.to_owned())))
}

/// What a cache knows of a content. Starts no process, takes no lock and builds nothing.
pub fn recall(content: &str, module: &str, abi: &str, root: Option<&Path>) -> Result<Recalled> {
    check(content)?;
    let cache = opened(root)?;
    let origin: Option<Origin> = cache.kept(ORIGINS, content);
    let library = format!("{module}{abi}");
    let noted = origin.as_ref().and_then(|origin| {
        let is_inside = |cache: &Cache| origin.library.starts_with(cache.layout());
        if !is_inside(&cache) && !shared().iter().any(is_inside) {
            return beside(content, origin, module);
        }
        let entry = entries::intact(&origin.library).filter(|_| origin.library.ends_with(&library))?;
        // Several machines may share the cache.
        let entry = Some(entry).filter(|entry| entry.misfits().is_empty())?;
        Some(artifact(content, origin.library.clone(), entry, Some(origin)))
    });
    // Where nothing was written down, a content without further inputs is a key itself.
    let by_key = || {
        let caches: Vec<Cache> = [cache.clone()].into_iter().chain(shared()).collect();
        let in_any = |key: String| -> Option<entries::Hit> {
            caches.iter().find_map(|cache| entries::find(cache, &key, &library, Path::new("/")).ok()?.hit)
        };
        let found = keys(content)
            .into_iter()
            .filter_map(in_any)
            .find(|hit| entry_of(&hit.library).is_some_and(|entry| entry.misfits().is_empty()));
        let path = found.map(|hit| hit.library).filter(|path| path.ends_with(&library))?;
        let entry = entries::intact(&path)?;
        Some(artifact(content, path, entry, origin.as_ref()))
    };
    Ok(Recalled { artifact: noted.or_else(by_key), origin })
}

/// Why the artifacts of a content that are in caches are of no use here, each as half a sentence.
pub fn unfit(content: &str, abi: &str, root: Option<&Path>) -> Result<Vec<String>> {
    check(content)?;
    let cache = opened(root)?;
    let origin: Option<Origin> = cache.kept(ORIGINS, content);
    let noted = origin.and_then(|origin| entry_of(&origin.library));
    let caches = [cache].into_iter().chain(shared());
    let of_keys = caches.flat_map(|cache| keys(content).map(|key| cache.layout().join("kernels").join(key)));
    let by_key = of_keys.flat_map(|of_key| entries::folders(&of_key)).filter_map(|folder| entry_in(&folder).ok());
    let strange = noted.into_iter().chain(by_key).filter(|entry| entry.abi != abi || !entry.misfits().is_empty());
    let mut reasons: Vec<String> = strange.flat_map(|entry| Needs::of(&entry).unmet(abi)).collect();
    reasons.sort_unstable();
    reasons.dedup();
    Ok(reasons)
}

/// The keys under which artifacts of a content may be.
fn keys(content: &str) -> [String; 3] {
    let [optimized, fast] = [Tier::Optimized, Tier::Fast].map(|tier| key_of(content.to_owned(), tier));
    [optimized, fast, parcel::key_of(content)]
}

/// Refuses what cannot be the name of a content.
pub fn check(content: &str) -> Result<()> {
    match !content.is_empty() && content.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(Error::config(format!("{content:?} names no content"))),
    }
}

/// An artifact that lay beside its source, if the library is still there as it was.
fn beside(content: &str, origin: &Origin, module: &str) -> Option<Artifact> {
    let source = Source::open(&origin.kernel, module).ok()?;
    let found = crate::beside::artifact(&origin.library, &source, Provenance::of(&origin.library)).ok()?;
    (found.content == content).then_some(found)
}

/// Forgets where artifacts came from that are no longer in the cache.
pub fn forget(cache: &Cache) {
    for name in cache.names(ORIGINS) {
        let origin: Option<Origin> = cache.kept(ORIGINS, &name);
        if !origin.is_some_and(|origin| origin.library.exists()) {
            cache.forget(ORIGINS, &name);
        }
    }
}

fn artifact(content: &str, library: PathBuf, entry: Entry, origin: Option<&Origin>) -> Artifact {
    let source = origin.map_or(&entry.source, |origin| &origin.source).clone();
    let base = source.parent().unwrap_or(Path::new("/")).to_owned();
    let key = library.ancestors().nth(2).and_then(Path::file_name);
    let metadata = text_of(&entry);
    Artifact {
        key: key.map(|key| key.to_string_lossy().into_owned()).unwrap_or_default(),
        content: content.to_owned(),
        built: false,
        provisional: false,
        module: entry.module,
        profile: entry.profile,
        tier: entry.tier,
        inputs: entry.inputs.iter().flat_map(|input| input.paths(&base)).collect(),
        exporting: !entry.exports.is_empty(),
        metadata,
        path: library,
        source,
    }
}

/// The caches of others in which processes of this environment look.
fn shared() -> Vec<Cache> {
    let named = Environment::now().get("RSIMPORT_SHARED_CACHES").unwrap_or_default().to_owned();
    let folders = std::env::split_paths(&named).filter(|folder| !folder.as_os_str().is_empty());
    Cache::shared(&folders.map(|folder| folder.to_string_lossy().into_owned()).collect::<Vec<_>>()).0
}

/// A cache that is named, or the one that processes of this environment have wherever they run.
fn opened(root: Option<&Path>) -> Result<Cache> {
    let environment = Environment::now();
    let usual = environment.get("RSIMPORT_CACHE_DIR").unwrap_or_default();
    let cache_dir = root.map_or(usual.to_owned(), |root| root.to_string_lossy().into_owned());
    Cache::open(&Settings { cache_dir, ..Settings::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::layout::now;

    /// A published build of a content, and its origin.
    fn published(root: &Path, content: &str) -> Artifact {
        let cache = opened(Some(root)).unwrap();
        cache.prepare().unwrap();
        let staging = cache.staging().unwrap();
        let built = staging.path().join("libk.so");
        std::fs::write(&built, content).unwrap();
        let entry = Entry {
            module: "k".into(),
            source: "/gone/k.rs".into(),
            abi: ".so".into(),
            profile: "release".into(),
            tier: Tier::Fast,
            inputs: Vec::new(),
            reason: String::new(),
            seconds: 0.0,
            warnings: Vec::new(),
            glibc: None,
            cpu: None,
            foreign: false,
            exports: Vec::new(),
            library: "k.so".into(),
            checksum: (0, String::new()),
            stamp: None,
            created: now().as_secs_f64(),
        };
        let (entry, library) =
            entries::publish(&cache, &key_of(content.to_owned(), Tier::Fast), &staging, &built, entry).unwrap();
        artifact(content, library, entry, None)
    }

    #[test]
    fn a_content_is_found_by_its_origin_or_as_a_key_as_long_as_its_library_is_intact() {
        let root = tempfile::tempdir().unwrap();
        let recalled = |content: &str, module: &str| recall(content, module, ".so", Some(root.path())).unwrap();
        let artifact = published(root.path(), "abc0");
        assert_eq!(recalled("abc0", "k").artifact.map(|found| found.path).as_ref(), Some(&artifact.path));
        assert!(recalled("abc0", "k").origin.is_none());
        let given = vec![("profile".to_owned(), "dev".into())];
        let (file, elsewhere) = note(&artifact, Path::new("/gone/k.rs"), &given).unwrap();
        assert!(file.is_file() && elsewhere.as_deref() == Some(root.path()));
        let found = recalled("abc0", "k");
        assert_eq!(found.artifact.map(|found| found.path).as_ref(), Some(&artifact.path));
        assert!(found.origin.is_some_and(|origin| origin.given == given && !origin.further));
        assert!(unfit("abc0", ".so", Some(root.path())).unwrap().is_empty());
        let other = unfit("abc0", ".other", Some(root.path())).unwrap();
        assert!(other.contains(&"it is for Pythons with .so, and this one has .other".to_owned()));
        assert!(unfit("abc1", ".so", Some(root.path())).unwrap().is_empty());
        assert!(recalled("abc0", "other").artifact.is_none() && recalled("abc1", "k").artifact.is_none());
        forget(&opened(Some(root.path())).unwrap());
        assert!(file.is_file());
        std::fs::write(&artifact.path, "damaged").unwrap();
        assert!(recalled("abc0", "k").artifact.is_none());
        forget(&opened(Some(root.path())).unwrap());
        assert!(!file.exists());
        assert!(recall("../x", "k", ".so", Some(root.path())).is_err());
    }
}
