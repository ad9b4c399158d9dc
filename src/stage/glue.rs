//! A short kernel of functions in two crates: PyO3's glue, which is kept, and the text that its user edits.
//!
//! Nine tenths of what rustc does for such a kernel it does for the glue, which depends on names, signatures and
//! documentation alone. Here that becomes a crate of its own: each function is there once more with the signature that
//! the user has written, and calls what a slot leads to. In the user's text the attributes of PyO3 are blank, so that
//! everything keeps its line and its column, and below it one call of a macro of the glue's fills the slots when the
//! library is loaded. A slot takes nothing but a pointer to a function of its signature, so rustc sees to it that both
//! halves mean the same types.
//!
//! What the glue is to say has to be known without asking rustc: functions in the root, whose signatures name what the
//! language, PyO3 and declared crates have, and whose defaults are written out. With anything else a kernel is compiled
//! in one piece.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericArgument, GenericParam, Item, ItemFn, Lit, Meta, Pat, PathArguments,
};
use syn::{ReturnType, Signature, Type};

use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::kernel::surface::{Kind, Shown, Surface};
use crate::kernel::syntax;
use crate::kernel::uses::leaves;
use crate::kernel::walk::surface;
use crate::stage::pymodule;

/// The crate that the glue is.
pub const CRATE: &str = "__rsimport_glue";

/// The module in it that holds the slots, and the one below the user's text that fills them.
const SLOTS: &str = "__rsimport_text";
/// The macro that makes the latter.
const FILL: &str = "__rsimport_fill";

/// Words with which a text may see that it is compiled in two halves, or that what is added to it is not the user's.
const TOLD: [&str; 5] = ["__rsimport", "forbid", "_PYO3_DEF", "unsafe_code", "wrap_pyfunction"];
/// Attributes of a file that say nothing about the glue.
const OF_FILES: [&str; 5] = ["allow", "deny", "doc", "expect", "warn"];
/// Attributes of a function that stay with it and say nothing about how it is called.
const OF_FUNCTIONS: [&str; 7] = ["allow", "cold", "deny", "expect", "inline", "must_use", "warn"];
/// What may be said to `#[pyfunction]`.
const OPTIONS: [&str; 4] = ["name", "pass_module", "signature", "text_signature"];
/// Crates that every kernel has.
const CRATES: [&str; 4] = ["alloc", "core", "pyo3", "std"];
/// Types that are there without any `use` but that of PyO3's prelude.
const TYPES: [&str; 32] = [
    "Borrowed", "Bound", "Box", "Option", "Py", "PyAny", "PyErr", "PyModule", "PyRef", "PyRefMut", "PyResult",
    "Python", "Result", "String", "Vec", "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize",
    "str", "u128", "u16", "u32", "u64", "u8", "usize",
];
/// A kernel in two halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halves {
    /// The crate root: the user's text, with the attributes of PyO3 left out.
    pub text: String,
    /// What stands below it.
    pub below: String,
    /// The text of the other crate.
    pub glue: String,
}

/// The halves of a kernel, with `fast` with functions for fast calls; nothing where it is not known to be the same in two
/// crates.
pub fn halves(source: &Source, text: &str, file: &syn::File, manifest: &Manifest, fast: bool) -> Option<Halves> {
    let is_told = TOLD.iter().any(|word| text.contains(word)) || text.starts_with('\u{feff}') || file.shebang.is_some();
    // The glue speaks to the PyO3 that comes with rsimport, to the loader of one platform, and by paths of newer editions.
    let is_ours = cfg!(target_os = "linux") && source.manifest.is_none() && !manifest.names_pyo3();
    let is_ours = is_ours && manifest.edition_or_usual() != "2015";
    if is_told || !is_ours || !file.attrs.iter().all(|attribute| is_one_of(attribute, &OF_FILES)) {
        return None;
    }
    let surface = surface(source, text, file);
    let functions = functions(text, file, &surface)?;
    let names = Names::of(file, manifest)?;
    let mut needed = BTreeSet::new();
    functions.iter().try_for_each(|function| named_in(&function.item.sig, &mut needed))?;
    let documentation = pymodule::documentation(&file.attrs, manifest);
    let mut glue = format!("#![allow(warnings)]\n#![doc = {documentation:?}]\nuse ::pyo3::prelude::*;\n");
    glue.push_str(&names.uses(&needed)?);
    glue.push_str(&slots(&functions));
    functions.iter().enumerate().for_each(|(number, function)| glue.push_str(&function.in_glue(number)));
    let module = Source { text: glue.clone(), ..source.clone() };
    let parsed = syntax::parse(&glue);
    let generated = pymodule::generated(&module, &glue, parsed.as_ref(), &Manifest::default(), fast).ok()?;
    glue.push_str(&generated.text?);
    let blanks = functions.iter().flat_map(|function| function.blanks.iter().cloned());
    let prelude = pymodule::prelude(&surface.preludes, &file.attrs, "pyo3");
    let below = format!("{prelude}::{CRATE}::{FILL}! {{}}\n");
    Some(Halves { text: blanked(text, blanks.collect()), below, glue })
}

