//! Crates that a kernel uses and does not declare, the commonest of all mistakes.

use crate::error::Diagnostic;
use crate::kernel::source::Source;
use crate::kernel::{block, crates};
use crate::rustc::paste;
use crate::similar::similar;

/// What rustc says in front of the name of a crate that it does not have, in message or label, by its versions.
const WORDS: [&str; 6] = [
    "use of unresolved module or unlinked crate `",
    "use of undeclared crate or module `",
    "cannot find module or crate `",
    "maybe a missing crate `",
    "can't find crate for `",
    "cannot find crate `",
];
/// Errors that say so.
const CODES: [&str; 3] = ["E0432", "E0433", "E0463"];
/// What is no crate to be declared.
const OWN: [&str; 8] = ["crate", "self", "super", "std", "core", "alloc", "pyo3", "wrapped_pyfunction"];
/// Macros and methods that come from a crate, and how they are had.
const PARTS: [(&str, &str, &str); 31] = [
    ("anyhow", "anyhow", "use anyhow::anyhow;"),
    ("array", "ndarray", "use ndarray::array;"),
    ("bail", "anyhow", "use anyhow::bail;"),
    ("debug", "log", "use log::debug;"),
    ("error", "log", "use log::error;"),
    ("info", "log", "use log::info;"),
    ("iproduct", "itertools", "use itertools::iproduct;"),
    ("izip", "itertools", "use itertools::izip;"),
    ("json", "serde_json", "use serde_json::json;"),
    ("lazy_static", "lazy_static", "use lazy_static::lazy_static;"),
    ("smallvec", "smallvec", "use smallvec::smallvec;"),
    ("warn", "log", "use log::warn;"),
    ("Deserialize", "serde", "use serde::Deserialize;"),
    ("Serialize", "serde", "use serde::Serialize;"),
    ("collect_vec", "itertools", "use itertools::Itertools;"),
    ("combinations", "itertools", "use itertools::Itertools;"),
    ("into_par_iter", "rayon", "use rayon::prelude::*;"),
    ("into_pyarray", "numpy", "use numpy::IntoPyArray;"),
    ("par_bridge", "rayon", "use rayon::prelude::*;"),
    ("par_chunks", "rayon", "use rayon::prelude::*;"),
    ("par_chunks_mut", "rayon", "use rayon::prelude::*;"),
    ("par_iter", "rayon", "use rayon::prelude::*;"),
    ("par_iter_mut", "rayon", "use rayon::prelude::*;"),
    ("par_sort", "rayon", "use rayon::prelude::*;"),
    ("par_sort_unstable", "rayon", "use rayon::prelude::*;"),
    ("sorted", "itertools", "use itertools::Itertools;"),
    ("sorted_by", "itertools", "use itertools::Itertools;"),
    ("to_pyarray", "numpy", "use numpy::ToPyArray;"),
    ("tuple_windows", "itertools", "use itertools::Itertools;"),
    ("unique", "itertools", "use itertools::Itertools;"),
    ("graphemes", "unicode-segmentation", "use unicode_segmentation::UnicodeSegmentation;"),
];

