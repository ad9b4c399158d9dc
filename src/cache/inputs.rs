//! The inputs of a build that only the build itself tells: files and environment variables that rustc and cargo named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use crate::digest::Digest;
use crate::paths::{followed, normal};

/// One input, with what it was when the artifact was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Input {
    /// A file and the digest of its content, or none where there was no such file.
    File {
        /// Relative to the kernel's folder, so that a copy of the folder is a hit, or absolute where it is far away.
        path: PathBuf,
        /// The digest of its content.
        digest: Option<String>,
    },
    /// All files below a folder: what a build script without `rerun-if-changed` depends on.
    Folder {
        /// As for a file.
        path: PathBuf,
        /// The digest of names and contents.
        digest: String,
    },
    /// The kernel's own folder: `env!("CARGO_MANIFEST_DIR")` has compiled it in.
    OwnFolder {
        /// The absolute path.
        path: PathBuf,
    },
    /// An environment variable that `env!` or a build script read.
    Variable {
        /// Its name.
        name: String,
        /// Its value, or none where it was not set.
        value: Option<String>,
    },
}

impl Input {
    /// Describes a file as it is now.
    pub fn file(path: &Path, base: &Path) -> Input {
        Input::File { path: shortened(path, base), digest: Digest::of_file(path) }
    }

    /// Describes a folder as it is now.
    pub fn folder(path: &Path, base: &Path) -> Input {
        Input::Folder { path: shortened(path, base), digest: folder_digest(path) }
    }

    /// Does the input still have the content that it had?
    pub fn holds(&self, base: &Path) -> bool {
        match self {
            Input::File { path, digest } => Digest::of_file(&base.join(path)) == *digest,
            Input::Folder { path, digest } => folder_digest(&base.join(path)) == *digest,
            Input::OwnFolder { path } => path == base,
            Input::Variable { name, value } => {
                std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()) == *value
            }
        }
    }

    /// The file or folder, absolute.
    pub fn path(&self, base: &Path) -> Option<PathBuf> {
        match self {
            Input::File { path, .. } | Input::Folder { path, .. } => Some(normal(&base.join(path))),
            Input::OwnFolder { .. } | Input::Variable { .. } => None,
        }
    }

    /// The same input, named by its absolute path.
    pub fn absolute(&self, base: &Path) -> Input {
        match self.clone() {
            Input::File { path, digest } => Input::File { path: normal(&base.join(path)), digest },
            Input::Folder { path, digest } => Input::Folder { path: normal(&base.join(path)), digest },
            other => other,
        }
    }

    /// Was it written at that time or later? Then a build that began then may have read either content.
    pub fn touched_since(&self, base: &Path, time: SystemTime) -> bool {
        let modified = |path: &Path| {
            std::fs::metadata(path).and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified >= time)
        };
        match self {
            Input::File { path, .. } => modified(&base.join(path)),
            Input::Folder { path, .. } => files_below(&base.join(path)).iter().any(|file| modified(file)),
            Input::OwnFolder { .. } | Input::Variable { .. } => false,
        }
    }

    /// What it is, for the explanation of a rebuild.
    pub fn name(&self) -> String {
        match self {
            Input::File { path, .. } | Input::Folder { path, .. } => path.display().to_string(),
            Input::OwnFolder { .. } => "the kernel's folder".to_owned(),
            Input::Variable { name, .. } => format!("environment variable {name}"),
        }
    }
}

/// Relative to the kernel's folder unless all that they share is the root or the home folder.
fn shortened(path: &Path, base: &Path) -> PathBuf {
    let path = followed(path);
    let home = dirs::home_dir();
    let shared: PathBuf =
        path.components().zip(base.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    if shared.components().count() <= 1 || home.is_some_and(|home| home.starts_with(&shared)) && !path.starts_with(base)
    {
        return path;
    }
    pathdiff::diff_paths(&path, base).unwrap_or(path)
}

fn folder_digest(folder: &Path) -> String {
    files_below(folder)
        .into_iter()
        .fold(Digest::default(), |digest, file| {
            let name = file.strip_prefix(folder).unwrap_or(&file).as_os_str().as_encoded_bytes();
            digest.with(name).with(Digest::of_file(&file).unwrap_or_default().as_bytes())
        })
        .hex()
}

/// The files of a package as cargo sees them: no hidden ones and no build folder.
fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let visible = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !(name.starts_with('.') || (name == "target" && entry.depth() == 1))
    };
    WalkDir::new(folder)
        .into_iter()
        .filter_entry(visible)
        .filter_map(std::result::Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_file_is_named_relative_to_the_kernel() {
        let check = |path: &str, base: &str, expected: &str| {
            assert_eq!(shortened(Path::new(path), Path::new(base)), Path::new(expected));
        };
        check("/a/b/k/x.txt", "/a/b/k", "x.txt");
        check("/a/b/x.txt", "/a/b/k", "../x.txt");
        check("/a/b/k/./y/../x.txt", "/a/b/k", "x.txt");
        check("/usr/x.h", "/a/b/k", "/usr/x.h");
    }

    #[test]
    fn an_input_holds_until_its_content_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        std::fs::write(&file, "1").unwrap();
        let inputs = [
            Input::file(&file, folder.path()),
            Input::folder(folder.path(), folder.path()),
            Input::file(&folder.path().join("none"), folder.path()),
        ];
        let hold = || inputs.iter().map(|input| input.holds(folder.path())).collect::<Vec<_>>();
        assert_eq!(hold(), [true, true, true]);
        std::fs::write(&file, "2").unwrap();
        assert_eq!(hold(), [false, false, true]);
        std::fs::write(&file, "1").unwrap();
        std::fs::write(folder.path().join("none"), "").unwrap();
        assert_eq!(hold(), [true, false, false]);
    }
}
