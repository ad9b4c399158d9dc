//! What a process has only so much of: what `ulimit` and containers limit, and what images of libraries take and never give
//! back, as none is ever unloaded. Whoever runs into such a limit is told of it, not of the file or the kernel that
//! happened to be in hand.
//!
//! Each image has Rust's standard library in it, which takes a key for thread-local variables from the system as soon as
//! a thread, a panic or PyO3 asks who it is, and aborts if there is none. glibc has 1024 of them, macOS 512, musl 128.

use std::io;

use crate::error::{Error, Kind, Result};

/// So many files are open at once in a build: locks, the compiler's pipes, what it is given and what it writes.
#[cfg(unix)]
const FILES: usize = 16;
/// So many keys are left to the images that are loaded and have taken none yet, and to everybody else.
const KEYS: usize = 32;
/// So many images fit into the 65530 maps that Linux lets a process have, with room for threads and data.
const IMAGES: usize = 10_000;

/// What there may not be enough of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Open files.
    Files,
    /// The size of a file.
    FileSize,
    /// Memory, of a process or of all.
    Memory,
    /// Processes and threads.
    Processes,
    /// The stack of a program.
    Stack,
    /// Time on the CPU.
    Time,
    /// Memory or time: the system kills for want of either and does not say which.
    Killed,
}

impl Limit {
    /// The limit that the system speaks of.
    pub fn of(error: &io::Error) -> Option<Limit> {
        #[cfg(unix)]
        let known: &[(i32, Limit)] = &[
            (libc::EMFILE, Limit::Files),
            (libc::ENFILE, Limit::Files),
            (libc::EFBIG, Limit::FileSize),
            (libc::ENOMEM, Limit::Memory),
            (libc::EAGAIN, Limit::Processes),
        ];
        #[cfg(windows)]
        // ERROR_TOO_MANY_OPEN_FILES, ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY
        let known: &[(i32, Limit)] = &[(4, Limit::Files), (8, Limit::Memory), (14, Limit::Memory)];
        let code = code(error)?;
        known.iter().find(|(known, _)| *known == code).map(|(_, limit)| *limit)
    }

    /// What has happened, after "something cannot be done", with the limit that is set.
    pub fn reason(self) -> String {
        match self {
            Limit::Files => "too many files are open".to_owned(),
            Limit::FileSize => match allowed(Limit::FileSize) {
                Some(bytes) => format!("no file may have more than {} (ulimit -f {})", size(bytes), bytes / 1024),
                None => "a file would be larger than the file system allows".to_owned(),
            },
            Limit::Memory => match allowed(Limit::Memory) {
                Some(bytes) => {
                    format!("memory ran out: a process may have {} (ulimit -v {})", size(bytes), bytes / 1024)
                }
                None => format!("memory ran out{}", container()),
            },
            Limit::Processes => "no further process or thread may be started (ulimit -u)".to_owned(),
            Limit::Stack => match allowed(Limit::Stack) {
                Some(bytes) => format!("a program's stack may have {} (ulimit -s {})", size(bytes), bytes / 1024),
                None => "a program's stack is too small".to_owned(),
            },
            Limit::Time => match allowed(Limit::Time) {
                Some(seconds) => format!("a process may compute for {seconds} s (ulimit -t {seconds})"),
                None => "a process has computed for as long as it may".to_owned(),
            },
            Limit::Killed if allowed(Limit::Time).is_some() => Limit::Time.reason(),
            Limit::Killed => {
                format!("the compiler was killed, as the system does where memory runs out{}", container())
            }
        }
    }

    /// Is less allowed than compilers take for granted?
    pub fn is_tight(self) -> bool {
        let usual = match self {
            Limit::Memory => 2 << 30,
            Limit::Stack => 4 << 20,
            _ => return false,
        };
        allowed(self).is_some_and(|bytes| bytes < usual)
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Limit::Files => "close some, or allow more before Python starts: ulimit -n 4096",
            Limit::FileSize => "allow larger ones before Python starts: ulimit -f unlimited",
            Limit::Memory if allowed(Limit::Memory).is_some() => "allow more before Python starts: ulimit -v unlimited",
            Limit::Killed if allowed(Limit::Time).is_some() => Limit::Time.hint(),
            Limit::Memory | Limit::Killed => {
                "end what else takes memory, or have cargo compile one crate at a time: CARGO_BUILD_JOBS=1"
            }
            Limit::Processes => "end some, or allow more before Python starts: ulimit -u unlimited",
            Limit::Stack => "allow more before Python starts: ulimit -s 8192",
            Limit::Time => "allow more before Python starts: ulimit -t unlimited",
        }
    }
}

