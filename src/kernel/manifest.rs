//! The manifest of a kernel: Cargo's own TOML, checked.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};
use crate::kernel::block::{self, Block, TABLES, newlines};
use crate::kernel::manifest_keys::{PACKAGE, misplaced, without_idle};
use crate::kernel::slips::slip;
use crate::kernel::{cell, crates};
use crate::similar::similar;

/// A kernel's manifest, checked: only keys that mean something here.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// The parsed TOML without `[package.metadata]`.
    pub table: toml::Table,
    /// `[package.metadata.rsimport]`: key, value, 1-based line in the file.
    pub settings: Vec<(String, toml::Value, usize)>,
    /// Where the block stands, for messages.
    pub block: Option<Block>,
}

impl Manifest {
    /// Reads the manifest block of a kernel file; a file without one has an empty manifest. What the magic of a cell
    /// asks for is added to it.
    pub fn of_kernel(path: &Path, text: &str) -> Result<Manifest> {
        let mut manifest = Manifest::of_block(path, text)?;
        if let Some(asked) = cell::dependencies(text) {
            check_dependencies(&asked, path)?;
            let asked: toml::Table = asked.parse().unwrap_or_default();
            for (name, table) in asked {
                let own = manifest.table.entry(name).or_insert_with(|| toml::Table::new().into());
                if let (toml::Value::Table(own), toml::Value::Table(asked)) = (own, table) {
                    for (name, spec) in asked {
                        own.entry(name).or_insert(spec);
                    }
                }
            }
        }
        Ok(manifest)
    }

    /// Does it say itself which PyO3 it wants? Features alone do not.
    pub fn names_pyo3(&self) -> bool {
        self.own_pyo3().is_some_and(has_origin) || self.table.contains_key("patch")
    }

    /// Is the PyO3 that it names older than this version, of which the part behind the `0.` counts?
    pub fn has_pyo3_before(&self, minor: u64) -> bool {
        let version = self.own_pyo3().and_then(|spec| spec.as_str().or_else(|| spec.get("version")?.as_str()));
        let wanted = version.and_then(|version| semver::VersionReq::parse(version).ok());
        wanted.is_some_and(|wanted| wanted.comparators.first().is_some_and(|first| older(first, minor)))
    }

    /// Which edition of Rust it asks for.
    pub fn edition(&self) -> Option<&str> {
        self.table.get("package")?.get("edition")?.as_str()
    }

    /// The edition that a kernel has unless its block names one: what the macros of an older PyO3 write is of the older
    /// edition too.
    pub fn edition_or_usual(&self) -> &str {
        self.edition().unwrap_or(if self.has_pyo3_before(23) { "2021" } else { "2024" })
    }

    /// The crates that it declares, as Rust code calls them.
    pub fn crates(&self) -> Vec<String> {
        let dependencies = self.table.get("dependencies").and_then(toml::Value::as_table);
        dependencies.into_iter().flatten().map(|(name, _)| name.replace('-', "_")).collect()
    }

    fn own_pyo3(&self) -> Option<&toml::Value> {
        let is_pyo3 = |name: &str, spec: &toml::Value| match spec.get("package").and_then(toml::Value::as_str) {
            Some(package) => package == "pyo3",
            None => name == "pyo3",
        };
        let dependencies = self.table.get("dependencies")?.as_table()?;
        dependencies.iter().find(|(name, spec)| is_pyo3(name, spec)).map(|(_, spec)| spec)
    }

    /// The name that Rust has for PyO3, and the first version that the manifest takes, as 0.30 is `(0, 30)`; it is that of
    /// a crate where there is one.
    pub fn pyo3(&self, of_crate: Option<&str>) -> (String, Option<(u64, u64)>) {
        let (key, first) = self.pyo3_key(of_crate);
        (key.replace('-', "_"), first)
    }

