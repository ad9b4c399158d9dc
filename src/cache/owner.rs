//! Whose the cache folder is: the user's own, and nobody else's; and the cache's own, and nothing else's.

use std::io::Write;
use std::path::Path;
use std::{fs, io};

use crate::error::{Error, Result};
use crate::paths::quoted;

#[cfg(unix)]
const ROOT: u32 = 0;
/// The file that tells backup programs to leave a folder out, and us that it is a cache of ours.
const TAG: &str = "CACHEDIR.TAG";
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder holds compiled kernels of rsimport; it can be deleted at any time.\n";
/// What a file of ours is called before it is complete.
const UNFINISHED: &str = ".rsimport-";

/// Is the folder a cache of ours?
pub fn is_cache(root: &Path) -> bool {
    fs::read(root.join(TAG)).is_ok_and(|text| text == TAG_TEXT.as_bytes())
}

/// Something in the folder that is not the cache's.
pub fn stranger(root: &Path) -> Option<String> {
    let names = fs::read_dir(root).ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let version = |name: &str| name.strip_prefix('v').is_some_and(|rest| rest.parse::<u32>().is_ok());
    // A disk of the cache's own has a folder for what is lost.
    let ours = |name: &str| name == "lost+found" || name.starts_with(UNFINISHED);
    let known = is_cache(root);
    names.into_iter().find(|name| !ours(name) && !(known && (name == TAG || version(name))))
}

/// Makes a folder a cache. One in which there is something is in use: the tag would take it out of the user's backups.
pub fn make_cache(root: &Path) -> Result<io::Result<()>> {
    if is_cache(root) {
        return Ok(Ok(()));
    }
    if let Some(name) = stranger(root)
        && !is_cache(root)
    {
        let place = root.join("rsimport");
        return Err(Error::cache(format!(
            "{} is in use for something else, as by {name}, and cannot be the folder of the cache",
            root.display()
        ))
        .hint(format!("export RSIMPORT_CACHE_DIR={}", quoted(&place))));
    }
    Ok((|| {
        create_private(root)?;
        // Complete or not there at all: another process may look just now.
        let mut tag = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(root)?;
        tag.write_all(TAG_TEXT.as_bytes())?;
        tag.persist(root.join(TAG)).map(drop).map_err(|error| error.error)
    })())
}

/// Creates a folder that only the user can enter. One that exists has to be empty or his own already: the mode of a
/// folder that he uses for something else is not ours to change.
pub fn create_private(root: &Path) -> io::Result<()> {
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent)?;
    }
    #[cfg_attr(not(unix), expect(unused_mut))]
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

/// Refuses a folder that others own or can write to. One of root's is as good as the folder that Python itself lies in, for
/// whoever can read it: so an image of a container has its kernels.
#[cfg(unix)]
pub fn check_owner(root: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = fs::symlink_metadata(root) else { return Ok(()) };
    let (link, metadata) = match metadata.is_symlink() {
        true => (Some(metadata.uid()), fs::metadata(root)),
        false => (None, Ok(metadata)),
    };
    let Ok(metadata) = metadata else { return Ok(()) };
    let refused = |what: &str| {
        Err(Error::cache(format!("the cache folder {} {what}, so its artifacts cannot be trusted", root.display()))
            .hint("RSIMPORT_CACHE_DIR names a folder of your own"))
    };
    if !metadata.is_dir() {
        return Err(
            Error::cache(format!("{} is not a folder", root.display())).hint("RSIMPORT_CACHE_DIR names another folder")
        );
    }
    // Whoever owns a link may let it lead elsewhere.
    if link.is_some_and(|owner| owner != ROOT && owner != rustix::process::geteuid().as_raw()) {
        return refused("is a link of another user's");
    }
    let owner = metadata.uid();
    if owner != rustix::process::geteuid().as_raw() {
        if owner != ROOT {
            return refused("belongs to another user");
        }
        if fs::read_dir(root).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            let root = root.display();
            return Err(Error::cache(format!("the cache folder {root} belongs to root, and nobody else can read it"))
                .hint(format!("as root: chmod -R a+rX {root}; or RSIMPORT_CACHE_DIR names a folder of your own")));
        }
    }
    // An empty folder is about to become ours and gets its mode then.
    if metadata.mode() & 0o022 != 0 && fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some()) {
        return refused("can be written to by others");
    }
    Ok(())
}

/// Is the folder root's, and this process somebody else's?
#[cfg(unix)]
pub fn is_roots(root: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = fs::metadata(root).map(|metadata| metadata.uid());
    rustix::process::geteuid().as_raw() != ROOT && owner.is_ok_and(|owner| owner == ROOT)
}

/// There is no root.
#[cfg(not(unix))]
pub fn is_roots(_: &Path) -> bool {
    false
}

/// Refuses a folder from whose file system nothing can be executed: build scripts would fail there, and libraries could
/// not be loaded.
pub fn check_executable(root: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    if rustix::fs::statvfs(root).is_ok_and(|system| system.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC)) {
        let root = root.display();
        return Err(Error::cache(format!(
            "the cache folder {root} is on a file system that is mounted noexec, from which no library can be loaded"
        ))
        .hint("RSIMPORT_CACHE_DIR names a folder on another file system"));
    }
    let _ = root;
    Ok(())
}

/// The user's cache folder is private on Windows through the access lists that it inherits.
#[cfg(not(unix))]
pub fn check_owner(_: &Path) -> Result<()> {
    Ok(())
}
