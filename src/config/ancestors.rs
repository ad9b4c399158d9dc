//! What configures a build in the folders above a kernel: rsimport's settings and cargo's configuration.
//!
//! Every look-up asks for these files, and nearly always there are none. What is not in a folder is remembered until
//! something is created, removed or renamed in it, which changes the folder's own date: one question instead of one for
//! every name. What is there is read anew each time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::digest::is_settled;
use crate::digest::{Stamp, stamp};

/// The files and folders that there are, which may still turn out to be something else or unreadable.
#[derive(Debug, Clone, Default)]
pub struct Ancestors {
    /// `pyproject.toml` files, the nearest first.
    pub projects: Vec<PathBuf>,
    /// `.cargo` folders, the nearest first.
    pub cargo: Vec<PathBuf>,
}

impl Ancestors {
    /// Looks in a folder and in all folders above it.
    pub fn of(folder: &Path) -> Ancestors {
        let names = ["pyproject.toml", ".cargo"];
        let found = present(folder, names, || folder.ancestors().map(Path::to_path_buf).collect());
        let (projects, cargo) = found.into_iter().partition(|path| path.ends_with(names[0]));
        Ancestors { projects, cargo }
    }
}

/// The files that there are in cargo's own folder, the newer name first.
pub fn cargo_files(folder: &Path) -> Vec<PathBuf> {
    present(folder, ["config.toml", "config"], || vec![folder.to_path_buf()])
}

type Names = [&'static str; 2];

/// What is known of a folder.
struct Seen {
    folder: PathBuf,
    /// Its state before it was looked into, unless that may change without a trace.
    stamp: Option<Stamp>,
    /// Those of the names that there are, even if they lead nowhere.
    found: Vec<PathBuf>,
}

/// Looks for names in folders; which folders, is asked once.
fn present(start: &Path, names: Names, folders: impl FnOnce() -> Vec<PathBuf>) -> Vec<PathBuf> {
    static SEEN: Mutex<Vec<(PathBuf, Names, Vec<Seen>)>> = Mutex::new(Vec::new());
    let mut all = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = all.iter().position(|(of, with, _)| of.as_os_str() == start.as_os_str() && *with == names);
    let known = known.unwrap_or_else(|| {
        let unseen = |folder| Seen { folder, stamp: None, found: Vec::new() };
        all.push((start.to_path_buf(), names, folders().into_iter().map(unseen).collect()));
        all.len() - 1
    });
    let seen = &mut all[known].2;
    seen.iter_mut().flat_map(|seen| seen.now(names)).cloned().collect()
}

impl Seen {
    fn now(&mut self, names: Names) -> &[PathBuf] {
        // Before the names, so that what is created meanwhile is seen the next time.
        let now = stamp(&self.folder);
        if now.is_none() || now != self.stamp {
            let there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
            self.found = names.map(|name| self.folder.join(name)).into_iter().filter(there).collect();
            self.stamp = now.filter(is_settled);
        }
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::CLOCK_LAG;

    #[test]
    fn what_is_created_or_removed_is_seen_at_once() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        std::fs::create_dir_all(&folder).unwrap();
        let check = |projects: &[&str], cargo: &[&str]| {
            let ancestors = Ancestors::of(&folder);
            let below = |paths: Vec<PathBuf>| -> Vec<PathBuf> {
                paths.iter().filter_map(|path| Some(path.strip_prefix(root.path()).ok()?.to_path_buf())).collect()
            };
            let expected = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
            assert_eq!((below(ancestors.projects), below(ancestors.cargo)), (expected(projects), expected(cargo)));
        };
        check(&[], &[]);
        std::fs::write(root.path().join("pyproject.toml"), "").unwrap();
        check(&["pyproject.toml"], &[]);
        std::thread::sleep(CLOCK_LAG * 3);
        check(&["pyproject.toml"], &[]);
        std::fs::write(folder.join("pyproject.toml"), "").unwrap();
        std::fs::create_dir(root.path().join("a/.cargo")).unwrap();
        check(&["a/b/pyproject.toml", "pyproject.toml"], &["a/.cargo"]);
        std::fs::remove_file(root.path().join("pyproject.toml")).unwrap();
        check(&["a/b/pyproject.toml"], &["a/.cargo"]);
        std::thread::sleep(CLOCK_LAG * 3);
        check(&["a/b/pyproject.toml"], &["a/.cargo"]);
        std::fs::rename(root.path().join("a/.cargo"), folder.join(".cargo")).unwrap();
        check(&["a/b/pyproject.toml"], &["a/b/.cargo"]);
    }
}