/// A function for Python, as far as the glue has to know it.
struct Function<'a> {
    item: &'a ItemFn,
    /// Its documentation, and its attributes of PyO3's.
    attributes: String,
    /// Its arguments' names, each with its type.
    arguments: Vec<(String, &'a str)>,
    generics: &'a str,
    output: &'a str,
    /// Where its attributes of PyO3's stand.
    blanks: Vec<Range<usize>>,
    /// Does it say `#[pyfunction]`, with a name that the kernel has imported?
    by_import: bool,
}

/// The functions of a kernel that shows nothing else.
fn functions<'a>(text: &'a str, file: &'a syn::File, surface: &Surface) -> Option<Vec<Function<'a>>> {
    let Surface { modules, shown, hidden, is_open, has_unknown_module, .. } = surface;
    if !modules.is_empty() || !hidden.is_empty() || shown.is_empty() || *is_open || *has_unknown_module {
        return None;
    }
    let items = file.items.iter().filter_map(|item| if let Item::Fn(item) = item { Some(item) } else { None });
    let items: HashMap<(usize, usize), &ItemFn> = items
        .map(|item| {
            let start = item.sig.ident.span().start();
            ((start.line, start.column + 1), item)
        })
        .collect();
    let of = |shown: &Shown| {
        let is_plain = shown.kind == Kind::Function && shown.conditions.is_empty();
        let item = items.get(&(shown.place.line, shown.place.column)).filter(|_| is_plain)?;
        // What a macro has made has the place of its call.
        if item.sig.ident == shown.path { Function::of(text, item) } else { None }
    };
    shown.iter().map(of).collect()
}

impl<'a> Function<'a> {
    fn of(text: &'a str, item: &'a ItemFn) -> Option<Function<'a>> {
        let signature = &item.sig;
        let is_plain = signature.constness.is_none()
            && signature.asyncness.is_none()
            && matches!(signature.safety, syn::Safety::Default)
            && signature.abi.is_none()
            && signature.variadic.is_none()
            && signature.generics.where_clause.is_none()
            && signature
                .generics
                .params
                .iter()
                .all(|of| matches!(of, GenericParam::Lifetime(of) if of.attrs.is_empty() && of.bounds.is_empty()));
        let mut function = Function {
            item,
            attributes: String::new(),
            arguments: signature.inputs.iter().map(|argument| argument_of(text, argument)).collect::<Option<_>>()?,
            generics: match (&signature.generics.lt_token, &signature.generics.gt_token) {
                (Some(from), Some(to)) => &text[from.span.byte_range().start..to.span.byte_range().end],
                _ => "",
            },
            output: match &signature.output {
                ReturnType::Default => "",
                output => &text[output.span().byte_range()],
            },
            blanks: Vec::new(),
            by_import: false,
        };
        item.attrs.iter().try_for_each(|attribute| function.add(text, attribute))?;
        is_plain.then_some(function)
    }

    /// Takes an attribute; `None` for one that may say anything.
    fn add(&mut self, text: &str, attribute: &Attribute) -> Option<()> {
        if let Some(said) = documentation(attribute) {
            self.attributes.push_str(&format!("#[doc = {said:?}] "));
            return Some(());
        }
        if is_one_of(attribute, &OF_FUNCTIONS) {
            return Some(());
        }
        let options = match &attribute.meta {
            Meta::Path(_) => "",
            Meta::List(list) if are_known(list.tokens.clone()) => &text[list.delimiter.span().join().byte_range()],
            _ => return None,
        };
        let path = attribute.path();
        let name = match path.segments.last()?.ident.to_string().as_str() {
            "pyfunction" => "::pyo3::pyfunction",
            "pyo3" if path.get_ident().is_some() => "pyo3",
            _ => return None,
        };
        self.by_import |= path.is_ident("pyfunction");
        self.attributes.push_str(&format!("#[{name}{options}] "));
        let end = attribute.bracket_token.span.close().byte_range().end;
        self.blanks.push(attribute.pound_token.span.byte_range().start..end);
        Some(())
    }

    /// The function that PyO3 sees.
    fn in_glue(&self, number: usize) -> String {
        let Function { item, attributes, arguments, generics, output, .. } = self;
        let name = &item.sig.ident;
        let typed: String = arguments.iter().map(|(name, of)| format!("{name}: {of}, ")).collect();
        let values: String = arguments.iter().map(|(name, _)| format!("{name}, ")).collect();
        format!("{attributes}fn {name}{generics}({typed}) {output} {{ {SLOTS}::get_{number}()({values}) }}\n")
    }
}

