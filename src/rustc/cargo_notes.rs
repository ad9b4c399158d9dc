//! What cargo says of a manifest that the user has never seen, told of the one that he wrote.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::error::{Diagnostic, Error};
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;

/// cargo's own warnings, of manifests and of its configuration. Those of rustc come as messages, and cargo only counts
/// them.
pub fn cargo_notes(source: &Source, manifest: &Manifest, text: &str) -> Vec<Diagnostic> {
    let mut notes: Vec<Diagnostic> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(message) = line.strip_prefix("warning: ") {
            inside = !is_summary(message);
            notes.extend(inside.then(|| note(source, manifest, message)));
        } else if inside && !is_status(line) && !line.is_empty() {
            if let Some(note) = notes.last_mut() {
                note.ansi.push_str(&format!("{line}\n"));
            }
        } else {
            inside = false;
        }
    }
    notes
}

fn note(source: &Source, manifest: &Manifest, message: &str) -> Diagnostic {
    let (file, toml, first) = written(source, manifest);
    let (mut file, mut toml, mut first) = (file.to_path_buf(), toml.to_owned(), first);
    let (mut message, mut key) = (message, None);
    if let Some((before, unused)) = message.split_once("unused manifest key: ") {
        key = Some(unused);
        message = message.strip_prefix(before).unwrap_or(message);
        let named = Path::new(before.trim_end_matches(": "));
        let generated = source.manifest.is_none() && named.ends_with("package/Cargo.toml");
        // A path dependency has a manifest of its own.
        if let Some(text) = std::fs::read_to_string(named).ok().filter(|_| !generated) {
            (file, toml, first) = (named.to_path_buf(), text, 0);
        }
    }
    let line = key.and_then(|key| line_of_key(&toml, key)).map(|line| first + line);
    let place = line.map_or_else(String::new, |line| format!(" --> {}:{line}\n", file.display()));
    Diagnostic {
        level: "warning".into(),
        code: None,
        message: message.to_owned(),
        file: Some(file.to_string_lossy().into_owned()),
        line,
        column: line.map(|_| 1),
        ansi: format!("warning: {message}\n{place}"),
    }
}

/// `    Finished `, right-aligned as all that cargo does.
fn is_status(line: &str) -> bool {
    let word = line.get(..12).map(str::trim_start).unwrap_or_default();
    line.get(12..13) == Some(" ") && word.starts_with(|c: char| c.is_ascii_uppercase()) && !word.contains(' ')
}

/// `k` (lib) generated 2 warnings
fn is_summary(message: &str) -> bool {
    message.contains(") generated ") || message.starts_with("build failed")
}

/// The text in the user's words, of a cargo that was started in `folder`: where it names the generated manifest and a line of it, it names the kernel and the line
/// of its block; with that line, if there is one.
pub fn in_users_words(
    source: &Source,
    manifest: &Manifest,
    generated: (&Path, &str),
    folder: &Path,
    text: &str,
) -> (String, Option<usize>) {
    let (path, generated) = generated;
    let (file, toml, first) = written(source, manifest);
    let (mut told, mut line) = (text.to_owned(), None);
    let relative = pathdiff::diff_paths(path, folder).unwrap_or_default();
    let mut names = [path, &relative].map(|path| path.to_string_lossy().into_owned());
    // One of them can end with the other.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        if let Some((before, after)) = told.split_once(&format!("{name}:")) {
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            let number: usize = digits.parse().unwrap_or(0);
            let key = key_on_line(generated, number);
            let found = key.and_then(|key| line_of_key(toml, &key)).map(|line| first + line);
            line = line.or(found);
            if let Some(found) = found {
                let after = renumbered(&after[digits.len()..], number, found);
                told = format!("{before}{}:{found}{after}", file.display());
            }
        }
        told = told.replace(&name, &file.to_string_lossy());
    }
    if let Some(folder) = path.parent() {
        told = told.replace(&*folder.to_string_lossy(), &file.to_string_lossy());
    }
    (told, line)
}

/// The same error with the line, where it names the file alone.
pub fn at_line(mut error: Error, source: &Source, line: Option<usize>) -> Error {
    if let Some(line) = line {
        let file = source.path.display().to_string();
        if let Some(rest) = error.message.strip_prefix(&format!("{file}: ")) {
            error.message = format!("{file}:{line}: {rest}");
        }
    }
    error
}

