//! The error for a build that ended for want of something.

use std::path::Path;
use std::process::ExitStatus;

use crate::error::{Diagnostic, Error};
use crate::limits::Limit;
use crate::rustc::diagnostics::blames_a_library;
use crate::rustc::shortage::shortage;

const WORDS: &str = " cannot be compiled: ";

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

/// The error for a build that failed for want of something, from what cargo wrote to stderr and what the compilers said.
pub fn exhausted<'a>(
    text: &str,
    diagnostics: impl Iterator<Item = &'a Diagnostic> + Clone,
    source: &Path,
) -> Option<Error> {
    // Whatever has a place in a file is about that file, whose lines are quoted and can say anything.
    let said = diagnostics.clone().filter(|found| found.level == "error" && found.file.is_none());
    let named = said.map(|found| found.ansi.as_str()).chain([text]).find_map(shortage);
    // A library that rustc cannot map into its memory is one that it does not find.
    let unseen = || diagnostics.clone().any(blames_a_library) && Limit::Memory.is_tight();
    named.or_else(|| unseen().then_some(Limit::Memory)).map(|limit| error(limit, source))
}

/// Is it such an error?
pub fn is_exhausted(error: &Error) -> bool {
    error.message.contains(WORDS)
}

fn error(limit: Limit, source: &Path) -> Error {
    let name = source.file_name().unwrap_or(source.as_os_str()).to_string_lossy();
    Error::toolchain(format!("{name}{WORDS}{}", limit.reason())).hint(limit.hint()).kernel(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_out_is_told_by_what_was_said_of_it_and_not_by_a_line_of_the_users() {
        let said = |ansi: &str, file: Option<&str>| Diagnostic {
            level: "error".to_owned(),
            code: None,
            message: String::new(),
            file: file.map(str::to_owned),
            line: None,
            column: None,
            ansi: ansi.to_owned(),
        };
        let of = |text: &str, diagnostics: &[Diagnostic]| {
            exhausted(text, diagnostics.iter(), Path::new("/x/k.rs")).map(|error| error.message)
        };
        let killed = of("process didn't exit successfully: `rustc k.rs` (signal: 9, SIGKILL: kill)", &[]).unwrap();
        assert!(killed.starts_with("k.rs cannot be compiled: the compiler was killed"), "{killed}");
        assert_eq!(of("`rustc-recorder rustc k.rs` (exit status: 137)", &[]).unwrap(), killed);
        let memory = of("", &[said("linking with `cc` failed: ld: out of memory", None)]).unwrap();
        assert!(memory.contains("memory ran out"), "{memory}");
        assert_eq!(of("", &[said("mismatched types: panic!(\"out of memory\")", Some("/x/k.rs"))]), None);
        assert_eq!(of("`rustc k.rs` (signal: 11, SIGSEGV: invalid memory reference)", &[]), None);
        assert_eq!(of("rustc unexpectedly overflowed its stack", &[]), None);
    }
}
