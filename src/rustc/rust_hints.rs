//! What another edition allowed, what crates were called before, and how Rust says what Python says otherwise.

use crate::rustc::paste;
use crate::rustc::symptom::In::{Message, Text};
use crate::rustc::symptom::Row;
use crate::rustc::symptom::Say::{Of, Words};
use crate::rustc::symptom::{Case, places};

const ATTRIBUTE: &str = "an attribute stands in `#[...]`: #[pyfunction]";

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
    (Message, "module `rng` is private", Of(rng)),
    (Message, "found module `rand::rng`", Words("`rand::rng()` needs rand = \"0.9\" or newer")),
    // Rust for users of Python.
    (Text, "declared on the method `sum`", Words("say of what type the sum is: `.sum::<f64>()`")),
    (Text, "declared on the method `product`", Words("say of what type the product is: `.product::<f64>()`")),
    (Text, "the item is gated behind the `{}` feature", Of(feature)),
    (Text, "the item is gated here", Of(condition)),
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
    (Message, "`{}` cannot be dereferenced", Of(power)),
    (Message, "no implementation for `{} ^", Of(power)),
    (Text, "found `Map<", Words("an iterator becomes a list by `.collect()` at its end")),
    (Text, "found `Filter<", Words("an iterator becomes a list by `.collect()` at its end")),
    // Python's words.
    (Message, "found keyword `for`", Words("a list is made by `v.iter().map(|x| x * 2.0).collect::<Vec<f64>>()`")),
    (Message, "found keyword `in`", Words("`v.contains(&x)` says whether something is in a list")),
    (Message, "operator, found keyword `if`", Words("in Rust it is written `if a > b { x } else { y }`")),
    (
        Message,
        "expected one of `.`, `?`, `]`, or an operator, found `,`",
        Words("an item of a list in a list is `v[i][j]`"),
    ),
    (Message, "cannot multiply `&str` by `{}`", Words("`s.repeat(3)` repeats a text")),
    (Message, "cannot multiply `String` by `{}`", Words("`s.repeat(3)` repeats a text")),
    (
        Message,
        "cannot call non-const {} in statics",
        Words(
            "a static that is made at run time stands in a `LazyLock`: static V: std::sync::LazyLock<Vec<f64>> = std::sync::LazyLock::new(|| vec![1.0]);",
        ),
    ),
    (
        Message,
        "expected parameter name, found `*`",
        Words(
            "`fn f(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>)` takes them, with #[pyo3(signature = (*args, **kwargs))] below #[pyfunction] and `use pyo3::types::{PyDict, PyTuple};`",
        ),
    ),
    (Message, "expected item, found `@`", Words(ATTRIBUTE)),
    (Message, "expected item, found `[`", Words(ATTRIBUTE)),
    (
        Message,
        "expected item after attributes",
        Words("an attribute stands right above the function, class or module that it is for, without a `;`"),
    ),
    (
        Message,
        "cannot return reference to local",
        Words("return what is owned: `String` in place of `&str`, `Vec<T>` in place of `&[T]`"),
    ),
    (
        Message,
        "use of mutable static is unsafe",
        Words(
            "what calls share is an atomic or stands in a `Mutex`: static N: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0); and `N.fetch_add(1, std::sync::atomic::Ordering::Relaxed)`",
        ),
    ),
    (Message, "expected one of `!` or `[`", Of(comment)),
    (Message, "prefix `f` is unknown", Words("texts are put together by `format!(\"n is {n}\")`")),
    (Message, "expected one of ", Of(python)),
    (Message, "expected item, found ", Of(python)),
    (Message, "expected `{`, found", Of(python)),
    (Message, "expected expression, found", Of(python)),
    (Message, "missing condition for `if`", Of(python)),
    (Message, "unclosed delimiter", Of(division)),
    (Message, "cannot find function `{}` in this scope", Of(builtin)),
    (Message, "expected function, found macro `{}`", Of(builtin)),
    (Message, "cannot find value `{}` in this scope", Of(constant)),
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
    of_feature(case, case.found[0])
}

