//! A class in two halves. The user's half has his struct as he wrote it, and its methods; the glue has a class of the
//! same name whose objects hold one of his, which lies on the heap: so the glue need not know what that is made of.

use std::collections::BTreeSet;
use std::ops::Range;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, ItemStruct, Meta, Type};

use crate::stage::glue::SLOTS;
use crate::stage::glue::attributes::{documentation, is_mark, is_one_of, parts};
use crate::stage::glue::function::{Function, Place, value_of, whole};
use crate::stage::glue::names::named_by;

/// Attributes of a class that stay with it and say nothing about what Python sees.
const OF_CLASSES: [&str; 7] = ["allow", "deny", "derive", "expect", "must_use", "non_exhaustive", "warn"];
/// What may be said to `#[pyclass]`.
const OPTIONS: [&str; 10] = [
    "dict",
    "frozen",
    "generic",
    "get_all",
    "mapping",
    "sequence",
    "set_all",
    "skip_from_py_object",
    "subclass",
    "weakref",
];
const NAMED: [&str; 2] = ["module", "name"];

/// A class.
pub struct Class<'a> {
    /// Its name in the kernel.
    pub name: String,
    number: usize,
    attributes: String,
    fields: Vec<Field<'a>>,
    /// Where attributes of PyO3's stand.
    pub blanks: Vec<Range<usize>>,
    /// Attributes that it has by names that the kernel has imported.
    imported: BTreeSet<&'static str>,
    /// The names with which the types of fields begin that Python sees.
    pub needed: BTreeSet<String>,
}

/// A field that Python sees.
struct Field<'a> {
    name: String,
    shown: String,
    documentation: String,
    of: &'a str,
    is_set: bool,
}

