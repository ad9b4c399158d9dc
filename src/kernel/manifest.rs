//! The manifest block: Cargo's own TOML inside a kernel file, in its doc comment or as the frontmatter of a cargo script.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};
use crate::kernel::cell;
use crate::kernel::manifest_keys::{TABLES, misplaced, without_idle};

/// The TOML of a manifest block, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The TOML, line by line as it stands in the file.
    pub toml: String,
    /// The 1-based line of the file on which the TOML's first line stands.
    pub line: usize,
    /// Bytes of the file that rustc must not see: the frontmatter, fences included.
    pub hidden: Option<Range<usize>>,
}

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

    /// Does it say itself which PyO3 it wants?
    pub fn names_pyo3(&self) -> bool {
        let dependencies = self.table.get("dependencies").and_then(toml::Value::as_table);
        let is_pyo3 = |(name, spec): (&String, &toml::Value)| {
            name == "pyo3" || spec.get("package").and_then(toml::Value::as_str) == Some("pyo3")
        };
        dependencies.is_some_and(|dependencies| dependencies.iter().any(is_pyo3)) || self.table.contains_key("patch")
    }

    /// The name that Rust has for PyO3, and the first version that the manifest takes, as 0.30 is `(0, 30)`; it is that of
    /// a crate where there is one.
    pub fn pyo3(&self, of_crate: Option<&str>) -> (String, Option<(u64, u64)>) {
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
        (name.replace('-', "_"), first.and_then(|(major, minor)| Some((major, minor?))))
    }

    fn of_block(path: &Path, text: &str) -> Result<Manifest> {
        let Some(block) = find_block(path, text)? else { return Ok(Manifest::default()) };
        let fault =
            |line: usize, what: String| Error::config(format!("{}:{line}: {what}", path.display())).kernel(path);
        let line_of = |offset: usize| block.line + newlines(&block.toml[..offset.min(block.toml.len())]);
        let spanned = DeTable::parse(&block.toml).map_err(|e| {
            fault(line_of(e.span().map_or(0, |s| s.start)), format!("the manifest block is not TOML: {}", e.message()))
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
            return Err(fault(line, what).hint(format!(
                "it may have: {}; a folder with a Cargo.toml and a marked src/lib.rs is a kernel too, and may have all keys",
                TABLES.join(", ")
            )));
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
                    check_dependency(dependency.get_ref(), spec.get_ref(), path)
                        .map_err(|what| fault(line_of(dependency.span().start), what))?;
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

/// The frontmatter of a cargo script (RFC 3502) at the start of a text, after an optional shebang.
pub fn frontmatter(text: &str) -> Option<Block> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut at = text.len() - body.len();
    let mut open: Option<(usize, usize, usize)> = None;
    let mut line = 1;
    for piece in body.split_inclusive('\n') {
        let trimmed = piece.trim_end();
        match open {
            None if trimmed.starts_with("---") => {
                let dashes = trimmed.len() - trimmed.trim_start_matches('-').len();
                open = Some((at, at + piece.len(), dashes));
                line += 1;
            }
            None if trimmed.trim().is_empty()
                || (line == 1 && trimmed.starts_with("#!") && !trimmed.starts_with("#![")) =>
            {
                line += 1
            }
            None => return None,
            Some((start, inner, dashes)) if trimmed.len() == dashes && trimmed.bytes().all(|b| b == b'-') => {
                return Some(Block { toml: text[inner..at].to_owned(), line, hidden: Some(start..at + trimmed.len()) });
            }
            Some(_) => {}
        }
        at += piece.len();
    }
    None
}

/// Finds the one manifest block of a file, in its frontmatter or its leading doc comment.
fn find_block(path: &Path, text: &str) -> Result<Option<Block>> {
    let front = frontmatter(text);
    let skip = front.as_ref().and_then(|b| b.hidden.clone()).map_or(0, |hidden| hidden.end);
    let mut blocks: Vec<Block> = front.into_iter().collect();
    let mut open: Option<Block> = None;
    let first = newlines(&text[..skip]);
    for (number, line) in text[skip..].lines().enumerate().map(|(at, line)| (first + at + 1, line)) {
        let line = line.trim_start_matches('\u{feff}').trim_start();
        let comment = line.strip_prefix("//!");
        match (&mut open, comment) {
            (Some(block), Some(content)) if content.trim() == "```" => {
                let _ = block;
                blocks.extend(open.take());
            }
            (Some(block), Some(content)) => {
                block.toml.push_str(content.strip_prefix(' ').unwrap_or(content));
                block.toml.push('\n');
            }
            (Some(block), None) => return Err(unclosed(path, block.line - 1)),
            (None, Some(content)) if content.trim() == "```cargo" => {
                open = Some(Block { toml: String::new(), line: number + 1, hidden: None });
            }
            (None, Some(_)) => {}
            // Inner doc comments can only stand before the first item, so the search ends there.
            (None, None) if line.is_empty() || line.starts_with("//") || line.starts_with("#!") => {}
            (None, None) => break,
        }
    }
    if let Some(block) = open {
        return Err(unclosed(path, block.line - 1));
    }
    match <[Block; 1]>::try_from(blocks) {
        Ok([block]) => Ok(Some(block)),
        Err(blocks) if blocks.is_empty() => Ok(None),
        Err(blocks) => Err(Error::config(format!(
            "{}:{}: this is a second manifest block; the first is on line {}",
            path.display(),
            blocks[1].line,
            blocks[0].line
        ))
        .hint("put all dependencies into one block")
        .kernel(path)),
    }
}

/// Finds the faults of the dependencies that the magic of a cell asks for.
fn check_dependencies(toml: &str, kernel: &Path) -> Result<()> {
    let Ok(spanned) = DeTable::parse(toml) else { return Ok(()) };
    let tables = spanned.get_ref().iter().filter_map(|(_, value)| value.get_ref().as_table());
    for (name, spec) in tables.flatten() {
        check_dependency(name.get_ref(), spec.get_ref(), kernel)
            .map_err(|what| Error::config(format!("{}:1: {what}", kernel.display())).kernel(kernel))?;
    }
    Ok(())
}

/// Finds the faults of a dependency that cargo would report against the generated manifest, which the user never sees.
fn check_dependency(name: &str, spec: &DeValue<'_>, kernel: &Path) -> std::result::Result<(), String> {
    let check_version = |value: &DeValue<'_>| match value {
        DeValue::String(text) => {
            semver::VersionReq::parse(text).map(drop).map_err(|e| format!("`{name} = {text:?}` is not a version: {e}"))
        }
        _ => Err(format!("the version of dependency `{name}` has to be a text")),
    };
    let table = match spec {
        DeValue::Table(table) => table,
        DeValue::String(_) => return check_version(spec),
        _ => return Err(format!("dependency `{name}` has to be a version or a table, such as {name} = \"1\"")),
    };
    let value =
        |key: &str| table.iter().find(|(known, _)| known.get_ref().as_ref() == key).map(|(_, value)| value.get_ref());
    if let Some(version) = value("version") {
        check_version(version)?;
    }
    match value("path") {
        Some(DeValue::String(path)) => {
            let folder = cell::folder_of(kernel).join(path.as_ref());
            let found = folder.join("Cargo.toml").is_file();
            if found { Ok(()) } else { Err(format!("dependency `{name}`: there is no crate in {}", folder.display())) }
        }
        Some(_) => Err(format!("the path of dependency `{name}` has to be a text")),
        None => Ok(()),
    }
}

fn unclosed(path: &Path, line: usize) -> Error {
    Error::config(format!("{}:{line}: the manifest block that starts here is not closed", path.display()))
        .hint("end it with a line `//! ```")
        .kernel(path)
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

fn newlines(text: &str) -> usize {
    memchr::memchr_iter(b'\n', text.as_bytes()).count()
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
    fn settings_and_dependencies_know_their_lines() {
        let text = "// rsimport\n//! ```cargo\n//! [package.metadata.rsimport]\n//! profile = 'dev'\n//! [dependencies]\n//! rand = '1'\n//! ```\n";
        let manifest = Manifest::of_kernel(Path::new("k.rs"), text).unwrap();
        assert_eq!(manifest.settings, [("profile".to_owned(), "dev".into(), 4)]);
        assert_eq!(manifest.line_of_dependency("rand"), Some(6));
        assert_eq!(manifest.line_of_dependency("ran"), None);
    }
}