/// The module with a slot for each function, and the macro that fills them from the other crate. A slot is filled before
/// the library is known to anybody: the loader calls what stands in that section.
fn slots(functions: &[Function<'_>]) -> String {
    let (mut slots, mut puts) = (String::new(), String::new());
    let here = ["$crate", SLOTS].join("::");
    for (number, Function { item, arguments, generics, output, by_import, .. }) in functions.iter().enumerate() {
        let types: String = arguments.iter().map(|(_, of)| format!("{of}, ")).collect();
        let bound = if generics.is_empty() { String::new() } else { format!("for{generics} ") };
        // SAFETY: (of the text that is written) a slot holds null, or what was a function of this type.
        slots.push_str(&format!(
            "static SLOT_{number}: Slot = empty(); pub type F{number} = {bound}fn({types}) {output};\n\
             pub fn put_{number}(f: F{number}) {{ SLOT_{number}.store(f as *mut (), Relaxed) }}\n\
             #[inline(always)] pub fn get_{number}() -> F{number} {{ \
             unsafe {{ ::std::mem::transmute::<*mut (), ::std::option::Option<F{number}>>(SLOT_{number}.load(Relaxed)) }}\
             .expect(\"the loader has filled it\") }}\n"
        ));
        puts.push_str(&format!("{here}::put_{number}(super::{}); ", item.sig.ident));
        if *by_import {
            puts.push_str(&format!("use super::pyfunction as _imported_{number}; "));
        }
    }
    format!(
        "#[doc(hidden)] pub mod {SLOTS} {{ use super::*; use ::std::sync::atomic::{{AtomicPtr, Ordering::Relaxed}};\n\
         type Slot = AtomicPtr<()>; const fn empty() -> Slot {{ AtomicPtr::new(::std::ptr::null_mut()) }}\n{slots}}}\n\
         #[doc(hidden)] #[macro_export] macro_rules! {FILL} {{ () => {{ mod {SLOTS} {{ \
         extern \"C\" fn fill() {{ {puts}}} \
         #[used] #[unsafe(link_section = \".init_array\")] static FILL: extern \"C\" fn() = fill; }} }} }}\n"
    )
}

/// The name of an argument and its type.
fn argument_of<'a>(text: &'a str, argument: &FnArg) -> Option<(String, &'a str)> {
    let FnArg::Typed(typed) = argument else { return None };
    let Pat::Ident(name) = &*typed.pat else { return None };
    let is_plain = typed.attrs.is_empty() && name.attrs.is_empty() && name.by_ref.is_none() && name.subpat.is_none();
    is_plain.then(|| (name.ident.to_string(), &text[typed.ty.span().byte_range()]))
}

/// What an attribute documents; one that asks a macro what to say documents nothing that is known.
fn documentation(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(ExprLit { lit: Lit::Str(said), .. }) = &pair.value else { return None };
    pair.path.is_ident("doc").then(|| said.value().replace("\r\n", "\n"))
}

fn is_one_of(attribute: &Attribute, known: &[&str]) -> bool {
    let is_written_out = !matches!(&attribute.meta, Meta::NameValue(_)) || documentation(attribute).is_some();
    is_written_out && attribute.path().get_ident().is_some_and(|name| known.iter().any(|known| name == known))
}

