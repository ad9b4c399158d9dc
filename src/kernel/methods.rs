//! The methods that a kernel gives its classes.

use syn::{Attribute, Ident, ImplItem, ItemImpl, Type};

use crate::kernel::roles::{Imported, conditions, given_name};
use crate::kernel::surface::Method;
use crate::kernel::uses::is_seen_from_root;

/// The class of a block `#[pymethods]`, and those methods of it that the root sees; the block stands so deep below
/// that.
pub fn methods(item: &ItemImpl, depth: usize, imported: &Imported) -> Option<(String, Vec<Method>)> {
    let is_for_python = item.attrs.iter().any(|attribute| {
        let Some(last) = attribute.path().segments.last() else { return false };
        let last = last.ident.to_string();
        last == "pymethods" || imported.get(&last).and_then(|path| path.last()).is_some_and(|name| name == "pymethods")
    });
    let Type::Path(class) = &*item.self_ty else { return None };
    let class = class.path.get_ident()?.to_string();
    if !is_for_python || item.trait_.is_some() || !item.generics.params.is_empty() {
        return None;
    }
    let found = item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(item) if is_seen_from_root(&item.vis, depth) => Some(item),
        _ => None,
    });
    let of_block = conditions(&item.attrs);
    let found = found.map(|item| Method {
        name: given_name(&item.attrs).unwrap_or_else(|| item.sig.ident.to_string().trim_start_matches("r#").to_owned()),
        conditions: of_block.iter().cloned().chain(conditions(&item.attrs)).collect(),
        attributes: item.attrs.clone(),
        signature: item.sig.clone(),
    });
    Some((class, found.collect()))
}

/// The class of a block of methods that says nothing of Python, and the method of it that only Python would call.
pub fn forgotten(item: &ItemImpl) -> Option<(String, &Ident)> {
    let Type::Path(class) = &*item.self_ty else { return None };
    let class = class.path.get_ident()?.to_string();
    let is_plain =
        |attribute: &Attribute| ["doc", "allow", "expect"].iter().any(|name| attribute.path().is_ident(name));
    if item.trait_.is_some() || !item.attrs.iter().all(is_plain) {
        return None;
    }
    item.items.iter().find_map(|item| match item {
        ImplItem::Fn(item) => {
            let name = item.sig.ident.to_string();
            let is_pythons = name.len() > 4 && name.starts_with("__") && name.ends_with("__");
            is_pythons.then_some((class.clone(), &item.sig.ident))
        }
        _ => None,
    })
}

/// Words of kernels that keep Python's objects beyond a call.
const KEEPING: [&str; 5] = ["Py", "PyObject", "PyBackedStr", "PyBackedBytes", "unbind"];

/// May a text keep objects beyond a call?
pub fn keeps_objects(text: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| KEEPING.contains(&word))
}
