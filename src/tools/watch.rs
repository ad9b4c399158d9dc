//! Following files as they are saved: which of those that matter have changed since the last look.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, MetadataKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::error::{Error, Result};
use crate::kernel::discover::folders;

/// How often it is asked whether to stop.
const PULSE: Duration = Duration::from_millis(100);
/// A burst of changes is over when nothing has changed for this long. Editors save in several steps.
const QUIET: Duration = Duration::from_millis(50);
/// A burst that never ends is reported after this time.
const LONGEST: Duration = Duration::from_secs(1);

/// Follows files and folders. Folders are watched, never files: many editors save by putting another file in a file's
/// place, and a file that is not there yet can be waited for.
pub struct Follower {
    watcher: RecommendedWatcher,
    events: Receiver<notify::Result<Event>>,
    /// What was asked for.
    followed: BTreeSet<PathBuf>,
    /// The folders in which other files matter as well: a kernel can begin to use them.
    inside: BTreeSet<PathBuf>,
    watched: BTreeSet<PathBuf>,
}

impl Follower {
    /// Follows nothing yet.
    pub fn new() -> Result<Follower> {
        let (sender, events) = channel();
        let watcher = notify::recommended_watcher(sender).map_err(refused)?;
        Ok(Follower { watcher, events, followed: BTreeSet::new(), inside: BTreeSet::new(), watched: BTreeSet::new() })
    }

    /// Follows these from now on and nothing else: files, whether or not they are there, and folders with all that kernels
    /// can lie in below them. Tells whether anything is watched now that was not: what happened there before is unknown.
    pub fn follow(&mut self, paths: &[PathBuf]) -> Result<bool> {
        self.followed = paths.iter().map(|path| real(path)).collect();
        self.inside.clear();
        let mut wanted = BTreeSet::new();
        for path in &self.followed {
            if path.is_dir() {
                self.inside.extend(folders(path));
            } else {
                self.inside.extend(path.parent().map(Path::to_path_buf));
            }
            // This tells when the path itself comes, goes, or is exchanged for another one.
            wanted.extend(path.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_path_buf));
        }
        wanted.extend(self.inside.iter().cloned());
        for folder in self.watched.difference(&wanted) {
            let _ = self.watcher.unwatch(folder);
        }
        self.watched.retain(|folder| wanted.contains(folder));
        let mut more = false;
        for folder in wanted {
            if self.watched.contains(&folder) {
                continue;
            }
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => more |= self.watched.insert(folder),
                Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => return Err(refused(error)),
                // Nobody can save in a folder that is gone or closed to the user.
                Err(_) => {}
            }
        }
        Ok(more)
    }

    /// Waits for the next burst of changes and returns the paths that changed, or none where it was interrupted.
    pub fn wait(&mut self, mut interrupted: impl FnMut() -> bool) -> BTreeSet<PathBuf> {
        let mut changed = BTreeSet::new();
        let mut began = None;
        while !interrupted() {
            let patience = if began.is_some() { QUIET } else { PULSE };
            match self.events.recv_timeout(patience) {
                Ok(event) => changed.extend(self.changes(event)),
                Err(RecvTimeoutError::Timeout) if changed.is_empty() => continue,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return changed,
            }
            if !changed.is_empty() && began.get_or_insert_with(Instant::now).elapsed() > LONGEST {
                return changed;
            }
        }
        BTreeSet::new()
    }

    /// The paths that an event says have changed, of those that matter.
    fn changes(&mut self, event: notify::Result<Event>) -> Vec<PathBuf> {
        let Ok(event) = event else { return Vec::new() };
        if event.need_rescan() {
            // Some events were lost.
            return self.followed.iter().cloned().collect();
        }
        if matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))) {
            for path in &event.paths {
                self.forget(path);
            }
        }
        if is_write(&event.kind) {
            event.paths.into_iter().filter(|path| self.matters(path)).collect()
        } else {
            Vec::new()
        }
    }

    /// A folder that went away takes its watch with it, and another one of its name is to get its own.
    fn forget(&mut self, path: &Path) {
        let gone: Vec<PathBuf> = self.watched.iter().filter(|folder| folder.starts_with(path)).cloned().collect();
        for folder in gone {
            let _ = self.watcher.unwatch(&folder);
            self.watched.remove(&folder);
        }
    }

    fn matters(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Editors keep hidden files and backups beside the user's.
        let visible = !(name.starts_with('.') || name.ends_with('~'));
        visible && path.parent().is_some_and(|folder| self.inside.contains(folder))
            || self.followed.iter().any(|followed| followed.starts_with(path))
    }
}