/// Are these options of a function's that mean the same wherever they stand?
fn are_known(options: TokenStream) -> bool {
    parts(options).iter().all(|option| match option.as_slice() {
        [] => true,
        [TokenTree::Ident(name)] => name == "pass_module",
        [TokenTree::Ident(name), equals, TokenTree::Group(parameters)] => {
            name == "signature" && is_mark(equals, '=') && parts(parameters.stream()).iter().all(|it| is_parameter(it))
        }
        [TokenTree::Ident(name), equals, TokenTree::Literal(_)] => {
            is_mark(equals, '=') && OPTIONS.iter().any(|known| name == known)
        }
        _ => false,
    })
}

/// `name`, `*`, `/`, `*name`, `**name`, or `name = ` and a value that is written out.
fn is_parameter(tokens: &[TokenTree]) -> bool {
    let value = tokens.iter().position(|token| is_mark(token, '='));
    let (name, value) = tokens.split_at(value.unwrap_or(tokens.len()));
    let is_name = name.iter().all(|token| match token {
        TokenTree::Punct(mark) => ['*', '/'].contains(&mark.as_char()),
        token => matches!(token, TokenTree::Ident(_)),
    });
    is_name && value.iter().skip(1).all(is_written_out)
}

fn is_written_out(token: &TokenTree) -> bool {
    match token {
        TokenTree::Literal(_) => true,
        TokenTree::Punct(mark) => ['-', ','].contains(&mark.as_char()),
        TokenTree::Ident(word) => ["None", "false", "true"].iter().any(|known| word == known),
        TokenTree::Group(group) => {
            group.delimiter() != Delimiter::Brace && group.stream().into_iter().all(|token| is_written_out(&token))
        }
    }
}

/// What stands between commas.
fn parts(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.split(|token| is_mark(token, ',')).map(<[TokenTree]>::to_vec).collect()
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == mark)
}

/// Collects the names with which the types of a signature begin; `None` where there is a type of another kind.
fn named_in(signature: &Signature, names: &mut BTreeSet<String>) -> Option<()> {
    signature.inputs.iter().try_for_each(|argument| match argument {
        FnArg::Typed(typed) => named_by(&typed.ty, names),
        FnArg::Receiver(_) => None,
    })?;
    match &signature.output {
        ReturnType::Default => Some(()),
        ReturnType::Type(_, output) => named_by(output, names),
    }
}

fn named_by(of: &Type, names: &mut BTreeSet<String>) -> Option<()> {
    let is_number = |length: &Expr| matches!(length, Expr::Lit(_));
    match of {
        Type::Array(array) if is_number(&array.len) => named_by(&array.elem, names),
        Type::Paren(inner) => named_by(&inner.elem, names),
        Type::Reference(to) => named_by(&to.elem, names),
        Type::Slice(of) => named_by(&of.elem, names),
        Type::Tuple(of) => of.elems.iter().try_for_each(|of| named_by(of, names)),
        Type::Path(path) if path.qself.is_none() => {
            let first = path.path.segments.first()?.ident.to_string();
            let is_absolute = path.path.leading_colon.is_some();
            if !is_absolute {
                names.insert(first);
            }
            path.path.segments.iter().try_for_each(|segment| match &segment.arguments {
                PathArguments::None => Some(()),
                PathArguments::AngleBracketed(of) => of.args.iter().try_for_each(|argument| match argument {
                    GenericArgument::Lifetime(_) => Some(()),
                    GenericArgument::Type(of) => named_by(of, names),
                    GenericArgument::Const(number) if is_number(number) => Some(()),
                    _ => None,
                }),
                PathArguments::Parenthesized(_) => None,
            })
        }
        _ => None,
    }
}

/// What names of types mean in the root of a kernel.
struct Names {
    crates: HashSet<String>,
    /// The names that the kernel gives itself, or has from its own modules.
    own: HashSet<String>,
    /// What other crates' names come from.
    imported: HashMap<String, String>,
    /// All that is imported from other crates without being named.
    globs: String,
    /// Is there something imported from its own modules without being named?
    has_own_glob: bool,
}