    /// The same, with the name that the manifest has for PyO3.
    pub fn pyo3_key(&self, of_crate: Option<&str>) -> (String, Option<(u64, u64)>) {
        let of_crate: Option<toml::Table> = of_crate.map(|text| text.parse().unwrap_or_default());
        let dependencies = of_crate.as_ref().unwrap_or(&self.table).get("dependencies").and_then(toml::Value::as_table);
        let text = |spec: &toml::Value, key: &str| spec.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let found = dependencies
            .into_iter()
            .flatten()
            .find(|(name, spec)| text(spec, "package").map_or(*name == "pyo3", |package| package == "pyo3"));
        let Some((name, spec)) = found else { return ("pyo3".to_owned(), None) };
        let version = spec.as_str().map(str::to_owned).or_else(|| text(spec, "version"));
        let version = version.and_then(|version| semver::VersionReq::parse(&version).ok());
        let first = version.and_then(|version| version.comparators.first().map(|first| (first.major, first.minor)));
        (name.clone(), first.and_then(|(major, minor)| Some((major, minor?))))
    }

    fn of_block(path: &Path, text: &str) -> Result<Manifest> {
        let Some(block) = block::find(path, text)? else { return Ok(Manifest::default()) };
        let fault =
            |line: usize, what: String| Error::config(format!("{}:{line}: {what}", path.display())).kernel(path);
        let line_of = |offset: usize| block.line + newlines(&block.toml[..offset.min(block.toml.len())]);
        let spanned = DeTable::parse(&block.toml).map_err(|e| {
            let at = e.span().map_or(0, |s| s.start).min(block.toml.len());
            let hint = block.toml.lines().nth(newlines(&block.toml[..at])).and_then(slip);
            Error { hint, ..fault(line_of(at), format!("the manifest block is not TOML: {}", e.message())) }
        })?;
        let misplaced = misplaced(spanned.get_ref(), path);
        if let Some(first) = misplaced.first() {
            let line = line_of(first.offset);
            let all: Vec<String> =
                misplaced.iter().map(|found| format!("`{}` (line {})", found.key, line_of(found.offset))).collect();
            let what = match misplaced.len() {
                1 => format!("a kernel's manifest has no key `{}`", first.key),
                _ => format!("a kernel's manifest has no keys {}", all.join(", ")),
            };
            let only =
                spanned.get_ref().iter().find(|(key, _)| misplaced.len() == 1 && key.get_ref() == first.key.as_str());
            if let Some((key, value)) = only {
                return Err(fault(line, what).hint(unplaced(key.get_ref(), value.get_ref(), &block)));
            }
            return Err(fault(line, what).hint(places()));
        }
        let mut settings = Vec::new();
        for (key, value) in spanned.get_ref() {
            let name = key.get_ref().as_ref();
            let line = line_of(key.span().start);
            let DeValue::Table(inner) = value.get_ref() else {
                return Err(fault(line, format!("`{name}` has to be a table")));
            };
            if name == "dependencies" {
                for (dependency, spec) in inner {
                    check_dependency(dependency.get_ref(), spec.get_ref(), path).map_err(|wrong| {
                        let error = fault(line_of(dependency.span().start), wrong.what);
                        Error { hint: wrong.hint, ..error }
                    })?;
                }
            }
            if name == "package"
                && let Some((_, value)) = inner.iter().find(|(key, _)| key.get_ref() == "metadata")
            {
                settings = own_settings(value.get_ref(), &line_of);
            }
        }
        let mut table: toml::Table = block.toml.parse().map_err(|e: toml::de::Error| {
            fault(line_of(e.span().map_or(0, |s| s.start)), format!("the manifest block is not TOML: {}", e.message()))
        })?;
        without_idle(&mut table);
        Ok(Manifest { table, settings, block: Some(block) })
    }

    /// The line of the file that names a dependency, for a message about it.
    pub fn line_of_dependency(&self, name: &str) -> Option<usize> {
        let block = self.block.as_ref()?;
        let mentions = |line: &str| {
            let line = line.trim_start().trim_start_matches(['"', '\'']);
            let quoted = line.contains(&format!("\"{name}\""));
            let rest = line.strip_prefix(name).or_else(|| line.strip_prefix("[dependencies.")?.strip_prefix(name));
            quoted || rest.is_some_and(|rest| rest.starts_with([' ', '=', '.', ']', '"', '\'']))
        };
        block.toml.lines().position(mentions).map(|at| block.line + at)
    }
}

