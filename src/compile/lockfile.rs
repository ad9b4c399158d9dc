//! The lock file that new kernels start from, so that a second kernel gets the versions that the first one compiled.

use std::collections::{BTreeMap, HashMap};

use toml::{Table, Value};

use crate::kernel::crates::PYO3;

/// The versions that this release was tested with.
pub const SHIPPED: &str = include_str!("../../templates/Cargo.lock");

/// Is it a lock file to its end? What garbles a file rarely leaves TOML.
pub fn is_whole(text: &str) -> bool {
    text.parse::<Table>().is_ok_and(|table| table.contains_key("version") && table.contains_key("package"))
}

/// Adds the packages of a lock file to the seed. What comes from a registry or from git is kept; the generated packages
/// and path dependencies are not. A text that is no lock file adds nothing.
pub fn merged(seed: &str, lock: &str) -> String {
    let mut packages: BTreeMap<(String, String, String), Table> = BTreeMap::new();
    for text in [seed, lock] {
        for package in entries(text) {
            let part = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            packages.insert((part("name"), part("version"), part("source")), package);
        }
    }
    let packages: Vec<Value> = packages.into_values().map(Value::Table).collect();
    let table =
        Table::from_iter([("version".to_owned(), Value::Integer(4)), ("package".to_owned(), Value::Array(packages))]);
    toml::to_string(&table).unwrap_or_else(|_| seed.to_owned())
}

/// A lock file as cargo would have written it with PyO3's own macros, where something stands in their place.
pub fn plain(lock: &str) -> String {
    let mut packages = all_entries(lock);
    let is = |package: &Table, name: &str| package.get("name").and_then(Value::as_str) == Some(name);
    let Some(at) = packages.iter().position(|found| is(found, "pyo3-macros") && !found.contains_key("source")) else {
        return lock.to_owned();
    };
    packages.remove(at);
    let shipped = entries(SHIPPED);
    let mut missing = vec![format!("pyo3-macros {PYO3}")];
    while let Some(wanted) = missing.pop() {
        let named = |package: &Table| {
            let part = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default();
            format!("{} {}", part("name"), part("version")) == wanted
        };
        if let Some(package) = shipped.iter().find(|package| named(package)).filter(|_| !packages.iter().any(named)) {
            let further = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
            missing.extend(further.filter_map(Value::as_str).map(str::to_owned));
            packages.push(package.clone());
        }
    }
    let packages: Vec<Value> = packages.into_iter().map(Value::Table).collect();
    let table =
        Table::from_iter([("version".to_owned(), Value::Integer(4)), ("package".to_owned(), Value::Array(packages))]);
    toml::to_string(&table).unwrap_or_else(|_| lock.to_owned())
}

/// The packages of a lock file that come from elsewhere.
fn entries(text: &str) -> Vec<Table> {
    all_entries(text).into_iter().filter(|package| package.contains_key("source")).collect()
}

/// The packages of a lock file, with dependencies that name their versions: the short form `syn` is ambiguous as soon as
/// two lock files with different versions are merged.
fn all_entries(text: &str) -> Vec<Table> {
    let Ok(table) = text.parse::<Table>() else { return Vec::new() };
    let mut all: Vec<Table> = match table.get("package") {
        Some(Value::Array(packages)) => packages.iter().filter_map(Value::as_table).cloned().collect(),
        _ => Vec::new(),
    };
    let mut versions: HashMap<String, String> = HashMap::new();
    for package in &all {
        if let (Some(name), Some(version)) =
            (package.get("name").and_then(Value::as_str), package.get("version").and_then(Value::as_str))
        {
            versions.insert(name.to_owned(), version.to_owned());
        }
    }
    for package in &mut all {
        let Some(Value::Array(dependencies)) = package.get_mut("dependencies") else { continue };
        for dependency in dependencies {
            if let Some(version) = dependency.as_str().and_then(|name| versions.get(name)) {
                *dependency = format!("{} {version}", dependency.as_str().unwrap_or_default()).into();
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lock_files_are_merged_without_losing_a_version() {
        let lock = |version: &str| {
            format!(
                "version = 4\n[[package]]\nname = \"rsimport-kernel\"\nversion = \"0.0.0\"\ndependencies = [\"a\"]\n\
                 [[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry\"\ndependencies = [\"b\"]\n\
                 [[package]]\nname = \"b\"\nversion = \"{version}\"\nsource = \"registry\"\n"
            )
        };
        let text = merged(&merged("", &lock("1.0.0")), &lock("2.0.0"));
        assert_eq!(text.matches("name = \"b\"").count(), 2);
        assert_eq!(text.matches("name = \"a\"").count(), 1);
        assert!(text.contains("\"b 2.0.0\"") && !text.contains("rsimport-kernel"), "{text}");
        assert_eq!(merged(&text, "garbage ["), text);
    }

    #[test]
    fn a_lock_file_says_nothing_of_what_stood_in_the_place_of_pyo3s_macros() {
        let lock = "version = 4\n[[package]]\nname = \"rsimport-kernel\"\nversion = \"0.0.0\"\ndependencies = [\"pyo3-macros\", \"syn\"]\n\
                    [[package]]\nname = \"pyo3-macros\"\nversion = \"0.30.1\"\n\
                    [[package]]\nname = \"syn\"\nversion = \"2.0.0\"\nsource = \"registry\"\n";
        let text = plain(lock);
        let found = all_entries(&text);
        let of = |name: &str| found.iter().filter(|package| package["name"].as_str() == Some(name)).collect::<Vec<_>>();
        assert!(of("pyo3-macros").len() == 1 && of("pyo3-macros")[0].contains_key("source"), "{text}");
        assert_eq!((of("syn").len(), of("pyo3-macros-backend").len(), of("heck").len()), (2, 1, 1), "{text}");
        assert!(text.contains("\"syn 2.0.0\"") && text.contains("rsimport-kernel"), "{text}");
        assert_eq!(plain(&text), text);
    }

    #[test]
    fn the_shipped_seed_holds_the_pyo3_that_kernels_get() {
        let pyo3 = entries(SHIPPED).into_iter().find(|p| p["name"].as_str() == Some("pyo3")).unwrap();
        assert_eq!(pyo3["version"].as_str(), Some(crate::kernel::crates::PYO3));
    }
}
