//! What to do about errors whose cause rustc cannot know, from tables of symptoms.

use crate::error::Diagnostic;
use crate::kernel::source::Source;
use crate::rustc::symptom::{Case, In, Say, places, without_paths};
use crate::rustc::{pyo3_hints, rust_hints};

/// The hint for a kernel with these errors: that of the first row that one of them fits.
pub fn hint(source: &Source, errors: &[&Diagnostic]) -> Option<String> {
    let errors: Vec<(String, String, &str)> = errors
        .iter()
        .map(|error| {
            let line = error.line.filter(|_| error.file.as_ref().is_some_and(|file| source.is_file(file)));
            let line = line.and_then(|line| source.text.lines().nth(line.checked_sub(1)?)).unwrap_or_default();
            (without_paths(&error.message), without_paths(&error.rendered()), line)
        })
        .collect();
    let mut rows = pyo3_hints::TABLE.iter().chain(rust_hints::TABLE);
    rows.find_map(|(place, symptom, say)| {
        errors.iter().find_map(|(message, text, line)| {
            let found = places(symptom, if *place == In::Message { message } else { text })?;
            match say {
                Say::Words(words) => Some(words.replace('@', found.first().unwrap_or(&""))),
                Say::Of(of) => of(&Case { source, found, text, line }),
            }
        })
    })
}
