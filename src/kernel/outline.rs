//! What stands where in a kernel: the text of a function or class that Python sees, and the types of its signature.

use std::collections::HashMap;
use std::iter;

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Fields, FnArg, ImplItem, Item, ItemEnum, ItemMacro, ItemMod, ItemStruct, Meta, Pat, Signature, Token,
    Type,
};

use super::macros::{Macro, size};
use super::python_types::{python_result, python_type};
use super::syntax;

/// A part of a kernel's text that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What Python calls it or, if Python does not see it, what Rust does.
    pub name: String,
    /// The class that it is a part of.
    pub owner: Option<String>,
    /// Is it marked for Python?
    pub exported: bool,
    /// The lines that it stands on, documentation and attributes included, 1-based.
    pub lines: (usize, usize),
    /// The parameters whose types Python has names for, and these.
    pub parameters: Vec<(String, String)>,
    /// The type of what it returns, if Python has a name for that.
    pub returns: Option<String>,
}

/// Everything in a text that has a name, in its order. A class is all of its blocks. Nothing where the text does not parse.
///
/// Types are known by their names wherever the kernel defines them: in this text, or in those of its other files.
pub fn outline(text: &str, others: &[String]) -> Vec<Named> {
    let mut found = Vec::new();
    if let Some(file) = syntax::parse(text) {
        let others: Vec<syn::File> = others.iter().filter_map(|text| syntax::parse(text)).collect();
        let mut known = Known::default();
        let files = || iter::once(&file).chain(&others);
        files().for_each(|file| known.note_macros(&file.items));
        files().for_each(|file| known.note_classes(&file.items, DEPTH));
        files().for_each(|file| collect_aliases(&file.items, &mut known.classes));
        collect(&file.items, &known, DEPTH, &mut found);
    }
    syntax::forget();
    found
}

/// A class's name in Rust and in Python.
type Class = (String, String);

/// So deep may calls of macros be nested that are read, and so many tokens may one have made.
const DEPTH: usize = 4;
const MOST_TOKENS: usize = 100_000;

/// What has names in a kernel.
#[derive(Default)]
struct Known {
    classes: Vec<Class>,
    macros: HashMap<String, Option<Macro>>,
}

impl Known {
    fn note_macros(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Mod(module) => self.note_macros(content(module)),
                Item::Macro(ItemMacro { ident: Some(name), mac, .. }) => {
                    self.macros.entry(plain(name)).or_insert_with(|| Macro::of(mac.tokens.clone()));
                }
                _ => {}
            }
        }
    }

    fn note_classes(&mut self, items: &[Item], depth: usize) {
        for item in items {
            match item {
                Item::Mod(module) => self.note_classes(content(module), depth),
                Item::Macro(item) => self.note_classes(&self.made(item, depth), depth.saturating_sub(1)),
                Item::Struct(ItemStruct { attrs, ident, .. }) | Item::Enum(ItemEnum { attrs, ident, .. })
                    if has(attrs, "pyclass") =>
                {
                    self.classes.push((plain(ident), renamed(attrs, ident)));
                }
                _ => {}
            }
        }
    }

    /// What the call of a macro makes that the kernel itself defines.
    fn made(&self, call: &ItemMacro, depth: usize) -> Vec<Item> {
        let name = call.mac.path.segments.last().filter(|_| depth > 0 && call.ident.is_none());
        let known = name.and_then(|name| self.macros.get(&plain(&name.ident))?.as_ref());
        let made = known.and_then(|known| known.expand(call.mac.tokens.clone()));
        let made = made.filter(|made| size(made.clone()) <= MOST_TOKENS).and_then(syntax::parse_made);
        made.map(|file| file.items).unwrap_or_default()
    }
}

fn content(module: &ItemMod) -> &[Item] {
    module.content.as_ref().map_or(&[][..], |(_, items)| items)
}

