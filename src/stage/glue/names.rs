//! What the names of types mean in the root of a kernel, as far as that is known without the compiler.

use std::collections::{BTreeSet, HashMap, HashSet};

use syn::{Expr, GenericArgument, Item, PathArguments, Type};

use crate::kernel::manifest::Manifest;
use crate::kernel::uses::leaves;
use crate::stage::glue::attributes::{OF_FILES, is_one_of};

/// Crates that every kernel has.
const CRATES: [&str; 4] = ["alloc", "core", "pyo3", "std"];
/// Types that are there without any `use` but that of PyO3's prelude.
const TYPES: [&str; 32] = [
    "Borrowed", "Bound", "Box", "Option", "Py", "PyAny", "PyErr", "PyModule", "PyRef", "PyRefMut", "PyResult",
    "Python", "Result", "String", "Vec", "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize",
    "str", "u128", "u16", "u32", "u64", "u8", "usize",
];

/// Collects the names with which a type begins; `None` where there is one of another kind in it.
pub fn named_by(of: &Type, names: &mut BTreeSet<String>) -> Option<()> {
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
pub struct Names {
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
    /// Reads the root of a kernel.
    pub fn of(file: &syn::File, manifest: &Manifest) -> Option<Names> {
        let crates = CRATES.iter().map(|name| (*name).to_owned()).chain(manifest.crates()).collect();
        // What `Self` is depends on where it stands.
        let (own, imported) = (HashSet::from(["Self".to_owned()]), HashMap::new());
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
    pub fn uses(&self, needed: &BTreeSet<String>) -> Option<String> {
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
