//! The environment variables that decide what is built, read in one pass.

use std::ffi::OsStr;
#[cfg(not(target_os = "linux"))]
use std::ffi::OsString;

/// The beginnings of the names of all variables that the settings and cargo's configuration come from.
const PREFIXES: [&str; 5] = ["CARGO_", "LIBC_", "PYO3_", "RSIMPORT_", "RUST"];

/// The variables as they were at one moment.
#[derive(Debug, Clone, Default)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Reads them. What is not Unicode in a value is replaced.
    pub fn now() -> Environment {
        let mut found = Vec::new();
        each_variable(|name, value| {
            if PREFIXES.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
                && let Some(name) = name.to_str()
            {
                found.push((name.to_owned(), value.to_string_lossy().into_owned()));
            }
        });
        Environment(found)
    }

    /// The value of a variable with one of these prefixes.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Copying all variables, as the standard library does, takes a fifth of a look-up's instructions.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn each_variable(mut visit: impl FnMut(&OsStr, &OsStr)) {
    use std::ffi::{CStr, c_char};
    use std::os::unix::ffi::OsStrExt;
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: the C library keeps an array of strings there that ends with a null pointer, or no array at all. As with
    // every reading of the environment, `std::env::vars_os` included, nobody may change it meanwhile: whoever sets a
    // variable while other threads run breaks the promise that `std::env::set_var` asks for.
    let variables = unsafe {
        let mut next = environ;
        std::iter::from_fn(move || {
            if next.is_null() || (*next).is_null() {
                return None;
            }
            let variable = CStr::from_ptr(*next).to_bytes();
            next = next.add(1);
            Some(variable)
        })
    };
    for variable in variables {
        // A name may begin with `=`, as some do on Windows, but is not empty.
        if let Some(at) = memchr::memchr(b'=', variable.get(1..).unwrap_or_default()) {
            visit(OsStr::from_bytes(&variable[..=at]), OsStr::from_bytes(&variable[at + 2..]));
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn each_variable(mut visit: impl FnMut(&OsStr, &OsStr)) {
    let variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    variables.iter().for_each(|(name, value)| visit(name, value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_are_those_of_the_standard_library() {
        // cargo sets some for its tests.
        let found = Environment::now();
        let expected: Vec<(String, String)> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
            .collect();
        assert!(found.get("CARGO_MANIFEST_DIR").is_some_and(|folder| !folder.is_empty()));
        let found: Vec<(String, String)> = found.iter().map(|(name, value)| (name.into(), value.into())).collect();
        assert_eq!(found, expected);
    }
}
