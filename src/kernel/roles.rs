//! What PyO3's attributes make of an item, and under which conditions.

use std::collections::HashMap;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// What an item is for Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `#[pyfunction]`
    Function,
    /// `#[pyclass]`
    Class,
    /// `#[pymodule]`
    Module,
}

/// The paths that names stand for, as `use` lines say.
pub type Imported = HashMap<String, Vec<String>>;

impl Role {
    /// The attribute.
    pub fn attribute(self) -> &'static str {
        match self {
            Role::Function => "pyfunction",
            Role::Class => "pyclass",
            Role::Module => "pymodule",
        }
    }

    fn named(path: &[String], imported: &Imported) -> Option<Role> {
        let last = path.last()?;
        // `use pyo3::pyfunction as export;`
        let name = match path {
            [alias] => imported.get(alias).and_then(|path| path.last()).unwrap_or(last),
            _ => last,
        };
        [Role::Function, Role::Class, Role::Module].into_iter().find(|role| role.attribute() == name)
    }

    /// The role that its attributes give an item, and the `cfg` predicates under which it has that.
    pub fn of(attributes: &[Attribute], imported: &Imported) -> Option<(Role, Vec<String>)> {
        let found = attributes.iter().find_map(|attribute| search(&attribute.meta, imported));
        found.map(|(role, own)| (role, conditions(attributes).into_iter().chain(own).collect()))
    }
}

fn search(meta: &Meta, imported: &Imported) -> Option<(Role, Vec<String>)> {
    if let Some((condition, inner)) = conditional(meta) {
        let (role, mut conditions) = inner.iter().find_map(|meta| search(meta, imported))?;
        conditions.insert(0, condition);
        return Some((role, conditions));
    }
    let path: Vec<String> = meta.path().segments.iter().map(|segment| segment.ident.to_string()).collect();
    Role::named(&path, imported).map(|role| (role, Vec::new()))
}

/// The predicates that an item's `cfg` attributes name.
pub fn conditions(attributes: &[Attribute]) -> Vec<String> {
    attributes.iter().flat_map(|attribute| predicates(&attribute.meta)).collect()
}

fn predicates(meta: &Meta) -> Vec<String> {
    if let Some((condition, inner)) = conditional(meta) {
        let inner = inner.iter().flat_map(predicates);
        return inner.map(|predicate| format!("any(not({condition}), {predicate})")).collect();
    }
    match meta {
        Meta::List(list) if list.path.is_ident("cfg") => vec![list.tokens.to_string()],
        _ => Vec::new(),
    }
}

/// The condition of a `cfg_attr`, and the attributes that it stands for.
fn conditional(meta: &Meta) -> Option<(String, Vec<Meta>)> {
    let Meta::List(list) = meta else { return None };
    if !list.path.is_ident("cfg_attr") {
        return None;
    }
    let tokens: Vec<TokenTree> = list.tokens.clone().into_iter().collect();
    let comma = tokens.iter().position(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ','))?;
    let condition: TokenStream = tokens[..comma].iter().cloned().collect();
    let inner = syn::parse::Parser::parse2(
        Punctuated::<Meta, Token![,]>::parse_terminated,
        tokens[comma + 1..].iter().cloned().collect(),
    );
    Some((condition.to_string(), inner.ok()?.into_iter().collect()))
}

/// The arguments of an item's PyO3 attributes: those that `cfg_attr` gives, too.
pub fn arguments(attributes: &[Attribute]) -> Vec<TokenTree> {
    fn collect(meta: &Meta, found: &mut Vec<TokenTree>) {
        if let Some((_, inner)) = conditional(meta) {
            inner.iter().for_each(|meta| collect(meta, found));
        } else if let Meta::List(list) = meta
            && list.path.segments.last().is_some_and(|last| last.ident.to_string().starts_with("py"))
        {
            found.extend(list.tokens.clone());
        }
    }
    let mut found = Vec::new();
    attributes.iter().for_each(|attribute| collect(&attribute.meta, &mut found));
    found
}

/// The name that Python sees where `name = "..."` gives one.
pub fn given_name(attributes: &[Attribute]) -> Option<String> {
    arguments(attributes).windows(3).find_map(|three| match three {
        [TokenTree::Ident(key), TokenTree::Punct(equals), TokenTree::Literal(text)]
            if key == "name" && equals.as_char() == '=' =>
        {
            Some(text.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    })
}

/// Every place in a text where one of these attributes stands before a definition, with the name that is defined; none
/// where a macro is to fill it in.
pub fn mentioned(tokens: TokenStream, imported: &Imported) -> Vec<(Role, Option<Ident>, TokenTree)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let is_attribute = group.delimiter() == Delimiter::Bracket
            && at
                .checked_sub(1)
                .is_some_and(|before| matches!(&tokens[before], TokenTree::Punct(mark) if mark.as_char() == '#'));
        match (is_attribute, role_in(group.stream(), imported)) {
            (true, Some(role)) => found.push((role, defined(&tokens[at + 1..]), token.clone())),
            (true, None) => {}
            (false, _) => found.extend(mentioned(group.stream(), imported)),
        }
    }
    found
}

fn role_in(tokens: TokenStream, imported: &Imported) -> Option<Role> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(name) => Role::named(&[name.to_string()], imported),
        TokenTree::Group(group) => role_in(group.stream(), imported),
        _ => None,
    })
}

/// The name behind the next `fn`, `struct`, `enum` or `mod`.
fn defined(tokens: &[TokenTree]) -> Option<Ident> {
    let is_keyword = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if ["fn", "struct", "enum", "mod"].iter().any(|known| word == known));
    let at = tokens.iter().position(is_keyword)?;
    match tokens.get(at + 1)? {
        TokenTree::Ident(name) => Some(name.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_its_role_under_its_conditions() {
        let check = |text: &str, expected: Option<(Role, &[&str])>| {
            let syn::Item::Fn(item) = syn::parse_str(text).unwrap() else { panic!("{text}") };
            let imported = Imported::from([("export".to_owned(), vec!["pyo3".to_owned(), "pyfunction".to_owned()])]);
            let found = Role::of(&item.attrs, &imported);
            let expected =
                expected.map(|(role, conditions)| (role, conditions.iter().map(|c| (*c).to_owned()).collect()));
            assert_eq!(found, expected, "{text}");
        };
        check("fn f() {}", None);
        check("#[pyfunction] fn f() {}", Some((Role::Function, &[])));
        check("#[pyo3::pyfunction(name = \"g\")] fn f() {}", Some((Role::Function, &[])));
        check("#[export] fn f() {}", Some((Role::Function, &[])));
        check("#[cfg(unix)] #[pyfunction] fn f() {}", Some((Role::Function, &["unix"])));
        check("#[cfg_attr(unix, pyfunction)] fn f() {}", Some((Role::Function, &["unix"])));
        check(
            "#[cfg_attr(unix, cold, cfg_attr(test, pyfunction))] fn f() {}",
            Some((Role::Function, &["unix", "test"])),
        );
        check("#[cfg_attr(unix, cfg(test))] #[pymodule] fn f() {}", Some((Role::Module, &["any(not(unix), test)"])));
    }
}
