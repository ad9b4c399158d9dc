//! The crate root of an exported kernel: the user's text without what only rsimport reads, with the module written out.

use std::collections::HashSet;
use std::ops::Range;

use syn::spanned::Spanned;
use syn::{Attribute, Item, UseTree};

use super::pyo3_of;
use crate::error::{Error, Result};
use crate::kernel::block::Block;
use crate::kernel::manifest::Manifest;
use crate::kernel::roles::given_name;
use crate::kernel::source::Source;
use crate::kernel::surface::{Kind, Shown, Surface};
use crate::kernel::syntax;
use crate::kernel::walk::surface;
use crate::paths::quoted;
use crate::stage::copies::readable;
use crate::stage::pymodule;

/// What the generated part names without a path, unless the kernel means something else by these.
const NAMES: [&str; 8] =
    ["Bound", "Ok", "PyModule", "PyModuleMethods", "PyResult", "pymodule", "wrap_pyfunction", "wrap_pymodule"];

/// Preludes of nothing but traits. What others bring in is not known.
const TRAITS: [&str; 5] =
    ["itertools::prelude", "numpy::prelude", "rand::prelude", "rayon::prelude", "std::io::prelude"];

/// The crate root.
pub struct Root {
    /// Its text.
    pub text: String,
    /// The module's documentation, where the module is generated.
    pub doc: Option<String>,
    /// What somebody should know.
    pub notes: Vec<String>,
}

/// Writes a kernel's module out, or renames the kernel's own one.
pub fn written_out(source: &Source, manifest: &Manifest, library: &str) -> Result<Root> {
    // Where the manifest stands counts in the text as it was.
    let before = readable(source, manifest);
    let unparsed = || {
        let error = Error::config(format!("{} cannot be read as Rust", source.path.display()));
        error.hint(format!("`rsimport build {}` says why", quoted(&source.path))).kernel(&source.path)
    };
    let file = syntax::parse(&before).ok_or_else(unparsed)?;
    let doc = pymodule::documentation(&file.attrs, manifest);
    let text = without_ours(&source.text, manifest.block.as_ref());
    let file = syntax::parse(&text).ok_or_else(unparsed)?;
    let found = surface(source, &text, &file);
    if pymodule::is_declared(source, &found)? || found.shown.is_empty() {
        let text = renamed(source, &text, &file, library)?;
        return Ok(Root { text, doc: None, notes: Vec::new() });
    }
    let notes = found.hidden.iter().map(|hidden| {
        let (file, line) = (hidden.place.file.display(), hidden.place.line);
        format!("{file}:{line}: {} is not in the module: {}", hidden.what, hidden.why)
    });
    Ok(Root {
        text: with_module(source, &text, &file, manifest, library, &found),
        doc: Some(doc),
        notes: notes.collect(),
    })
}

/// The text without the marker and the manifest block, which have a place of their own in a project.
fn without_ours(text: &str, block: Option<&Block>) -> String {
    let mut text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
    match block {
        Some(Block { hidden: Some(range), .. }) => text.replace_range(range.clone(), ""),
        Some(block) if !block.prefix.is_empty() || !block.fenced => {
            let count = block.toml.lines().count();
            let first = if block.fenced { block.line - 1 } else { block.line };
            let last = if block.fenced { block.line + count } else { block.line + count.max(1) - 1 };
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            let last = last.min(lines.len());
            let after = lines.get(last).copied().unwrap_or_default().trim();
            lines.drain(first - 1..last);
            // An empty line of a comment that led to the block.
            let at = first.saturating_sub(2);
            let is_empty = |line: &&str| ["//!", "///", "//"].contains(&line.trim());
            if lines.get(at).is_some_and(is_empty) && (!after.starts_with("//") || is_empty(&after)) {
                lines.remove(at);
            }
            text = lines.concat();
        }
        _ => {}
    }
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = lines.iter().position(|line| !line.trim().is_empty()).unwrap_or(0);
    let is_marker = |line: &&str| line.trim().strip_prefix("//").is_some_and(|rest| rest.trim() == "rsimport");
    if lines.get(first).is_some_and(is_marker) {
        lines.drain(..=first);
    }
    lines.concat().trim_start_matches(['\n', '\r']).to_owned()
}

