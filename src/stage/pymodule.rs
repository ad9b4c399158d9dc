//! The `#[pymodule]` of a kernel: found where the user wrote one, generated where not.
//!
//! What is generated stands in a module of its own, which sees nothing of the user's but what it names by its full path: no
//! constant, type, trait, macro or missing prelude of a kernel changes what it means.

use syn::{Attribute, Meta};

use crate::error::{Diagnostic, Error, Result};
use crate::kernel::cell::Cell;
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::kernel::surface::{Hidden, Kind, Shown, Surface};
use crate::kernel::walk::surface;
use crate::similar::similar;
use crate::stage::fastcall::{Surroundings, fast_calls, support};

/// The module that holds what is generated.
const MODULE: &str = "__rsimport_module";

/// What is added to a kernel's text so that it is a Python module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generated {
    /// What is appended, one line and functions for fast calls; nothing where the kernel has a `#[pymodule]`.
    pub text: Option<String>,
    /// Are there functions for fast calls in it?
    pub is_fast: bool,
    /// What was meant for Python, and cannot be shown by a generated module.
    pub warnings: Vec<Diagnostic>,
}

/// Makes the module of a kernel, with `fast` the functions for fast calls too. `text` is the kernel's, as a parser of Rust
/// takes it, and `file` what that is; one that does not parse is left for rustc to complain about.
pub fn generated(
    source: &Source,
    text: &str,
    file: Option<&syn::File>,
    manifest: &Manifest,
    fast: bool,
) -> Result<Generated> {
    let Some(file) = file else { return Ok(unread(source, text, manifest)) };
    let surface = surface(source, text, file);
    if is_declared(source, &surface)? {
        return Ok(Generated::default());
    }
    if surface.shown.is_empty() {
        // What only the compiler knows may be all that is needed.
        return if surface.is_open { Ok(Generated::default()) } else { Err(nothing(source, &surface)) };
    }
    let (pyo3, version) = &manifest.pyo3(source.manifest.as_ref().map(|manifest| manifest.text.as_str()));
    // PyO3 0.20 and older know no `Bound`, and hand a module over together with the interpreter.
    let is_old = version.is_some_and(|version| version < (0, 21));
    let is_ours = source.manifest.is_none() && !manifest.names_pyo3();
    // Another PyO3 may have other names for what is needed, and `forbid` cannot be undone for a part of the file.
    let fast = fast && is_ours && !text.contains("forbid");
    let has_numpy = manifest.crates().iter().any(|name| name == "numpy");
    let surroundings = Surroundings { has_numpy, keeps_objects: surface.keeps_objects };
    let (mut calls, mut functions) = (String::new(), Vec::new());
    for shown in &surface.shown {
        let conditions = cfg(&shown.conditions);
        let (call, fast_calls) = match fast {
            true => fast_calls(shown, &conditions, surroundings, functions.len()),
            false => (None, Vec::new()),
        };
        let call = call.unwrap_or_else(|| added(shown, pyo3, *version));
        functions.extend(fast_calls);
        calls.push_str(&format!("{conditions}{{ {call} }} "));
    }
    let fast_calls = if functions.is_empty() { String::new() } else { support(&functions) };
    let prelude = prelude(&surface.preludes, &file.attrs, pyo3);
    let doc = documentation(&file.attrs, manifest);
    let mut name = MODULE.to_owned();
    while text.contains(&name) {
        name.push('_');
    }
    let parameters = match is_old {
        true => format!("_py: ::{pyo3}::Python<'_>, m: &::{pyo3}::types::PyModule"),
        false => format!("m: &::{pyo3}::Bound<'_, ::{pyo3}::types::PyModule>"),
    };
    let module = &source.module;
    let renamed = if pyo3 == "pyo3" { String::new() } else { format!(", crate = \"::{pyo3}\"") };
    // What is forbidden cannot be allowed.
    let forbidden = text.contains("forbid") && text.contains("clippy::");
    let lints = if forbidden { "" } else { "#![allow(clippy::all, clippy::nursery, clippy::pedantic)] " };
    let made = format!(
        "{prelude}mod {name} {{ #![doc(hidden)] {lints}#[doc = {doc:?}] #[::{pyo3}::pymodule] #[pyo3(name = {module:?}{renamed})] \
         fn {name}({parameters}) -> ::{pyo3}::PyResult<()> \
         {{ {calls}::core::result::Result::Ok(()) }}\n{fast_calls}}}"
    );
    let warnings = surface.hidden.iter().map(|hidden| warning(hidden, module)).collect();
    Ok(Generated { text: Some(made), is_fast: !functions.is_empty(), warnings })
}