/// The same, where the feature is one of several conditions, which rustc quotes.
fn condition(case: &Case<'_>) -> Option<String> {
    of_feature(case, places("feature = \"{}\"", case.text)?[0])
}

fn of_feature(case: &Case<'_>, feature: &str) -> Option<String> {
    let place = case.text.split("registry/src/").nth(1)?.split('/').nth(1)?;
    let (package, _) = place.rsplit_once('-')?;
    Some(format!("that is a feature of {package}; {}", paste::feature(case.source, package, feature)))
}

/// `rand::rng()` of a rand that does not have it, or not with these features.
fn rng(case: &Case<'_>) -> Option<String> {
    let has_it = case.text.contains("/rand-") && !case.text.contains("/rand-0.8.");
    has_it.then(|| format!("that is a feature of rand; {}", paste::feature(case.source, "rand", "thread_rng")))
}

fn derive_feature(case: &Case<'_>) -> Option<String> {
    case.source
        .text
        .contains("serde")
        .then(|| format!("that is a feature of serde; {}", paste::feature(case.source, "serde", "derive")))
}

fn index(case: &Case<'_>) -> Option<String> {
    let kind = case.found[0];
    if let Some(range) = kind.strip_prefix("Range") {
        let number = range.split_once('<').map_or("", |(_, number)| number.trim_end_matches('>'));
        return is_number(number)
            .then(|| "where a part begins and ends is a `usize`: `&v[a as usize..b as usize]`".to_owned());
    }
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
    (case.line.contains("**") || case.line.contains('^'))
        .then(|| "`x.powi(2)` and `x.powf(0.5)` are powers of floats, `n.pow(2)` of integers".to_owned())
}

/// A comment as Python writes it.
fn comment(case: &Case<'_>) -> Option<String> {
    case.line.trim_start().starts_with('#').then(|| "a comment begins with `//`".to_owned())
}

/// A division as Python writes it, of which Rust reads the half.
fn division(case: &Case<'_>) -> Option<String> {
    let (before, _) = case.line.split_once("//")?;
    let is_code = before.trim_end().ends_with(|c: char| c.is_alphanumeric() || c == ')' || c == '_');
    is_code
        .then(|| "`//` begins a comment: integers are divided by `a / b`, or downwards by `a.div_euclid(b)`".to_owned())
}

/// What Python says otherwise.
fn python(case: &Case<'_>) -> Option<String> {
    let rust = [
        ("elif", "else if a > b { ... }"),
        ("else:", "else { ... }"),
        ("def", "fn NAME(a: f64, b: f64) -> f64 { ... }"),
        ("raise", "return Err(pyo3::exceptions::PyValueError::new_err(\"what is wrong\"));"),
        ("import", "use NAME::item;"),
        ("from", "use NAME::item;"),
        ("class", "struct NAME { a: f64 }"),
        ("try:", "match f(x) { Ok(value) => ..., Err(error) => ... }"),
        ("except", "match f(x) { Ok(value) => ..., Err(error) => ... }"),
        ("lambda", "|x| x + 1.0"),
        ("not", "!a"),
        ("is", "a == b"),
    ];
    let words = || case.line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    if let Some((_, written)) = rust.iter().find(|(python, _)| words().any(|word| word == *python)) {
        return Some(format!("in Rust it is written `{written}`"));
    }
    let block = ["if ", "for ", "while ", "else", "fn "].iter().any(|word| case.line.trim_start().starts_with(word));
    (block && case.line.trim_end().ends_with(':')).then(|| "a block stands in braces: `if a > b { ... }`".to_owned())
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

/// Values that Python calls otherwise, where rustc does not say it.
fn constant(case: &Case<'_>) -> Option<String> {
    let rust = [
        ("null", "None"),
        ("nil", "None"),
        ("nan", "f64::NAN"),
        ("inf", "f64::INFINITY"),
        ("pi", "std::f64::consts::PI"),
    ];
    let (_, written) = rust.iter().find(|(python, _)| *python == case.found[0])?;
    Some(format!("in Rust it is written `{written}`"))
}
