//! Lines to paste into a kernel's manifest, and where they go.

use crate::kernel::block;
use crate::kernel::cell::{self, Cell};
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;

/// Says where these dependencies (name and value) are to be written in a kernel, and how.
pub fn dependencies(source: &Source, entries: &[(String, String)]) -> String {
    let cell = Cell::of(&source.path).filter(|_| source.manifest.is_none() && !has_block(source));
    if let Some(cell) = cell {
        let specs: Vec<String> = entries.iter().map(|(name, value)| spec(name, value)).collect();
        if cell.is_text {
            let specs: Vec<String> = specs.iter().map(|spec| format!("{:?}", spec.trim_matches('\''))).collect();
            return format!("compile it with dependencies=[{}]", specs.join(", "));
        }
        return match cell::dependencies(&source.text) {
            Some(known) if known.contains(" = {  }") || known.ends_with("{}") => {
                format!("add to the cell's first line: --deps {}", specs.join(" "))
            }
            Some(_) | None => format!("add to the cell's --deps: {}", specs.join(" ")),
        };
    }
    let lines: Vec<String> = entries.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    into_table(source, "dependencies", &lines)
}

/// Says where these lines are to be written so that they stand in a table of the kernel's manifest.
pub fn into_table(source: &Source, table: &str, lines: &[String]) -> String {
    let heading = format!("[{table}]");
    if let Some(manifest) = &source.manifest {
        let (place, lead) = match manifest.text.lines().position(|line| line.trim() == heading) {
            Some(at) => (at + 1, String::new()),
            None => (manifest.text.lines().count(), format!("{heading}\n")),
        };
        return format!("write below line {place} of {}:\n{lead}{}", manifest.path.display(), lines.join("\n"));
    }
    let Ok(Some(block)) = block::find(&source.path, &source.text) else {
        let lines = lines.iter().map(|line| format!("//! {line}\n")).collect::<String>();
        let marker = 1 + source
            .text
            .lines()
            .position(|line| !line.trim_start_matches('\u{feff}').trim().is_empty())
            .unwrap_or(0);
        return format!("write below line {marker}:\n//! ```cargo\n//! {heading}\n{lines}//! ```");
    };
    let prefix = block.prefix;
    let with_prefix = |lines: &[String]| {
        let lines: Vec<String> = lines.iter().map(|line| format!("{prefix}{line}")).collect();
        lines.join("\n")
    };
    if block.toml.starts_with(&format!("{table} = {{")) {
        return format!("add to the list on line {}: {}", block.line, lines.join(", "));
    }
    match block.toml.lines().position(|line| line.trim() == heading) {
        Some(at) => format!("write below line {}:\n{}", block.line + at, with_prefix(lines)),
        None => {
            let last = block.line + block.toml.lines().count() - 1;
            format!("write below line {last}:\n{prefix}{heading}\n{}", with_prefix(lines))
        }
    }
}

/// Says how a dependency is declared with one more of its features, and where.
pub fn feature(source: &Source, package: &str, feature: &str) -> String {
    let manifest = Manifest::of_kernel(&source.path, &source.text).unwrap_or_default();
    let spec = manifest.table.get("dependencies").and_then(|table| table.get(package)).cloned();
    let is_new = spec.is_none() && source.manifest.is_none();
    let mut table = match spec {
        Some(toml::Value::Table(table)) => table,
        Some(version @ toml::Value::String(_)) => [("version".to_owned(), version)].into_iter().collect(),
        _ => toml::Table::new(),
    };
    let features = table.entry("features").or_insert_with(|| toml::Value::Array(Vec::new()));
    if let toml::Value::Array(features) = features {
        features.push(feature.into());
    }
    // The order that people write: the version first.
    let mut parts: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    parts.sort_by_key(|part| !part.starts_with("version"));
    let value = format!("{{ {} }}", parts.join(", "));
    match (manifest.line_of_dependency(package), manifest.block) {
        _ if is_new => dependencies(source, &[(package.to_owned(), value)]),
        (Some(at), Some(block)) => format!("write line {at} as:\n{}{package} = {value}", block.prefix),
        _ => format!("declare it as: {package} = {value}"),
    }
}

fn has_block(source: &Source) -> bool {
    matches!(block::find(&source.path, &source.text), Ok(Some(_)))
}

/// A dependency as the magic of a cell takes it.
fn spec(name: &str, value: &str) -> String {
    match value.trim_matches('"') {
        "*" => name.to_owned(),
        table if table.starts_with('{') => format!("'{name} = {table}'"),
        version => format!("{name}={version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, said: &str) {
        let source =
            Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: text.into(), manifest: None };
        let entries = [("numpy".to_owned(), "\"0.30\"".to_owned())];
        assert_eq!(dependencies(&source, &entries), said, "{text}");
    }

    #[test]
    fn dependencies_go_where_the_manifest_is_or_will_be() {
        check(
            "// rsimport\nuse x;\n",
            "write below line 1:\n//! ```cargo\n//! [dependencies]\n//! numpy = \"0.30\"\n//! ```",
        );
        check(
            "\n// rsimport\n//! Title.\n//! ```cargo\n//! [dependencies]\n//! a = \"1\"\n//! ```\n",
            "write below line 5:\n//! numpy = \"0.30\"",
        );
        check(
            "// rsimport\n//! ```cargo\n//! [package]\n//! edition = \"2021\"\n//! ```\n",
            "write below line 4:\n//! [dependencies]\n//! numpy = \"0.30\"",
        );
        check("// rsimport\n//! ```cargo\n//! ```\n", "write below line 2:\n//! [dependencies]\n//! numpy = \"0.30\"");
        check("---\n[package.metadata.rsimport]\n---\nuse x;", "write below line 2:\n[dependencies]\nnumpy = \"0.30\"");
        check("// rsimport\n//: [dependencies]\n//: a = \"1\"\n", "write below line 2:\n//: numpy = \"0.30\"");
        check("// rsimport\n// cargo-deps: a\n", "add to the list on line 2: numpy = \"0.30\"");
    }

    #[test]
    fn a_cell_is_told_what_its_magic_takes() {
        for (value, written) in
            [("\"0.30\"", "x=0.30"), ("\"*\"", "x"), ("{ version = \"1\" }", "'x = { version = \"1\" }'")]
        {
            assert_eq!(spec("x", value), written);
        }
    }
}
