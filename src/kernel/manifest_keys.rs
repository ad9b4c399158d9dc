//! Which keys of a `Cargo.toml` have a place in a kernel's manifest.
//!
//! What is pasted from a crate is taken as far as it fits: a library's kind that is the kernel's in any case, what is only
//! for tests or for publishing. The rest is told at once.

use std::path::Path;

use toml::Value;
use toml::de::{DeTable, DeValue};

use crate::kernel::block::TABLES;

/// The keys of `[package]` that cargo is given.
pub const PACKAGE: [&str; 15] = [
    "authors",
    "categories",
    "description",
    "documentation",
    "edition",
    "homepage",
    "keywords",
    "license",
    "metadata",
    "name",
    "publish",
    "repository",
    "resolver",
    "rust-version",
    "version",
];
/// Tables that are for tests and for publishing.
const IDLE_TABLES: [&str; 2] = ["badges", "dev-dependencies"];
const IDLE_IN_PACKAGE: [&str; 11] = [
    "autobenches",
    "autobins",
    "autoexamples",
    "autolib",
    "autotests",
    "build",
    "default-run",
    "exclude",
    "include",
    "license-file",
    "readme",
];
const IDLE_IN_LIB: [&str; 10] =
    ["bench", "crate-type", "doc", "doc-scrape-examples", "doctest", "harness", "name", "path", "proc-macro", "test"];
const DEPENDENCIES: [&str; 3] = ["build-dependencies", "dependencies", "dev-dependencies"];

/// A key without a place: where it stands in the TOML, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    /// In bytes.
    pub offset: usize,
    /// As `[package] build`.
    pub key: String,
}

/// Finds all keys that have no place in the manifest of this kernel file, in the order of the text.
pub fn misplaced(toml: &DeTable<'_>, kernel: &Path) -> Vec<Misplaced> {
    let mut found = Vec::new();
    for (key, value) in toml {
        let name = key.get_ref().as_ref();
        let mut note = |offset: usize, key: String| found.push(Misplaced { offset, key });
        let entries = || value.get_ref().as_table().into_iter().flatten();
        if DEPENDENCIES.contains(&name) {
            for (dependency, spec) in entries() {
                if spec.get_ref().as_table().is_some_and(|spec| spec.contains_key("workspace")) {
                    note(dependency.span().start, format!("{}.workspace", dependency.get_ref()));
                }
            }
        }
        match name {
            "package" => {
                for (key, value) in entries() {
                    let (name, value) = (key.get_ref().as_ref(), value.get_ref());
                    let known = PACKAGE.contains(&name) || IDLE_IN_PACKAGE.contains(&name);
                    // Without a workspace nothing can be inherited, and without other files nothing be built before.
                    let inherits = name != "metadata" && value.as_table().is_some();
                    let builds = name == "build" && value.as_bool() != Some(false);
                    if !known || inherits || builds {
                        note(key.span().start, format!("[package] {name}"));
                    }
                }
            }
            "lib" => {
                for (key, value) in entries() {
                    let (name, value) = (key.get_ref().as_ref(), value.get_ref());
                    if !IDLE_IN_LIB.contains(&name) || !is_the_kernels(name, value, kernel) {
                        note(key.span().start, format!("[lib] {name}"));
                    }
                }
            }
            "workspace" if entries().all(|(key, _)| key.get_ref() == "resolver") => {}
            name if TABLES.contains(&name) || IDLE_TABLES.contains(&name) => {}
            name => note(key.span().start, name.to_owned()),
        }
    }
    found.sort_by_key(|misplaced| misplaced.offset);
    found
}

/// Says a key of `[lib]` what holds for the kernel in any case?
fn is_the_kernels(key: &str, value: &DeValue<'_>, kernel: &Path) -> bool {
    let stem = kernel.file_stem().unwrap_or_default().to_string_lossy();
    match key {
        "name" => value.as_str().is_some_and(|name| name.replace('-', "_") == stem),
        "path" => value.as_str().is_some_and(|path| Path::new(path).file_name() == kernel.file_name()),
        "crate-type" => {
            value.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind.get_ref().as_str() == Some("cdylib")))
        }
        "proc-macro" => value.as_bool() == Some(false),
        _ => true,
    }
}

/// Removes what cargo need not be given.
pub fn without_idle(table: &mut toml::Table) {
    table.retain(|name, _| TABLES.contains(&name));
    if let Some(Value::Table(package)) = table.get_mut("package") {
        package.retain(|name, _| PACKAGE.contains(&name) && name != "metadata");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, misplaced: &[&str], left: &str) {
        let found = super::misplaced(DeTable::parse(toml).unwrap().get_ref(), Path::new("/k/fast.rs"));
        assert_eq!(found.into_iter().map(|misplaced| misplaced.key).collect::<Vec<_>>(), misplaced, "{toml}");
        let mut table: toml::Table = toml.parse().unwrap();
        without_idle(&mut table);
        assert_eq!(table, left.parse().unwrap(), "{toml}");
    }

    #[test]
    fn what_fits_of_a_crates_manifest_is_taken() {
        check("[dependencies]\na = '1'", &[], "[dependencies]\na = '1'");
        check(
            "[package]\nname = 'x'\nversion = '1.0.0'\nedition = '2021'\nreadme = 'R.md'\nresolver = '2'\nbuild = false",
            &[],
            "[package]\nname = 'x'\nversion = '1.0.0'\nedition = '2021'\nresolver = '2'",
        );
        check("[lib]\nname = 'fast'\ncrate-type = ['cdylib', 'rlib']\ntest = false\npath = 'src/fast.rs'", &[], "");
        check("[dev-dependencies]\nx = '1'\n[badges]\n[workspace]\n", &[], "");
    }

    #[test]
    fn what_does_not_fit_is_found_at_once() {
        check(
            "[package]\nbuild = 'build.rs'\nlinks = 'z'\nversion.workspace = true\n[lib]\nname = 'slow'\npath = 'src/lib.rs'\n\
             crate-type = ['rlib']\nproc-macro = true\n[[bin]]\nname = 'b'\n[build-dependencies]\n[workspace]\nmembers = []\n\
             [dependencies]\na.workspace = true",
            &[
                "[package] build",
                "[package] links",
                "[package] version",
                "[lib] name",
                "[lib] path",
                "[lib] crate-type",
                "[lib] proc-macro",
                "bin",
                "build-dependencies",
                "workspace",
                "a.workspace",
            ],
            "[package]\nversion.workspace = true\n[dependencies]\na.workspace = true",
        );
    }
}