/// Gives the kernel's own `#[pymodule]` the name of the library.
fn renamed(source: &Source, text: &str, file: &syn::File, library: &str) -> Result<String> {
    for item in &file.items {
        let (attributes, ident) = match item {
            Item::Fn(item) => (&item.attrs, &item.sig.ident),
            Item::Mod(item) => (&item.attrs, &item.ident),
            _ => continue,
        };
        let Some(mark) = attributes.iter().find(|attribute| is_pymodule(attribute)) else { continue };
        let given = given_name(attributes);
        if given.clone().unwrap_or_else(|| ident.to_string()) != source.module {
            continue;
        }
        let mut text = text.to_owned();
        let old = format!("\"{}\"", source.module);
        let named = attributes.iter().map(|attribute| attribute.span().byte_range());
        match given.and_then(|_| named.into_iter().find_map(|range| within(&text, range, &old))) {
            Some(range) => text.replace_range(range, &format!("{library:?}")),
            None => {
                let at = mark.span().byte_range().end;
                text.insert_str(at, &format!("\n#[pyo3(name = {library:?})]"));
            }
        }
        return Ok(text);
    }
    let (old, new) = (format!("PyInit_{}", source.module), format!("PyInit_{library}"));
    if let Some(text) = replaced(text, &old, &new) {
        return Ok(text);
    }
    let name = source.path.display();
    let error = Error::config(format!(
        "{name}: its module cannot be renamed to {library}, since a macro makes it, or it does not stand in the crate root"
    ));
    Err(error
        .hint(format!("write `#[pymodule]` above `mod {}` or `fn {0}` in {name}", source.module))
        .kernel(&source.path))
}

/// A text with another word in the place of one; none where that is not in it.
fn replaced(text: &str, old: &str, new: &str) -> Option<String> {
    let is_part = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    let (mut out, mut copied) = (String::new(), 0);
    for (at, _) in text.match_indices(old) {
        let after = at + old.len();
        if !is_part(text[..at].chars().next_back()) && !is_part(text[after..].chars().next()) {
            out += &text[copied..at];
            out += new;
            copied = after;
        }
    }
    (copied > 0).then(|| out + &text[copied..])
}

/// Where a text stands in a range of another one.
fn within(text: &str, range: Range<usize>, part: &str) -> Option<Range<usize>> {
    let at = range.start + text.get(range)?.find(part)?;
    Some(at..at + part.len())
}

fn is_pymodule(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "pymodule")
}

/// Appends the module, and puts PyO3's prelude before the first item where it is not imported.
fn with_module(
    source: &Source,
    text: &str,
    file: &syn::File,
    manifest: &Manifest,
    library: &str,
    found: &Surface,
) -> String {
    let (pyo3, version) = pyo3_of(source, manifest);
    let has_types = version.is_none_or(|version| version >= (0, 23));
    let is_old = version.is_some_and(|version| version < (0, 21));
    let is_plain = pyo3 == "pyo3" && !is_old && is_free(file);
    let path = |module: &str, name: &str| match is_plain {
        true => name.to_owned(),
        false => format!("::{pyo3}::{module}{name}"),
    };
    let statements: String = found
        .shown
        .iter()
        .map(|shown| {
            let conditions = shown.conditions.iter().map(|condition| format!("    #[cfg({condition})]\n"));
            let call = match is_plain && (has_types || shown.kind != Kind::Exception) {
                true => added(shown),
                false => pymodule::added(shown, &pyo3, version).replace("super::", ""),
            };
            // A condition is for a block, since what `?` makes of a call is an expression.
            match shown.conditions.is_empty() {
                true => format!("    {call}\n"),
                false => format!("{}    {{\n        {call}\n    }}\n", conditions.collect::<String>()),
            }
        })
        .collect();
    let mut function = library.to_owned();
    while text.contains(&function) {
        function.push('_');
    }
    let mut arguments = Vec::new();
    if function != library {
        arguments.push(format!("name = {library:?}"));
    }
    if pyo3 != "pyo3" {
        arguments.push(format!("crate = \"::{pyo3}\""));
    }
    let named = if arguments.is_empty() { String::new() } else { format!("#[pyo3({})]\n", arguments.join(", ")) };
    let parameters = match is_old {
        true => format!("_py: ::{pyo3}::Python<'_>, m: &::{pyo3}::types::PyModule"),
        false => format!("m: &{}<'_, {}>", path("", "Bound"), path("types::", "PyModule")),
    };
    let (attribute, result) = (path("", "pymodule"), path("", "PyResult"));
    let done = if is_plain { "Ok(())" } else { "::core::result::Result::Ok(())" };
    let mut out = text.trim_end().to_owned();
    let first = file.items.first().map_or(out.len(), |item| item.span().byte_range().start);
    out = format!(
        "{out}\n\n/// What Python sees: the package `{}` offers it under its own name.\n#[{attribute}]\n{named}\
         fn {function}({parameters}) -> {result}<()> {{\n{statements}    {done}\n}}\n",
        source.module
    );
    let prelude = pymodule::prelude(&found.preludes, &file.attrs, &pyo3);
    if !prelude.is_empty() {
        let prelude =
            prelude.trim_end().replace("] use", "]\nuse").replace("] #[", "]\n#[").replace("use ::pyo3", "use pyo3");
        // Who needs a prelude for a module at least needs that of the module.
        let prelude = if is_plain { prelude.replace("#[allow(unused_imports)]\n", "") } else { prelude };
        let blank = if matches!(file.items.first(), Some(Item::Use(_))) { "" } else { "\n" };
        let before = if out[..first].is_empty() || out[..first].ends_with("\n\n") { "" } else { "\n" };
        out.insert_str(first, &format!("{before}{prelude}\n{blank}"));
    }
    out
}