/// What a manifest block may have, and where the rest has a place.
fn places() -> String {
    let tables = TABLES.join(", ");
    format!(
        "it may have: {tables}; a folder with a Cargo.toml and a marked src/lib.rs is a kernel too, and may have all keys"
    )
}

/// Finds the faults of the dependencies that the magic of a cell asks for.
fn check_dependencies(toml: &str, kernel: &Path) -> Result<()> {
    let Ok(spanned) = DeTable::parse(toml) else { return Ok(()) };
    let tables = spanned.get_ref().iter().filter_map(|(_, value)| value.get_ref().as_table());
    for (name, spec) in tables.flatten() {
        check_dependency(name.get_ref(), spec.get_ref(), kernel)
            .map_err(|wrong| Error::config(format!("{}:1: {}", kernel.display(), wrong.what)).kernel(kernel))?;
    }
    Ok(())
}

/// What is wrong with a dependency, and how it is written.
struct Wrong {
    what: String,
    hint: Option<String>,
}

/// Finds the faults of a dependency that cargo would report against the generated manifest, which the user never sees.
fn check_dependency(name: &str, spec: &DeValue<'_>, kernel: &Path) -> std::result::Result<(), Wrong> {
    let wrong = |what: String, hint: Option<String>| Err(Wrong { what, hint });
    let check_version = |value: &DeValue<'_>| match value {
        DeValue::String(text) => match semver::VersionReq::parse(text) {
            Ok(_) => Ok(()),
            Err(e) => wrong(format!("`{name} = {text:?}` is not a version: {e}"), None),
        },
        DeValue::Float(number) => {
            let hint = format!("write it in quotes: {name} = \"{}\"", number.as_str());
            wrong(format!("the version of dependency `{name}` has to be a text"), Some(hint))
        }
        DeValue::Integer(number) => {
            let hint = format!("write it in quotes: {name} = \"{}\"", number.as_str());
            wrong(format!("the version of dependency `{name}` has to be a text"), Some(hint))
        }
        _ => {
            let version = crates::version(name).unwrap_or("1");
            let what = format!("dependency `{name}` has to be a version or a table, such as {name} = \"{version}\"");
            wrong(what, None)
        }
    };
    let DeValue::Table(table) = spec else { return check_version(spec) };
    let value =
        |key: &str| table.iter().find(|(known, _)| known.get_ref().as_ref() == key).map(|(_, value)| value.get_ref());
    if let Some(version) = value("version") {
        check_version(version)?;
    } else if !ORIGINS.iter().any(|key| value(key).is_some()) && name != "pyo3" {
        let version = crates::version(name).unwrap_or("*");
        let rest: Vec<String> =
            table.iter().map(|(key, value)| format!("{} = {}", key.get_ref(), plain(value.get_ref()))).collect();
        let rest = rest.iter().map(|part| format!(", {part}")).collect::<String>();
        let hint = format!("add one: {name} = {{ version = \"{version}\"{rest} }}");
        return wrong(format!("dependency `{name}` has no version"), Some(hint));
    }
    match value("path") {
        Some(DeValue::String(path)) => {
            let folder = cell::folder_of(kernel).join(path.as_ref());
            let found = folder.join("Cargo.toml").is_file();
            if found {
                Ok(())
            } else {
                wrong(format!("dependency `{name}`: there is no crate in {}", folder.display()), None)
            }
        }
        Some(_) => wrong(format!("the path of dependency `{name}` has to be a text"), None),
        None => Ok(()),
    }
}

