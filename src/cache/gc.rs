//! Keeping house: what was unused for too long goes, and what is too much, the largest and the easiest to have again first.
//! What an older rsimport has kept goes by the same rules, before all else, and what is small (`leftovers`) with what it was
//! for.
//!
//! When something was last used is read off dates that are there anyway. A library's is the date of access that the file
//! system keeps, or where it keeps none its folder's, which an import renews once a day; a work folder's is what the last
//! build has written to it. A set of dependencies has the date of its folder, which every build renews that uses it, also
//! one that only repeats a recorded call.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::cache::entries::{self, drop_entry, folders};
use crate::cache::entry::entry_in;
use crate::cache::layout::{Cache, now};
use crate::cache::leftovers::{drop_locks, last_touched, last_used_text, sources, texts};
use crate::cache::lock::Lock;
use crate::cache::mapped::mapped;
use crate::cache::owner::{is_cache, is_roots};
use crate::cache::sizes::{parts, size_of};
use crate::config::amounts::Limits;
use crate::error::{Error, Result};

/// What was used so lately stays, however much there is.
pub const SPARED: Duration = Duration::from_secs(24 * 3600);
/// The date of a set of dependencies is renewed at most that often.
const USE_PRECISION: Duration = Duration::from_secs(3600);
/// So often house is kept by itself.
const INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// What an item is. In this order they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What an older rsimport has kept.
    Layout,
    /// Compiled dependencies, with the calls that were recorded with them.
    Dependencies,
    /// What the builds of a kernel leave for the next one.
    Work,
    /// A published build.
    Kernel,
    /// The text of a notebook's cells, or of a program's kernel, which goes with the last build of it.
    Text,
}

impl Kind {
    /// What users call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Layout => "older layout",
            Kind::Dependencies => "dependency set",
            Kind::Work => "work folder",
            Kind::Kernel => "kernel",
            Kind::Text => "kernel text",
        }
    }
}

/// Something that can go by itself.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Its folder.
    pub folder: PathBuf,
    /// Files elsewhere that are good for nothing without it.
    files: Vec<PathBuf>,
    /// What it takes of the disk.
    pub bytes: u64,
    /// When it was last used.
    pub used: SystemTime,
}

/// What became of the cache.
#[derive(Debug, Default)]
pub struct Swept {
    /// What went, or would go, in this order, each with what it is called.
    pub removed: Vec<(Item, String)>,
    /// How many had to go and are in use.
    pub busy: usize,
    /// The size of the cache before.
    pub before: u64,
    /// The size that it may have.
    pub limit: Option<u64>,
}

impl Swept {
    /// The size of the cache afterwards.
    pub fn after(&self) -> u64 {
        self.before.saturating_sub(self.removed.iter().map(|(item, _)| item.bytes).sum())
    }
}

impl Item {
    fn is_unused(&self, age: Duration) -> bool {
        self.used.elapsed().is_ok_and(|elapsed| elapsed >= age)
    }

    fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What it is called: a kernel by its source.
    fn label(&self) -> String {
        let entry = Some(&self.folder).filter(|_| self.kind == Kind::Kernel).and_then(|folder| entry_in(folder).ok());
        entry.map_or_else(|| self.name(), |entry| entry.source.to_string_lossy().into_owned())
    }

    /// Removes it, unless somebody uses it.
    fn remove(&self, cache: &Cache) -> bool {
        match self.kind {
            Kind::Kernel => return drop_entry(cache, &self.folder).is_ok(),
            Kind::Layout | Kind::Text => return self.is_untouched() && cache.remove(&self.folder).is_ok(),
            Kind::Dependencies | Kind::Work => {}
        }
        let Some(_lock) = Lock::try_acquire(&cache.lock(&self.name())) else { return false };
        // A build that repeats a recorded call holds no lock: it says that it uses the set, and only then looks for the
        // call. So either it finds none, or what it said shows here.
        self.files.iter().for_each(|file| cache.remove_file(file));
        last_used(self.kind, &self.folder) == Some(self.used) && cache.remove(&self.folder).is_ok()
    }

    fn is_untouched(&self) -> bool {
        last_touched(&self.folder).is_some_and(|touched| touched <= self.used)
    }

