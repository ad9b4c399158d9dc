//! Whose the cache folder is: the user's own, and nobody else's.

use std::path::Path;
use std::{fs, io};

use crate::error::{Error, Result};

/// Creates a folder that only the user can enter. One that exists has to be empty or his own already: the mode of a
/// folder that he uses for something else is not ours to change.
pub fn create_private(root: &Path) -> io::Result<()> {
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    match builder.create(root) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && root.is_dir() => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                if fs::read_dir(root)?.next().is_none() {
                    return fs::set_permissions(root, fs::Permissions::from_mode(0o700));
                }
            }
            Ok(())
        }
        result => result,
    }
}

/// Refuses a folder that others own or can write to.
#[cfg(unix)]
pub fn check_owner(root: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = fs::metadata(root) else { return Ok(()) };
    let refused = |what: &str| {
        Err(Error::cache(format!("the cache folder {} {what}, so its artifacts cannot be trusted", root.display()))
            .hint("RSIMPORT_CACHE_DIR names a folder of your own"))
    };
    if !metadata.is_dir() {
        return Err(
            Error::cache(format!("{} is not a folder", root.display())).hint("RSIMPORT_CACHE_DIR names another folder")
        );
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return refused("belongs to another user");
    }
    // An empty folder is about to become ours and gets its mode then.
    if metadata.mode() & 0o022 != 0 && fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some()) {
        return refused("can be written to by others");
    }
    Ok(())
}

/// The user's cache folder is private on Windows through the access lists that it inherits.
#[cfg(not(unix))]
pub fn check_owner(_: &Path) -> Result<()> {
    Ok(())
}