/// What a kernel needs that does not parse: rustc goes on behind what is wrong, and would miss the prelude then. Where
/// brackets do not close, rustc says nothing but that, and names the end of the text, which is to be the user's.
fn unread(source: &Source, text: &str, manifest: &Manifest) -> Generated {
    let is_own = ["#[pymodule", "::prelude::*"].iter().any(|word| text.contains(word));
    let code: String = text.lines().filter_map(|line| line.split("//").next()).collect();
    let closes = |(open, close): &(char, char)| code.matches(*open).count() == code.matches(*close).count();
    let is_closed = || [('{', '}'), ('(', ')'), ('[', ']')].iter().all(closes);
    if source.manifest.is_some() || is_own || (text.parse::<proc_macro2::TokenStream>().is_err() && !is_closed()) {
        return Generated::default();
    }
    let (pyo3, _) = manifest.pyo3(None);
    Generated { text: Some(prelude(&[], &[], &pyo3)), ..Generated::default() }
}

/// Has the kernel a module of its own, under the name by which it is imported?
pub(crate) fn is_declared(source: &Source, surface: &Surface) -> Result<bool> {
    if surface.has_unknown_module || surface.modules.iter().any(|module| module.name == source.module) {
        return Ok(true);
    }
    // A function `PyInit_NAME` beside functions for Python may be there for others.
    let counts = |is_raw: bool| !is_raw || surface.shown.is_empty();
    let others: Vec<_> = surface.modules.iter().filter(|module| counts(module.is_raw)).collect();
    let Some(first) = others.first() else { return Ok(false) };
    let place = format!("{}:{}", first.place.file.display(), first.place.line);
    let mut names: Vec<String> = others.iter().map(|other| format!("`{}`", other.name)).collect();
    names.dedup();
    let (module, what) = (&source.module, if first.is_raw { "PyInit function" } else { "#[pymodule]" });
    let (are, them) = match names.as_slice() {
        [name] => (format!("the {what} is called {name}"), "rename one of them"),
        _ => (format!("the {what}s are called {}", names.join(" and ")), "rename the one that holds the others"),
    };
    let hint = match first.is_raw {
        true => format!("rename it to PyInit_{module}, or the file"),
        false => format!("{them}, or write #[pyo3(name = \"{module}\")] below #[pymodule]"),
    };
    let message = format!("{place}: {are}, but the module is imported as `{module}`");
    Err(Error::config(message).hint(hint).kernel(&source.path))
}

/// The error for a kernel in which nothing is meant for Python, or nothing that a generated module could show.
fn nothing(source: &Source, surface: &Surface) -> Error {
    let error = match surface.hidden.first() {
        Some(Hidden { what, why, help, place }) => Error::config(format!(
            "{}:{}: {what} is not in the module, and nothing else is: {why}",
            place.file.display(),
            place.line
        ))
        .hint(help.clone()),
        None => Error::config(format!(
            "{}: the kernel has no #[pyfunction], #[pyclass] or #[pymodule]",
            source.path.display()
        ))
        .hint(match (class_meant(&source.text), attribute_meant(&source.text)) {
            (_, Some((line, written, meant))) => format!("line {line} has {written}; did you mean #[{meant}]?"),
            (Some(class), _) => format!("#[pymethods] makes no class: write #[pyclass] above `{class}`"),
            _ => "put #[pyfunction] above a function that Python is to call; `rsimport new NAME` writes an example"
                .to_owned(),
        }),
    };
    error.kernel(&source.path)
}

/// An attribute that is written like one of PyO3's, where it stands, and which that is.
fn attribute_meant(text: &str) -> Option<(usize, String, &'static str)> {
    text.lines().enumerate().find_map(|(at, line)| {
        let written = line.trim_start();
        let (_, inside) = written.strip_prefix('#')?.trim_start_matches('!').split_once('[')?;
        let name = inside.trim_start().trim_start_matches("derive(").split([']', '(', ')']).next()?.trim();
        let plain = name.rsplit("::").next()?.replace(['_', '-'], "").to_lowercase();
        let known = ["pyfunction", "pyclass", "pymodule"];
        let meant = known.iter().find(|known| **known == plain).copied().or_else(|| similar(&plain, known))?;
        let end = written.rfind(']').map_or(written.len(), |end| end + 1);
        (!written.starts_with(&format!("#[{meant}"))).then(|| (at + 1, written[..end].to_owned(), meant))
    })
}

