//! How compilers, linkers and the system say that something ran out.

use crate::limits::Limit;

/// What is said where something ran out. A shell between two programs tells of a signal by a number above 128.
const WORDS: [(&str, Limit); 25] = [
    ("(signal: 9", Limit::Killed),
    ("(exit status: 137)", Limit::Killed),
    ("signal: 9 (SIGKILL)", Limit::Killed),
    ("terminated with signal 9 [Killed]", Limit::Killed),
    ("(signal: 24", Limit::Time),
    ("(exit status: 152)", Limit::Time),
    ("signal: 24 (SIGXCPU)", Limit::Time),
    ("terminated with signal 24 ", Limit::Time),
    ("(signal: 25", Limit::FileSize),
    ("(exit status: 153)", Limit::FileSize),
    ("signal: 25 (SIGXFSZ)", Limit::FileSize),
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

/// What ran out, if a text says so.
pub fn shortage(text: &str) -> Option<Limit> {
    // Of a stack that is as large as usual it is said of code that is nested too deeply.
    let counts = |limit: Limit| limit != Limit::Stack || limit.is_tight();
    WORDS.iter().find(|(words, limit)| text.contains(words) && counts(*limit)).map(|(_, limit)| *limit)
}
