//! Damage: what an interrupted disk or a foreign hand has done to published builds.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::cache::entries::{all, drop_entry};
use crate::cache::entry::entry_in;
use crate::cache::layout::Cache;
use crate::digest::checksum_of;

/// A published build that is not what was published.
#[derive(Debug)]
pub struct Damage {
    /// Its folder.
    pub folder: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// Was it removed? Then the next import builds the kernel again.
    pub removed: bool,
}

/// Reads every published build whole and compares it with what was written down of it; removes what differs. Returns how
/// many there were, and those that were damaged.
pub fn mend(cache: &Cache) -> (usize, Vec<Damage>) {
    let entries = all(cache);
    let mut damages = Vec::new();
    for folder in &entries {
        if let Err(what) = examine(folder)
            && folder.exists()
        {
            let removed = drop_entry(cache, folder).is_ok();
            damages.push(Damage { folder: folder.clone(), what, removed });
        }
    }
    (entries.len(), damages)
}

fn examine(folder: &Path) -> Result<(), String> {
    let entry = entry_in(folder).map_err(|error| error.to_string())?;
    let unreadable = |error: std::io::Error| format!("its library cannot be read: {error}");
    let library = unnoticed(&folder.join(&entry.library)).map_err(unreadable)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let named = name.split('-').nth(1).is_some_and(|start| entry.checksum.1.starts_with(start));
    match checksum_of(library) {
        Ok(sum) if sum == entry.checksum && named => Ok(()),
        Ok(sum) if sum == entry.checksum => Err("it lies in the folder of another build".to_owned()),
        Ok(_) => Err("its library is not what was written".to_owned()),
        Err(error) => Err(unreadable(error)),
    }
}

/// Opens a file without changing its date of access, which tells when a kernel was last imported.
#[cfg(target_os = "linux")]
fn unnoticed(path: &Path) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    // Only the owner may read so.
    let opened = open(path, flags | OFlags::NOATIME, Mode::empty()).or_else(|_| open(path, flags, Mode::empty()));
    Ok(File::from(opened?))
}

#[cfg(not(target_os = "linux"))]
fn unnoticed(path: &Path) -> std::io::Result<File> {
    File::open(path)
}
