//! What configures a build in the folders above a kernel: rsimport's settings and cargo's configuration.

use std::path::{Path, PathBuf};

use crate::config::environment::{home, variable};

/// The files and folders that there are, which may still turn out to be something else or unreadable.
#[derive(Debug, Clone, Default)]
pub struct Ancestors {
    /// `pyproject.toml` files, the nearest first.
    pub projects: Vec<PathBuf>,
    /// `.cargo` folders, the nearest first.
    pub cargo: Vec<PathBuf>,
}

impl Ancestors {
    /// Looks in a folder and in all folders above it. Every look-up asks for these names and nearly always in vain;
    /// remembering what is in no folder saved 3 of a warm import's 240 µs and is not done.
    pub fn of(folder: &Path) -> Ancestors {
        let named = |name| folder.ancestors().map(|folder| folder.join(name)).filter(|path| exists(path)).collect();
        Ancestors { projects: named("pyproject.toml"), cargo: named(".cargo") }
    }
}

/// The file in a `.cargo` folder that cargo reads: where both names are there, the older one.
pub fn cargo_file(folder: &Path) -> Option<PathBuf> {
    ["config", "config.toml"].map(|name| folder.join(name)).into_iter().find(|path| exists(path))
}

/// Cargo's own folder: `CARGO_HOME`, or `.cargo` in the home folder.
pub fn cargo_home() -> Option<PathBuf> {
    variable("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from).or_else(|| Some(home()?.join(".cargo")))
}

/// Is there anything by this name, even if it leads nowhere?
fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        std::fs::write(folder.join("pyproject.toml"), "").unwrap();
        std::fs::create_dir(root.path().join("a/.cargo")).unwrap();
        check(&["a/b/pyproject.toml", "pyproject.toml"], &["a/.cargo"]);
        std::fs::remove_file(root.path().join("pyproject.toml")).unwrap();
        check(&["a/b/pyproject.toml"], &["a/.cargo"]);
        std::fs::rename(root.path().join("a/.cargo"), folder.join(".cargo")).unwrap();
        check(&["a/b/pyproject.toml"], &["a/b/.cargo"]);
    }
}