/// Names that the kernel itself gives to types, after those that they are made of.
fn collect_aliases(items: &[Item], known: &mut Vec<Class>) {
    for item in items {
        match item {
            Item::Mod(module) => collect_aliases(module.content.as_ref().map_or(&[][..], |(_, items)| items), known),
            Item::Type(item) => {
                known.extend(python_type(&item.ty, known).map(|python| (plain(&item.ident), python)));
            }
            // PyO3 takes what one of the variants, or the one field, takes.
            Item::Enum(item) if derives(&item.attrs, "FromPyObject") => {
                let parts = item.variants.iter().map(|variant| only(&variant.fields));
                let parts: Option<Vec<_>> = parts.map(|ty| python_type(ty?, known)).collect();
                known.extend(parts.map(|parts| (plain(&item.ident), parts.join(" | "))));
            }
            Item::Struct(item) if derives(&item.attrs, "FromPyObject") => {
                let python = only(&item.fields).and_then(|ty| python_type(ty, known));
                known.extend(python.map(|python| (plain(&item.ident), python)));
            }
            _ => {}
        }
    }
}

/// The type of the only field, if it has no name.
fn only(fields: &Fields) -> Option<&Type> {
    match fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => fields.unnamed.first().map(|field| &field.ty),
        _ => None,
    }
}

fn derives(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| {
        let paths = attribute.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated);
        is(attribute, "derive") && paths.is_ok_and(|paths| paths.iter().any(|path| ends(path, name)))
    })
}

fn collect(items: &[Item], known: &Known, depth: usize, found: &mut Vec<Named>) {
    let classes = &*known.classes;
    for item in items {
        let place = lines(item);
        match item {
            Item::Mod(module) => {
                found.push(named(renamed(&module.attrs, &module.ident), has(&module.attrs, "pymodule"), place));
                collect(content(module), known, depth, found);
            }
            Item::Fn(item) => {
                let exported = has(&item.attrs, "pyfunction");
                let name = renamed(&item.attrs, &item.sig.ident);
                found.push(typed(named(name, exported, place), &item.sig, classes));
            }
            Item::Struct(item) => {
                let class = renamed(&item.attrs, &item.ident);
                found.push(named(class.clone(), has(&item.attrs, "pyclass"), place));
                for field in &item.fields {
                    if let Some(ident) = field.ident.as_ref().filter(|_| has(&field.attrs, "pyo3")) {
                        let mut part = named(renamed(&field.attrs, ident), true, lines(field));
                        part.returns = python_type(&field.ty, classes);
                        found.push(Named { owner: Some(class.clone()), ..part });
                    }
                }
            }
            Item::Impl(block) if has(&block.attrs, "pymethods") => {
                let Some(class) = self_of(&block.self_ty, classes) else { continue };
                found.push(named(class.clone(), true, place));
                for part in &block.items {
                    let ImplItem::Fn(function) = part else { continue };
                    let mut classes = classes.to_vec();
                    classes.push(("Self".to_owned(), class.clone()));
                    let part = named(method_name(&function.attrs, &function.sig), true, lines(part));
                    found.push(Named { owner: Some(class.clone()), ..typed(part, &function.sig, &classes) });
                }
            }
            Item::Enum(item) => {
                found.push(named(renamed(&item.attrs, &item.ident), has(&item.attrs, "pyclass"), place))
            }
            Item::Union(item) => found.push(named(plain(&item.ident), false, place)),
            Item::Trait(item) => found.push(named(plain(&item.ident), false, place)),
            Item::Type(item) => found.push(named(plain(&item.ident), false, place)),
            Item::Const(item) => found.push(named(plain(&item.ident), false, place)),
            Item::Static(item) => found.push(named(plain(&item.ident), false, place)),
            // What a macro makes stands where it is called, and is called what it is given.
            Item::Macro(item) => match &item.ident {
                Some(ident) => found.push(named(plain(ident), false, place)),
                None => {
                    let mut made = Vec::new();
                    collect(&known.made(item, depth), known, depth.saturating_sub(1), &mut made);
                    let told: Vec<String> = made.iter().map(|part| part.name.clone()).collect();
                    found.extend(made.into_iter().map(|part| Named { lines: place, ..part }));
                    let mut others = |name| {
                        if !told.contains(&name) {
                            found.push(named(name, false, place));
                        }
                    };
                    identifiers(item.mac.tokens.clone(), &mut others);
                }
            },
            _ => {}
        }
    }
}