impl<'a> Class<'a> {
    /// Reads a class; `None` where something about it is not known.
    pub fn of(text: &'a str, number: usize, item: &'a ItemStruct) -> Option<Class<'a>> {
        let mut class = Class {
            name: item.ident.to_string(),
            number,
            attributes: String::new(),
            fields: Vec::new(),
            blanks: Vec::new(),
            imported: BTreeSet::new(),
            needed: BTreeSet::new(),
        };
        let mut options = BTreeSet::new();
        for attribute in &item.attrs {
            class.add(text, attribute, &mut options)?;
        }
        // PyO3 tells who clones a class that it will not be extracted any more.
        let is_told = item.attrs.iter().any(clones) && !options.contains("skip_from_py_object");
        let is_plain = item.generics.params.is_empty() && item.generics.where_clause.is_none();
        let (all_got, all_set) = (options.contains("get_all"), options.contains("set_all"));
        if is_told || !is_plain || all_set && !all_got || all_got && !matches!(item.fields, Fields::Named(_)) {
            return None;
        }
        for field in &item.fields {
            class.take(text, field, all_got, all_set)?;
        }
        Some(class)
    }

    fn add(&mut self, text: &str, attribute: &Attribute, options: &mut BTreeSet<String>) -> Option<()> {
        if let Some(said) = documentation(attribute) {
            self.attributes.push_str(&format!("#[doc = {said:?}] "));
            return Some(());
        }
        if is_one_of(attribute, &OF_CLASSES) {
            return Some(());
        }
        let path = attribute.path();
        let name = path.segments.last()?.ident.to_string();
        let name = match name.as_str() {
            "pyclass" => "::pyo3::pyclass",
            "pyo3" if path.get_ident().is_some() => "pyo3",
            _ => return None,
        };
        let said = match &attribute.meta {
            Meta::Path(_) => "",
            Meta::List(list) => {
                options.extend(known_options(list.tokens.clone())?);
                &text[list.delimiter.span().join().byte_range()]
            }
            Meta::NameValue(_) => return None,
        };
        // Fields are given by methods of the glue's.
        let said = said.trim_matches(['(', ')']).split(',').map(str::trim);
        let said: Vec<&str> = said.filter(|option| !["get_all", "set_all", ""].contains(option)).collect();
        self.attributes.push_str(&format!("#[{name}({})] ", said.join(", ")));
        if path.is_ident("pyclass") {
            self.imported.insert("pyclass");
        }
        self.blanks.push(whole(attribute));
        Some(())
    }

    fn take(&mut self, text: &'a str, field: &'a syn::Field, all_got: bool, all_set: bool) -> Option<()> {
        let (mut said, mut is_got, mut is_set, mut shown) = (String::new(), all_got, all_set, None);
        for attribute in &field.attrs {
            if let Some(line) = documentation(attribute) {
                said.push_str(&format!("#[doc = {line:?}] "));
                continue;
            }
            if is_one_of(attribute, &["allow", "deny", "expect", "warn"]) {
                continue;
            }
            let Meta::List(list) = &attribute.meta else { return None };
            if !attribute.path().is_ident("pyo3") {
                return None;
            }
            for option in parts(list.tokens.clone()) {
                match option.as_slice() {
                    [] => {}
                    [TokenTree::Ident(word)] if word == "get" => is_got = true,
                    [TokenTree::Ident(word)] if word == "set" => is_set = true,
                    [TokenTree::Ident(word), equals, TokenTree::Literal(name)]
                        if word == "name" && is_mark(equals, '=') =>
                    {
                        shown = Some(name.to_string().trim_matches('"').to_owned());
                    }
                    _ => return None,
                }
            }
            self.blanks.push(whole(attribute));
        }
        if !is_got && !is_set {
            return shown.is_none().then_some(());
        }
        // One that is only set is read by nobody, which rustc tells.
        let name = field.ident.as_ref().filter(|_| is_got)?.to_string();
        let mut needed = BTreeSet::new();
        named_by(&field.ty, &mut needed)?;
        // They are cloned with the interpreter.
        if needed.contains("Py") || needed.contains("pyo3") {
            return None;
        }
        self.needed.extend(needed);
        let shown = shown.unwrap_or_else(|| name.clone());
        self.fields.push(Field { name, shown, documentation: said, of: &text[field.ty.span().byte_range()], is_set });
        Some(())
    }

    /// The class that PyO3 sees; `methods` are those in the user's block.
    pub fn in_glue(&self, methods: &str) -> String {
        let Class { name, number, attributes, fields, .. } = self;
        let values = (value_of("self", false), value_of("self", true));
        let fields = fields.iter().enumerate().map(|(at, Field { name: field, shown, documentation, of, is_set })| {
            let (got, set) = (format!("{SLOTS}::field_{number}_{at}()"), format!("{SLOTS}::place_{number}_{at}()"));
            // SAFETY: (of the text that is written) it is a field of the object, which is borrowed as long.
            let set = is_set.then(|| {
                format!(
                    "#[setter({shown})] fn __rsimport_set_{at}(&mut self, {field}: {of}) \
                     {{ unsafe {{ *{set}({}) = {field} }} }} ",
                    values.1
                )
            });
            format!(
                "{documentation}#[getter({shown})] fn __rsimport_get_{at}(&self) -> {of} \
                 {{ ::std::clone::Clone::clone(unsafe {{ &*{got}({}) }}) }} {}",
                values.0,
                set.unwrap_or_default()
            )
        });
        let fields: String = fields.collect();
        let methods = if fields.is_empty() && methods.is_empty() {
            String::new()
        } else {
            format!("#[::pyo3::pymethods] impl {name} {{ {fields}\n{methods} }}\n")
        };
        // SAFETY: (of the text that is written) whoever makes one gives it a value of the kernel's own type on the heap,
        // which lives as long as it, and may be sent and shared.
        format!(
            "{attributes}pub struct {name}(::std::ptr::NonNull<()>);\n\
             unsafe impl ::std::marker::Send for {name} {{}} unsafe impl ::std::marker::Sync for {name} {{}}\n\
             impl {name} {{ fn __rsimport_value(&self) -> &() {{ unsafe {{ self.0.as_ref() }} }} \
             fn __rsimport_value_mut(&mut self) -> &mut () {{ unsafe {{ self.0.as_mut() }} }} \
             fn __rsimport_of(value: ::std::ptr::NonNull<()>) -> Self {{ {name}(value) }} }}\n\
             impl ::std::ops::Drop for {name} {{ fn drop(&mut self) {{ {SLOTS}::end_{number}()(self.0) }} }}\n\
             {methods}"
        )
    }

    /// Its slots, and what fills them.
    pub fn slots(&self, here: &str) -> (String, String) {
        let Class { name, number, fields, .. } = self;
        // SAFETY: (of the text that is written) what `of` has put on the heap is dropped once, as what it is.
        let mut slots = format!(
            "pub fn of_{number}<T: Classes>(value: T::C{number}) -> super::{name} {{ super::{name}::__rsimport_of(\
             ::std::ptr::NonNull::from(::std::boxed::Box::leak(::std::boxed::Box::new(value))).cast()) }}\n\
             static END_{number}: Slot = empty(); type E{number} = fn(::std::ptr::NonNull<()>);\n\
             fn drop_{number}<T: Classes>(value: ::std::ptr::NonNull<()>) {{ \
             drop(unsafe {{ ::std::boxed::Box::from_raw(value.cast::<T::C{number}>().as_ptr()) }}) }}\n\
             pub fn put_end_{number}<T: Classes>() {{ END_{number}.store(drop_{number}::<T> as E{number} as *mut (), Relaxed) }}\n\
             pub fn end_{number}() -> E{number} {{ \
             unsafe {{ ::std::mem::transmute::<*mut (), ::std::option::Option<E{number}>>(END_{number}.load(Relaxed)) }}\
             .expect(\"the loader has filled it\") }}\n"
        );
        let mut puts = format!("{here}::put_end_{number}::<Text>(); ");
        for (at, Field { name: field, of, is_set, .. }) in fields.iter().enumerate() {
            let mut slot = |kind: &str, changed: &str, pointer: &str| {
                let (upper, of_slot) = (kind.to_uppercase(), format!("{kind}_{number}_{at}"));
                let typed = format!("{upper}{number}{at}");
                let function = |class: &str| format!("for<'a> fn(&'a {changed}{class}) -> *{pointer} {of}");
                slots.push_str(&format!(
                    "static {upper}_{number}_{at}: Slot = empty(); pub type {typed} = {};\n\
                     pub fn put_{of_slot}<T: Classes>(f: {}) {{ {upper}_{number}_{at}.store(f as *mut (), Relaxed) }}\n\
                     #[inline(always)] pub fn {of_slot}() -> {typed} {{ unsafe {{ \
                     ::std::mem::transmute::<*mut (), ::std::option::Option<{typed}>>({upper}_{number}_{at}.load(Relaxed)) \
                     }}.expect(\"the loader has filled it\") }}\n",
                    function("()"),
                    function(&format!("T::C{number}")),
                ));
                puts.push_str(&format!("{here}::put_{of_slot}::<Text>(|this| &raw {pointer} this.{field}); "));
            };
            slot("field", "", "const");
            if *is_set {
                slot("place", "mut ", "mut");
            }
        }
        for imported in &self.imported {
            puts.push_str(&format!("use super::{imported} as _class_{number}_{imported}; "));
        }
        (slots, puts)
    }

    /// Reads a block of its methods.
    pub fn methods(&mut self, place: &Place<'a, '_>, block: &'a ItemImpl) -> Option<Vec<Function<'a>>> {
        for attribute in &block.attrs {
            if is_pymethods(attribute) {
                if attribute.path().is_ident("pymethods") {
                    self.imported.insert("pymethods");
                }
                self.blanks.push(whole(attribute));
            } else if documentation(attribute).is_none() && !is_one_of(attribute, &["allow", "deny", "expect", "warn"])
            {
                return None;
            }
        }
        let functions = block.items.iter().map(|item| match item {
            ImplItem::Fn(item) => Function::of(place, &item.attrs, &item.sig),
            _ => None,
        });
        functions.collect()
    }
}

