//! Finding all marked kernels below a folder, and where they can lie.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::kernel::source::{crate_source, is_marked};

/// The marked kernel files and the folders of marked crates below a folder, sorted. Hidden folders, build folders and
/// virtual environments are passed over, and so is what lies inside a marked crate.
pub fn kernels(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut walk = WalkDir::new(root).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        if entry.file_type().is_dir() {
            if passed_over(&entry) {
                walk.skip_current_dir();
            } else if crate_source(entry.path()).is_some() {
                found.push(entry.path().to_path_buf());
                walk.skip_current_dir();
            }
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") && is_marked(entry.path()) {
            found.push(entry.into_path());
        }
    }
    found
}

/// The folders in which the kernels below a folder and the files of its crates lie, the folder itself first.
pub fn folders(root: &Path) -> Vec<PathBuf> {
    let walk = WalkDir::new(root).into_iter().filter_entry(|entry| entry.file_type().is_dir() && !passed_over(entry));
    walk.filter_map(Result::ok).map(DirEntry::into_path).collect()
}

fn passed_over(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let environment = || entry.path().join("pyvenv.cfg").exists();
    entry.depth() > 0
        && (name.starts_with('.') || ["target", "node_modules", "__pycache__"].contains(&&*name) || environment())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_files_and_crates_are_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("a.rs", "// rsimport\n");
        write("b.rs", "fn main() {}\n");
        write("sub/c.rs", "\n// rsimport\n");
        write("k/Cargo.toml", "[package]\nname = 'k'\n");
        write("k/src/lib.rs", "// rsimport\n");
        write("k/src/other.rs", "// rsimport\n");
        write("plain/Cargo.toml", "[package]\nname = 'p'\n");
        write("plain/src/lib.rs", "fn f() {}\n");
        write("target/d.rs", "// rsimport\n");
        write("env/pyvenv.cfg", "");
        write("env/e.rs", "// rsimport\n");
        let names: Vec<String> = kernels(folder.path())
            .iter()
            .map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["a.rs", "k", "sub/c.rs"]);
    }
}
