//! What is small and stays when that is gone which it was for: the texts of cells and programs, the files of locks; and what
//! is large and belongs to an rsimport that may be gone itself: older layouts.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::cache::entries::{self, folders};
use crate::cache::layout::Cache;
use crate::cache::lock::Lock;
use crate::cache::parcel::ARRIVED;
use crate::kernel::cell::{CELLS, TEXTS};

/// The folders with the texts of cells and programs, and with sources that came from elsewhere.
pub fn texts(cache: &Cache) -> Vec<PathBuf> {
    [CELLS, TEXTS, ARRIVED].iter().flat_map(|name| folders(&cache.layout().join(name))).collect()
}

/// When a text was last used: written, read, or imported, as far as the dates tell. `sources` are those of all kernels.
pub fn last_used_text(folder: &Path, sources: &[(PathBuf, PathBuf)]) -> Option<SystemTime> {
    let compiled = sources.iter().filter(|(source, _)| source.starts_with(folder));
    let imported = compiled.filter_map(|(_, entry)| entries::last_used(entry).ok());
    imported.chain(last_touched(folder)).max()
}

/// The sources of all published builds, each with the folder of the build.
pub fn sources(cache: &Cache) -> Vec<(PathBuf, PathBuf)> {
    entries::entries(cache).into_iter().map(|(entry, folder)| (entry.source, folder)).collect()
}

/// When anything below a folder was last written or read.
pub fn last_touched(folder: &Path) -> Option<SystemTime> {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten().filter_map(|entry| entry.metadata().ok());
    // A look into a folder is a reading of it, and this is one.
    let dates = |file: std::fs::Metadata| [file.modified().ok(), file.accessed().ok().filter(|_| file.is_file())];
    files.flat_map(dates).flatten().max()
}

/// Removes the files of locks that nobody has taken for so long, and that guard nothing which is there.
pub fn drop_locks(cache: &Cache, age: Duration) {
    // Elsewhere a file that somebody has open keeps its name, and whoever waits for it cannot tell.
    if cfg!(not(unix)) {
        return;
    }
    for file in std::fs::read_dir(cache.layout().join("locks")).into_iter().flatten().flatten() {
        let path = file.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        let guards = cache.work(name).exists() || cache.target(name).exists();
        let taken = file.metadata().and_then(|file| file.modified());
        let is_old = taken.is_ok_and(|taken| taken.elapsed().is_ok_and(|elapsed| elapsed >= age));
        if !guards
            && is_old
            && let Some(_held) = Lock::try_acquire(&path)
        {
            cache.remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Settings;
    use crate::observer::{Observer, Phase};

    struct Nobody;
    impl Observer for Nobody {
        fn interrupted(&mut self) -> bool {
            false
        }
        fn progress(&mut self, _: Phase, _: usize, _: usize, _: &str) {}
        fn warning(&mut self, _: &str) {}
    }

    fn cache() -> (tempfile::TempDir, Cache) {
        let root = tempfile::tempdir().unwrap();
        let cache_dir = root.path().join("c").to_string_lossy().into_owned();
        let cache = Cache::open(&Settings { cache_dir, ..Settings::default() }).unwrap();
        cache.prepare().unwrap();
        (root, cache)
    }

    #[cfg(unix)]
    #[test]
    fn the_file_of_a_lock_goes_when_nobody_has_it_and_it_guards_nothing() {
        let (_root, cache) = cache();
        let locks = ["free", "held", "guarding"].map(|name| cache.lock(name));
        for lock in &locks {
            drop(Lock::acquire(lock, "k", 0.0, &mut Nobody).unwrap());
        }
        drop_locks(&cache, Duration::from_secs(60));
        assert!(locks.iter().all(|lock| lock.exists()), "all are young");
        let held = Lock::try_acquire(&locks[1]);
        std::fs::create_dir_all(cache.work("guarding")).unwrap();
        drop_locks(&cache, Duration::ZERO);
        assert_eq!(locks.map(|lock| lock.exists()), [false, true, true]);
        drop(held);
    }

    #[cfg(unix)]
    #[test]
    fn whoever_waits_for_a_lock_whose_file_goes_gets_one_that_others_see() {
        let (_root, cache) = cache();
        let path = cache.lock("k");
        let held = Lock::try_acquire(&path).unwrap();
        let waiting = std::thread::scope(|scope| {
            let waiter = scope.spawn(|| Lock::acquire(&path, "k", 10.0, &mut Nobody).unwrap());
            std::thread::sleep(Duration::from_millis(20));
            std::fs::remove_file(&path).unwrap();
            drop(held);
            waiter.join().unwrap()
        });
        assert!(path.exists() && waiting.is_held() && Lock::try_acquire(&path).is_none());
    }
}
