//! The `#[pymodule]` of a kernel: found where the user wrote one, generated where not.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Item, Meta};

use crate::error::{Error, Result};
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::stage::fastcall::{FastCall, support};

/// What has to be appended to a kernel's text so that it is a Python module: nothing where it has a `#[pymodule]`, or
/// one line that makes one, and with `fast` the functions for fast calls. A text that does not parse is left for rustc to
/// complain about.
pub fn generated(source: &Source, file: Option<&syn::File>, manifest: &Manifest, fast: bool) -> Result<Option<String>> {
    let Some(file) = file else { return Ok(None) };
    if let Some((name, line)) = declared(&file.items) {
        if name == source.module {
            return Ok(None);
        }
        return Err(Error::config(format!(
            "{}:{line}: the #[pymodule] is called `{name}`, but the module is imported as `{}`",
            source.path.display(),
            source.module
        ))
        .hint(format!("rename one of them, or write #[pyo3(name = \"{}\")] below #[pymodule]", source.module))
        .kernel(&source.path));
    }
    // A #[pymodule] that a macro or a cfg_attr makes is not seen above; two modules would be an error then.
    if mentions(&source.text, "pymodule") {
        return Ok(None);
    }
    // Another PyO3 may have other names for what is needed, and `forbid` cannot be undone for a part of the file.
    let fast = fast && !manifest.names_pyo3() && !source.text.contains("forbid");
    let (mut calls, mut functions) = (String::new(), Vec::new());
    for item in &file.items {
        let (attributes, name, call) = match item {
            Item::Fn(item) if has(&item.attrs, "pyfunction") => {
                (&item.attrs, &item.sig.ident, "m.add_function(::pyo3::wrap_pyfunction!(self::@, m)?)?;")
            }
            Item::Struct(item) if has(&item.attrs, "pyclass") => (&item.attrs, &item.ident, "m.add_class::<@>()?;"),
            Item::Enum(item) if has(&item.attrs, "pyclass") => (&item.attrs, &item.ident, "m.add_class::<@>()?;"),
            _ => continue,
        };
        let conditions: String = attributes.iter().filter(|a| a.path().is_ident("cfg")).filter_map(cfg).collect();
        let call = match item {
            Item::Fn(item) if fast => FastCall::of(item, &conditions),
            _ => None,
        }
        .map_or_else(
            || call.replace('@', &name.to_string()),
            |found| {
                let statement = found.statement.clone();
                functions.push(found);
                statement
            },
        );
        calls.push_str(&format!("{conditions}{{ {call} }} "));
    }
    if calls.is_empty() {
        return Err(Error::config(format!(
            "{}: the kernel has no #[pyfunction], #[pyclass] or #[pymodule]",
            source.path.display()
        ))
        .hint("put #[pyfunction] above a function that Python is to call; `rsimport new NAME` writes an example")
        .kernel(&source.path));
    }
    let doc = documentation(&file.attrs, manifest);
    // Who writes no module need not know PyO3's prelude either. A second import of it would be an unused one, and
    // nothing may be allowed here that the kernel forbids; what is public counts as used.
    let prelude = match mentions(&source.text, "prelude") {
        true => "",
        false => "pub use ::pyo3::prelude::*; ",
    };
    // PyO3 0.20 and older know no `Bound`, and hand a module over together with the interpreter.
    let old = manifest.has_pyo3_before(21);
    let parameters = match old {
        true => "_py: ::pyo3::Python<'_>, m: &::pyo3::types::PyModule",
        false => "m: &::pyo3::Bound<'_, ::pyo3::types::PyModule>",
    };
    let methods = if !old && calls.contains("m.add_") { "use ::pyo3::types::PyModuleMethods as _; " } else { "" };
    let mut fast_calls: String = functions.iter().map(|function| function.text.as_str()).collect();
    if !functions.is_empty() {
        fast_calls.push_str(&support(&functions));
    }
    Ok(Some(format!(
        "{prelude}#[doc = {doc:?}] #[::pyo3::pymodule] #[pyo3(name = {:?})] fn __rsimport_module({parameters}) \
         -> ::pyo3::PyResult<()> {{ {methods}{calls}Ok(()) }}\n\
         {fast_calls}",
        source.module
    )))
}

/// The name that Python will see and the line of the first `#[pymodule]` among the items or the modules below them.
fn declared(items: &[Item]) -> Option<(String, usize)> {
    items.iter().find_map(|item| {
        let (attributes, ident) = match item {
            Item::Fn(item) => (&item.attrs, &item.sig.ident),
            Item::Mod(item) => (&item.attrs, &item.ident),
            _ => return None,
        };
        if has(attributes, "pymodule") {
            let given = attributes
                .iter()
                .filter(|a| ["pyo3", "pymodule"].iter().any(|name| is(a, name)))
                .find_map(name_argument);
            let plain = ident.to_string().trim_start_matches("r#").to_owned();
            return Some((given.unwrap_or(plain), ident.span().start().line));
        }
        match item {
            Item::Mod(item) => declared(&item.content.as_ref()?.1),
            _ => None,
        }
    })
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| is(attribute, name))
}

