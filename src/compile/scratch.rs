//! The folder in which a kernel's compiler works: its output, and its incremental data.
//!
//! A compiler that was killed leaves incremental data that are half the old text's and half the new one's, and rustc
//! takes them for good; presumably it writes to files that it has linked from the session before. So a build marks
//! its folder before it starts the compiler and takes the mark away when the compiler has ended by itself. A folder that
//! is still marked is never used again, and neither can a compiler that outlived its Python disturb the next build.

use std::path::{Path, PathBuf};

use crate::cache::layout::{Cache, now};
use crate::cache::staging::Staging;
use crate::error::Result;

const MARK: &str = "unfinished";
const PREFIX: &str = "scratch-";

/// A folder that a build has marked.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    /// Is it kept for the next build?
    kept: bool,
}

impl Scratch {
    /// Enters the folder of the last build, or a new one if that build did not end by itself. Without a lock on the
    /// kernel another process could use it at the same time, so then it is a folder for this build alone.
    pub fn enter(cache: &Cache, work: &Path, staging: &Staging, locked: bool) -> Result<Scratch> {
        if !locked {
            let folder = staging.path().join("scratch");
            cache.empty(&folder.join("output"))?;
            return Ok(Scratch { folder, kept: false });
        }
        let last: Option<String> = cache.kept("work", &name(work));
        let last = last.map(|last| work.join(last)).filter(|last| last.parent() == Some(work) && last.is_dir());
        match last {
            Some(folder) if !folder.join(MARK).exists() => Scratch { folder, kept: true }.marked(cache),
            Some(folder) => Scratch { folder, kept: true }.renewed(cache, work),
            None => Scratch::new(cache, work),
        }
    }

    /// Gives this folder up for a new one.
    pub fn renewed(self, cache: &Cache, work: &Path) -> Result<Scratch> {
        if !self.kept {
            return self.marked(cache);
        }
        // Where a compiler still writes to it, it is collected later.
        let _ = cache.remove(&self.folder);
        Scratch::new(cache, work)
    }

    /// Where the compiler puts the library.
    pub fn output(&self) -> PathBuf {
        self.folder.join("output")
    }

    /// The folder of the incremental data of a variant of the kernel, where keeping them makes sense.
    pub fn incremental(&self, variant: &str) -> Option<PathBuf> {
        self.kept.then(|| self.folder.join("incremental").join(variant))
    }

    /// Says that the compiler has ended by itself.
    pub fn leave(&self, cache: &Cache) {
        cache.remove_file(&self.folder.join(MARK));
    }

    fn new(cache: &Cache, work: &Path) -> Result<Scratch> {
        // A build that could not write down its folder has left it, and so has one that was killed while it removed it.
        for old in std::fs::read_dir(work).into_iter().flatten().flatten() {
            if old.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                let _ = cache.remove(&old.path());
            }
        }
        let folder = format!("{PREFIX}{:x}", now().as_nanos());
        cache.keep("work", &name(work), &folder);
        Scratch { folder: work.join(folder), kept: true }.marked(cache)
    }

    fn marked(self, cache: &Cache) -> Result<Scratch> {
        cache.empty(&self.output())?;
        cache.write(&self.folder.join(MARK), b"")?;
        Ok(self)
    }
}

fn name(work: &Path) -> String {
    format!("{}/scratch", work.file_name().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Settings;

    #[test]
    fn only_a_folder_whose_build_ended_by_itself_is_used_again() {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings { cache_dir: root.path().to_string_lossy().into_owned(), ..Settings::default() };
        let cache = Cache::open(&settings).unwrap();
        cache.prepare().unwrap();
        let (work, staging) = (cache.work("k"), cache.staging().unwrap());
        let enter = |locked| Scratch::enter(&cache, &work, &staging, locked).unwrap();
        let first = enter(true);
        first.leave(&cache);
        let second = enter(true);
        assert_eq!(second.folder, first.folder);
        assert!(second.incremental("v").is_some());
        let third = enter(true);
        assert_ne!(third.folder, first.folder);
        assert!(!first.folder.exists());
        assert_eq!(enter(false).incremental("v"), None);
        let fourth = third.renewed(&cache, &work).unwrap();
        assert!(fourth.output().is_dir());
        cache.remove_file(&cache.layout().join("work/k/scratch.json"));
        let fifth = enter(true);
        assert!(fifth.folder != fourth.folder && !fourth.folder.exists() && fifth.output().is_dir());
    }
}
