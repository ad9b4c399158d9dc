//! The built-in profile `profiling`: release code that profilers and debuggers can read.
//!
//! Only the kernel itself is compiled for it, by flags for its own rustc. Its dependencies are those of the release
//! profile, which need not be compiled again, and whose code is the same.

use crate::config::settings::Settings;
use crate::kernel::manifest::Manifest;
use crate::kernel::source::{Source, workspace_folder};

/// Its name.
const PROFILING: &str = "profiling";
/// The profile that cargo is told.
const UNDERLYING: &str = "release";
/// Line tables and symbols, and frame pointers, by which a profiler finds callers without reading unwind tables.
const FLAGS: [&str; 3] = ["-Cdebuginfo=line-tables-only", "-Cstrip=none", "-Cforce-frame-pointers=yes"];

/// How a kernel's profile is had from cargo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The name that cargo knows.
    pub of_cargo: String,
    /// Flags for the kernel's own rustc.
    pub flags: &'static [&'static str],
    /// Is the library to name the kernel's files by their whole paths? Then it is only that kernel's, and no copy's.
    pub names_paths: bool,
}

impl Profile {
    /// The profile that the settings name. A manifest that defines one of the name has its own.
    pub fn of(settings: &Settings, source: &Source, manifest: &Manifest) -> Profile {
        if settings.profile != PROFILING || is_defined(source, manifest) {
            return Profile { of_cargo: settings.profile.clone(), flags: &[], names_paths: false };
        }
        Profile { of_cargo: UNDERLYING.to_owned(), flags: &FLAGS, names_paths: true }
    }
}

fn is_defined(source: &Source, manifest: &Manifest) -> bool {
    let defines = |table: &toml::Table| table.get("profile").is_some_and(|profiles| profiles.get(PROFILING).is_some());
    let of_workspace = || {
        let text = std::fs::read_to_string(workspace_folder(&source.base).join("Cargo.toml")).unwrap_or_default();
        text.parse::<toml::Table>().is_ok_and(|table| defines(&table))
    };
    defines(&manifest.table) || source.manifest.is_some() && of_workspace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiling_is_release_with_flags_for_the_kernel_unless_the_manifest_says_what_it_is() {
        let of = |profile: &str, block: &str| {
            let text = format!("//! ```cargo\n//! {block}\n//! ```\n");
            let source = Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text, manifest: None };
            let manifest = Manifest::of_kernel(&source.path, &source.text).unwrap();
            Profile::of(&Settings { profile: profile.into(), ..Settings::default() }, &source, &manifest)
        };
        let built_in = of("profiling", "");
        assert_eq!((built_in.of_cargo.as_str(), built_in.names_paths), ("release", true));
        assert_eq!(of("profiling", "profile.release.opt-level = 2"), built_in);
        for (profile, block) in [("release", ""), ("dev", ""), ("profiling", "profile.profiling.inherits = 'release'")]
        {
            assert_eq!(of(profile, block), Profile { of_cargo: profile.into(), flags: &[], names_paths: false });
        }
    }
}