    /// Could it be removed now?
    fn is_free(&self, cache: &Cache) -> bool {
        match self.kind {
            Kind::Kernel => true,
            Kind::Layout | Kind::Text => self.is_untouched(),
            Kind::Dependencies | Kind::Work => {
                let lock = cache.lock(&self.name());
                !lock.exists() || Lock::try_acquire(&lock).is_some()
            }
        }
    }
}

/// Removes what was not used for as long as the limits say, and then, as long as there is too much, what was unused for
/// longest: dependencies first, which nothing needs that is only imported. Nothing that was used within `spared`, that a
/// process has mapped, or that a build has locked.
pub fn sweep(cache: &Cache, limits: &Limits, spared: Duration, dry_run: bool) -> Result<Swept> {
    if !cache.layout().exists() {
        return Ok(Swept::default());
    }
    if !is_cache(cache.root()) {
        return Err(Error::cache(format!("{} is not a cache of rsimport", cache.root().display()))
            .hint("RSIMPORT_CACHE_DIR and the setting `cache_dir` name the cache's folder"));
    }
    if is_roots(cache.root()) && !dry_run {
        return Err(cache.unwritable(&std::io::ErrorKind::PermissionDenied.into()));
    }
    if !dry_run {
        cache.collect();
    }
    let mut swept =
        Swept { before: parts(cache).iter().map(|part| part.bytes).sum(), limit: limits.size, ..Swept::default() };
    let mut items = items(cache);
    items.sort_by_key(|item| (item.kind, item.used));
    let mut in_use: Option<Vec<PathBuf>> = None;
    // Where the texts are that kernels which are left were compiled from.
    let mut compiled: Option<Vec<(PathBuf, PathBuf)>> = None;
    let mut busy = 0;
    let mut go = |item: &Item, swept: &mut Swept| {
        let in_use = in_use.get_or_insert_with(|| mapped(cache.root()));
        let is_mapped = in_use.iter().any(|path| cache.root().join(path).starts_with(&item.folder));
        let label = item.label();
        if item.kind == Kind::Text && !dry_run {
            let compiled = compiled.get_or_insert_with(|| sources(cache));
            if compiled.iter().any(|(source, _)| source.starts_with(&item.folder)) {
                return false;
            }
        }
        compiled = compiled.take().filter(|_| item.kind != Kind::Kernel);
        let gone = !is_mapped && if dry_run { item.is_free(cache) } else { item.remove(cache) };
        match gone {
            true => swept.removed.push((item.clone(), label)),
            false => busy += 1,
        }
        // What is in use is not asked for again.
        false
    };
    items.retain(|item| item.is_unused(spared));
    if let Some(age) = limits.age {
        items.retain(|item| !item.is_unused(age) || go(item, &mut swept));
    }
    if let Some(size) = limits.size {
        items.retain(|item| swept.after() <= size || go(item, &mut swept));
    }
    swept.busy = busy;
    if !dry_run {
        forget_recipes(cache);
        drop_locks(cache, spared.max(SPARED));
    }
    Ok(swept)
}

/// Is it time to keep house? Says so once a day, to one who asks after a build.
pub fn is_due(cache: &Cache, limits: &Limits) -> bool {
    if limits.are_none() || is_roots(cache.root()) {
        return false;
    }
    let at = now().as_secs_f64();
    let last: Option<f64> = cache.kept("house", "last");
    let due = last.is_some_and(|last| !(0.0..INTERVAL.as_secs_f64()).contains(&(at - last)));
    // What has just come into being has nothing to be rid of.
    if due || last.is_none() {
        cache.keep("house", "last", &at);
    }
    due
}

/// Notes that a build uses a set of dependencies.
pub fn note_use(cache: &Cache, dependency_set: &str) {
    let folder = cache.target(dependency_set);
    let lately = |used: SystemTime| used.elapsed().is_ok_and(|elapsed| elapsed < USE_PRECISION);
    if !last_used(Kind::Dependencies, &folder).is_some_and(lately) {
        cache.renew_date(&folder);
    }
}