fn named(name: String, exported: bool, lines: (usize, usize)) -> Named {
    Named { name, owner: None, exported, lines, parameters: Vec::new(), returns: None }
}

fn typed(mut named: Named, function: &Signature, classes: &[Class]) -> Named {
    for input in &function.inputs {
        if let FnArg::Typed(input) = input
            && let Pat::Ident(pattern) = &*input.pat
            && let Some(ty) = python_type(&input.ty, classes)
        {
            named.parameters.push((plain(&pattern.ident), ty));
        }
    }
    named.returns = python_result(&function.output, classes);
    named
}

fn lines(item: &impl Spanned) -> (usize, usize) {
    let span = item.span();
    (span.start().line, span.end().line)
}

fn self_of(ty: &Type, classes: &[Class]) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let name = plain(&path.path.segments.last()?.ident);
    Some(classes.iter().find(|(rust, _)| *rust == name).map_or(name, |(_, python)| python.clone()))
}

/// What Python calls a method: constructors and properties have names of their own there.
fn method_name(attributes: &[Attribute], function: &Signature) -> String {
    let name = renamed(attributes, &function.ident);
    let bare = |prefix: &str| name.strip_prefix(prefix).unwrap_or(&name).to_owned();
    match () {
        () if has(attributes, "new") => "__new__".to_owned(),
        () if has(attributes, "getter") => argument_of(attributes, "getter").unwrap_or_else(|| bare("get_")),
        () if has(attributes, "setter") => argument_of(attributes, "setter").unwrap_or_else(|| bare("set_")),
        () => name,
    }
}

fn argument_of(attributes: &[Attribute], name: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| is(attribute, name))?;
    attribute.parse_args::<syn::Ident>().ok().map(|ident| plain(&ident))
}

/// The name that an attribute gives to an item, or the item's own.
fn renamed(attributes: &[Attribute], ident: &syn::Ident) -> String {
    let given = attributes.iter().filter(|a| ["pyo3", "pyfunction", "pyclass", "pymodule"].iter().any(|n| is(a, n)));
    given.filter_map(|attribute| name_argument(&attribute.meta)).next().unwrap_or_else(|| plain(ident))
}

fn name_argument(meta: &Meta) -> Option<String> {
    let Meta::List(list) = meta else { return None };
    let tokens: Vec<TokenTree> = list.tokens.clone().into_iter().collect();
    tokens.windows(3).find_map(|three| match three {
        [TokenTree::Ident(key), TokenTree::Punct(_), TokenTree::Literal(text)] if key == "name" => {
            syn::parse_str::<syn::LitStr>(&text.to_string()).ok().map(|text| text.value())
        }
        _ => None,
    })
}

/// Is there this attribute, be it behind a condition?
fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| {
        let conditional = |list: &syn::MetaList| {
            let inner = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            inner.is_ok_and(|metas| metas.iter().skip(1).any(|meta| ends(meta.path(), name)))
        };
        is(attribute, name)
            || matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg_attr") && conditional(list))
    })
}

fn is(attribute: &Attribute, name: &str) -> bool {
    ends(attribute.path(), name)
}

fn ends(path: &syn::Path, name: &str) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == name)
}

