//! A lock on one key, held by the operating system, so that a killed process leaves none behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::observer::{Observer, Phase};

/// The longest pause between two looks at a lock that is taken.
const PAUSE: Duration = Duration::from_millis(50);

/// A lock that is held until it is dropped.
#[derive(Debug, Default)]
pub struct Lock(Option<File>);

impl Lock {
    /// Waits for the lock, saying for whom. On a file system without locks it carries on without one: two processes
    /// may then build the same kernel, and either result is good.
    pub fn acquire(path: &Path, what: &str, timeout: f64, observer: &mut dyn Observer) -> Result<Lock> {
        let open = || {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(|e| {
                Error::cache(format!("the lock {} cannot be opened: {e}", path.display()))
                    .hint("RSIMPORT_CACHE_DIR names another cache folder")
            })
        };
        let mut file = open()?;
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) if !is_at(&file, path) => {
                    file = open()?;
                    continue;
                }
                Ok(()) => {
                    let _ = file.set_len(0);
                    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| write!(file, "process {}", std::process::id()));
                    return Ok(Lock(Some(file)));
                }
                Err(TryLockError::Error(_)) => return Ok(Lock(None)),
                Err(TryLockError::WouldBlock) => {}
            }
            let owner = owner(&mut file);
            if observer.interrupted() {
                return Err(Error::interrupted());
            }
            if started.elapsed().as_secs_f64() >= timeout {
                return Err(Error::cache(format!("{owner} has been building {what} for more than {timeout} s")).hint(
                    "wait for it or end it; the setting `lock_timeout` (RSIMPORT_LOCK_TIMEOUT) says how long to wait",
                ));
            }
            observer.progress(Phase::Waiting, 0, 0, &owner);
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE);
        }
    }

    /// Does the file system have locks?
    pub fn is_held(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the lock if nobody has it.
    pub fn try_acquire(path: &Path) -> Option<Lock> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).ok()?;
        file.try_lock().ok().filter(|()| is_at(&file, path)).map(|()| Lock(Some(file)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child that was forked during a build has inherited the file, so closing ours would not unlock it.
        if let Some(file) = &self.0 {
            let _ = file.unlock();
        }
    }
}

/// Is it still the file at its path? Whoever keeps house removes those that nobody has.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(own), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (own.dev(), own.ino()) == (there.dev(), there.ino())
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

fn owner(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(64).read_to_string(&mut text));
    if read.is_ok() && !text.is_empty() { text } else { "another process".to_owned() }
}