/// The statement that adds something to the module `m`, as one would write it.
fn added(shown: &Shown) -> String {
    let Shown { path, name, .. } = shown;
    match shown.kind {
        Kind::Function => format!("m.add_function(wrap_pyfunction!({path}, m)?)?;"),
        Kind::Class => format!("m.add_class::<{path}>()?;"),
        Kind::Submodule => format!("m.add_wrapped(wrap_pymodule!({path}))?;"),
        Kind::Exception => format!("m.add({name:?}, m.py().get_type::<{path}>())?;"),
    }
}

/// Do names of PyO3's prelude mean in this file what they mean there?
fn is_free(file: &syn::File) -> bool {
    let mut defined = HashSet::new();
    let mut globs = false;
    for item in &file.items {
        match item {
            Item::Use(item) => used(&item.tree, &mut Vec::new(), &mut defined, &mut globs),
            Item::Fn(item) => _ = defined.insert(item.sig.ident.to_string()),
            Item::Struct(item) => _ = defined.insert(item.ident.to_string()),
            Item::Enum(item) => _ = defined.insert(item.ident.to_string()),
            Item::Type(item) => _ = defined.insert(item.ident.to_string()),
            Item::Trait(item) => _ = defined.insert(item.ident.to_string()),
            Item::Const(item) => _ = defined.insert(item.ident.to_string()),
            Item::Static(item) => _ = defined.insert(item.ident.to_string()),
            Item::Macro(item) => defined.extend(item.ident.as_ref().map(ToString::to_string)),
            _ => {}
        }
    }
    !globs && NAMES.iter().all(|name| !defined.contains(*name))
}