/// What to do with a key that stands outside of every table.
fn unplaced(name: &str, value: &DeValue<'_>, block: &Block) -> String {
    let is_version = |table: &toml::de::DeTable<'_>| {
        table.keys().any(|key| key.get_ref() == "version" || ORIGINS.contains(&key.get_ref().as_ref()))
    };
    match value {
        DeValue::String(_) if crates::version(name).is_some() || !PACKAGE.contains(&name) => {
            format!(
                "crates stand below their heading; write below line {}:\n{}[dependencies]",
                block.line - 1,
                block.prefix
            )
        }
        DeValue::Table(table)
            if is_version(table) && table.keys().all(|key| !TABLES.contains(&key.get_ref().as_ref())) =>
        {
            format!(
                "crates stand below their heading; write below line {}:\n{}[dependencies]",
                block.line - 1,
                block.prefix
            )
        }
        _ => match similar(name, TABLES) {
            Some(meant) => format!("did you mean [{meant}]?"),
            None => places(),
        },
    }
}

/// The keys of a dependency that say where it comes from, besides its version.
const ORIGINS: [&str; 3] = ["path", "git", "workspace"];

/// Does a dependency say which version of a crate it is, or where that lies?
pub fn has_origin(spec: &toml::Value) -> bool {
    let has = |key: &str| spec.get(key).is_some();
    spec.is_str() || has("version") || ORIGINS.iter().any(|key| has(key))
}

/// Does a requirement ask for a version of PyO3 below this one?
fn older(wanted: &semver::Comparator, minor: u64) -> bool {
    use semver::Op;
    let known = wanted.minor.filter(|_| wanted.major == 0);
    known.is_some_and(|version| match wanted.op {
        Op::Greater | Op::GreaterEq => false,
        Op::Less => version <= minor,
        _ => version < minor,
    })
}

fn own_settings(metadata: &DeValue<'_>, line_of: &dyn Fn(usize) -> usize) -> Vec<(String, toml::Value, usize)> {
    let DeValue::Table(metadata) = metadata else { return Vec::new() };
    let Some((_, own)) = metadata.iter().find(|(key, _)| key.get_ref().as_ref() == "rsimport") else {
        return Vec::new();
    };
    let DeValue::Table(own) = own.get_ref() else { return Vec::new() };
    own.iter()
        .map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref()), line_of(key.span().start)))
        .collect()
}

