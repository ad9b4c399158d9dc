//! The cache folder. The one place that writes below its root. ARCHITECTURE.md draws all that is in it.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cache::owner::{check_executable, check_owner, create_private, is_cache, is_roots, make_cache};
use crate::config::environment::user_caches;
use crate::config::settings::Settings;
use crate::error::{Error, Kind, Result};
use crate::limits::{self, Limit, failed};

const LAYOUT: &str = "v1";
/// The folders in it that every build needs.
const FOLDERS: [&str; 8] = ["kernels", "work", "targets", "recipes", "toolchains", "python", "locks", "tmp"];
/// What else there may be.
const FURTHER: [&str; 9] =
    ["cells", "origins", "arrived", "texts", "house", "Cargo.lock", "rustc-recorder", "clippy-recorder", "linker"];
/// Metadata larger than this is not written, and what is larger was not written by us.
pub const LARGEST_METADATA: u64 = 32 * 1024 * 1024;
/// When a file was written that is to be older than all others: in September 2001.
const LONG_AGO: Duration = Duration::from_secs(1_000_000_000);

/// The opened cache.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    /// Is it somebody's to share, in which is only looked?
    shared: bool,
}

impl Cache {
    /// Opens the cache that the settings name, without creating it, and checks that it is the user's own.
    pub fn open(settings: &Settings) -> Result<Cache> {
        let root = match settings.cache_dir.as_str() {
            "" => user_caches().map(|folder| folder.join("rsimport")).ok_or_else(|| {
                Error::cache("the user's cache folder is not known").hint("RSIMPORT_CACHE_DIR names one")
            })?,
            given => std::path::absolute(given).map_err(|e| Error::cache(format!("{given}: {e}")))?,
        };
        check_owner(&root)?;
        Ok(Cache { root, shared: false })
    }

    /// The caches that somebody has made for others, as far as nobody else can write to them; and why others are not
    /// looked at.
    pub fn shared(roots: &[String]) -> (Vec<Cache>, Vec<Error>) {
        let mut found = (Vec::new(), Vec::new());
        for root in roots {
            let Ok(root) = std::path::absolute(root) else { continue };
            match check_owner(&root) {
                Ok(()) => found.0.push(Cache { root, shared: true }),
                Err(error) => found.1.push(error),
            }
        }
        found
    }

    /// Is it one in which is only looked?
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// The cache in which a published library lies: below the folders of its layout, its key and its entry. A library that
    /// lies elsewhere is in none.
    pub fn of(library: &Path) -> Option<Cache> {
        let (published, root) = (library.ancestors().nth(3)?, library.ancestors().nth(5)?);
        (published == root.join(LAYOUT).join("kernels")).then(|| Cache { root: root.to_path_buf(), shared: false })
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Creates the folders that a build needs and collects what killed builds have left behind.
    pub fn prepare(&self) -> Result<()> {
        limits::check()?;
        if is_roots(&self.root) {
            return Err(self.unwritable(&io::ErrorKind::PermissionDenied.into()));
        }
        make_cache(&self.root)?.map_err(|e| self.unwritable(&e))?;
        let made = (|| -> io::Result<()> {
            create_private(&self.layout())?;
            for name in FOLDERS {
                fs::create_dir_all(self.layout().join(name))?;
            }
            Ok(())
        })();
        made.map_err(|e| self.unwritable(&e))?;
        check_executable(&self.root)
    }

    /// Makes a folder visible at its final place, by one rename. Nothing is flushed to the disk before: should a power
    /// cut tear the files, their checksum tells at the next import, and flushing would cost more than an incremental
    /// rebuild on many disks.
    pub fn reveal(&self, prepared: &Path, place: &Path) -> Result<()> {
        let placed = || place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::rename(prepared, place));
        // Whoever removes the last entry of a key takes the empty folder along, perhaps just now.
        let again = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { placed() } else { Err(error) };
        placed().or_else(again).or_else(again).map_err(|e| self.unwritable(&e))
    }

