//! What a crate leaves to its workspace, written into its own manifest: the workspace stays behind where the crate goes.

use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::error::{Error, Result};
use crate::kernel::source::workspace_folder;
use crate::paths::{followed, normal};

/// Tables that cargo reads from the root of a workspace alone.
const OF_THE_ROOT: [&str; 2] = ["profile", "patch"];

/// Replaces every `workspace = true` in the manifest of the crate in `folder`, and adds the profiles and patches of the
/// workspace. Paths are those from the crate's folder afterwards.
pub fn write_out(document: &mut DocumentMut, folder: &Path) -> Result<()> {
    let root = workspace_folder(folder);
    if document.contains_key("workspace") || followed(&root) == followed(folder) {
        return match first_left(document.as_table()) {
            Some(key) => Err(missing(folder, &key, "no workspace above it")),
            None => Ok(()),
        };
    }
    let manifest = root.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap_or_default();
    let broken = |error| Error::config(format!("{}: {error}", manifest.display()));
    let shared: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| broken(error.to_string()))?;
    let none = Table::new();
    let workspace = shared.get("workspace").and_then(Item::as_table).unwrap_or(&none);
    if let Some(package) = document.get_mut("package").and_then(Item::as_table_like_mut) {
        package.remove("workspace");
        of_the_package(package, workspace.get("package").and_then(Item::as_table_like));
    }
    let relative = |path: &str| {
        let whole = normal(&root.join(path));
        let path: PathBuf = pathdiff::diff_paths(&whole, followed(folder)).unwrap_or(whole);
        path.to_string_lossy().replace('\\', "/")
    };
    if let Some(known) = workspace.get("dependencies").and_then(Item::as_table_like) {
        of_dependencies(document.as_table_mut(), known, &relative);
    }
    if let Some(lints) = workspace.get("lints")
        && document.get("lints").is_some_and(is_left)
    {
        document.insert("lints", unplaced(lints));
    }
    for key in OF_THE_ROOT {
        // Those of a member are ignored by cargo.
        document.remove(key);
        if let Some(item) = shared.get(key) {
            let mut item = unplaced(item);
            if let Some(table) = item.as_table_like_mut().filter(|_| key == "patch") {
                each_path(table, &relative);
            }
            document.insert(key, item);
        }
    }
    match first_left(document.as_table()) {
        Some(key) => Err(missing(folder, &key, &format!("{} has not", manifest.display()))),
        None => Ok(()),
    }
}

fn missing(folder: &Path, key: &str, whose: &str) -> Error {
    let manifest = folder.join("Cargo.toml");
    let error = Error::config(format!("{} inherits `{key}`, which {whose}", manifest.display()));
    error.hint(format!("write out what `{key}` is in {}", manifest.display()))
}

fn of_the_package(package: &mut dyn TableLike, shared: Option<&dyn TableLike>) {
    let inherited: Vec<String> =
        package.iter().filter(|(_, item)| is_left(item)).map(|(key, _)| key.to_owned()).collect();
    for key in inherited {
        // The project has a text of its own under this name.
        if key == "readme" {
            package.remove(&key);
        } else if let Some(item) = shared.and_then(|shared| shared.get(&key)).filter(|_| key != "license-file") {
            package.insert(&key, unplaced(item));
        }
    }
}

fn of_dependencies(table: &mut dyn TableLike, known: &dyn TableLike, relative: &impl Fn(&str) -> String) {
    for (key, item) in table.iter_mut() {
        let key = key.get().to_owned();
        let Some(below) = item.as_table_like_mut() else { continue };
        if !key.ends_with("dependencies") {
            // Those for a platform stand deeper.
            if key == "target" {
                below.iter_mut().for_each(|(_, item)| {
                    if let Some(platform) = item.as_table_like_mut() {
                        of_dependencies(platform, known, relative);
                    }
                });
            }
            continue;
        }
        for (name, item) in below.iter_mut() {
            if is_left(item)
                && let Some(shared) = known.get(name.get())
            {
                *item = merged(item, shared, relative);
            }
        }
    }
}