/// A spanned value without its spans.
fn plain(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.to_string().into(), toml::Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| number.to_string().into(), toml::Value::Float)
        }
        DeValue::Datetime(when) => toml::Value::Datetime(*when),
        DeValue::Array(items) => toml::Value::Array(items.iter().map(|item| plain(item.get_ref())).collect()),
        DeValue::Table(table) => toml::Value::Table(
            table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref()))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: std::result::Result<&str, &str>) {
        let found = Manifest::of_kernel(Path::new("k.rs"), text);
        match (found, expected) {
            (Ok(manifest), Ok(table)) => assert_eq!(manifest.table, table.parse().unwrap(), "{text}"),
            (Err(error), Err(message)) => assert_eq!(error.message, message, "{text}"),
            (found, expected) => panic!("{text}\n{found:?}\n{expected:?}"),
        }
    }

    #[test]
    fn a_block_is_read_from_the_doc_comment_or_the_frontmatter() {
        check("// rsimport\nfn f() {}\n", Ok(""));
        check(
            "// rsimport\n//! Title.\n//! ```cargo\n//! [dependencies]\n//! a = \"1\"\n//! ```\n",
            Ok("[dependencies]\na = '1'"),
        );
        check(
            "---\n[package.metadata.rsimport]\n[dependencies]\na = \"1\"\n---\nfn f() {}\n",
            Ok("[package]\n[dependencies]\na = '1'"),
        );
        check("// rsimport\nfn f() {}\n//! ```cargo\n//! [dependencies]\n", Ok(""));
    }

    #[test]
    fn a_faulty_block_is_named_with_its_line() {
        check(
            "// rsimport\n//! ```cargo\n//! [dependencies\n//! ```\n",
            Err("k.rs:3: the manifest block is not TOML: unclosed table, expected `]`"),
        );
        check(
            "// rsimport\n//! ```cargo\n//! a = 1\n",
            Err("k.rs:2: the manifest block that starts here is not closed"),
        );
        check(
            "// rsimport\n//! ```cargo\n//!\n//! [bin]\n//! ```\n",
            Err("k.rs:4: a kernel's manifest has no key `bin`"),
        );
        check(
            "// rsimport\n//! ```cargo\n//! [package]\n//! name = 'x'\n//! links = 'y'\n//! [[bin]]\n//! ```\n",
            Err("k.rs:5: a kernel's manifest has no keys `[package] links` (line 5), `bin` (line 6)"),
        );
        check(
            "//! ```cargo\n//! ```\n//! ```cargo\n//! ```\n",
            Err("k.rs:4: this is a second manifest block; the first is on line 2"),
        );
    }

    #[test]
    fn pyo3_is_known_by_its_name_and_version() {
        let check = |toml: &str, name: &str, version: Option<(u64, u64)>| {
            assert_eq!(Manifest::default().pyo3(Some(toml)), (name.to_owned(), version), "{toml}");
        };
        check("", "pyo3", None);
        check("[dependencies]\npyo3 = '0.22.1'", "pyo3", Some((0, 22)));
        check("[dependencies]\npyo3 = { version = '>=0.25, <0.30' }", "pyo3", Some((0, 25)));
        check("[dependencies]\nmy-py = { package = 'pyo3', git = 'x' }", "my_py", None);
        check("[dependencies]\npyo3 = { package = 'other', version = '1.0' }", "pyo3", None);
    }

    #[test]
    fn what_is_written_wrongly_is_told_with_what_to_write() {
        let hint = |lines: &str| {
            let block: String = lines.lines().map(|line| format!("//! {line}\n")).collect();
            let text = format!("// rsimport\n//! ```cargo\n{block}//! ```\n");
            let error = Manifest::of_kernel(Path::new("k.rs"), &text).unwrap_err();
            error.hint.unwrap_or_default()
        };
        assert_eq!(hint("rayon = \"1\""), "crates stand below their heading; write below line 2:\n//! [dependencies]");
        assert_eq!(hint("[dependecies]\nrayon = \"1\""), "did you mean [dependencies]?");
        assert_eq!(hint("[dependencies]\nnumpy = 0.30"), "write it in quotes: numpy = \"0.30\"");
        assert_eq!(hint("[dependencies]\nrand = 1"), "write it in quotes: rand = \"1\"");
        assert_eq!(
            hint("[dependencies]\nrand = { features = [\"std\"] }"),
            "add one: rand = { version = \"0.9\", features = [\"std\"] }"
        );
    }

    #[test]
    fn an_old_pyo3_is_known_by_its_version() {
        let of = |dependency: &str| {
            let text = format!("//! ```cargo\n//! [dependencies]\n//! {dependency}\n//! ```\n");
            Manifest::of_kernel(Path::new("k.rs"), &text).unwrap()
        };
        for (dependency, named, old) in [
            ("pyo3 = \"0.20\"", true, true),
            ("pyo3 = \"=0.20.3\"", true, true),
            ("pyo3 = { version = \"0.20\", features = [\"abi3\"] }", true, true),
            ("py = { package = \"pyo3\", version = \"0.19\" }", true, true),
            ("pyo3 = \"<0.21\"", true, true),
            ("pyo3 = \"0.21\"", true, false),
            ("pyo3 = \">=0.20\"", true, false),
            ("pyo3 = \"*\"", true, false),
            ("pyo3 = { features = [\"hashbrown\"] }", false, false),
            ("itoa = \"1\"", false, false),
        ] {
            let manifest = of(dependency);
            assert_eq!((manifest.names_pyo3(), manifest.has_pyo3_before(21)), (named, old), "{dependency}");
        }
    }

    #[test]
    fn settings_and_dependencies_know_their_lines() {
        let text = "// rsimport\n//! ```cargo\n//! [package.metadata.rsimport]\n//! profile = 'dev'\n//! [dependencies]\n//! rand = '1'\n//! ```\n";
        let manifest = Manifest::of_kernel(Path::new("k.rs"), text).unwrap();
        assert_eq!(manifest.settings, [("profile".to_owned(), "dev".into(), 4)]);
        assert_eq!(manifest.line_of_dependency("rand"), Some(6));
        assert_eq!(manifest.line_of_dependency("ran"), None);
    }
}