    /// Moves a file within the cache.
    pub fn move_file(&self, from: &Path, to: &Path) -> Result<()> {
        let moved = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::rename(from, to));
        moved.map_err(|e| self.unwritable(&e))
    }

    /// Copies a file within the cache. A linker writes its output here and there; in a copy that was written in one go the
    /// kernel keeps larger pieces together, which saves a process that maps it some microseconds.
    pub fn copy_file(&self, from: &Path, to: &Path) -> Result<()> {
        let copied = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::copy(from, to));
        copied.map(drop).map_err(|e| self.unwritable(&e))
    }

    /// Removes a folder. It is renamed first: another process must not see it half removed.
    pub fn remove(&self, folder: &Path) -> Result<()> {
        let grave = self.layout().join("tmp").join(format!("removed-{:x}", now().as_nanos()));
        fs::rename(folder, &grave).and_then(|()| fs::remove_dir_all(&grave)).map_err(|e| self.unwritable(&e))
    }

    /// Removes a file, if it is there.
    pub fn remove_file(&self, file: &Path) {
        let _ = fs::remove_file(file);
    }

    /// Removes a folder if it is empty. Where a file is expected, a folder is damage, and a file is left alone.
    pub fn remove_empty(&self, folder: &Path) {
        let _ = fs::remove_dir(folder);
    }

    /// Removes everything, if the folder is a cache and not one that the setting names by mistake.
    pub fn remove_all(&self) -> Result<()> {
        if !self.layout().exists() {
            return Ok(());
        }
        if !is_cache(&self.root) {
            return Err(Error::cache(format!(
                "{} is not a cache of rsimport, so nothing was removed",
                self.root.display()
            ))
            .hint("RSIMPORT_CACHE_DIR and the setting `cache_dir` name the cache's folder"));
        }
        // Nothing that is not known to be ours, should anybody have put anything there.
        let ours = |entry: &fs::DirEntry| FOLDERS.iter().chain(&FURTHER).any(|name| entry.file_name() == *name);
        let removed = fs::read_dir(self.layout()).and_then(|entries| {
            entries.flatten().filter(ours).try_for_each(|entry| match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            })
        });
        self.remove_empty(&self.layout());
        let older = self.older_layouts().into_iter().try_for_each(fs::remove_dir_all);
        removed.and(older).map_err(|e| self.unwritable(&e))
    }

    /// What an older rsimport has kept here.
    pub fn older_layouts(&self) -> Vec<PathBuf> {
        let number = |name: &str| name.strip_prefix('v').and_then(|number| number.parse::<u32>().ok());
        let is_older = |entry: &fs::DirEntry| {
            entry.file_type().is_ok_and(|kind| kind.is_dir())
                && entry.file_name().to_str().and_then(number).is_some_and(|found| Some(found) < number(LAYOUT))
        };
        let found = fs::read_dir(&self.root).into_iter().flatten().flatten().filter(is_older);
        found.map(|entry| entry.path()).collect()
    }

    /// Gives a folder the present as its date; a cache that cannot be written to keeps its old dates.
    pub fn renew_date(&self, folder: &Path) {
        let mut how = fs::OpenOptions::new();
        #[cfg(not(windows))]
        how.read(true);
        #[cfg(windows)]
        {
            use std::os::windows::fs::OpenOptionsExt;
            // FILE_FLAG_BACKUP_SEMANTICS, without which Windows opens no folder.
            how.write(true).custom_flags(0x0200_0000);
        }
        let _ = how.open(folder).and_then(|folder| folder.set_modified(SystemTime::now()));
    }

    /// Writes a file below the root so that readers see the old content or the new one.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        let written = (|| -> io::Result<()> {
            if fs::read(path).is_ok_and(|old| old == content) {
                return Ok(());
            }
            let folder = path.parent().unwrap_or(&self.root);
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(content)?;
            file.persist(path)?;
            Ok(())
        })();
        written.map_err(|e| self.unwritable(&e))
    }

    /// Writes a file that is older than whatever was made of it, so that its content alone says what it is.
    pub fn write_undated(&self, path: &Path, content: &[u8]) -> Result<()> {
        self.write(path, content)?;
        let dated = (|| -> io::Result<()> {
            let (file, long_ago) = (fs::File::open(path)?, UNIX_EPOCH + LONG_AGO);
            if file.metadata()?.modified()? == long_ago { Ok(()) } else { file.set_modified(long_ago) }
        })();
        dated.map_err(|e| self.unwritable(&e))
    }

    /// Writes a script that can be started.
    pub fn write_script(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.layout().join(name);
        self.write(&path, content.as_bytes())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(|e| self.unwritable(&e))?;
        }
        Ok(path)
    }

    /// Keeps a value as JSON under a name; a value that cannot be kept is only a lost shortcut.
    pub fn keep<T: Serialize>(&self, bucket: &str, name: &str, value: &T) {
        if let Ok(text) = serde_json::to_vec(value) {
            if text.len() as u64 > LARGEST_METADATA {
                // Nor is an older value right any more.
                return self.forget(bucket, name);
            }
            let _ = self.write(&self.layout().join(bucket).join(format!("{name}.json")), &text);
        }
    }

    /// A value that was kept; a garbled one is as good as none.
    pub fn kept<T: DeserializeOwned>(&self, bucket: &str, name: &str) -> Option<T> {
        let file = fs::File::open(self.layout().join(bucket).join(format!("{name}.json"))).ok()?;
        serde_json::from_slice(&read_bounded(file)?).ok()
    }

    /// The names under which values are kept.
    pub fn names(&self, bucket: &str) -> Vec<String> {
        let files = fs::read_dir(self.layout().join(bucket)).into_iter().flatten().flatten();
        let stem = |file: fs::DirEntry| Some(file.file_name().to_str()?.strip_suffix(".json")?.to_owned());
        files.filter_map(stem).collect()
    }

    /// Forgets a kept value.
    pub fn forget(&self, bucket: &str, name: &str) {
        let _ = fs::remove_file(self.layout().join(bucket).join(format!("{name}.json")));
    }

    /// The folder of a kernel's own work, by the kernel's identity.
    pub fn work(&self, identity: &str) -> PathBuf {
        self.layout().join("work").join(identity)
    }

    /// Makes a folder empty.
    pub fn empty(&self, folder: &Path) -> Result<()> {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).map_err(|e| self.unwritable(&e))
    }

    /// Makes a symbolic link.
    pub fn link(&self, link: &Path, target: &Path) -> Result<()> {
        #[cfg(unix)]
        let make = std::os::unix::fs::symlink::<&Path, &Path>;
        #[cfg(windows)]
        let make = std::os::windows::fs::symlink_file::<&Path, &Path>;
        let made = link.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| make(target, link));
        made.map_err(|e| self.unwritable(&e))
    }

    /// Makes a symbolic link to a neighbour in the place of an older one, by way of the folder of a build, with which it goes
    /// if this process is killed. Without it a search is only longer.
    pub fn point(&self, link: &Path, neighbour: &OsStr, staging: &Path) {
        let new = staging.join("link");
        if self.link(&new, Path::new(neighbour)).is_ok() && fs::rename(&new, link).is_err() {
            self.remove_file(&new);
        }
    }

    /// cargo's target folder for a set of dependencies.
    pub fn target(&self, dependency_set: &str) -> PathBuf {
        self.layout().join("targets").join(dependency_set)
    }

    /// The file of a lock.
    pub fn lock(&self, key: &str) -> PathBuf {
        let file = self.layout().join("locks").join(format!("{key}.lock"));
        self.remove_empty(&file);
        file
    }

    /// A file of the layout.
    pub fn layout(&self) -> PathBuf {
        self.root.join(LAYOUT)
    }

    /// The error for a write that failed.
    pub fn unwritable(&self, error: &io::Error) -> Error {
        let root = self.root.display();
        let hint = "RSIMPORT_CACHE_DIR names another folder";
        match error.kind() {
            _ if Limit::of(error).is_some() => failed(Kind::Cache, "the cache cannot be written to", error),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied if is_roots(&self.root) => {
                Error::cache(format!("the cache folder {root} belongs to root: what it has is used, but not added to"))
                    .hint(format!("root builds into it, and `chmod -R a+rX {root}` shows it to others; {hint}"))
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::cache(format!("the disk of the cache folder {root} is full"))
                    .hint(format!("`rsimport cache clear` frees it; {hint}"))
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                failed(Kind::Cache, format_args!("the cache folder {root} cannot be written to"), error).hint(hint)
            }
            _ => failed(Kind::Cache, format_args!("the cache folder {root} cannot be used"), error).hint(hint),
        }
    }
}

/// Copies an artifact to a place outside of the cache, with something behind its end, by a rename, so that a library in use
/// is never written to.
pub fn copy_out(artifact: &Path, target: &Path, end: &[u8]) -> Result<()> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let copied = tempfile::Builder::new().prefix(".rsimport-").tempfile_in(folder).and_then(|file| {
        fs::copy(artifact, file.path())?;
        fs::OpenOptions::new().append(true).open(file.path())?.write_all(end)?;
        file.persist(target).map(drop).map_err(|e| e.error)
    });
    copied.map_err(|e| failed(Kind::Config, format_args!("{} cannot be written", target.display()), &e))
}

/// The time since 1970.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Reads a file that a fault may have made too large.
pub fn read_bounded(file: fs::File) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2048);
    file.take(LARGEST_METADATA + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= LARGEST_METADATA).then_some(bytes)
}