/// A dependency as its workspace describes it, with what the crate adds.
fn merged(own: &Item, shared: &Item, relative: &impl Fn(&str) -> String) -> Item {
    let mut whole = InlineTable::new();
    match (shared.as_str(), shared.as_table_like()) {
        (Some(version), _) if own.as_table_like().is_some_and(|own| own.len() == 1) => {
            return toml_edit::value(version);
        }
        (Some(version), _) => _ = whole.insert("version", version.into()),
        (_, Some(shared)) => {
            for (key, item) in shared.iter() {
                if let Some(value) = item.as_value() {
                    whole.insert(key, value.clone());
                }
            }
        }
        _ => {}
    }
    for (key, item) in own.as_table_like().into_iter().flat_map(TableLike::iter) {
        let Some(value) = item.as_value() else { continue };
        match (key, value.as_bool()) {
            // A crate cannot leave out features that its workspace asks for.
            ("workspace", _) | ("default-features", Some(false)) => {}
            ("features", _) => {
                let mut all = whole.get("features").and_then(Value::as_array).cloned().unwrap_or_else(Array::new);
                let further = value.as_array().into_iter().flatten();
                all.extend(further.filter_map(Value::as_str).map(str::to_owned));
                whole.insert(key, Value::Array(all));
            }
            _ => _ = whole.insert(key, value.clone()),
        }
    }
    each_path(&mut whole, relative);
    whole.fmt();
    toml_edit::value(whole)
}

fn each_path(table: &mut dyn TableLike, relative: &impl Fn(&str) -> String) {
    for (key, item) in table.iter_mut() {
        if let Some(inner) = item.as_table_like_mut() {
            each_path(inner, relative);
        } else if key.get() == "path"
            && let Some(path) = item.as_str().map(relative)
        {
            *item = toml_edit::value(path);
        }
    }
}

/// Is this left to the workspace?
fn is_left(item: &Item) -> bool {
    item.as_table_like().is_some_and(|table| table.get("workspace").and_then(Item::as_bool) == Some(true))
}

/// The first key that is left to a workspace still.
fn first_left(table: &dyn TableLike) -> Option<String> {
    table.iter().find_map(|(key, item)| {
        if is_left(item) {
            return Some(key.to_owned());
        }
        item.as_table_like().and_then(first_left).map(|below| format!("{key}.{below}"))
    })
}

/// A copy that takes its turn in the file that it comes to, not the one that it had.
fn unplaced(item: &Item) -> Item {
    match item.clone() {
        Item::Table(mut table) => {
            without_places(&mut table);
            Item::Table(table)
        }
        other => other,
    }
}

fn without_places(table: &mut Table) {
    table.set_position(None);
    for (_, item) in table.iter_mut() {
        if let Item::Table(below) = item {
            without_places(below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crate_leaves_to_its_workspace_is_written_out() {
        let folder = tempfile::tempdir().unwrap();
        let (root, member) = (folder.path().canonicalize().unwrap(), "app/member");
        std::fs::create_dir_all(root.join(member)).unwrap();
        let shared = "[workspace]\nmembers = ['app/*']\n[workspace.package]\nversion = '2.1.0'\nlicense = 'MIT'\n\
                      [workspace.lints.rust]\nunused = 'deny'\n\
                      [workspace.dependencies]\nrand = '0.9'\nbase = { path = 'base', features = ['a'] }\n\
                      [profile.release]\nlto = true\n[patch.crates-io]\nlog = { path = 'log' }\n";
        std::fs::write(root.join("Cargo.toml"), shared).unwrap();
        let own = "[package]\nname = 'm'\nversion.workspace = true\nlicense = { workspace = true }\n\
                   readme.workspace = true\n[lints]\nworkspace = true\n[profile.release]\nlto = false\n\
                   [dependencies]\nrand.workspace = true\nbase = { workspace = true, features = ['b'] }\n\
                   [target.'cfg(unix)'.dev-dependencies]\nrand = { workspace = true, optional = true }\n";
        let mut document: DocumentMut = own.parse().unwrap();
        write_out(&mut document, &root.join(member)).unwrap();
        let found: toml::Table = document.to_string().parse().unwrap();
        let expected = "[package]\nname = 'm'\nversion = '2.1.0'\nlicense = 'MIT'\n[lints.rust]\nunused = 'deny'\n\
                        [dependencies]\nrand = '0.9'\nbase = { path = '../../base', features = ['a', 'b'] }\n\
                        [target.'cfg(unix)'.dev-dependencies]\nrand = { version = '0.9', optional = true }\n\
                        [profile.release]\nlto = true\n[patch.crates-io]\nlog = { path = '../../log' }\n";
        assert_eq!(found, expected.parse().unwrap(), "{document}");
        let mut document: DocumentMut = "[package]\nname = 'm'\nrepository.workspace = true\n".parse().unwrap();
        let error = write_out(&mut document, &root.join(member)).unwrap_err();
        assert!(error.message.contains("inherits `package.repository`"), "{}", error.message);
    }
}