/// The block of methods for Python that an item is, and the class that it is of; `None` within where that is not known.
pub fn block_of(item: &Item) -> Option<(&ItemImpl, Option<String>)> {
    let Item::Impl(block) = item else { return None };
    let is_for_python = block.attrs.iter().any(is_pymethods);
    let name = match &*block.self_ty {
        Type::Path(path) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    };
    let is_plain = block.trait_.is_none() && block.generics.params.is_empty() && block.generics.where_clause.is_none();
    is_for_python.then(|| (block, name.filter(|_| is_plain)))
}

/// Has a kernel written out how its own classes are cloned?
pub fn is_clone(item: &Item) -> bool {
    let Item::Impl(block) = item else { return false };
    let of = block.trait_.as_ref().and_then(|(path, _)| path.segments.last());
    of.is_some_and(|segment| segment.ident == "Clone")
}

fn is_pymethods(attribute: &Attribute) -> bool {
    let is_path = matches!(attribute.meta, Meta::Path(_));
    is_path && attribute.path().segments.last().is_some_and(|segment| segment.ident == "pymethods")
}

fn clones(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    let is_clone = |token: TokenTree| matches!(token, TokenTree::Ident(name) if name == "Clone");
    attribute.path().is_ident("derive") && list.tokens.clone().into_iter().any(is_clone)
}

/// The options of a class, if all are known to mean the same wherever it stands.
fn known_options(tokens: TokenStream) -> Option<Vec<String>> {
    let known = |option: &Vec<TokenTree>| match option.as_slice() {
        [] => Some(String::new()),
        [TokenTree::Ident(word)] => OPTIONS.iter().any(|known| word == known).then(|| word.to_string()),
        [TokenTree::Ident(word), equals, TokenTree::Literal(_)] if is_mark(equals, '=') => {
            NAMED.iter().any(|known| word == known).then(|| word.to_string())
        }
        _ => None,
    };
    parts(tokens).iter().map(known).collect()
}