impl Names {
    fn of(file: &syn::File, manifest: &Manifest) -> Option<Names> {
        let crates = CRATES.iter().map(|name| (*name).to_owned()).chain(manifest.crates()).collect();
        let (own, imported) = (HashSet::new(), HashMap::new());
        let mut names = Names { crates, own, imported, globs: String::new(), has_own_glob: false };
        for item in &file.items {
            match item {
                Item::ExternCrate(_) => return None,
                Item::Mod(item) => drop(names.own.insert(item.ident.to_string())),
                Item::Struct(item) => drop(names.own.insert(item.ident.to_string())),
                Item::Enum(item) => drop(names.own.insert(item.ident.to_string())),
                Item::Union(item) => drop(names.own.insert(item.ident.to_string())),
                Item::Type(item) => drop(names.own.insert(item.ident.to_string())),
                Item::Trait(item) => drop(names.own.insert(item.ident.to_string())),
                _ => {}
            }
        }
        for item in &file.items {
            let Item::Use(item) = item else { continue };
            let is_always = item.attrs.iter().all(|attribute| is_one_of(attribute, &OF_FILES));
            leaves(&item.tree, &mut Vec::new(), &mut |path, name| {
                let is_known = |first: &String| names.crates.contains(first) && !names.own.contains(first);
                let is_others = is_always && path.first().is_some_and(is_known);
                let path = path.join("::");
                match name {
                    Some(name) if is_others => {
                        names.imported.insert(name.to_owned(), format!("use ::{path} as {name};\n"));
                    }
                    Some(name) => drop(names.own.insert(name.to_owned())),
                    None if is_others => names.globs.push_str(&format!("use ::{path}::*;\n")),
                    None => names.has_own_glob = true,
                }
            });
        }
        Some(names)
    }

    /// The lines that bring these names into the glue.
    fn uses(&self, needed: &BTreeSet<String>) -> Option<String> {
        let mut uses = self.globs.clone();
        for name in needed {
            let is_known = TYPES.contains(&name.as_str()) || self.crates.contains(name);
            match self.imported.get(name) {
                _ if self.own.contains(name) => return None,
                Some(line) => uses.push_str(line),
                None if is_known => {}
                None if self.globs.is_empty() || self.has_own_glob => return None,
                None => {}
            }
        }
        Some(uses)
    }
}

