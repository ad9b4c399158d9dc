//! How much of the disk the cache takes, and what for.

use std::collections::HashSet;
use std::fs::Metadata;
use std::path::Path;

use crate::cache::layout::Cache;

/// A part of the cache.
#[derive(Debug)]
pub struct Part {
    /// What is in it.
    pub name: &'static str,
    /// How many of these there are; `None` where that says nothing.
    pub count: Option<usize>,
    /// What they take of the disk.
    pub bytes: u64,
}

/// What all files below a folder take of the disk. cargo and rustc give many files a second name by a hard link.
pub fn size_of(folder: &Path) -> u64 {
    let mut known = HashSet::new();
    let files = walkdir::WalkDir::new(folder).into_iter().flatten();
    let files = files.filter_map(|entry| entry.metadata().ok()).filter(Metadata::is_file);
    files.filter(|metadata| is_new(metadata, &mut known)).map(|metadata| on_disk(&metadata)).sum()
}

/// The parts of the cache, each with its size. They sum up to all that there is.
pub fn parts(cache: &Cache) -> Vec<Part> {
    let layout = cache.layout();
    let folders = |name: &str| std::fs::read_dir(layout.join(name)).into_iter().flatten().flatten().map(|f| f.path());
    let is_dir = |path: &std::path::PathBuf| path.is_dir();
    let kernels = folders("kernels").flat_map(std::fs::read_dir).flatten().flatten();
    let kernels = kernels.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).count();
    let mut parts = vec![
        Part { name: "kernels", count: Some(kernels), bytes: size_of(&layout.join("kernels")) },
        Part {
            name: "dependency sets",
            count: Some(folders("targets").filter(is_dir).count()),
            bytes: size_of(&layout.join("targets")) + size_of(&layout.join("recipes")),
        },
        Part {
            name: "work folders",
            count: Some(folders("work").filter(is_dir).count()),
            bytes: size_of(&layout.join("work")),
        },
        Part { name: "builds under way", count: None, bytes: size_of(&layout.join("tmp")) },
    ];
    let listed = ["kernels", "targets", "recipes", "work", "tmp"];
    let others = folders("").filter(|path| !listed.iter().any(|name| path.ends_with(name)));
    parts.push(Part { name: "others", count: None, bytes: others.map(|path| size_of(&path)).sum() });
    let older = cache.older_layouts();
    if !older.is_empty() {
        let bytes = older.iter().map(|path| size_of(path)).sum();
        parts.push(Part { name: "older layouts", count: Some(older.len()), bytes });
    }
    parts
}

/// Has no other name of the file been counted?
#[cfg(unix)]
fn is_new(metadata: &Metadata, known: &mut HashSet<(u64, u64)>) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.nlink() == 1 || known.insert((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn is_new(_: &Metadata, _: &mut HashSet<(u64, u64)>) -> bool {
    true
}

#[cfg(unix)]
fn on_disk(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn on_disk(metadata: &Metadata) -> u64 {
    metadata.len()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_is_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), vec![1; 100_000]).unwrap();
        let one = size_of(folder.path());
        assert!((100_000..120_000).contains(&one), "{one}");
        std::fs::hard_link(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_eq!(size_of(folder.path()), one);
        std::fs::copy(folder.path().join("a"), folder.path().join("c")).unwrap();
        assert_eq!(size_of(folder.path()), 2 * one);
    }
}
