//! What another edition allowed, what crates were called before, and how Rust says what Python says otherwise.

use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::rustc::paste;
use crate::rustc::symptom::Case;
use crate::rustc::symptom::In::{Message, Text};
use crate::rustc::symptom::Row;
use crate::rustc::symptom::Say::{Of, Words};

/// Symptom and hint, the more telling ones first.
pub const TABLE: &[Row] = &[
    // The older edition.
    (Message, "reserved keyword `gen`", Of(gen_keyword)),
    (Message, "extern blocks must be unsafe", Of(edition)),
    (Message, "unsafe attribute used without unsafe", Of(edition)),
    (Message, "reference to mutable static", Of(edition)),
    (Message, "within an implicitly-borrowing pattern", Of(edition)),
    (Message, "bound `!: {}` is not satisfied", Of(edition)),
    (Message, "call to unsafe function `set_var`", Of(edition)),
    (Message, "call to unsafe function `remove_var`", Of(edition)),
    (Text, "Rust 2024", Of(edition)),
    // Names of older versions of rand.
    (Message, "cannot find function `thread_rng` in crate `rand`", Words("since rand 0.9 it is called `rand::rng()`")),
    (Message, "no method named `gen{}` found", Words("since rand 0.9 it is called `random@`")),
    (Message, "found module `rand::rng`", Words("`rand::rng()` needs rand = \"0.9\" or newer")),
    // Rust for users of Python.
    (Text, "declared on the method `sum`", Words("say of what type the sum is: `.sum::<f64>()`")),
    (Text, "declared on the method `product`", Words("say of what type the product is: `.product::<f64>()`")),
    (Text, "the item is gated behind the `{}` feature", Of(feature)),
    (Text, "imported here, but it is only a trait, without a derive macro", Of(derive_feature)),
    (
        Message,
        "the type `str` cannot be indexed by",
        Words("`s.chars().nth(i)` is a character, `&s[a..b]` a part of bytes a to b"),
    ),
    (Message, "cannot be indexed by `{}`", Of(index)),
    (Message, "cannot {} by `{}`", Of(numbers)),
    (Message, "cannot {} to `{}`", Of(numbers)),
    (Message, "cannot {} from `{}`", Of(numbers)),
    (
        Message,
        "`f64: Ord` is not satisfied",
        Words(
            "floats have no total order: `v.sort_by(f64::total_cmp)`, `v.iter().copied().fold(f64::NEG_INFINITY, f64::max)`",
        ),
    ),
    (Message, "`f64: Eq` is not satisfied", Words("a float cannot be a key: `x.to_bits()` can")),
    (Message, "`f64: Hash` is not satisfied", Words("a float cannot be a key: `x.to_bits()` can")),
    (Message, "`{integer}` cannot be dereferenced", Of(power)),
    (Message, "cannot find function `{}` in this scope", Of(builtin)),
];

fn gen_keyword(case: &Case<'_>) -> Option<String> {
    let rand = case.source.text.contains("rand");
    let words = if rand { "since rand 0.9 the method is called `random`; or " } else { "call it otherwise; or " };
    older_edition(case, &format!("`gen` is a word of edition 2024: {words}take the older one: "))
}

fn edition(case: &Case<'_>) -> Option<String> {
    older_edition(case, "edition 2024 asks for that, 2021 did not: ")
}

fn older_edition(case: &Case<'_>, words: &str) -> Option<String> {
    if case.source.manifest.is_some() {
        return Some(format!("{words}edition = \"2021\" in the crate's [package]"));
    }
    if case.source.text.contains("edition = \"20") {
        return None;
    }
    Some(format!("{words}{}", paste::into_table(case.source, "package", &["edition = \"2021\"".to_owned()])))
}

/// Something that a crate has only with one of its features.
fn feature(case: &Case<'_>) -> Option<String> {
    let place = case.text.split("registry/src/").nth(1)?.split('/').nth(1)?;
    let (package, _) = place.rsplit_once('-')?;
    Some(with_feature(case.source, package, case.found[0]))
}

fn derive_feature(case: &Case<'_>) -> Option<String> {
    case.source.text.contains("serde").then(|| with_feature(case.source, "serde", "derive"))
}

/// A dependency with a feature more, in the place where it stands.
fn with_feature(source: &Source, package: &str, feature: &str) -> String {
    let manifest = Manifest::of_kernel(&source.path, &source.text).unwrap_or_default();
    let spec = manifest.table.get("dependencies").and_then(|table| table.get(package)).cloned();
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
    let line = format!("{package} = {{ {} }}", parts.join(", "));
    match (manifest.line_of_dependency(package), manifest.block) {
        (Some(at), Some(block)) => {
            format!("that is a feature of {package}; write line {at} as:\n{}{line}", block.prefix)
        }
        _ => format!("that is a feature of {package}; declare it as: {line}"),
    }
}

fn index(case: &Case<'_>) -> Option<String> {
    let kind = case.found[0];
    is_number(kind).then(|| "an index is a `usize`: `v[i as usize]`, or let the argument be a `usize`".to_owned())
}

fn numbers(case: &Case<'_>) -> Option<String> {
    let left = case.found[0].rsplit('`').find(|part| is_number(part))?;
    let right = case.found[1];
    if left == right || !is_number(right) {
        return None;
    }
    if right == "{integer}" {
        return Some("a number that is no integer has a point in it: `2.0`".to_owned());
    }
    let floats = [left, right].iter().any(|kind| kind.starts_with('f') || *kind == "{float}");
    let wanted = if floats { "f64" } else { left };
    Some(format!("Rust mixes no types of numbers: convert one of them, `x as {wanted}`"))
}

fn is_number(kind: &str) -> bool {
    let kind = kind.trim_start_matches('&');
    ["{integer}", "{float}"].contains(&kind)
        || (kind.starts_with(['i', 'u', 'f']) && ["8", "16", "32", "64", "128", "size"].contains(&&kind[1..]))
}

fn power(case: &Case<'_>) -> Option<String> {
    case.line
        .contains("**")
        .then(|| "`x.powi(2)` and `x.powf(0.5)` are powers of floats, `n.pow(2)` of integers".to_owned())
}

/// Functions that Python has built in.
fn builtin(case: &Case<'_>) -> Option<String> {
    let rust = [
        ("abs", "x.abs()"),
        ("all", "v.iter().all(|x| ...)"),
        ("any", "v.iter().any(|x| ...)"),
        ("enumerate", "v.iter().enumerate()"),
        ("exp", "x.exp()"),
        ("float", "n as f64"),
        ("int", "x as i64"),
        ("len", "v.len()"),
        ("log", "x.ln()"),
        ("max", "a.max(b)"),
        ("min", "a.min(b)"),
        ("pow", "x.powf(y)"),
        ("print", "println!(\"{x}\")"),
        ("range", "0..n"),
        ("round", "x.round()"),
        ("sorted", "v.sort_by(f64::total_cmp)"),
        ("sqrt", "x.sqrt()"),
        ("str", "x.to_string()"),
        ("sum", "v.iter().sum::<f64>()"),
        ("zip", "a.iter().zip(&b)"),
    ];
    let (_, written) = rust.iter().find(|(python, _)| *python == case.found[0])?;
    Some(format!("in Rust it is written `{written}`"))
}