/// Writes a space over each letter of some ranges.
fn blanked(text: &str, ranges: Vec<Range<usize>>) -> String {
    let is_in = |at: usize| ranges.iter().any(|range| range.contains(&at));
    let blank = |(at, letter): (usize, char)| if !letter.is_ascii_control() && is_in(at) { ' ' } else { letter };
    text.char_indices().map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halved(text: &str) -> Option<Halves> {
        let source =
            Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: text.into(), manifest: None };
        let manifest = Manifest::of_kernel(&source.path, text).unwrap();
        halves(&source, text, &syn::parse_file(text).unwrap(), &manifest, true)
    }

    /// What of a function with this signature stands in the glue, without what PyO3 is told of it.
    fn check(text: &str, expected: Option<&str>) {
        let made = halved(text);
        let shown = made.as_ref().map(|made| {
            syn::parse_file(&made.glue).unwrap();
            syn::parse_file(&format!("{}\n{}", made.text, made.below)).unwrap();
            assert_eq!(made.text.chars().count(), text.chars().count());
            let glue = made.glue.split("use ::pyo3::prelude::*;\n").nth(1).unwrap();
            let uses = glue.split("#[doc(hidden)]").next().unwrap();
            let function = glue.rsplit_once("static FILL: extern \"C\" fn() = fill; } } }\n").unwrap().1;
            format!("{uses}{}", function.split(" { __rsimport_text::get").next().unwrap())
        });
        assert_eq!(shown.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_function_is_in_the_glue_with_all_that_pyo3_looks_at() {
        check("#[pyfunction] fn f(n: u8) {}", Some("#[::pyo3::pyfunction] fn f(n: u8, ) "));
        check(
            "/// Text.\n#[pyo3::pyfunction(name = \"g\")] #[inline] pub fn f(mut n: u8) -> PyResult<()> { Ok(()) }",
            Some("#[doc = \" Text.\"] #[::pyo3::pyfunction(name = \"g\")] fn f(n: u8, ) -> PyResult<()>"),
        );
        check(
            "#[pyfunction] #[pyo3(signature = (a, *, b = -1, **c))] fn f<'py>(a: &str, b: i8, c: Option<Bound<'py, PyAny>>) {}",
            Some(
                "#[::pyo3::pyfunction] #[pyo3(signature = (a, *, b = -1, **c))] \
                 fn f<'py>(a: &str, b: i8, c: Option<Bound<'py, PyAny>>, ) ",
            ),
        );
        check(
            "use pyo3::types::{PyDict, PyList as L};\n#[pyfunction] fn f(l: &Bound<'_, L>, d: ::std::vec::Vec<[u8; 3]>) {}",
            Some(
                "use ::pyo3::types::PyList as L;\n\
                 #[::pyo3::pyfunction] fn f(l: &Bound<'_, L>, d: ::std::vec::Vec<[u8; 3]>, ) ",
            ),
        );
    }

    #[test]
    fn only_what_a_function_is_called_by_is_in_the_glue() {
        let glue = |text: &str| halved(text).unwrap().glue;
        let text = "//! Doc.\nuse std::fmt;\nconst N: u8 = 1;\n#[pyfunction]\nfn f(n: u8) -> u8 { n + N }\n";
        for (old, new) in [("n + N", "n + 2 * N"), ("= 1", "= 2"), ("std::fmt", "std::io"), ("N: u8", "\nN: u8")] {
            assert_eq!(glue(text), glue(&text.replace(old, new)), "{new}");
        }
        for (old, new) in [("Doc", "Text"), ("n: u8)", "m: u8)"), ("-> u8", "-> u16"), ("fn f", "/// F\nfn f")] {
            assert_ne!(glue(text), glue(&text.replace(old, new)), "{new}");
        }
    }

    #[test]
    fn what_only_the_compiler_knows_stays_in_one_piece() {
        for text in [
            "#[pyfunction] async fn f() {}",
            "#[pyfunction] fn f(x: impl Into<u8>) {}",
            "#[pyfunction] fn f<T>(x: T) {}",
            "#[pyfunction] fn f<'a: 'b, 'b>(x: &'a str, y: &'b str) {}",
            "#[pyfunction] fn f(#[pyo3(from_py_with = g)] x: u8) {}",
            "#[pyfunction] fn f((x, y): (u8, u8)) {}",
            "#[pyfunction] #[pyo3(signature = (n = LIMIT))] fn f(n: u8) {}",
            "#[pyfunction(signature = (n = f64::NAN))] fn f(n: f64) {}",
            "#[pyfunction] #[pyo3(warn(message = \"old\"))] fn f(n: u8) {}",
            "#[pyfunction] #[track_caller] fn f(n: u8) {}",
            "#[cfg(unix)] #[pyfunction] fn f(n: u8) {}",
            "#[pyfunction] #[cfg_attr(unix, cold)] fn f(n: u8) {}",
            "#[pyfunction] #[doc = include_str!(\"f.md\")] fn f(n: u8) {}",
            "struct S; #[pyfunction] fn f(n: S) {}",
            "struct Vec<T>(T); #[pyfunction] fn f(n: Vec<u8>) {}",
            "type R = PyResult<u8>; #[pyfunction] fn f() -> R { Ok(1) }",
            "mod m { pub struct S; } use m::S; #[pyfunction] fn f(n: S) {}",
            "mod m { pub struct S; } use m::*; #[pyfunction] fn f(n: S) {}",
            "use unknown::S; #[pyfunction] fn f(n: S) {}",
            "#[cfg(unix)] use std::ffi::CString; #[pyfunction] fn f(n: CString) {}",
            "extern crate alloc; #[pyfunction] fn f(n: u8) {}",
            "#[pyfunction] fn f(n: Missing) {}",
            "#[pyfunction] fn f(n: [u8; N]) {}",
            "#[pyfunction] fn f(n: <u8 as T>::S) {}",
            "#[pyclass] struct C; #[pyfunction] fn f() {}",
            "#[pymodule] mod a { #[pymodule_export] use super::f; } #[pyfunction] fn f() {}",
            "mod m { #[pyfunction] pub fn f() {} }",
            "macro_rules! m { ($n:ident) => { #[pyfunction] fn $n() {} } } m!(f);",
            "unknown!(); #[pyfunction] fn f() {}",
            "#![feature(x)] #[pyfunction] fn f() {}",
            "#![forbid(unsafe_code)] #[pyfunction] fn f() {}",
            "use pyo3::pyfunction as export; #[export] fn f() {}",
            "//! ```cargo\n//! [dependencies]\n//! pyo3 = '0.26'\n//! ```\n#[pyfunction] fn f() {}",
        ] {
            assert_eq!(halved(text), None, "{text}");
        }
    }

    #[test]
    fn attributes_go_and_every_place_stays() {
        let text = "#[pyfunction(\n  name = \"gü\")]\n/// Text.\nfn f() { panic!() }\n";
        assert_eq!(halved(text).unwrap().text, "             \n               \n/// Text.\nfn f() { panic!() }\n");
    }
}