/// The names that a `use` brings in from elsewhere than PyO3, and whether nobody knows which.
fn used(tree: &UseTree, path: &mut Vec<String>, defined: &mut HashSet<String>, globs: &mut bool) {
    let is_pyo3 = path.first().is_some_and(|first| first == "pyo3");
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            used(&inner.tree, path, defined, globs);
            path.pop();
        }
        UseTree::Name(name) if !is_pyo3 => _ = defined.insert(name.ident.to_string()),
        UseTree::Rename(name) => _ = defined.insert(name.rename.to_string()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| used(tree, path, defined, globs)),
        UseTree::Glob(_) => *globs |= !is_pyo3 && !TRAITS.iter().any(|known| path.join("::") == *known),
        UseTree::Name(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Result<Root> {
        let source =
            Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: text.into(), manifest: None };
        written_out(&source, &Manifest::of_kernel(&source.path, text)?, "_a")
    }

    #[test]
    fn the_module_is_written_out_as_one_would_write_it() {
        let text = "// rsimport\n//! Title.\n//!\n//! ```cargo\n//! [dependencies]\n//! rand = \"0.9\"\n//! ```\n\n\
                    const N: i64 = 1;\n\n#[pyfunction]\nfn f() -> i64 {\n    N\n}\n\n#[cfg(unix)]\n#[pyclass]\nstruct C;\n";
        let root = root(text).unwrap();
        assert_eq!(root.doc.as_deref(), Some("Title."));
        assert_eq!(
            root.text,
            "//! Title.\n\nuse pyo3::prelude::*;\n\nconst N: i64 = 1;\n\n#[pyfunction]\nfn f() -> i64 {\n    N\n}\n\n\
             #[cfg(unix)]\n#[pyclass]\nstruct C;\n\n/// What Python sees: the package `a` offers it under its own name.\n\
             #[pymodule]\nfn _a(m: &Bound<'_, PyModule>) -> PyResult<()> {\n    m.add_function(wrap_pyfunction!(f, m)?)?;\n    \
             #[cfg(unix)]\n    {\n        m.add_class::<C>()?;\n    }\n    Ok(())\n}\n"
        );
        syn::parse_file(&root.text).unwrap();
    }

    #[test]
    fn names_that_mean_something_else_are_written_with_their_paths() {
        for text in ["use std::ops::Bound;", "use std::ops::*;", "type PyResult<T> = Option<T>;", "fn Ok() {}"] {
            let root = root(&format!("use pyo3::prelude::*;\n{text}\n#[pyfunction] fn f() {{}}")).unwrap();
            assert!(root.text.contains("fn _a(m: &::pyo3::Bound<'_, ::pyo3::types::PyModule>)"), "{}", root.text);
            assert!(root.text.contains("::pyo3::wrap_pyfunction!(f, m)"), "{}", root.text);
        }
        let root = root("use pyo3::prelude::*;\n#[pyfunction] fn _a() {}").unwrap();
        assert!(root.text.contains("#[pyo3(name = \"_a\")]\nfn _a_(m:"), "{}", root.text);
    }

    #[test]
    fn an_own_module_gets_the_name_of_the_library() {
        let check = |text: &str, part: &str| {
            let root = root(text).unwrap();
            assert!(root.text.contains(part) && root.doc.is_none(), "{}", root.text);
        };
        check("#[pymodule]\nfn a() {}", "#[pymodule]\n#[pyo3(name = \"_a\")]\nfn a() {}");
        check("#[pymodule]\n#[pyo3(name = \"a\")]\nmod b {}", "#[pymodule]\n#[pyo3(name = \"_a\")]\nmod b {}");
        check("#[pyo3::pymodule(name = \"a\")]\nmod b {}", "#[pyo3::pymodule(name = \"_a\")]\nmod b {}");
        let error = root("macro_rules! m { ($n:ident) => { #[pymodule] fn $n() {} } } m!(a);").err().unwrap();
        assert!(error.message.contains("cannot be renamed to _a"), "{}", error.message);
    }

    #[test]
    fn what_only_rsimport_reads_is_taken_out() {
        let check = |text: &str, left: &str| {
            let manifest = Manifest::of_kernel("a.rs".as_ref(), text).unwrap();
            assert_eq!(without_ours(text, manifest.block.as_ref()), left, "{text}");
        };
        check("// rsimport\nfn f() {}", "fn f() {}");
        check("---\n[package.metadata.rsimport]\n---\nfn f() {}", "fn f() {}");
        check("// rsimport\n//! ```cargo\n//! [features]\n//! ```\n//! Text.\nfn f() {}", "//! Text.\nfn f() {}");
        check("//! Text.\n//!\n//! ```cargo\n//! [features]\n//! ```\n//!\n//! More.\n", "//! Text.\n//!\n//! More.\n");
        check("// rsimport\n// cargo-deps: rand\nfn f() {}", "fn f() {}");
        check("// rsimport\n//: [dependencies]\n//: rand = \"1\"\nfn f() {}", "fn f() {}");
    }

    #[test]
    fn an_initialisation_by_hand_gets_the_name_of_the_library() {
        let text = |name: &str| format!("extern \"C\" fn {name}() {{}}\nfn PyInit_ab() {{ {name}() }}\n");
        assert_eq!(root(&text("PyInit_a")).unwrap().text, text("PyInit__a"));
    }
}