fn is(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}

/// `name = "..."` among the arguments of an attribute.
fn name_argument(attribute: &Attribute) -> Option<String> {
    let Meta::List(list) = &attribute.meta else { return None };
    let tokens: Vec<TokenTree> = list.tokens.clone().into_iter().collect();
    tokens.windows(3).find_map(|three| match three {
        [TokenTree::Ident(key), TokenTree::Punct(equals), TokenTree::Literal(text)]
            if key == "name" && equals.as_char() == '=' =>
        {
            Some(text.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    })
}

fn cfg(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::List(list) => Some(format!("#[cfg({})] ", list.tokens)),
        _ => None,
    }
}

/// Does the text have this identifier outside of comments and literals?
fn mentions(text: &str, word: &str) -> bool {
    fn search(tokens: TokenStream, word: &str) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == word,
            TokenTree::Group(group) => search(group.stream(), word),
            _ => false,
        })
    }
    text.contains(word) && text.parse::<TokenStream>().is_ok_and(|tokens| search(tokens, word))
}

/// The file's own `//!` lines, without the manifest block, as the module's documentation.
fn documentation(attributes: &[Attribute], manifest: &Manifest) -> String {
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

    fn check(text: &str, expected: std::result::Result<Option<&str>, &str>) {
        let source =
            Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: text.into(), manifest: None };
        let file = syn::parse_file(text).ok();
        let manifest = Manifest::of_kernel(&source.path, text).unwrap();
        match (generated(&source, file.as_ref(), &manifest, false), expected) {
            (Ok(None), Ok(None)) => {}
            (Ok(Some(made)), Ok(Some(part))) => assert!(made.contains(part), "{made}\n{part}"),
            (Err(error), Err(message)) => assert_eq!(error.message, message),
            (found, expected) => panic!("{text}\n{found:?}\n{expected:?}"),
        }
    }

    #[test]
    fn a_module_is_generated_only_where_there_is_none() {
        check("#[pyfunction] fn f() {}", Ok(Some("m.add_function(::pyo3::wrap_pyfunction!(self::f, m)?)?;")));
        check("#[pyo3::pyfunction] fn r#fn() {}", Ok(Some("wrap_pyfunction!(self::r#fn, m)")));
        check("#[pyclass] struct C; fn g() {}", Ok(Some("m.add_class::<C>()?;")));
        check("#[cfg(unix)] #[pyclass] enum E { A }", Ok(Some("#[cfg(unix)] { m.add_class::<E>()?; }")));
        check(
            "//! Title.\n//! ```cargo\n//! [features]\n//! ```\n#[pyfunction] fn f() {}",
            Ok(Some("#[doc = \"Title.\"]")),
        );
        check("#[pyfunction] fn f() {}", Ok(Some("use ::pyo3::prelude::*; #[doc = \"\"]")));
        check("use pyo3::prelude::*;\n#[pyfunction] fn f() {}", Ok(Some("#[doc = \"\"]")));
        check(
            "//! ```cargo\n//! [dependencies]\n//! pyo3 = \"0.20\"\n//! ```\n#[pyfunction] fn f() {}",
            Ok(Some(
                "fn __rsimport_module(_py: ::pyo3::Python<'_>, m: &::pyo3::types::PyModule) -> ::pyo3::PyResult<()> { { m.add_function",
            )),
        );
        check("#[pymodule] fn a() {}", Ok(None));
        check("#[pymodule] mod a {}", Ok(None));
        check("mod inner { #[pymodule] #[pyo3(name = \"a\")] fn b() {} }", Ok(None));
        check("make! { #[pymodule] fn a() {} }", Ok(None));
        check("fn broken( {", Ok(None));
    }

    #[test]
    fn a_module_of_another_name_and_a_kernel_without_anything_are_errors() {
        check(
            "\n#[pymodule]\nfn b() {}",
            Err("/k/a.rs:3: the #[pymodule] is called `b`, but the module is imported as `a`"),
        );
        check(
            "#[pymodule]\n#[pyo3(name = \"c\")]\nmod a {}",
            Err("/k/a.rs:3: the #[pymodule] is called `c`, but the module is imported as `a`"),
        );
        check("// pymodule\nfn f() {}", Err("/k/a.rs: the kernel has no #[pyfunction], #[pyclass] or #[pymodule]"));
    }
}