/// What to do about the crates that these errors miss; `None` where none is missing.
pub fn hint(source: &Source, errors: &[&Diagnostic], declared: &[String]) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    let without = source.manifest.is_none() && matches!(block::find(&source.path, &source.text), Ok(None));
    let lookalike = block::lookalike(&source.text).filter(|_| without);
    let lookalike = |at_all: bool| {
        let (line, why) = lookalike.as_ref()?;
        let blamed = errors.iter().any(|error| error.line == Some(*line));
        (at_all || blamed).then(|| format!("line {line} looks like a manifest block, but {why}"))
    };
    if let Some(hint) = lookalike(false) {
        return Some(hint);
    }
    for error in errors {
        let Some(name) = missing(error) else { continue };
        if !OWN.contains(&name.as_str()) && !declared.contains(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    // A file beside the kernel is a module of it, once it is declared.
    if let Some(name) = names.iter().find(|name| lies_beside(source, name)) {
        return Some(format!(
            "{name}.rs lies beside the kernel and becomes a part of it by `mod {name};`, right above the first `use`"
        ));
    }
    names.retain(|name| is_foreign(source, errors, name));
    // What a crate has only with a feature is what is missing, and not the methods that come with it.
    let gated = errors.iter().any(|error| error.rendered().contains("the item is gated "));
    let part = if names.is_empty() && !gated { errors.iter().find_map(|error| part(error)) } else { None };
    if let Some((method, name, import)) = part {
        let imported = import.trim_start_matches("use ").trim_end_matches(';').rsplit("::").next()?;
        if imported != "*" && imports(&source.text, imported) {
            return other_version(source, method, declared);
        }
        if declared.contains(&name.replace('-', "_")) {
            return Some(format!("`{import}` at the head of the file makes it known"));
        }
        let entry = crates::dependency(name, &source.text);
        return Some(format!("`{import}` makes it known; {}", paste::dependencies(source, &[entry])));
    }
    if names.is_empty() {
        return None;
    }
    if let Some(hint) = lookalike(true) {
        return Some(hint);
    }
    let entries: Vec<(String, String)> = names.iter().map(|name| crates::dependency(name, &source.text)).collect();
    Some(paste::dependencies(source, &entries))
}

/// What to say where the trait of a method is known, and the object is none of those that it is for.
fn other_version(source: &Source, method: &str, declared: &[String]) -> Option<String> {
    // rust-numpy takes the arrays of one version of ndarray, which it hands on.
    let arrays = ["into_pyarray", "to_pyarray"].contains(&method) && declared.iter().any(|name| name == "ndarray");
    let version = crates::version("ndarray").filter(|_| arrays)?;
    let numpy = source.text.contains("numpy::ndarray");
    (!numpy).then(|| {
        format!("numpy knows the arrays of its own version of ndarray: write ndarray = \"{version}\", or `use numpy::ndarray`")
    })
}

/// Does a text import this name?
fn imports(text: &str, name: &str) -> bool {
    let lines = text.lines().filter(|line| line.trim_start().starts_with("use "));
    let mut words = lines.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|word| word == name)
}

/// The crate that an error says is missing.
fn missing(error: &Diagnostic) -> Option<String> {
    if !error.code.as_deref().is_some_and(|code| CODES.contains(&code)) {
        return None;
    }
    let rendered = error.rendered();
    let name = WORDS.iter().find_map(|words| {
        let (_, rest) = error.message.split_once(words).or_else(|| rendered.split_once(words))?;
        Some(rest.split(['`', ':']).next().unwrap_or_default())
    })?;
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // What the standard library has, rustc proposes to import.
    let elsewhere = rendered.contains(&format!("std::{name}")) || rendered.contains(&format!("core::{name}"));
    (plain && !elsewhere && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')).then(|| name.to_owned())
}

/// Is a name a crate's, and not a slip in the name of something that the file itself has?
fn is_foreign(source: &Source, errors: &[&Diagnostic], name: &str) -> bool {
    let wraps = |line: &str| line.contains("wrap_pyfunction!") || line.contains("wrap_pymodule!");
    let of_macro = errors.iter().filter(|error| missing(error).as_deref() == Some(name)).all(|error| {
        let line = error.line.and_then(|line| source.text.lines().nth(line.checked_sub(1)?));
        line.is_some_and(wraps)
    });
    let known = crates::version(name).is_some();
    known || (!of_macro && similar(name, own_modules(&source.text)).is_none())
}

/// The names of the modules that a file declares.
fn own_modules(text: &str) -> impl Iterator<Item = &str> {
    let words = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("mod ").or_else(|| line.strip_prefix("pub mod "))
    });
    words.filter_map(|rest| rest.split([' ', ';', '{']).next())
}

fn lies_beside(source: &Source, name: &str) -> bool {
    source.manifest.is_none()
        && source.path.file_stem().is_none_or(|stem| stem != name)
        && (source.base.join(format!("{name}.rs")).is_file() || source.base.join(name).join("mod.rs").is_file())
}

/// The macro, derive or method of a crate that an error misses.
fn part(error: &Diagnostic) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let words = ["cannot find macro `", "cannot find derive macro `", "no method named `"];
    let name = words.iter().find_map(|words| error.message.strip_prefix(words))?.split('`').next()?;
    // A trait of that name is there: what is missing is a feature.
    let only_trait = error.rendered().contains("without a derive macro");
    PARTS.iter().find(|(known, ..)| *known == name && !only_trait)
}
