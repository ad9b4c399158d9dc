//! Building a crate whose folder cannot be written to.
//!
//! Cargo wants to write `Cargo.lock` beside the manifest. In a read-only folder it is given a folder of links instead:
//! the same tree, seen through the cache, in which only `Cargo.lock` is a file of its own. Nothing is copied but that.

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::error::Result;
use crate::source::{CrateManifest, Source};

/// A crate as it is seen through a folder of links.
#[derive(Debug, Clone)]
pub struct Mirror {
    root: PathBuf,
}

impl Mirror {
    /// Makes the links that a crate needs; `None` where cargo can write to the crate's own workspace.
    pub fn of(source: &Source, workspace: &Path, cache: &Cache, root: &Path) -> Result<Option<Mirror>> {
        if source.manifest.is_none() || writable(workspace) {
            return Ok(None);
        }
        let mirror = Mirror { root: root.to_path_buf() };
        cache.empty(root)?;
        // Path dependencies may lie anywhere beside the workspace, so every folder above it is seen through links too.
        for folder in workspace.ancestors() {
            let below = workspace.strip_prefix(folder).ok().and_then(|rest| rest.components().next());
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let on_the_way = below.is_some_and(|part| part.as_os_str() == name);
                let lock = folder == workspace && name == "Cargo.lock";
                if !on_the_way && !lock {
                    cache.link(&mirror.inside(&entry.path()), &entry.path())?;
                }
            }
        }
        if let Ok(lock) = std::fs::read(workspace.join("Cargo.lock")) {
            cache.write(&mirror.inside(&workspace.join("Cargo.lock")), &lock)?;
        }
        Ok(Some(mirror))
    }

    /// The folder below which the links are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path as it is called below the links.
    pub fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A path below the links as it is called outside.
    pub fn outside(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).map_or_else(|_| path.to_path_buf(), |rest| Path::new("/").join(rest))
    }

    /// The crate with all its paths below the links.
    pub fn source(&self, source: &Source) -> Source {
        let manifest = source
            .manifest
            .as_ref()
            .map(|manifest| CrateManifest { path: self.inside(&manifest.path), text: manifest.text.clone() });
        Source { path: self.inside(&source.path), base: self.inside(&source.base), manifest, ..source.clone() }
    }
}

#[cfg(unix)]
fn writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Making links needs a privilege on Windows, so there cargo's own message about the lock file has to do.
#[cfg(not(unix))]
fn writable(_: &Path) -> bool {
    true
}
