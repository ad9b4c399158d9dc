//! What configures a build in the folders above a kernel: rsimport's settings and cargo's configuration.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::config::environment::{home, variable};
use crate::config::trust::{Objection, Trust};
use crate::observer::Observer;
use crate::paths::quoted;

/// The name of the file that has rsimport's settings.
pub const PROJECT: &str = "pyproject.toml";
/// So much is read of a file of somebody else's, to see whether it matters.
const ENOUGH: u64 = 1024 * 1024;

/// The files that there are, which may still turn out to be something else or unreadable.
#[derive(Debug, Clone, Default)]
pub struct Ancestors {
    /// `pyproject.toml` files, the nearest first.
    pub projects: Vec<PathBuf>,
    /// cargo's configuration files, the nearest first.
    pub cargo: Vec<PathBuf>,
    /// The files of both kinds that decide nothing.
    pub ignored: Vec<Ignored>,
}

/// A file that decides nothing, since somebody else may have written it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The file.
    pub path: PathBuf,
    /// The file or the folder that it would have been found by.
    entry: PathBuf,
    /// The folder for which it was found.
    folder: PathBuf,
    why: Objection,
}

impl Ancestors {
    /// Looks in a folder and in all folders above it, for a kernel where there is one. Every look-up asks for these names
    /// and nearly always in vain; remembering what is in no folder saved 3 of a warm import's 240 µs and is not done.
    pub fn of(folder: &Path, kernel: Option<&Path>) -> Ancestors {
        let trust = Trust::of(folder, kernel);
        let mut found = Ancestors::default();
        for above in folder.ancestors() {
            if let Some((path, metadata)) = described(above.join(PROJECT)) {
                match trust.objection_to(&path, &metadata) {
                    None => found.projects.push(path),
                    // Most projects do not configure rsimport, and are no concern of it.
                    Some(why) if mentions(&path, b"rsimport") => {
                        found.ignored.push(Ignored::new(&path, &path, folder, why))
                    }
                    Some(_) => {}
                }
            }
            if let Some((entry, metadata)) = described(above.join(".cargo"))
                && let Some((path, inner)) = described_cargo_file(&entry)
            {
                let objection = trust.objection_to(&entry, &metadata).or_else(|| trust.objection_to(&path, &inner));
                // cargo's own folder is where the user has it, in the image of a container for everybody to write to.
                match objection.filter(|_| cargo_home().as_ref() != Some(&entry)) {
                    None => found.cargo.push(path),
                    Some(why) => found.ignored.push(Ignored::new(&path, &entry, folder, why)),
                }
            }
        }
        found
    }
}

impl Ignored {
    /// A file that was found by an entry in a folder above this one.
    pub fn new(path: &Path, entry: &Path, folder: &Path, why: Objection) -> Ignored {
        Ignored { path: path.into(), entry: entry.into(), folder: folder.into(), why }
    }

    /// Tells of files that decide nothing, once in a process.
    pub fn tell(ignored: &[Ignored], observer: &mut dyn Observer) {
        static TOLD: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
        for one in ignored {
            // In the child of a fork whoever has it does not exist.
            let Ok(mut told) = TOLD.try_lock() else { return };
            if !told.contains(&one.path) {
                told.push(one.path.clone());
                drop(told);
                observer.warning(&format!("{one}\nhint: {}", one.hint()));
            }
        }
    }

    /// What makes it decide after all.
    pub fn hint(&self) -> String {
        let entry = quoted(&self.entry);
        match self.why {
            Objection::Open => format!("if nobody else has written to it: chmod -R o-w {entry}"),
            Objection::Listed => format!("if nobody else has written to it: setfacl -R -b {entry}"),
            _ if self.entry.parent() == Some(&self.folder) => {
                format!("if what it says is meant, as root: chown -R --reference {} {entry}", quoted(&self.folder))
            }
            _ => format!("if what it says is meant: cp -R {entry} {}", quoted(&self.folder)),
        }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is ignored, since it {}", self.path.display(), self.why.words())
    }
}

/// The file in a `.cargo` folder that cargo reads: where both names are there, the older one.
pub fn cargo_file(folder: &Path) -> Option<PathBuf> {
    described_cargo_file(folder).map(|(path, _)| path)
}

fn described_cargo_file(folder: &Path) -> Option<(PathBuf, Metadata)> {
    ["config", "config.toml"].into_iter().find_map(|name| described(folder.join(name)))
}

/// Cargo's own folder: `CARGO_HOME`, or `.cargo` in the home folder.
pub fn cargo_home() -> Option<PathBuf> {
    variable("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from).or_else(|| Some(home()?.join(".cargo")))
}

/// rustup's own folder: `RUSTUP_HOME`, or `.rustup` in the home folder.
pub fn rustup_home() -> Option<PathBuf> {
    variable("RUSTUP_HOME").map(PathBuf::from).or_else(|| Some(home()?.join(".rustup")))
}

/// Whatever there is by this name, even if it leads nowhere.
fn described(path: PathBuf) -> Option<(PathBuf, Metadata)> {
    let metadata = std::fs::symlink_metadata(&path).ok()?;
    Some((path, metadata))
}

/// Stands this word in a file that is not to be trusted? A pipe would keep whoever opens it waiting.
pub fn mentions(path: &Path, word: &[u8]) -> bool {
    let mut text = Vec::new();
    let file = std::fs::metadata(path).is_ok_and(|found| found.is_file()).then(|| File::open(path).ok()).flatten();
    file.is_some_and(|file| file.take(ENOUGH).read_to_end(&mut text).is_ok())
        && memchr::memmem::find(&text, word).is_some()
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
            let ancestors = Ancestors::of(&folder, None);
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
        check(&["a/b/pyproject.toml", "pyproject.toml"], &[]);
        std::fs::write(root.path().join("a/.cargo/config.toml"), "").unwrap();
        check(&["a/b/pyproject.toml", "pyproject.toml"], &["a/.cargo/config.toml"]);
        std::fs::remove_file(root.path().join("pyproject.toml")).unwrap();
        std::fs::write(root.path().join("a/.cargo/config"), "").unwrap();
        check(&["a/b/pyproject.toml"], &["a/.cargo/config"]);
    }
}