/// An error for what the system said about something, such as "x.rs cannot be read".
pub fn failed(kind: Kind, what: impl std::fmt::Display, error: &io::Error) -> Error {
    match Limit::of(error) {
        Some(limit) => Error::new(kind, format!("{what}: {}", limit.reason())).hint(limit.hint()),
        None => Error::new(kind, format!("{what}: {}", said(error))),
    }
}

/// What the system says. `tempfile` puts the name of a file behind it that nobody knows.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let within = text.split_once(" at path ").filter(|_| error.raw_os_error().is_none());
    within.map_or_else(|| text.clone(), |(said, _)| said.to_owned())
}

/// The system's number of an error, which is in the text alone where `tempfile` tells of it.
fn code(error: &io::Error) -> Option<i32> {
    let told = || said(error).rsplit_once("(os error ")?.1.strip_suffix(')')?.parse().ok();
    error.raw_os_error().or_else(told)
}

/// Is there no room for another open file, in this process or in the system?
pub fn is_out_of_files(error: &io::Error) -> bool {
    Limit::of(error) == Some(Limit::Files)
}

/// Checks what a build needs of its surroundings and would otherwise miss in any of a hundred places: that as many files
/// can be opened, and that its user can read what it writes.
pub fn check() -> Result<()> {
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
    // Asking for the mask elsewhere than here would change it for a moment, for all threads.
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("Umask:")?.trim(), 8).ok());
        if let Some(mask) = mask.filter(|mask| mask & 0o700 != 0) {
            let what = format!("nothing can be built: with umask {mask:03o} not even you can use what is made");
            return Err(Error::cache(what).hint("before Python starts: umask 022"));
        }
    }
    Ok(())
}

/// What `ulimit` allows, if it does limit this.
#[cfg(unix)]
fn allowed(limit: Limit) -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    let resource = match limit {
        Limit::Files => Resource::Nofile,
        Limit::FileSize => Resource::Fsize,
        #[cfg(not(target_os = "openbsd"))]
        Limit::Memory => Resource::As,
        Limit::Stack => Resource::Stack,
        Limit::Time => Resource::Cpu,
        _ => return None,
    };
    getrlimit(resource).current
}

#[cfg(not(unix))]
fn allowed(_: Limit) -> Option<u64> {
    None
}

/// What the container may have, where it is limited, in words that follow.
fn container() -> String {
    // As seen from inside, in the second version of control groups and in the first one.
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits = files.iter().filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    match limits.min().filter(|bytes| *bytes < 1 << 50) {
        Some(bytes) => format!(" (this container may have {})", size(bytes)),
        None => String::new(),
    }
}

fn size(bytes: u64) -> String {
    let (unit, name) = if bytes >= 10 << 30 { (1 << 30, "GiB") } else { (1 << 20, "MiB") };
    if bytes < unit { format!("{} KiB", bytes / 1024) } else { format!("{} {name}", bytes / unit) }
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
        let full = said(libc::EFBIG);
        assert_eq!(full.message, "x.rs cannot be read: a file would be larger than the file system allows");
        let missing = tempfile::NamedTempFile::new_in("/no/such/folder");
        let missing = failed(Kind::Config, "x.rs cannot be written", &missing.unwrap_err());
        assert_eq!(missing.message, "x.rs cannot be written: No such file or directory (os error 2)");
        let named = io::Error::other(format!("{} at path \"/tmp/a\"", io::Error::from_raw_os_error(libc::EMFILE)));
        assert_eq!(Limit::of(&named), Some(Limit::Files));
        assert!(check().is_ok());
    }

    #[test]
    fn a_process_has_room_for_a_while_and_asking_takes_nothing() {
        for _ in 0..2000 {
            assert_eq!(lacking(0), None);
        }
        assert!(lacking(IMAGES).is_some());
    }
}
