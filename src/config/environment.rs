//! The environment variables that decide what is built. The one place that reads them.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

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

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Environment {
        Environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}

thread_local! {
    /// The variables of the work that this thread does without the interpreter's lock.
    static CAPTURED: RefCell<Option<Vec<(OsString, OsString)>>> = const { RefCell::new(None) };
}

/// All variables as they were at one moment, for work without the interpreter's lock: a thread of Python may set variables
/// meanwhile, and the C library then moves what others are reading.
pub struct Captured(Vec<(OsString, OsString)>);

impl Captured {
    /// Reads them, under the interpreter's lock.
    pub fn now() -> Captured {
        Captured(std::env::vars_os().collect())
    }

    /// Does work on this thread, and in the processes that it starts, with these variables.
    pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
        struct Restored(Option<Vec<(OsString, OsString)>>);
        impl Drop for Restored {
            fn drop(&mut self) {
                CAPTURED.set(self.0.take());
            }
        }
        let _restored = Restored(CAPTURED.replace(Some(self.0)));
        work()
    }
}

/// The value of any variable.
pub fn variable(name: &str) -> Option<OsString> {
    let is = |known: &OsStr| if cfg!(windows) { known.eq_ignore_ascii_case(name) } else { known == name };
    CAPTURED.with_borrow(|captured| match captured {
        Some(all) => all.iter().find(|(known, _)| is(known)).map(|(_, value)| value.clone()),
        None => std::env::var_os(name),
    })
}

/// All variables that a process gets which this work starts.
pub fn variables() -> Vec<(OsString, OsString)> {
    CAPTURED.with_borrow(Option::clone).unwrap_or_else(|| std::env::vars_os().collect())
}

/// The user's home folder.
pub fn home() -> Option<PathBuf> {
    let named = variable("HOME").filter(|home| cfg!(unix) && !home.is_empty());
    named.map(PathBuf::from).or_else(dirs::home_dir)
}

/// The folder in which the user's programs have their caches.
pub fn user_caches() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return dirs::cache_dir();
    }
    let named = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    named.or_else(|| Some(home()?.join(".cache")))
}

fn each_variable(mut visit: impl FnMut(&OsStr, &OsStr)) {
    let captured = CAPTURED.with_borrow(|captured| {
        captured.iter().flatten().for_each(|(name, value)| visit(name, value));
        captured.is_some()
    });
    if !captured {
        each_of_the_process(visit);
    }
}

/// Copying all variables, as the standard library does, takes a fifth of a look-up's instructions.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn each_of_the_process(mut visit: impl FnMut(&OsStr, &OsStr)) {
    use std::ffi::{CStr, c_char};
    use std::os::unix::ffi::OsStrExt;
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: the C library keeps an array of strings there that ends with a null pointer, or no array at all. As with
    // every reading of the environment, `std::env::vars_os` included, nobody may change it meanwhile. Python changes it
    // under its lock, which a look-up has; what runs without the lock has captured the variables.
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
fn each_of_the_process(mut visit: impl FnMut(&OsStr, &OsStr)) {
    let variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    variables.iter().for_each(|(name, value)| visit(name, value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_variables_hold_for_the_work_and_no_longer() {
        let captured = Captured(vec![("HOME".into(), "/h".into()), ("RUSTFLAGS".into(), "-Cx".into())]);
        captured.during(|| {
            assert_eq!((variable("HOME"), variable("PATH")), (Some("/h".into()), None));
            assert_eq!(Environment::now().iter().collect::<Vec<_>>(), [("RUSTFLAGS", "-Cx")]);
            assert_eq!((home(), variables().len()), (cfg!(unix).then(|| "/h".into()).or_else(dirs::home_dir), 2));
        });
        assert!(variable("PATH").is_some());
    }

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