/// The type that has methods for Python and is no class of Python's.
fn class_meant(text: &str) -> Option<&str> {
    let (_, methods) = text.split_once("#[pymethods]")?;
    methods
        .split_once("impl ")?
        .1
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .filter(|name| !name.is_empty())
}

/// The statement that adds something to the module `m`, for this version of PyO3.
pub(crate) fn added(shown: &Shown, pyo3: &str, version: Option<(u64, u64)>) -> String {
    let is_old = version.is_some_and(|version| version < (0, 21));
    // PyO3 0.21 and 0.22 call it otherwise.
    let get_type = if version.is_none_or(|version| version >= (0, 23)) { "get_type" } else { "get_type_bound" };
    let Shown { path, name, .. } = shown;
    if is_old {
        // There a module has these methods of its own.
        return match shown.kind {
            Kind::Function => format!("m.add_function(::{pyo3}::wrap_pyfunction!(super::{path}, m)?)?;"),
            Kind::Class => format!("m.add_class::<super::{path}>()?;"),
            Kind::Submodule => format!("m.add_wrapped(::{pyo3}::wrap_pymodule!(super::{path}))?;"),
            Kind::Exception => format!("m.add({name:?}, _py.get_type::<super::{path}>())?;"),
        };
    }
    let methods = format!("::{pyo3}::types::PyModuleMethods");
    match shown.kind {
        Kind::Function => format!("{methods}::add_function(m, ::{pyo3}::wrap_pyfunction!(super::{path}, m)?)?;"),
        Kind::Class => format!("{methods}::add_class::<super::{path}>(m)?;"),
        Kind::Submodule => format!("{methods}::add_wrapped(m, ::{pyo3}::wrap_pymodule!(super::{path}))?;"),
        Kind::Exception => {
            format!(
                "{methods}::add(m, {name:?}, ::{pyo3}::Python::{get_type}::<super::{path}>(::{pyo3}::Bound::py(m)))?;"
            )
        }
    }
}

/// The import of PyO3's prelude into the root: who writes no module need not know it either. That nothing of it is needed
/// is allowed, except where the kernel forbids that; there it is public, which counts as used.
pub(crate) fn prelude(own: &[Vec<String>], attributes: &[Attribute], pyo3: &str) -> String {
    if own.iter().any(Vec::is_empty) {
        return String::new();
    }
    let own: Vec<String> = own.iter().map(|conditions| format!("all({})", conditions.join(", "))).collect();
    let condition = if own.is_empty() { String::new() } else { format!("#[cfg(not(any({})))] ", own.join(", ")) };
    let is_forbidden = attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("forbid") => {
            let lints = list.tokens.to_string();
            ["unused_imports", "unused", "warnings"]
                .iter()
                .any(|lint| lints.split([',', ' ']).any(|word| word == *lint))
        }
        _ => false,
    });
    let shown = if is_forbidden { "pub" } else { "#[allow(unused_imports)]" };
    format!("{condition}{shown} use ::{pyo3}::prelude::*; ")
}

fn cfg(conditions: &[String]) -> String {
    conditions.iter().map(|condition| format!("#[cfg({condition})] ")).collect()
}

/// What is told of something that the module does not show, as rustc would say it.
fn warning(hidden: &Hidden, module: &str) -> Diagnostic {
    let Hidden { what, why, help, place } = hidden;
    let file = Cell::of(&place.file).map_or_else(|| place.file.display().to_string(), |cell| cell.label);
    let message = format!("{what} is not in module `{module}`: {why}");
    let (bold, yellow, blue, end) = ("\x1b[1m", "\x1b[33m", "\x1b[94m", "\x1b[0m");
    let ansi = format!(
        "{bold}{yellow}warning{end}{bold}: {message}{end}\n  {bold}{blue}--> {end}{file}:{}:{}\n  \
         {bold}{blue}= {end}{bold}help{end}: {help}\n",
        place.line, place.column
    );
    let (line, column) = (Some(place.line), Some(place.column));
    Diagnostic { level: "warning".into(), code: None, message, file: Some(file), line, column, ansi }
}

