//! Compilers that ended for want of something: how rustc, cargo, linkers and the system say so.

use std::path::Path;
use std::process::ExitStatus;

use crate::error::{Diagnostic, Error};
use crate::limits::Limit;

/// What is said where something ran out. A shell between two programs tells of a signal by a number above 128.
const WORDS: [(&str, Limit); 21] = [
    ("(signal: 9, SIGKILL", Limit::Killed),
    ("(exit status: 137)", Limit::Killed),
    ("terminated with signal 9 [Killed]", Limit::Killed),
    ("(signal: 24, SIGXCPU", Limit::Time),
    ("(exit status: 152)", Limit::Time),
    ("terminated with signal 24 ", Limit::Time),
    ("(signal: 25, SIGXFSZ", Limit::FileSize),
    ("(exit status: 153)", Limit::FileSize),
    ("terminated with signal 25 ", Limit::FileSize),
    ("File too large", Limit::FileSize),
    ("File size limit exceeded", Limit::FileSize),
    ("memory allocation of ", Limit::Memory),
    ("annot allocate memory", Limit::Memory),
    ("out of memory", Limit::Memory),
    ("Out of memory", Limit::Memory),
    ("memory exhausted", Limit::Memory),
    ("std::bad_alloc", Limit::Memory),
    ("failed to map segment", Limit::Memory),
    ("Too many open files", Limit::Files),
    ("Resource temporarily unavailable", Limit::Processes),
    ("failed to spawn thread", Limit::Processes),
];

/// The error for a compiler that a signal has ended for want of something.
pub fn by_signal(status: ExitStatus, source: &Path) -> Option<Error> {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        let limit = match status.signal()? {
            libc::SIGKILL => Limit::Killed,
            libc::SIGXCPU => Limit::Time,
            libc::SIGXFSZ => Limit::FileSize,
            _ => return None,
        };
        Some(error(limit, source))
    }
    #[cfg(not(unix))]
    {
        let _ = (status, source);
        None
    }
}

/// The error for a build that failed for want of something, if its error says so.
pub fn exhausted(failed: &Error, source: &Path) -> Option<Error> {
    limit(&failed.message, &failed.diagnostics).map(|limit| error(limit, source))
}

fn error(limit: Limit, source: &Path) -> Error {
    let name = source.file_name().unwrap_or(source.as_os_str()).to_string_lossy();
    Error::toolchain(format!("{name} cannot be compiled: {}", limit.reason())).hint(limit.hint()).kernel(source)
}

fn limit(text: &str, diagnostics: &[Diagnostic]) -> Option<Limit> {
    // Whatever has a place in a file is about that file, whose lines are quoted and can say anything.
    let said = diagnostics.iter().filter(|found| found.level == "error" && found.file.is_none());
    let mut texts = said.map(|found| found.ansi.as_str()).chain([text]);
    texts.find_map(|text| WORDS.iter().find(|(words, _)| text.contains(words)).map(|(_, limit)| *limit))
}
