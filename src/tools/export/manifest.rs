//! The `Cargo.toml` of an exported kernel: what its manifest block says, as its user has written it, with a package around.

use std::path::Path;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

use super::files::Files;
use super::inherited::write_out;
use super::pyo3_of;
use crate::compile::plan::crate_name;
use crate::config::layers::Config;
use crate::error::{Error, Result};
use crate::kernel::crates::PYO3;
use crate::kernel::source::Source;
use crate::paths::followed;

/// What a manifest says of its package, for the metadata of Python's.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line.
    pub description: Option<String>,
    /// An SPDX expression.
    pub license: Option<String>,
    /// As `Name <address>`.
    pub authors: Vec<String>,
    /// The repository's address.
    pub repository: Option<String>,
    /// The crates that it depends on directly.
    pub crates: Vec<String>,
    /// Has it the feature with which it is built for several versions of Python? The name that Rust has for PyO3.
    pub abi3: bool,
    /// Is PyO3 older than the variable by which it is told not to link with Python?
    pub old: bool,
}

/// A manifest that is being written.
pub struct Cargo {
    document: DocumentMut,
    pyo3: (String, Option<(u64, u64)>),
}

impl Cargo {
    /// Starts from a kernel's manifest block, or from a crate's own manifest. `place` is that of the crate root.
    pub fn of(source: &Source, config: &Config, doc: Option<&str>, place: &Path) -> Result<Cargo> {
        let manifest = &config.manifest;
        let text = match (&source.manifest, &manifest.block) {
            (Some(own), _) => own.text.as_str(),
            (None, Some(block)) => block.toml.as_str(),
            (None, None) => "",
        };
        let broken = |error| Error::config(format!("{}: {error}", source.path.display())).kernel(&source.path);
        let mut document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| broken(error.to_string()))?;
        let pyo3 = pyo3_of(source, manifest);
        if source.manifest.is_some() {
            write_out(&mut document, &source.base).map_err(|error| error.kernel(&source.path))?;
            let library = table_in(&mut document, "lib");
            let kinds = library.get("crate-type").and_then(Item::as_array).cloned().unwrap_or_default();
            if !kinds.iter().any(|kind| kind.as_str() == Some("cdylib")) {
                let mut kinds = kinds;
                kinds.push("cdylib");
                library.insert("crate-type", value(kinds));
            }
        } else {
            document = with_package(document, source, manifest.has_pyo3_before(23), doc, place);
        }
        without_settings(&mut document);
        add_pyo3(&mut document);
        let mut cargo = Cargo { document, pyo3 };
        cargo.add_abi3();
        if !cargo.document.contains_key("workspace") {
            let mut own = Table::new();
            own.decor_mut().set_prefix("\n# Whatever lies in folders above.\n");
            cargo.document.insert("workspace", Item::Table(own));
        }
        Ok(cargo)
    }

    /// Has the crates in folders copied, and named from the project.
    pub fn bring_dependencies(&mut self, files: &mut Files, source: &Source) -> Result<()> {
        let mut failed = None;
        for (key, item) in self.document.iter_mut() {
            if (key.get().ends_with("dependencies") || ["patch", "target"].contains(&key.get()))
                && let Some(table) = item.as_table_like_mut()
            {
                each_path(table, &mut |path| {
                    let folder = followed(&source.base.join(&*path));
                    let is_inside = source.manifest.is_some() && folder.starts_with(followed(&source.base));
                    if is_inside || failed.is_some() {
                        return;
                    }
                    match files.add_crate(&folder, None, source) {
                        Ok(place) => *path = place.to_string_lossy().replace('\\', "/"),
                        Err(error) => failed = Some(error),
                    }
                });
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let text = self.document.to_string();
        format!("{}\n", text.trim())
    }

    /// What it says of the package.
    pub fn about(&self, source: &Source) -> About {
        let package = self.document.get("package");
        let text = |name: &str| Some(package?.get(name)?.as_str()?.to_owned());
        let authors = package.and_then(|package| package.get("authors")?.as_array());
        let crates = self.document.get("dependencies").and_then(Item::as_table_like);
        let named = |(name, spec): (&str, &Item)| spec.get("package").and_then(Item::as_str).unwrap_or(name).to_owned();
        About {
            name: text("name").unwrap_or_else(|| source.module.clone()),
            version: text("version").unwrap_or_else(|| "0.1.0".into()),
            description: text("description"),
            license: text("license"),
            authors: authors.into_iter().flatten().filter_map(|author| author.as_str().map(str::to_owned)).collect(),
            repository: text("repository"),
            crates: crates.map(|table| table.iter().map(named).collect()).unwrap_or_default(),
            abi3: self.document.get("features").is_some_and(|features| features.get("abi3").is_some()),
            old: self.pyo3.1.is_some_and(|version| version < (0, 26)),
        }
    }

    /// The feature with which one library is for several versions of Python, where PyO3 is one that has it.
    fn add_abi3(&mut self) {
        let dependencies = table_in(&mut self.document, "dependencies");
        let ours = dependencies.iter().find(|(name, _)| name.replace('-', "_") == self.pyo3.0);
        let is_released = ours.is_some_and(|(_, spec)| ["path", "git"].iter().all(|key| spec.get(key).is_none()));
        if !is_released || self.pyo3.1.is_some_and(|version| version < (0, 17)) {
            return;
        }
        let mut feature = Array::new();
        feature.push(format!("{}/abi3-py310", self.pyo3.0));
        let features = table_in(&mut self.document, "features");
        if features.get("abi3").is_none() {
            features.insert("abi3", value(feature));
        }
    }
}

/// The document with the package and the library before everything else.
fn with_package(mut rest: DocumentMut, source: &Source, old: bool, doc: Option<&str>, place: &Path) -> DocumentMut {
    let mut document = DocumentMut::new();
    let own = rest.remove("package").and_then(|package| package.into_table().ok()).unwrap_or_default();
    let mut package = Table::new();
    let first = doc.unwrap_or_default().split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let given = |name: &str| own.get(name).cloned();
    package.insert("name", given("name").unwrap_or_else(|| value(source.module.trim_start_matches('_'))));
    package.insert("version", given("version").unwrap_or_else(|| value("0.1.0")));
    package.insert("edition", given("edition").unwrap_or_else(|| value(if old { "2021" } else { "2024" })));
    if !first.is_empty() {
        package.insert("description", value(first));
    }
    for (name, item) in own.iter() {
        package.insert(name, item.clone());
    }
    document.insert("package", Item::Table(package));
    let mut library = Table::new();
    library.insert("name", value(crate_name(&source.module)));
    if place != Path::new("src/lib.rs") {
        library.insert("path", value(place.to_string_lossy().replace('\\', "/")));
    }
    let mut kinds = Array::new();
    kinds.push("cdylib");
    library.insert("crate-type", value(kinds));
    library.decor_mut().set_prefix("\n");
    document.insert("lib", Item::Table(library));
    let mut text = document.to_string();
    text.push('\n');
    text.push_str(rest.to_string().trim_start());
    text.parse().unwrap_or(document)
}

/// Takes `[package.metadata.rsimport]` out.
fn without_settings(document: &mut DocumentMut) {
    let Some(package) = document.get_mut("package").and_then(Item::as_table_like_mut) else { return };
    if let Some(metadata) = package.get_mut("metadata").and_then(Item::as_table_like_mut) {
        metadata.remove("rsimport");
        if metadata.is_empty() {
            package.remove("metadata");
        }
    }
}

/// Names the PyO3 that kernels get, where the manifest does not.
fn add_pyo3(document: &mut DocumentMut) {
    let dependencies = table_in(document, "dependencies");
    let is_renamed = |item: &Item| item.get("package").and_then(Item::as_str) == Some("pyo3");
    if dependencies.iter().any(|(_, item)| is_renamed(item)) {
        return;
    }
    match dependencies.get_mut("pyo3") {
        None => _ = dependencies.insert("pyo3", value(PYO3)),
        Some(item) => {
            if let Some(spec) = item.as_table_like_mut()
                && ["version", "path", "git", "workspace"].iter().all(|key| spec.get(key).is_none())
            {
                spec.insert("version", value(PYO3));
            }
        }
    }
}

fn table_in<'a>(document: &'a mut DocumentMut, name: &str) -> &'a mut dyn TableLike {
    let item = document.entry(name).or_insert_with(|| {
        let mut table = Table::new();
        table.decor_mut().set_prefix("\n");
        Item::Table(table)
    });
    if !item.is_table_like() {
        *item = Item::Value(Value::InlineTable(InlineTable::new()));
    }
    item.as_table_like_mut().expect("it was made a table just now")
}

/// Calls something with every path of a dependency.
fn each_path(table: &mut dyn TableLike, call: &mut dyn FnMut(&mut String)) {
    for (key, item) in table.iter_mut() {
        if let Some(inner) = item.as_table_like_mut() {
            each_path(inner, call);
        } else if key.get() == "path"
            && let Some(path) = item.as_str()
        {
            let mut path = path.to_owned();
            call(&mut path);
            *item = value(path);
        }
    }
}
