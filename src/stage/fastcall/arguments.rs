//! How the arguments of a fast call are read.

use std::collections::{HashMap, HashSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, FnArg, GenericArgument, Meta, PathArguments, Type};

use crate::stage::fastcall::results::{SIGNED, UNSIGNED, name};

/// NumPy's items that have one description each, which is there as long as NumPy is.
const ITEMS: [&str; 5] = ["bool", "f32", "f64", "Complex32", "Complex64"];

/// An argument: the expression that reads it, an `Option`, and what is handed over, of `x` and its number.
#[derive(Debug, Default)]
pub struct Argument {
    /// `None` for the interpreter, which Python does not give.
    pub read: Option<String>,
    /// The expression for the function.
    pub value: String,
    /// Is there something to be remembered of it?
    pub has_items: bool,
    /// Has it a default, so that it need not be given?
    pub has_default: bool,
}

/// What may be read of a Python object `o`.
struct Read {
    by: String,
    /// What is done to `x`.
    value: &'static str,
    has_items: bool,
}

impl Argument {
    /// `None` for a type that is left to PyO3. `number` counts those that Python gives.
    pub fn of(
        argument: &FnArg,
        number: usize,
        defaults: &HashMap<String, String>,
        types: &HashSet<String>,
    ) -> Option<Argument> {
        let FnArg::Typed(typed) = argument else { return None };
        if !typed.attrs.is_empty() {
            return None;
        }
        if last(&typed.ty, types).is_some_and(|(last, _)| last == "Python") {
            return Some(Argument { value: "py".to_owned(), ..Argument::default() });
        }
        let (inner, is_optional) = match last(&typed.ty, types) {
            Some((last, of)) if last == "Option" => (of.first().copied()?, true),
            _ => (&*typed.ty, false),
        };
        let Read { by, value, has_items } = read(inner, types)?;
        if is_optional && has_items {
            return None;
        }
        let object = format!("*a.add({number})");
        let mut read = by.replace("OBJECT", &object).replace("ITEMS", &format!("&ITEMS_{number}"));
        let name = match &*typed.pat {
            syn::Pat::Ident(name) => name.ident.to_string(),
            _ => String::new(),
        };
        let default = defaults.get(name.trim_start_matches("r#"));
        let default = default.filter(|default| is_optional == (*default == "None") && !has_items);
        let is_inside = is_optional || default.is_some();
        if is_inside && value != "x" {
            read = format!("{read}.map(|x| {value})");
        }
        if is_optional {
            read = format!("self::optional({object}, {read})");
        }
        if let Some(default) = default {
            read = format!("if n > {number} {{ {read} }} else {{ Some({default}) }}");
        }
        let value = if is_inside { "x" } else { value }.replace('x', &format!("x{number}"));
        Some(Argument { read: Some(read), value, has_items, has_default: default.is_some() })
    }
}

/// The defaults that a `signature` gives, where they mean the same everywhere; `None` where arguments are taken by name
/// only, or any number of them.
pub fn defaults(attributes: &[Attribute]) -> Option<HashMap<String, String>> {
    let mut found = HashMap::new();
    for attribute in attributes {
        let Meta::List(list) = &attribute.meta else { continue };
        let tokens: Vec<TokenTree> = list.tokens.clone().into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let (TokenTree::Ident(key), Some(TokenTree::Group(of))) = (token, tokens.get(at + 2)) else { continue };
            if key == "signature" {
                signature(of.stream(), &mut found)?;
            }
        }
    }
    Some(found)
}

fn signature(tokens: TokenStream, found: &mut HashMap<String, String>) -> Option<()> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |token: &TokenTree, mark: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark);
    for part in tokens.split(|token| is(token, ',')) {
        match part {
            [first, ..] if is(first, '*') => return None,
            [TokenTree::Ident(name), equals, default @ ..] if is(equals, '=') => {
                let text = match default {
                    [TokenTree::Literal(number)] => number.to_string(),
                    [minus, TokenTree::Literal(number)] if is(minus, '-') => format!("-{number}"),
                    [TokenTree::Ident(word)] if ["None", "true", "false"].iter().any(|known| word == known) => {
                        word.to_string()
                    }
                    _ => continue,
                };
                found.insert(name.to_string().trim_start_matches("r#").to_owned(), text);
            }
            _ => {}
        }
    }
    Some(())
}

fn read(of: &Type, types: &HashSet<String>) -> Option<Read> {
    let plain = |by: &str, value| Some(Read { by: format!("self::{by}(OBJECT)"), value, has_items: false });
    let array = |value| Some(Read { by: "self::array(py, OBJECT, ITEMS)".to_owned(), value, has_items: true });
    match of {
        Type::Reference(to) if to.mutability.is_some() => None,
        Type::Reference(to) => match last(&to.elem, types)? {
            (last, _) if last == "str" && to.lifetime.is_none() => plain("text", "x"),
            (last, of) if last == "Bound" => {
                let (what, of) = self::last(of.first()?, types)?;
                (is_array(&what, "PyArray") && has_known_items(&of, types)).then(|| array("&x"))?
            }
            _ => None,
        },
        by_value => match last(by_value, types)? {
            (what, of) if is_array(&what, "PyReadonlyArray") || is_array(&what, "PyReadwriteArray") => {
                has_known_items(&of, types).then(|| array("x"))?
            }
            (what, of) if what == "Bound" => {
                let (what, of) = last(of.first()?, types)?;
                (is_array(&what, "PyArray") && has_known_items(&of, types)).then(|| array("x"))?
            }
            _ => match name(by_value, types)?.as_str() {
                "f64" => plain("float", "x"),
                "f32" => plain("float", "x as f32"),
                "bool" => plain("truth", "x"),
                int if SIGNED.contains(&int) || UNSIGNED.contains(&int) => plain(&format!("int::<{int}>"), "x"),
                _ => None,
            },
        },
    }
}

/// Is it one of rust-numpy's names for arrays of so many dimensions?
fn is_array(name: &str, start: &str) -> bool {
    let dimensions = name.strip_prefix(start);
    dimensions.is_some_and(|of| ["", "0", "1", "2", "3", "4", "5", "6", "Dyn"].contains(&of))
}

fn has_known_items(of: &[&Type], types: &HashSet<String>) -> bool {
    let item = of.first().and_then(|item| last(item, types));
    item.is_some_and(|(item, _)| {
        let item = item.as_str();
        ITEMS.contains(&item) || SIGNED.contains(&item) || UNSIGNED.contains(&item)
    })
}

/// The last name of a path, unless its module means something of its own by it, and the types that it is given.
fn last<'a>(of: &'a Type, types: &HashSet<String>) -> Option<(String, Vec<&'a Type>)> {
    let Type::Path(path) = of else { return None };
    let first = path.path.segments.first()?.ident.to_string();
    let is_known = path.path.segments.len() == 1 || ["numpy", "pyo3", "std", "core"].contains(&first.as_str());
    if path.qself.is_some() || !is_known || types.contains(&first) {
        return None;
    }
    let last = path.path.segments.last()?;
    let of = match &last.arguments {
        PathArguments::AngleBracketed(of) => of.args.iter().collect(),
        _ => Vec::new(),
    };
    let of = of.into_iter().filter_map(|of| match of {
        GenericArgument::Type(of) => Some(of),
        _ => None,
    });
    Some((last.ident.to_string(), of.collect()))
}
