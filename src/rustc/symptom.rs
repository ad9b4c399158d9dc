//! How an error is recognised: by words in what rustc says, with places for names.

use crate::kernel::source::Source;

/// Where a symptom is looked for.
#[derive(Clone, Copy, PartialEq)]
pub enum In {
    /// In the headline.
    Message,
    /// Anywhere in rustc's text.
    Text,
}

/// What is to be said.
pub enum Say {
    /// This, with what stands in the place of the first `{}` for `@`.
    Words(&'static str),
    /// What this makes of it, if anything.
    Of(fn(&Case<'_>) -> Option<String>),
}

/// Where to look, for what, and what to say.
pub type Row = (In, &'static str, Say);

/// An error that shows a symptom.
pub struct Case<'a> {
    /// The kernel.
    pub source: &'a Source,
    /// What stands in the places of `{}`.
    pub found: Vec<&'a str>,
    /// rustc's whole text.
    pub text: &'a str,
    /// The user's line.
    pub line: &'a str,
}

/// The modules in front of the names of types are left out: rustc's versions differ in whether they are written.
pub fn without_paths(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut parts = text.split("::").peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(part) = parts.next() {
        out.push_str(part);
        if let Some(next) = parts.peek() {
            out.push_str("::");
            if next.starts_with(char::is_uppercase) {
                // Back to the beginning of the path, as far as it consists of modules.
                while let Some(before) = out.strip_suffix("::") {
                    let start = before.trim_end_matches(is_word).len();
                    if start == before.len() || before[start..].starts_with(char::is_uppercase) {
                        break;
                    }
                    out.truncate(start);
                }
            }
        }
    }
    out
}

/// What stands in the places of `{}` in a symptom; `None` where a text does not show it.
pub fn places<'a>(symptom: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = symptom.split("{}");
    let first = parts.next()?;
    let mut rest = &text[text.find(first)? + first.len()..];
    let mut found = Vec::new();
    for part in parts {
        let at = rest.find(part)?;
        // What is quoted stands on one line.
        if rest[..at].contains('\n') {
            return None;
        }
        found.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symptom_is_found_with_its_places() {
        assert_eq!(places("bound `{}: FromPyObject<", "the trait bound `P: FromPyObject<'_>` is"), Some(vec!["P"]));
        assert_eq!(places("cannot {} to `{}`", "cannot add `f64` to `i64`"), Some(vec!["add `f64`", "i64"]));
        assert_eq!(places("`{}` x", "`a\nb` x"), None);
    }

    #[test]
    fn paths_are_left_out() {
        for (text, plain) in [
            (
                "`&pyo3::types::PyModule: From<&pyo3::Bound<'_, pyo3::types::PyModule>>`",
                "`&PyModule: From<&Bound<'_, PyModule>>`",
            ),
            ("`std::collections::HashMap<std::string::String, f64>`", "`HashMap<String, f64>`"),
            ("`Vec::<f64>` and my::own", "`Vec::<f64>` and my::own"),
            ("trait `pyo3::impl_::pyclass::PyMethods<P>` for", "trait `PyMethods<P>` for"),
            ("`HashMap::new` and ::std::vec::Vec", "`HashMap::new` and ::Vec"),
            ("Option::Some", "Option::Some"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_paths(text), plain);
        }
    }
}
