//! Items in a text of Rust, by their paths.

use syn::Item;
use syn::spanned::Spanned;

use crate::error::{Error, Result};
use crate::kernel::syntax;

/// The text of all items whose path ends with this one: a function, what of PyO3's belongs to it, a type with its `impl`s.
pub fn item(text: &str, path: &str) -> Result<String> {
    let wanted: Vec<&str> = path.split("::").collect();
    let file = syntax::parse(text);
    let mut found = Vec::new();
    let mut names = Vec::new();
    if let Some(file) = &file {
        collect(&file.items, &mut Vec::new(), &mut |path, item| {
            let ends = path.len() >= wanted.len() && path.iter().rev().zip(wanted.iter().rev()).all(|(a, b)| is(a, b));
            if ends || wanted.len() == 1 && is_for(item, wanted[0]) {
                found.push(text[item.span().byte_range()].to_owned());
            } else if let [.., last] = path {
                names.push(last.clone());
            }
        });
    }
    syntax::forget();
    if found.is_empty() {
        let error = Error::config(format!("the kernel has no item `{path}`"));
        let near = crate::similar::similar(path, names.iter().map(String::as_str));
        return Err(match near {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("the path is that of a function, a type or a module: tests::helper"),
        });
    }
    Ok(found.join("\n\n") + "\n")
}

/// Is it the item of this name, or what PyO3 makes of it?
fn is(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_prefix("__pyfunction_") == Some(wanted)
}

/// Is it an `impl` for something in a module of this name, as PyO3 writes one for a function?
fn is_for(item: &Item, module: &str) -> bool {
    let Item::Impl(item) = item else { return false };
    match &*item.self_ty {
        syn::Type::Path(path) => path.path.segments.iter().any(|segment| segment.ident == module),
        _ => false,
    }
}

fn collect<'a>(items: &'a [Item], path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], &'a Item)) {
    for item in items {
        let Some(name) = name(item) else { continue };
        path.push(name);
        visit(path, item);
        if let Item::Mod(module) = item {
            collect(module.content.as_ref().map_or(&[][..], |(_, items)| items), path, visit);
        }
        path.pop();
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Impl(item) => match &*item.self_ty {
            syn::Type::Path(path) => &path.path.segments.last()?.ident,
            _ => return None,
        },
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_found_by_the_end_of_its_path() {
        let text = "fn f() { 1 }\nmod m { fn g() {} }\nstruct S;\nimpl S { fn h() {} }\nimpl Clone for S {}\n";
        assert_eq!(item(text, "f").unwrap(), "fn f() { 1 }\n");
        assert_eq!(item(text, "m::g").unwrap(), "fn g() {}\n");
        assert_eq!(item(text, "S").unwrap(), "struct S;\n\nimpl S { fn h() {} }\n\nimpl Clone for S {}\n");
        assert!(item(text, "nothing").is_err());
    }
}
