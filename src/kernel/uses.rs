//! What `use` brings where: the paths behind names, PyO3's prelude, and other ways to an item.

use syn::{Item, ItemUse, UseTree, Visibility};

use crate::kernel::roles::{Imported, conditions};

/// The crates whose names of types are the language's, PyO3's or rust-numpy's.
const ROOTS: [&str; 5] = ["alloc", "core", "numpy", "pyo3", "std"];

/// All that the `use` lines of a kernel say.
#[derive(Debug, Default)]
pub struct Uses {
    /// The path behind each name that is not that path's own.
    pub imported: Imported,
    lines: Vec<Line>,
}

/// What one leaf of a `use` brings.
#[derive(Debug)]
struct Line {
    /// The module in which it stands.
    module: Vec<String>,
    /// The name that it brings; none for all names of a module.
    name: Option<String>,
    path: Vec<String>,
    conditions: Vec<String>,
    /// Does the root see what is brought?
    is_seen: bool,
}

impl Uses {
    /// Notes the names that items import.
    pub fn collect(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Use(item) => leaves(&item.tree, &mut Vec::new(), &mut |path, name| {
                    if let Some(name) = name.filter(|name| path != [*name]) {
                        self.imported.insert(name.to_owned(), path.to_vec());
                    }
                }),
                Item::ExternCrate(item) => {
                    if let Some((_, alias)) = &item.rename {
                        self.imported.insert(alias.to_string(), vec![item.ident.to_string()]);
                    }
                }
                _ => {}
            }
        }
    }

    /// Notes a `use` in a module that the root sees, or does not.
    pub fn note(&mut self, item: &ItemUse, module: &[String], outer: &[String], is_open: bool) {
        let conditions: Vec<String> = outer.iter().cloned().chain(conditions(&item.attrs)).collect();
        let is_seen = is_open && is_seen_from_root(&item.vis, module.len());
        leaves(&item.tree, &mut Vec::new(), &mut |path, name| {
            let (path, name, conditions) = (path.to_vec(), name.map(str::to_owned), conditions.clone());
            self.lines.push(Line { module: module.to_vec(), name, path, conditions, is_seen });
        });
    }

    /// The conditions of each import of PyO3's prelude into the root.
    pub fn preludes(&self) -> Vec<Vec<String>> {
        let of_root = self.lines.iter().filter(|line| line.module.is_empty() && line.name.is_none());
        of_root.filter(|line| self.is_prelude(&line.path, 0)).map(|line| line.conditions.clone()).collect()
    }

    /// Is this the path of PyO3's prelude, or of a module that hands it on?
    fn is_prelude(&self, path: &[String], depth: usize) -> bool {
        let is_here = |part: &&String| *part == "crate" || *part == "self";
        let mut path: Vec<String> = path.iter().skip_while(is_here).cloned().collect();
        for _ in 0..8 {
            let Some(full) = path.first().and_then(|first| self.imported.get(first)) else { break };
            path.splice(..1, full.iter().cloned());
        }
        if path.len() >= 2 && path[path.len() - 2..] == ["pyo3", "prelude"] {
            return true;
        }
        let hands_on = |line: &Line| {
            line.name.is_none() && !path.is_empty() && line.module == path && self.is_prelude(&line.path, depth + 1)
        };
        depth < 8 && self.lines.iter().any(hands_on)
    }

    /// The way from the root to an item that a `use` there, or one that the root sees, brings under its own name. The
    /// root's own comes first: it would count as unused otherwise. A glob counts only where there is `no_other` way.
    pub fn way_to(&self, module: &[String], name: &str, no_other: bool) -> Option<Vec<String>> {
        let leads = |line: &&Line| {
            let target = line.target();
            let is_it = match &line.name {
                Some(own) => own == name && target.split_last().is_some_and(|(last, of)| last == name && of == module),
                None => no_other && target == module,
            };
            line.is_seen && line.conditions.is_empty() && is_it && line.module != module
        };
        let found = self.lines.iter().filter(leads).min_by_key(|line| line.module.len())?;
        (no_other || found.module.is_empty()).then(|| found.module.iter().cloned().chain([name.to_owned()]).collect())
    }
}

impl Line {
    /// The path from the root, if it is one of the kernel's own.
    fn target(&self) -> Vec<String> {
        let mut target = self.module.clone();
        for part in &self.path {
            match part.as_str() {
                "crate" => target.clear(),
                "self" => {}
                "super" => drop(target.pop()),
                _ => target.push(part.clone()),
            }
        }
        target
    }
}

/// Does the root see an item of a module so deep below it?
pub fn is_seen_from_root(visibility: &Visibility, depth: usize) -> bool {
    match visibility {
        _ if depth == 0 => true,
        Visibility::Public(_) => true,
        Visibility::Inherited => false,
        Visibility::Restricted(to) => {
            let names: Vec<String> = to.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let ups = names.iter().filter(|name| *name == "super").count();
            names == ["crate"] || ups >= depth
        }
    }
}

/// The names of types that an item brings into its module and that are not those of the language, of PyO3 or of rust-numpy.
pub fn own_types(item: &Item) -> Vec<String> {
    let mut names = Vec::new();
    match item {
        Item::Struct(item) => names.push(plain(&item.ident)),
        Item::Enum(item) => names.push(plain(&item.ident)),
        Item::Union(item) => names.push(plain(&item.ident)),
        Item::Type(item) => names.push(plain(&item.ident)),
        Item::Trait(item) => names.push(plain(&item.ident)),
        Item::Use(item) => leaves(&item.tree, &mut Vec::new(), &mut |path, name| {
            let known = path.first().is_some_and(|root| ROOTS.contains(&root.as_str()));
            if let Some(name) = name.filter(|name| !(known && path.last().is_some_and(|last| last == name))) {
                names.push(name.to_owned());
            }
        }),
        _ => {}
    }
    names
}

/// Calls back with the path and the name of each leaf of a `use`; a glob has no name.
pub fn leaves(tree: &UseTree, path: &mut Vec<String>, found: &mut dyn FnMut(&[String], Option<&str>)) {
    match tree {
        UseTree::Path(step) => {
            path.push(step.ident.to_string());
            leaves(&step.tree, path, found);
            path.pop();
        }
        UseTree::Name(name) if name.ident == "self" => found(path, path.last().map(String::as_str)),
        UseTree::Name(name) => {
            path.push(name.ident.to_string());
            found(path, path.last().map(String::as_str));
            path.pop();
        }
        UseTree::Rename(rename) => {
            let is_self = rename.ident == "self";
            if !is_self {
                path.push(rename.ident.to_string());
            }
            found(path, Some(&rename.rename.to_string()));
            if !is_self {
                path.pop();
            }
        }
        UseTree::Glob(_) => found(path, None),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, path, found)),
    }
}

fn plain(ident: &syn::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}