/// Reading a file is an event too, and a compiler reads.
fn is_write(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(access) => *access == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Metadata(what)) => *what != MetadataKind::AccessTime,
        _ => true,
    }
}

/// The path with the links in its folder resolved, as events name it.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    if path.is_dir() {
        return path.canonicalize().unwrap_or(path);
    }
    match (path.parent().and_then(|folder| folder.canonicalize().ok()), path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

fn refused(error: notify::Error) -> Error {
    let limit = matches!(error.kind, notify::ErrorKind::MaxFilesWatch);
    let hint = if limit {
        "name fewer folders, or raise the limit: sysctl fs.inotify.max_user_watches"
    } else {
        "name the kernels to `rsimport build` instead, after each edit"
    };
    let folder = error.paths.first().map_or_else(|| "the files".to_owned(), |path| path.display().to_string());
    let why = notify::Error::new(error.kind).to_string();
    Error::config(format!("{folder} cannot be watched: {}", why.trim_end_matches('.'))).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is reported of changes that were made before anybody waited.
    fn seen(follower: &mut Follower) -> Vec<String> {
        let names = follower.wait(|| false).into_iter();
        names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_burst_is_reported_once_and_backups_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let mut follower = Follower::new().unwrap();
        assert!(follower.follow(&[folder.path().into()]).unwrap());
        assert!(!follower.follow(&[folder.path().into()]).unwrap());
        for round in 0..5 {
            for name in [".k.rs.swp", "k.rs~", "k.rs", "j.rs"] {
                std::fs::write(folder.path().join(name), format!("{round}")).unwrap();
            }
        }
        assert_eq!(seen(&mut follower), ["j.rs", "k.rs"]);
    }

    #[test]
    fn a_folder_that_is_exchanged_for_another_is_followed_on() {
        let top = tempfile::tempdir().unwrap();
        let (folder, file) = (top.path().join("sub"), top.path().join("sub/k.rs"));
        let mut follower = Follower::new().unwrap();
        assert!(follower.follow(std::slice::from_ref(&file)).unwrap());
        for _ in 0..2 {
            std::fs::create_dir(&folder).unwrap();
            assert_eq!(seen(&mut follower), ["sub"]);
            assert!(follower.follow(std::slice::from_ref(&file)).unwrap());
            std::fs::write(&file, "").unwrap();
            assert_eq!(seen(&mut follower), ["k.rs"]);
            std::fs::remove_dir_all(&folder).unwrap();
            seen(&mut follower);
            assert!(follower.follow(std::slice::from_ref(&file)).unwrap());
        }
    }

    #[test]
    fn what_lies_beside_a_followed_folder_does_not_matter() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("sub");
        std::fs::create_dir(&folder).unwrap();
        let mut follower = Follower::new().unwrap();
        follower.follow(std::slice::from_ref(&folder)).unwrap();
        std::fs::write(top.path().join("beside.rs"), "").unwrap();
        std::fs::write(folder.join("k.rs"), "").unwrap();
        assert_eq!(seen(&mut follower), ["k.rs"]);
    }

    #[test]
    fn reading_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("k.rs");
        std::fs::write(&file, "").unwrap();
        let mut follower = Follower::new().unwrap();
        follower.follow(std::slice::from_ref(&file)).unwrap();
        std::fs::read(&file).unwrap();
        std::fs::write(folder.path().join("later.rs"), "").unwrap();
        assert_eq!(seen(&mut follower), ["later.rs"]);
    }

    #[test]
    fn waiting_ends_when_it_is_interrupted() {
        let mut follower = Follower::new().unwrap();
        assert!(follower.wait(|| true).is_empty());
    }
}
