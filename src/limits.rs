//! What a process has only so much of: open files, and what images of libraries take and never give back, as none is ever
//! unloaded. Whoever runs into such a limit is told of it, not of the file or the kernel that happened to be in hand.
//!
//! Each image has Rust's standard library in it, which takes a key for thread-local variables from the system as soon as
//! a thread, a panic or PyO3 asks who it is, and aborts if there is none. glibc has 1024 of them, macOS 512, musl 128.

use std::io;

use crate::error::{Error, Kind, Result};

/// So many files are open at once in a build: locks, the compiler's pipes, what it is given and what it writes.
const FILES: usize = 16;
/// So many keys are left to the images that are loaded and have taken none yet, and to everybody else.
const KEYS: usize = 32;
/// So many images fit into the 65530 maps that Linux lets a process have, with room for threads and data.
const IMAGES: usize = 10_000;
const OPEN_FILES: &str = "close some, or allow more before Python starts: ulimit -n 4096";

/// An error for what the system said about something, such as "x.rs cannot be read".
pub fn failed(kind: Kind, what: impl std::fmt::Display, error: &io::Error) -> Error {
    if is_out_of_files(error) {
        return Error::new(kind, format!("{what}: too many files are open")).hint(OPEN_FILES);
    }
    Error::new(kind, format!("{what}: {error}"))
}

/// Is there no room for another open file, in this process or in the system?
pub fn is_out_of_files(error: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = [libc::EMFILE, libc::ENFILE];
    #[cfg(windows)]
    let codes = [4]; // ERROR_TOO_MANY_OPEN_FILES
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Checks that as many files can be opened as a build needs. It would fail in any of a hundred places otherwise.
pub fn check_files() -> Result<()> {
    #[cfg(unix)]
    {
        let opened = std::fs::File::open("/dev/null")
            .and_then(|file| (1..FILES).map(|_| file.try_clone()).collect::<io::Result<Vec<_>>>());
        if let Err(error) = opened
            && is_out_of_files(&error)
        {
            return Err(failed(Kind::Cache, "nothing can be built", &error));
        }
    }
    Ok(())
}

/// What there is no room for after so many images, in words.
pub fn lacking(loaded: usize) -> Option<String> {
    if loaded >= IMAGES {
        return Some(format!("a process has room for {IMAGES} libraries in its memory map"));
    }
    (!are_keys_left(KEYS))
        .then(|| "nearly all keys for thread-local variables that the system gives are taken".to_owned())
}

/// Could so many keys be taken now?
#[cfg(unix)]
fn are_keys_left(count: usize) -> bool {
    let mut keys = Vec::with_capacity(count);
    for _ in 0..count {
        let mut key: libc::pthread_key_t = 0;
        #[allow(unsafe_code)]
        // SAFETY: the pointer is to a key of this function's, and there is no destructor.
        if unsafe { libc::pthread_key_create(&mut key, None) } != 0 {
            break;
        }
        keys.push(key);
    }
    let taken = keys.len();
    for key in keys {
        #[allow(unsafe_code)]
        // SAFETY: the key was made above, and nobody else knows it.
        unsafe {
            libc::pthread_key_delete(key);
        }
    }
    taken == count
}

/// On Windows the standard library takes none.
#[cfg(not(unix))]
fn are_keys_left(_: usize) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_full_table_of_descriptors_is_told_as_such_and_other_faults_as_they_are() {
        let said = |code| failed(Kind::Config, "x.rs cannot be read", &io::Error::from_raw_os_error(code));
        let full = said(libc::EMFILE);
        assert_eq!(full.message, "x.rs cannot be read: too many files are open");
        assert!(full.hint.is_some_and(|hint| hint.contains("ulimit -n")));
        assert!(said(libc::ENOENT).message.contains("No such file") && said(libc::ENOENT).hint.is_none());
        assert!(check_files().is_ok());
    }

    #[test]
    fn a_process_has_room_for_a_while_and_asking_takes_nothing() {
        for _ in 0..2000 {
            assert_eq!(lacking(0), None);
        }
        assert!(lacking(IMAGES).is_some());
    }
}
