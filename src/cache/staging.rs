//! Folders of builds that are under way.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::layout::Cache;
use crate::cache::lock::Lock;
use crate::error::Result;

/// What is left in the folder for builds for longer than this belongs to nobody.
const OLD: Duration = Duration::from_secs(24 * 3600);

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
        let tmp = self.layout().join("tmp");
        let name = tempfile::Builder::new()
            .prefix("build-")
            .suffix(".lock")
            .tempfile_in(&tmp)
            .map_err(|e| self.unwritable(&e))?;
        let (_, mark) = name.keep().map_err(|e| self.unwritable(&e.error))?;
        // The lock exists before the folder does, so that nobody collects a folder that is about to be used.
        let alive = Lock::try_acquire(&mark).unwrap_or_default();
        let folder = tempfile::Builder::new()
            .prefix(mark.file_stem().unwrap_or_default())
            .rand_bytes(0)
            .tempdir_in(&tmp)
            .map_err(|e| self.unwritable(&e))?;
        Ok(Staging { folder, _alive: alive, mark })
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
            let old =
                entry.metadata().and_then(|m| m.modified()).is_ok_and(|time| time.elapsed().is_ok_and(|age| age > OLD));
            if path.extension().is_some_and(|extension| extension == "lock") {
                if let Some(lock) = Lock::try_acquire(&path) {
                    // A compiler that outlived its Python may still write to the folder; then it is left for later.
                    let folder = path.with_extension("");
                    if !folder.exists() || fs::remove_dir_all(&folder).is_ok() {
                        let _ = fs::remove_file(&path);
                    }
                    drop(lock);
                } else if old {
                    let _ = fs::remove_dir_all(path.with_extension(""));
                }
            } else if old
                || !path.with_extension("lock").exists()
                    && path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"removed-"))
            {
                let _ = fs::remove_dir_all(&path);
            }
        }
    }
}
