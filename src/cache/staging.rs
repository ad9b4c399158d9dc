//! Folders that are needed as long as a process lives: of builds that are under way, and of copies of libraries.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io};

use tempfile::TempDir;

use super::layout::Cache;
use crate::cache::lock::Lock;
use crate::error::Result;

/// What is left in the folder for builds for longer than this belongs to nobody.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// What the folders are called that lie in no cache.
const ELSEWHERE: &str = "rsimport-";

/// A folder for one build, which is gone when it is dropped, or collected if this process is killed.
pub struct Staging {
    folder: TempDir,
    _alive: Lock,
    mark: PathBuf,
}

impl Staging {
    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A new folder among the temporary files, for a cache that cannot be written to. Those of the user's processes that
    /// are dead are removed, since no build comes by there.
    pub fn elsewhere() -> io::Result<Staging> {
        let tmp = env::temp_dir();
        for entry in fs::read_dir(&tmp)?.flatten() {
            let named = entry.file_name().as_encoded_bytes().starts_with(ELSEWHERE.as_bytes());
            if named && is_mark(&entry.path()) && is_own_file(&entry) {
                collect_one(&entry);
            }
        }
        Staging::new_in(&tmp, ELSEWHERE)
    }

    fn new_in(tmp: &Path, prefix: &str) -> io::Result<Staging> {
        let name = tempfile::Builder::new().prefix(prefix).suffix(".lock").tempfile_in(tmp)?;
        let (_, mark) = name.keep().map_err(|e| e.error)?;
        // The lock exists before the folder does, so that nobody collects a folder that is about to be used.
        let alive = Lock::try_acquire(&mark).unwrap_or_default();
        let name = mark.file_stem().unwrap_or_default();
        let folder = tempfile::Builder::new().prefix(name).rand_bytes(0).tempdir_in(tmp)?;
        Ok(Staging { folder, _alive: alive, mark })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder.path());
        let _ = fs::remove_file(&self.mark);
    }
}

impl Cache {
    /// A new folder for a build.
    pub fn staging(&self) -> Result<Staging> {
        self.collect();
        Staging::new_in(&self.layout().join("tmp"), "build-").map_err(|e| self.unwritable(&e))
    }

    /// Copies a library that cargo has built into a staging folder.
    pub fn take(&self, built: &Path, staging: &Staging) -> Result<PathBuf> {
        let library = staging.path().join(built.file_name().unwrap_or_default());
        fs::copy(built, &library).map_err(|e| self.unwritable(&e))?;
        Ok(library)
    }

    /// Can a file be written here? For `doctor`.
    pub fn check_writable(&self) -> Result<()> {
        self.prepare()?;
        self.staging().map(drop)
    }

    /// Removes the staging folders of processes that are dead.
    pub fn collect(&self) {
        let tmp = self.layout().join("tmp");
        for entry in fs::read_dir(&tmp).into_iter().flatten().flatten() {
            let path = entry.path();
            if is_mark(&path) {
                collect_one(&entry);
            } else if is_old(&entry)
                || !path.with_extension("lock").exists()
                    && path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"removed-"))
            {
                let _ = fs::remove_dir_all(&path);
            }
        }
    }
}

fn is_mark(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "lock")
}

fn is_old(entry: &DirEntry) -> bool {
    let written = entry.metadata().and_then(|metadata| metadata.modified());
    written.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > OLD))
}

/// Removes the folder that belongs to a mark, if its process is dead.
fn collect_one(mark: &DirEntry) {
    let path = mark.path();
    let folder = path.with_extension("");
    if let Some(lock) = Lock::try_acquire(&path) {
        // A compiler that outlived its Python may still write to the folder; then it is left for later.
        if !folder.exists() || fs::remove_dir_all(&folder).is_ok() {
            let _ = fs::remove_file(&path);
        }
        drop(lock);
    } else if is_old(mark) {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Has this user made the file? Anybody may put something among the temporary files, a link to somewhere else too.
#[cfg(unix)]
fn is_own_file(entry: &DirEntry) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.uid() == own)
}

#[cfg(not(unix))]
fn is_own_file(entry: &DirEntry) -> bool {
    entry.metadata().is_ok_and(|metadata| metadata.is_file())
}
