//! The crate that stands in the place of `pyo3-macros`, as cargo is given it.

use crate::digest::Digest;
use crate::kernel::crates::PYO3;

/// Its text.
pub const TEXT: &str = include_str!("../../templates/pyo3-macros.rs");
/// What it says where a macro was not expanded.
pub const REFUSAL: &str = "rsimport did not expand PyO3's macro";
/// Raised whenever what the engine answers changes without the text or PyO3's version.
const FORMAT: &str = "1";

/// Its manifest.
pub fn manifest() -> String {
    format!(
        "[package]\nname = \"pyo3-macros\"\nversion = \"{PYO3}\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\
         proc-macro = true\n\n[features]\nexperimental-async = []\nexperimental-inspect = []\nmultiple-pymethods = []\n\n\
         [workspace]\n"
    )
}

/// Names it with all that it answers.
pub fn version() -> String {
    let parts = [FORMAT, PYO3, env!("CARGO_PKG_VERSION"), TEXT];
    parts.iter().fold(Digest::default(), |digest, part| digest.with(part.as_bytes())).hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_refusal_is_known() {
        assert!(TEXT.contains(REFUSAL));
    }
}
