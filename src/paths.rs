//! Paths as they are written, and where they lead.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

/// Removes `.` and `..` from a path without looking at the disk.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// A path as it can be pasted into a shell.
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), Cow::into_owned)
}

/// Removes `.` and `..` as the operating system does: `..` leaves the folder that a link leads to, not the link's.
pub fn followed(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                if out.is_symlink() {
                    out = std::fs::canonicalize(&out).unwrap_or(out);
                }
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}
