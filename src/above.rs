//! What configures a build in the folders above a kernel: rsimport's settings and cargo's configuration.
//!
//! Every look-up asks for these files, and nearly always there are none. What is not in a folder is remembered until
//! something is created, removed or renamed in it, which changes the folder's own date: one question instead of one for
//! every name. What is there is read anew each time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::digest::{Stamp, stamp};
use crate::recent::is_settled;

/// The files and folders that there are, which may still turn out to be something else or unreadable.
#[derive(Debug, Clone, Default)]
pub struct Above {
    /// `pyproject.toml` files, the nearest first.
    pub projects: Vec<PathBuf>,
    /// `.cargo` folders, the nearest first.
    pub cargo: Vec<PathBuf>,
}

impl Above {
    /// Looks in a folder and in all folders above it.
    pub fn of(folder: &Path) -> Above {
        let mut above = Above::default();
        for folder in folder.ancestors() {
            let names = ["pyproject.toml", ".cargo"];
            let [project, cargo] = present(folder, names);
            above.projects.extend(project.then(|| folder.join(names[0])));
            above.cargo.extend(cargo.then(|| folder.join(names[1])));
        }
        above
    }
}

/// For each folder, its state when it was looked at, the names that were looked for, and which of them were there.
type Seen = HashMap<PathBuf, (Stamp, [&'static str; 2], [bool; 2])>;

/// Tells which of two names there are in a folder; a name that leads nowhere counts.
pub fn present(folder: &Path, names: [&'static str; 2]) -> [bool; 2] {
    static SEEN: Mutex<Option<Seen>> = Mutex::new(None);
    // Before the names, so that what is created meanwhile is seen the next time.
    let now = stamp(folder);
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = seen.get_or_insert_default();
    if let (Some(now), Some((then, known, found))) = (&now, seen.get(folder))
        && (now, &names) == (then, known)
    {
        return *found;
    }
    let found = names.map(|name| std::fs::symlink_metadata(folder.join(name)).is_ok());
    if let Some(now) = now.filter(is_settled) {
        seen.insert(folder.to_path_buf(), (now, names, found));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recent::CLOCK_LAG;

    #[test]
    fn what_is_created_or_removed_is_seen_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let check = |a: bool, b: bool| assert_eq!(present(folder.path(), ["a", "b"]), [a, b]);
        check(false, false);
        std::fs::write(folder.path().join("a"), "").unwrap();
        check(true, false);
        std::thread::sleep(CLOCK_LAG * 3);
        check(true, false);
        check(true, false);
        std::fs::create_dir(folder.path().join("b")).unwrap();
        check(true, true);
        std::fs::remove_file(folder.path().join("a")).unwrap();
        check(false, true);
        std::thread::sleep(CLOCK_LAG * 3);
        check(false, true);
        std::fs::rename(folder.path().join("b"), folder.path().join("a")).unwrap();
        check(true, false);
    }
}
