//! Compilers that ended for want of something: how rustc, cargo, linkers and the system say so.

use std::path::Path;
use std::process::ExitStatus;

use crate::error::{Diagnostic, Error};
use crate::limits::Limit;
use crate::rustc::diagnostics::blames_a_library;

/// What is said where something ran out. A shell between two programs tells of a signal by a number above 128.
const WORDS: [(&str, Limit); 22] = [
    ("(signal: 9", Limit::Killed),
    ("(exit status: 137)", Limit::Killed),
    ("terminated with signal 9 [Killed]", Limit::Killed),
    ("(signal: 24", Limit::Time),
    ("(exit status: 152)", Limit::Time),
    ("terminated with signal 24 ", Limit::Time),
    ("(signal: 25", Limit::FileSize),
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
    ("overflowed its stack", Limit::Stack),
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

/// The error for a build that failed for want of something, from what cargo wrote to stderr and what the compilers said.
pub fn exhausted<'a>(
    text: &str,
    diagnostics: impl Iterator<Item = &'a Diagnostic> + Clone,
    source: &Path,
) -> Option<Error> {
    // Whatever has a place in a file is about that file, whose lines are quoted and can say anything.
    let said = diagnostics.clone().filter(|found| found.level == "error" && found.file.is_none());
    let mut texts = said.map(|found| found.ansi.as_str()).chain([text]);
    let is_set = |limit: &Limit| *limit != Limit::Stack || limit.is_tight();
    let named = texts.find_map(|text| {
        WORDS.iter().find(|(words, limit)| text.contains(words) && is_set(limit)).map(|(_, limit)| *limit)
    });
    // A library that rustc cannot map into its memory is one that it does not find.
    let unseen = || diagnostics.clone().any(blames_a_library) && Limit::Memory.is_tight();
    named.or_else(|| unseen().then_some(Limit::Memory)).map(|limit| error(limit, source))
}

fn error(limit: Limit, source: &Path) -> Error {
    let name = source.file_name().unwrap_or(source.as_os_str()).to_string_lossy();
    Error::toolchain(format!("{name} cannot be compiled: {}", limit.reason())).hint(limit.hint()).kernel(source)
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
