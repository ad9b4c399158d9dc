//! Where the text of a module lies: `mod name { ... }` here, `mod name;` in a file of its own.

use std::path::{Path, PathBuf};

use syn::{Expr, ExprLit, ItemMod, Lit, Meta};

/// Where a module's items are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Between its braces; the files of modules below it lie in this folder.
    Here(PathBuf),
    /// In the first of these files that there is; beside each the folder with the files of modules below it.
    Files(Vec<(PathBuf, PathBuf)>),
}

/// Finds the place of a module in a file in the folder `own`, the modules of which have their files in `modules`.
pub fn place(item: &ItemMod, modules: &Path, own: &Path) -> Place {
    let name = item.ident.to_string().trim_start_matches("r#").to_owned();
    let folder = |file: &Path| file.parent().unwrap_or(Path::new("")).to_path_buf();
    match (&item.content, path_attribute(item)) {
        (Some(_), path) => Place::Here(path.map_or_else(|| modules.join(&name), |path| own.join(path))),
        (None, Some(path)) => {
            let file = own.join(path);
            Place::Files(vec![(file.clone(), folder(&file))])
        }
        (None, None) => {
            let below = modules.join(&name);
            Place::Files(vec![(modules.join(format!("{name}.rs")), below.clone()), (below.join("mod.rs"), below)])
        }
    }
}

/// `#[path = "..."]` of a module.
fn path_attribute(item: &ItemMod) -> Option<String> {
    item.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}