/// Everything that can go by itself.
fn items(cache: &Cache) -> Vec<Item> {
    let layout = cache.layout();
    let recipes = recipes(cache);
    let texts = texts(cache);
    let sources = if texts.is_empty() { Vec::new() } else { sources(cache) };
    let mut items = Vec::new();
    let mut add = |kind: Kind, folder: PathBuf, files: Vec<PathBuf>| {
        let bytes = size_of(&folder) + files.iter().map(|file| size_of(file)).sum::<u64>();
        let used = match kind {
            Kind::Text => last_used_text(&folder, &sources),
            _ => last_used(kind, &folder),
        };
        items.extend(used.map(|used| Item { kind, folder, files, bytes, used }));
    };
    for folder in folders(&layout.join("targets")) {
        let name = format!("{}-", folder.file_name().unwrap_or_default().to_string_lossy());
        let beside = cache.names("targets").into_iter().filter(|file| file.starts_with(&name));
        let mut files: Vec<PathBuf> = beside.map(|file| layout.join("targets").join(format!("{file}.json"))).collect();
        files.extend(
            recipes.iter().filter(|(library, _)| library.starts_with(&folder)).flat_map(|(_, files)| files.clone()),
        );
        add(Kind::Dependencies, folder, files);
    }
    folders(&layout.join("work")).into_iter().for_each(|folder| add(Kind::Work, folder, Vec::new()));
    entries::all(cache).into_iter().for_each(|folder| add(Kind::Kernel, folder, Vec::new()));
    cache.older_layouts().into_iter().for_each(|folder| add(Kind::Layout, folder, Vec::new()));
    texts.into_iter().for_each(|folder| add(Kind::Text, folder, Vec::new()));
    items
}

/// The recorded calls, each with a library that it needs.
fn recipes(cache: &Cache) -> Vec<(PathBuf, Vec<PathBuf>)> {
    /// The part of a recorded call that matters here.
    #[derive(Deserialize)]
    struct Needs {
        libraries: Vec<(PathBuf, u64, u128)>,
    }
    let needed =
        |name: &String| cache.kept::<Needs>("recipes", name)?.libraries.into_iter().next().map(|first| first.0);
    let files = |name: &str| ["", "-doubtful"].map(|end| cache.layout().join(format!("recipes/{name}{end}.json")));
    let names = cache.names("recipes").into_iter();
    names.filter_map(|name| Some((needed(&name)?, files(&name).to_vec()))).collect()
}

/// When something was last used, by the dates that tell.
fn last_used(kind: Kind, folder: &Path) -> Option<SystemTime> {
    let date = |file: fs::Metadata| file.modified().ok();
    let own = fs::metadata(folder).ok().and_then(date)?;
    match kind {
        Kind::Layout | Kind::Text => last_touched(folder),
        Kind::Dependencies => Some(own),
        Kind::Kernel => entries::last_used(folder).ok(),
        Kind::Work => {
            let files = fs::read_dir(folder).ok()?.flatten().filter_map(|file| file.metadata().ok());
            files.filter_map(date).chain([own]).max()
        }
    }
}

