//! Building a crate that cannot be compiled as it lies there.
//!
//! Cargo wants to write `Cargo.lock` beside the manifest, and a crate without a `#[pymodule]` needs one in its `lib.rs`. In
//! a read-only folder, and for a generated module, cargo is given a folder of links instead: the same tree, seen through
//! the cache, in which only `Cargo.lock` and a changed `lib.rs` are files of their own. Nothing else is copied.
//!
//! It gains that a crate imports from a read-only folder, and without a `#[pymodule]`. It risks little but time: each
//! build makes a link for every entry of every folder above the crate, some microseconds each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cache::layout::Cache;
use crate::error::Result;
use crate::kernel::source::{CrateManifest, Source, workspace_folder};

/// A crate as it is seen through a folder of links.
#[derive(Debug, Clone)]
pub struct Links {
    root: PathBuf,
}

impl Links {
    /// Makes the links that a crate needs, with this text of its `lib.rs` if one is given; `None` where the crate can be
    /// compiled as it is.
    pub fn of(source: &Source, lib: Option<&str>, cache: &Cache, root: &Path) -> Result<Option<Links>> {
        // One beside the crate is seen through a link as a whole.
        let workspace = workspace_folder(&source.base);
        let workspace = if source.base.starts_with(&workspace) { workspace } else { source.base.clone() };
        if lib.is_none() && writable(&workspace) {
            return Ok(None);
        }
        let links = Links { root: root.to_path_buf() };
        let lock = workspace.join("Cargo.lock");
        // A lock file that cargo has made here keeps its versions for the next build.
        let versions = std::fs::read(&lock).or_else(|_| std::fs::read(links.inside(&lock)));
        cache.empty(root)?;
        // Path dependencies may lie anywhere beside the workspace, so every folder above it is seen through links too.
        let deepest = if lib.is_some() { source.path.as_path() } else { workspace.as_path() };
        for folder in deepest.ancestors().filter(|folder| folder.is_dir()) {
            let below = deepest.strip_prefix(folder).ok().and_then(|rest| rest.components().next());
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let on_the_way = below.is_some_and(|part| part.as_os_str() == name);
                if !on_the_way && entry.path() != lock {
                    cache.link(&links.inside(&entry.path()), &entry.path())?;
                }
            }
        }
        if let Some(lib) = lib {
            cache.write(&links.inside(&source.path), lib.as_bytes())?;
        }
        if let Ok(versions) = versions {
            cache.write(&links.inside(&lock), &versions)?;
        }
        Ok(Some(links))
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

/// Puts copies of some files of a folder into a tree of links, so that relative paths lead from them to where they lead
/// from the originals.
pub fn surround(base: &Path, copies: &[(PathBuf, String)], cache: &Cache, root: &Path) -> Result<Links> {
    let links = Links { root: root.to_path_buf() };
    cache.empty(root)?;
    let files: BTreeSet<PathBuf> = copies.iter().map(|(path, _)| base.join(path)).collect();
    let folders: BTreeSet<&Path> = files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    for folder in &folders {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if !files.contains(&path) && !folders.contains(path.as_path()) {
                cache.link(&links.inside(&path), &path)?;
            }
        }
    }
    for (path, text) in copies {
        cache.write(&links.inside(&base.join(path)), text.as_bytes())?;
    }
    Ok(links)
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