/// Where the user wrote the manifest: the file, the TOML, and the number of lines above it.
fn written<'a>(source: &'a Source, manifest: &'a Manifest) -> (&'a Path, &'a str, usize) {
    match (&source.manifest, &manifest.block) {
        (Some(own), _) => (&own.path, &own.text, 0),
        (None, Some(block)) => (&source.path, &block.toml, block.line - 1),
        (None, None) => (&source.path, "", 0),
    }
}

/// The numbers at the edge of the lines that cargo shows.
fn renumbered(text: &str, number: usize, found: usize) -> String {
    let edge = format!("\n{number} |");
    text.replacen(&edge, &format!("\n{found:<width$} |", width = number.to_string().len()), 1)
}

/// The 1-based line of a key such as `profile.release.opt-level`, whose parts may have dots themselves.
fn line_of_key(toml: &str, key: &str) -> Option<usize> {
    fn find(table: &DeTable<'_>, key: &str) -> Option<usize> {
        table.iter().find_map(|(name, value)| {
            let rest = key.strip_prefix(name.get_ref().as_ref())?;
            if rest.is_empty() {
                return Some(name.span().start);
            }
            match value.get_ref() {
                DeValue::Table(inner) => find(inner, rest.strip_prefix('.')?),
                _ => None,
            }
        })
    }
    let table = DeTable::parse(toml).ok()?;
    find(table.get_ref(), key).map(|at| line_at(toml, at))
}

/// The key whose value stands on a line.
fn key_on_line(toml: &str, line: usize) -> Option<String> {
    fn find(toml: &str, table: &DeTable<'_>, line: usize) -> Option<String> {
        table.iter().find_map(|(name, value)| {
            let name_line = line_at(toml, name.span().start);
            let name = name.get_ref();
            let below = match value.get_ref() {
                DeValue::Table(inner) => find(toml, inner, line).map(|rest| format!("{name}.{rest}")),
                _ => None,
            };
            below.or_else(|| (name_line == line).then(|| name.to_string()))
        })
    }
    find(toml, DeTable::parse(toml).ok()?.get_ref(), line)
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// rsimport\n//! ```cargo\n//! [dependencies]\n//! a = { version = \"1\", featres = [] }\n//!\n//! [profile.release]\n//! opt-level = \"fast\"\n//! ```\n";

    fn kernel() -> (Source, Manifest) {
        let source =
            Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: TEXT.into(), manifest: None };
        let manifest = Manifest::of_kernel(&source.path, TEXT).unwrap();
        (source, manifest)
    }

    #[test]
    fn a_warning_of_cargo_names_the_kernels_line() {
        let (source, manifest) = kernel();
        let text = "warning: /c/work/h/package/Cargo.toml: unused manifest key: dependencies.a.featres\n    Finished `release`\nwarning: `a` (lib) generated 1 warning\n\
                    warning: both `config` and `config.toml` exist\n  = help: x\n";
        let notes = cargo_notes(&source, &manifest, text);
        let lines: Vec<_> = notes.iter().map(|note| (note.line, note.ansi.as_str())).collect();
        assert_eq!(
            lines,
            [
                (Some(4), "warning: unused manifest key: dependencies.a.featres\n --> /k/a.rs:4\n"),
                (None, "warning: both `config` and `config.toml` exist\n  = help: x\n")
            ]
        );
    }

    #[test]
    fn an_error_in_the_generated_manifest_names_the_kernels_line() {
        let (source, manifest) = kernel();
        let generated = "[package]\nname = \"x\"\n\n[profile.release]\nopt-level = \"fast\"\n";
        for (path, folder) in [
            ("/c/work/h/package/Cargo.toml", "/k"),
            ("../c/work/h/package/Cargo.toml", "/k"),
            ("c/work/h/package/Cargo.toml", "/"),
            ("/c/work/h/package/Cargo.toml", "/"),
        ] {
            let text = format!("error: must be `0`\n --> {path}:5:13\n  |\n5 | opt-level = \"fast\"\n  |     ^\n");
            let known = Path::new("/c/work/h/package/Cargo.toml");
            let (told, line) = in_users_words(&source, &manifest, (known, generated), Path::new(folder), &text);
            assert_eq!(line, Some(7));
            assert_eq!(told, "error: must be `0`\n --> /k/a.rs:7:13\n  |\n7 | opt-level = \"fast\"\n  |     ^\n");
        }
    }
}