/// The file's own `//!` lines, without the manifest block, as the module's documentation.
pub(crate) fn documentation(attributes: &[Attribute], manifest: &Manifest) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => {
                Some((attribute.pound_token.span.start().line, text.value()))
            }
            _ => None,
        },
        _ => None,
    });
    let block =
        manifest.block.as_ref().map(|block| (block.line.saturating_sub(1), block.line + block.toml.lines().count()));
    let visible = lines.filter(|(line, _)| block.is_none_or(|(first, last)| *line < first || *line > last));
    let lines: Vec<String> = visible.map(|(_, text)| text.strip_prefix(' ').unwrap_or(&text).to_owned()).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> Result<Generated> {
        let source =
            Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: text.into(), manifest: None };
        let file = syn::parse_file(text).ok();
        let manifest = Manifest::of_kernel(&source.path, text).unwrap();
        let made = generated(&source, text, file.as_ref(), &manifest, false);
        if let Ok(Generated { text: Some(made), .. }) = &made {
            syn::parse_file(made).unwrap();
        }
        made
    }

    fn check(text: &str, expected: std::result::Result<Option<&str>, &str>) {
        match (made(text), expected) {
            (Ok(Generated { text: None, .. }), Ok(None)) => {}
            (Ok(Generated { text: Some(made), .. }), Ok(Some(part))) => assert!(made.contains(part), "{made}\n{part}"),
            (Err(error), Err(message)) => assert_eq!(error.message, message),
            (found, expected) => panic!("{text}\n{found:?}\n{expected:?}"),
        }
    }

    /// What a text's module shows, and what is told of the rest.
    fn shown(text: &str) -> (Vec<String>, Vec<String>) {
        let Generated { text: Some(made), warnings, .. } = made(text).unwrap() else { panic!("{text}") };
        let paths = made.split("super::").skip(1).map(|rest| rest.split([',', '>', ')']).next().unwrap().to_owned());
        (paths.collect(), warnings.into_iter().map(|warning| warning.message).collect())
    }

    #[test]
    fn a_module_is_generated_only_where_there_is_none() {
        check("#[pyfunction] fn f() {}", Ok(Some("add_function(m, ::pyo3::wrap_pyfunction!(super::f, m)?)?;")));
        check("#[pyo3::pyfunction] fn r#fn() {}", Ok(Some("wrap_pyfunction!(super::r#fn, m)")));
        check("#[pyclass] struct C; fn g() {}", Ok(Some("add_class::<super::C>(m)?;")));
        check(
            "#[cfg(unix)] #[pyclass] enum E { A }",
            Ok(Some("#[cfg(unix)] { ::pyo3::types::PyModuleMethods::add_class::<super::E>")),
        );
        check(
            "//! Title.\n//! ```cargo\n//! [features]\n//! ```\n#[pyfunction] fn f() {}",
            Ok(Some("#[doc = \"Title.\"]")),
        );
        check("#[pymodule] fn a() {}", Ok(None));
        check("#[pymodule] mod a {}", Ok(None));
        check("mod inner { #[pymodule] #[pyo3(name = \"a\")] fn b() {} }", Ok(None));
        check("make! { #[pymodule] fn a() {} }", Ok(None));
        check("macro_rules! m { ($n:ident) => { #[pymodule] fn $n() {} } } m!(a);", Ok(None));
        check("use pyo3::pymodule as export; #[export] mod a {}", Ok(None));
        check("#[cfg_attr(all(), pymodule)] fn a() {}", Ok(None));
        check("#[pymodule] fn child() {} #[pymodule] fn a() {}", Ok(None));
        check("#[pymodule] fn a() {} mod inner { #[pymodule] fn child() {} }", Ok(None));
        check("mod inner { pub mod deep { #[pymodule] fn a() {} } } #[pymodule] fn child() {}", Ok(None));
        check("#[no_mangle] extern \"C\" fn PyInit_a() {}", Ok(None));
        check("#[unsafe(export_name = \"PyInit_a\")] extern \"C\" fn init() {}", Ok(None));
        check("fn broken( {", Ok(None));
    }

    #[test]
    fn a_module_of_another_name_and_a_kernel_without_anything_are_errors() {
        let check = |text, message| check(text, Err(message));
        check(
            "\n#[pymodule]\nfn b() {}",
            "/k/a.rs:3: the #[pymodule] is called `b`, but the module is imported as `a`",
        );
        check(
            "#[pymodule]\n#[pyo3(name = \"c\")]\nmod a {}",
            "/k/a.rs:3: the #[pymodule] is called `c`, but the module is imported as `a`",
        );
        check(
            "#[pymodule] fn b() {}\n#[pymodule] mod c { #[pymodule] mod a {} }",
            "/k/a.rs:1: the #[pymodule]s are called `b` and `c`, but the module is imported as `a`",
        );
        check(
            "extern \"C\" fn PyInit_b() {}",
            "/k/a.rs:1: the PyInit function is called `b`, but the module is imported as `a`",
        );
        check("// pymodule\nfn f() {}", "/k/a.rs: the kernel has no #[pyfunction], #[pyclass] or #[pymodule]");
        check("use pyo3::pymodule; fn f() {}", "/k/a.rs: the kernel has no #[pyfunction], #[pyclass] or #[pymodule]");
        check(
            "mod m {\n#[pyfunction] fn f() {} }",
            "/k/a.rs:2: #[pyfunction] `f` is not in the module, and nothing else is: it is private in `mod m`",
        );
    }

    #[test]
    fn whatever_the_root_can_reach_is_shown() {
        let check = |text: &str, expected: &[&str]| {
            let (paths, told) = shown(text);
            assert_eq!(paths, expected, "{text}");
            assert!(told.is_empty(), "{told:?}");
        };
        check("mod m { #[pyfunction] pub fn f() {} #[pyclass] pub(crate) struct C; }", &["m::f", "m::C"]);
        check("mod m { pub(super) mod n { #[pyfunction] pub(in super::super) fn f() {} } }", &["m::n::f"]);
        check("mod m { #[pyfunction] pub fn f() {} } #[pyfunction] fn g() {}", &["g", "m::f"]);
        check("mod m { #[pyfunction] pub fn f() {} } use m::f;", &["f"]);
        check("mod m { #[pyfunction] pub fn f() {} } use m::*;", &["m::f"]);
        check("mod m { mod n { #[pyfunction] pub fn f() {} } pub use n::f; }", &["m::f"]);
        check("mod m { mod n { #[pyclass] pub struct C; } pub use self::n::*; }", &["m::C"]);
        check("mod m { mod n { #[pyclass] pub struct C; } pub use n::C; } use crate::m::C;", &["m::C"]);
        check("use pyo3::pyfunction as export; #[export] fn f() {}", &["f"]);
        check("#[cfg_attr(any(unix, windows), pyfunction)] fn f() {}", &["f"]);
        check("create_exception!(a, E, PyException); #[pyfunction] fn f() {}", &["E", "f"]);
        check("pyo3::create_exception!(a, E, PyException, \"Text, more.\");", &["E"]);
        check("#[pymodule(submodule)] mod child {} #[pyfunction] fn f() {}", &["child", "f"]);
        check("macro_rules! m { ($($n:ident)*) => { $(#[pyfunction] fn $n() {})* } } m!(f g);", &["f", "g"]);
        check(
            "m!(f); macro_rules! m { ($n:ident) => { n!($n); } } macro_rules! n { ($n:ident) => { #[pyclass] struct $n; } }",
            &["f"],
        );
        check("macro_rules! m { ($n:ident) => { #[pyclass] pub struct $n; } } mod x { m!(C); }", &["x::C"]);
        check("fn g() { wrap_pyfunction!(h); #[pyfunction] fn h() {} } #[pyfunction] fn f() {}", &["f"]);
        check("#[cfg(test)] mod tests { #[pyfunction] fn h() {} } #[pyfunction] fn f() {}", &["f"]);
    }

    #[test]
    fn macros_that_never_end_are_left_to_the_compiler() {
        for made in ["m!{ $($x)* }", "m!{ ($($x)*) }", "m!{ $($x)* $($x)* }", "m!{ $($x)* a } m!{ $($x)* b }"] {
            let text = format!("#[pyfunction] fn f() {{}} macro_rules! m {{ ($($x:tt)*) => {{ {made} }} }} m!{{a}}");
            assert_eq!(shown(&text).0, ["f"], "{text}");
        }
    }

    #[test]
    fn what_does_not_parse_has_the_prelude_unless_its_end_is_what_is_wrong() {
        for (text, expected) in [
            ("#[pyfunction] fn f(a) {}", true),
            ("#[pyfunction] fn f() { 'ab' }", true),
            ("use pyo3::prelude::*; #[pyfunction] fn f(a) {}", false),
            ("#[pyfunction] fn f() { a // }", false),
            ("#[pyfunction] fn f() {", false),
        ] {
            let found = made(text).unwrap().text;
            assert_eq!(found.is_some_and(|found| found.contains("use ::pyo3::prelude::*;")), expected, "{text}");
        }
    }

    #[test]
    fn an_exception_is_in_the_module_with_every_version_of_pyo3() {
        for (version, expected) in [
            ("0.20", "_py.get_type::<super::Bad>()"),
            ("0.22", "get_type_bound::<super::Bad>"),
            ("0.30", "get_type::<super::Bad>"),
        ] {
            let block = format!("//! ```cargo\n//! [dependencies]\n//! pyo3 = \"{version}\"\n//! ```\n");
            check(&format!("{block}create_exception!(a, Bad, PyException);"), Ok(Some(expected)));
        }
    }

    #[test]
    fn what_cannot_be_shown_is_told_by_its_name() {
        let check = |text: &str, expected: &str| {
            let (paths, told) = shown(&format!("#[pyfunction] fn first() {{}} {text}"));
            assert_eq!(paths, ["first"], "{text}");
            assert_eq!(told, [expected], "{text}");
        };
        check("mod m { #[pyclass] struct C; }", "#[pyclass] `C` is not in module `a`: it is private in `mod m`");
        check(
            "mod m { mod n { #[pyfunction] pub fn f() {} } }",
            "#[pyfunction] `f` is not in module `a`: `mod n` is private",
        );
        check(
            "cfg_if! { if #[cfg(unix)] { #[pyfunction] fn f() {} } }",
            "#[pyfunction] `f` is not in module `a`: `cfg_if!` makes it, and what that makes is not known",
        );
        check(
            "macro_rules! m { ($n:ident) => { paste! { #[pyfunction] fn [<get_ $n>]() {} } } } m!(x);",
            "a #[pyfunction] is not in module `a`: `paste!` makes it, and what that makes is not known",
        );
        check(
            "macro_rules! m { ($n:unheard) => { #[pyclass] struct $n; } } m!(X);",
            "a #[pyclass] is not in module `a`: `m!` makes it, and what that makes is not known",
        );
        check(
            "fn g() { #[pyfunction] fn f() {} }",
            "#[pyfunction] `f` is not in module `a`: it stands inside of another item",
        );
        check(
            "mod m { #[pyfunction] pub fn first() {} }",
            "#[pyfunction] `m::first` is not in module `a`: `first` has the same name in Python",
        );
    }

    #[test]
    fn only_pyo3s_own_prelude_counts() {
        let check = |text: &str, expected: &str| {
            let Generated { text: made, .. } = made(&format!("{text} #[pyfunction] fn f() {{}}")).unwrap();
            assert_eq!(made.unwrap().split("mod __rsimport").next().unwrap(), expected, "{text}");
        };
        let ours = "#[allow(unused_imports)] use ::pyo3::prelude::*; ";
        check("", ours);
        check("#![forbid(unsafe_code)]", ours);
        check("#![forbid(unsafe_code, unused_imports)]", "pub use ::pyo3::prelude::*; ");
        check("use rayon::prelude::*;", ours);
        check("use std::io::prelude::*; mod prelude {}", ours);
        check("mod prelude { pub fn g() {} } use prelude::*;", ours);
        check("use pyo3::prelude::{PyResult, pyfunction};", ours);
        check("mod inner { use pyo3::prelude::*; }", ours);
        check("use pyo3::prelude::*;", "");
        check("use ::pyo3::prelude::*;", "");
        check("use pyo3::{prelude::*, types::*};", "");
        check("use {std::fmt, pyo3::{types::{PyDict}, prelude::{*}}};", "");
        check("use pyo3 as p; use p::prelude::*;", "");
        check("extern crate pyo3 as p; use p::prelude::*;", "");
        check("use pyo3::prelude; use prelude::*;", "");
        check("use pyo3::prelude as p; use self::p::*;", "");
        check("use numpy::pyo3::prelude::*;", "");
        check("mod common { pub use pyo3::prelude::*; } use crate::common::*;", "");
        check("#[cfg(unix)] use pyo3::prelude::*;", &format!("#[cfg(not(any(all(unix))))] {ours}"));
    }
}