fn plain(ident: &syn::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

fn identifiers(tokens: TokenStream, found: &mut dyn FnMut(String)) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found(plain(&ident)),
            TokenTree::Group(group) => identifiers(group.stream(), found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_a_text() {
        // The parser numbers the places of all texts that it keeps one after another.
        let place = || {
            outline("fn f(a: i64) -> i64 { a }", &[]);
            format!("{:?}", "x".parse::<TokenStream>().unwrap().into_iter().next().unwrap().span())
        };
        assert_eq!(place(), place());
    }

    fn check(text: &str, expected: &[(&str, &str, (usize, usize), &str)]) {
        let found = outline(text, &[]);
        let shown: Vec<_> = found
            .iter()
            .map(|part| {
                let types: Vec<_> = part.parameters.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
                let types = format!("({}) -> {}", types.join(", "), part.returns.as_deref().unwrap_or("?"));
                (part.owner.clone().unwrap_or_default(), part.name.clone(), part.lines, types)
            })
            .collect();
        let shown: Vec<_> =
            shown.iter().map(|(owner, name, lines, types)| (&**owner, &**name, *lines, &**types)).collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn functions_have_lines_and_types() {
        check(
            "// no part of it\n/// Adds.\n#[pyfunction]\n#[pyo3(name = \"add\")]\nfn sum(py: Python<'_>, a: Vec<f64>, r#in: Mine) -> PyResult<f64> {\n    1.0\n}\n",
            &[("", "add", (2, 7), "(a: list[float]) -> float")],
        );
        check("mod m {\n  fn f() {}\n}", &[("", "m", (1, 3), "() -> ?"), ("", "f", (2, 2), "() -> None")]);
        check("make!(one, { two });", &[("", "one", (1, 1), "() -> ?"), ("", "two", (1, 1), "() -> ?")]);
        check("fn broken( {", &[]);
    }

    #[test]
    fn a_type_may_have_a_name_of_the_kernels_own() {
        check(
            "type Floats<'py> = PyReadonlyArray1<'py, f64>;\ntype Both<'py> = (Floats<'py>, bool);\nfn f(a: Both<'_>, b: Floats<'_>) {}",
            &[
                ("", "Floats", (1, 1), "() -> ?"),
                ("", "Both", (2, 2), "() -> ?"),
                ("", "f", (3, 3), "(a: tuple[NDArray[np.float64], bool], b: NDArray[np.float64]) -> None"),
            ],
        );
        check(
            "#[derive(Debug, FromPyObject)] enum Image<'py> { Bytes(PyArrayLike2<'py, u8>), Text(String) }\n#[derive(pyo3::FromPyObject)] struct New(f64);\nfn f(a: Image<'_>, b: New) {}",
            &[
                ("", "Image", (1, 1), "() -> ?"),
                ("", "New", (2, 2), "() -> ?"),
                ("", "f", (3, 3), "(a: ArrayLike | str, b: float) -> None"),
            ],
        );
    }

    #[test]
    fn what_a_macro_of_the_kernel_makes_has_types_and_stands_where_it_is_called() {
        check(
            "macro_rules! sum { ($name:ident, $t:ty) => {\n#[pyclass] struct Of;\n#[pyfunction]\nfn $name(a: PyReadonlyArray1<'_, $t>) -> Of { Of } } }\nsum!(total, f64);",
            &[
                ("", "sum", (1, 4), "() -> ?"),
                ("", "Of", (5, 5), "() -> ?"),
                ("", "total", (5, 5), "(a: NDArray[np.float64]) -> Of"),
                ("", "f64", (5, 5), "() -> ?"),
            ],
        );
        // One that calls itself ends, and one that is not understood says nothing.
        check("macro_rules! a { () => { a!(); } }\na!();", &[("", "a", (1, 1), "() -> ?")]);
    }

    #[test]
    fn a_class_of_another_file_is_known() {
        let part = "#[pyclass(name = \"Shown\")] pub struct Hidden; pub type Many = Vec<Hidden>;".to_owned();
        let found = outline("mod part;\nfn f(a: &part::Hidden) -> part::Many {}", &[part]);
        assert_eq!(found[1].parameters, [("a".to_owned(), "Shown".to_owned())]);
        assert_eq!(found[1].returns.as_deref(), Some("list[Shown]"));
    }

    #[test]
    fn a_class_is_all_of_its_blocks_and_has_members() {
        check(
            "#[pyclass(name = \"C\")]\nstruct Counter {\n    #[pyo3(get)]\n    total: u64,\n}\n#[pymethods]\nimpl Counter {\n    #[new]\n    fn make(n: u64) -> Self {}\n    #[getter]\n    fn get_half(&self) -> f64 {}\n    fn __len__(&self) -> usize {}\n}\nimpl Counter { fn hidden() {} }",
            &[
                ("", "C", (1, 5), "() -> ?"),
                ("C", "total", (3, 4), "() -> int"),
                ("", "C", (6, 13), "() -> ?"),
                ("C", "__new__", (8, 9), "(n: int) -> C"),
                ("C", "half", (10, 11), "() -> float"),
                ("C", "__len__", (12, 12), "() -> int"),
            ],
        );
    }
}