/// Removes recorded calls whose dependencies went by other ways.
fn forget_recipes(cache: &Cache) {
    let gone = recipes(cache).into_iter().filter(|(library, _)| !library.exists());
    gone.flat_map(|(_, files)| files).for_each(|file| cache.remove_file(&file));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Settings;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn cache() -> (tempfile::TempDir, Cache) {
        let root = tempfile::tempdir().unwrap();
        let cache_dir = root.path().join("c").to_string_lossy().into_owned();
        let cache = Cache::open(&Settings { cache_dir, ..Settings::default() }).unwrap();
        cache.prepare().unwrap();
        (root, cache)
    }

    /// A folder with a file of this size, last used so many days ago.
    fn folder(cache: &Cache, name: &str, kilobytes: usize, days: u32) {
        let folder = cache.layout().join(name);
        let then = SystemTime::now() - DAY * days;
        cache.write(&folder.join("file"), &vec![b'x'; kilobytes << 10]).unwrap();
        for path in [folder.join("file"), folder] {
            let dates = fs::FileTimes::new().set_modified(then).set_accessed(then);
            fs::File::open(path).unwrap().set_times(dates).unwrap();
        }
    }

    fn names(swept: &Swept) -> Vec<&str> {
        swept.removed.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn what_is_too_old_goes_first_and_then_by_kind_what_was_unused_for_longest() {
        let (_root, cache) = cache();
        for (name, kilobytes, days) in [
            ("targets/aa", 400, 3),
            ("targets/bb", 400, 9),
            ("targets/cc", 400, 0),
            ("work/dd", 400, 50),
            ("work/ee", 400, 4),
            ("work/ff", 400, 5),
        ] {
            folder(&cache, name, kilobytes, days);
        }
        let all = Limits { size: Some(0), age: Some(DAY * 40) };
        let some = Limits { size: Some(1_700_000), ..all };
        assert_eq!(names(&sweep(&cache, &some, SPARED, true).unwrap()), ["dd", "bb"]);
        assert_eq!(names(&sweep(&cache, &all, SPARED, true).unwrap()), ["dd", "bb", "aa", "ff", "ee"]);
        let swept = sweep(&cache, &some, SPARED, false).unwrap();
        assert_eq!(names(&swept), ["dd", "bb"]);
        assert!(!cache.target("bb").exists() && cache.target("aa").exists());
        let now: u64 = parts(&cache).iter().map(|part| part.bytes).sum();
        assert!(swept.after() <= 1_700_000 && now.abs_diff(swept.after()) < 50_000, "{now} {swept:?}");
        assert!(names(&sweep(&cache, &some, SPARED, false).unwrap()).is_empty());
    }

    #[test]
    fn a_set_takes_its_recorded_calls_along_unless_a_build_has_just_said_that_it_uses_it() {
        let (_root, cache) = cache();
        folder(&cache, "targets/aa", 4, 3);
        let library = cache.target("aa").join("file");
        let needs = serde_json::json!({"libraries": [(library, 1, 1)], "arguments": []});
        cache.keep("recipes", "r", &needs);
        cache.keep("recipes", "r-doubtful", &["x"]);
        cache.keep("targets", "aa-release", &1);
        cache.keep("targets", "ab-release", &1);
        let found = items(&cache);
        assert_eq!((found.len(), found[0].files.len()), (1, 3));
        note_use(&cache, "aa");
        assert!(!found[0].remove(&cache) && cache.target("aa").exists());
        folder(&cache, "targets/aa", 4, 3);
        let found = items(&cache);
        let held = Lock::try_acquire(&cache.lock("aa"));
        assert!(!found[0].is_free(&cache) && !found[0].remove(&cache));
        drop(held);
        assert!(found[0].is_free(&cache) && found[0].remove(&cache));
        assert_eq!((cache.names("recipes").len(), cache.names("targets")), (0, vec!["ab-release".to_owned()]));
    }

    #[test]
    fn an_older_layout_and_the_text_of_a_kernel_go_when_they_are_old_and_a_newer_layout_never() {
        let (_root, cache) = cache();
        for (name, days) in [("../v0", 9), ("../v2", 9), ("../vx", 9), ("cells/aa", 9), ("texts/bb", 2)] {
            folder(&cache, name, 4, days);
        }
        let compiled = cache.layout().join("kernels/key/entry");
        let text = |age: u32| sweep(&cache, &Limits { size: None, age: Some(DAY * age) }, SPARED, false).unwrap();
        assert_eq!(names(&text(10)), Vec::<&str>::new());
        // As long as there is a build of a text, it stays.
        let mut entry = entries::tests::entry(Vec::new());
        entry.source = cache.layout().join("cells/aa/file");
        cache.write(&compiled.join("entry.json"), &crate::cache::entry::text_of(&entry)).unwrap();
        assert_eq!(names(&text(5)), ["v0"]);
        cache.remove(&compiled).unwrap();
        assert_eq!(names(&text(5)), ["aa"]);
        assert_eq!(names(&text(1)), ["bb"]);
        for kept in ["../v2", "../vx"] {
            assert!(cache.layout().join(kept).is_dir());
        }
    }

    #[test]
    fn house_is_kept_once_a_day_and_not_where_there_is_no_limit() {
        let (_root, cache) = cache();
        let limits = Limits { size: Some(1), age: None };
        assert!(!is_due(&cache, &limits), "the cache is new");
        cache.keep("house", "last", &(now().as_secs_f64() - 90_000.0));
        assert!(!is_due(&cache, &Limits { size: None, age: None }));
        assert!(is_due(&cache, &limits) && !is_due(&cache, &limits));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_process_has_mapped_is_found() {
        let (_root, cache) = cache();
        assert!(mapped(&cache.layout()).is_empty());
        let own = std::env::current_exe().unwrap();
        assert!(mapped(own.parent().unwrap()).contains(&PathBuf::from(own.file_name().unwrap())));
    }
}
