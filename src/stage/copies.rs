//! The file that rustc is given as the crate root.
//!
//! Where the user's own file will do, it is that file. Where a module has to be appended, a frontmatter hidden or a long
//! kernel cut into pieces, it is a copy, together with copies of its `mod` files; relative paths in `include!`, `include_str!` and `include_bytes!`
//! are made absolute in them, and rustc maps the copies' folder back to the user's, so that messages, panics and
//! `file!()` name the user's files and lines.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::Item;

use crate::error::{Diagnostic, Result};
use crate::kernel::cell::Cell;
use crate::kernel::manifest::Manifest;
use crate::kernel::mod_files::{Place, place};
use crate::kernel::source::Source;
use crate::kernel::syntax;
use crate::paths::{followed, normal};
use crate::stage::glue::{Glue, Halves, Making, halves};
use crate::stage::pymodule;
use crate::stage::split::{LONG, pieces};

/// The crate root, and the copies that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The user's own file is compiled.
    Direct,
    /// Copies are compiled.
    Copies(Staged),
}

/// Copies of a kernel and its modules, with what is generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Relative path and text, the crate root first.
    pub files: Vec<(PathBuf, String)>,
    /// Is the crate root in pieces?
    pub in_pieces: bool,
    /// Are there functions for fast calls?
    pub is_fast: bool,
    /// The glue, where that is a crate of its own.
    pub glue: Option<Glue>,
    /// What is told of the kernel before it is compiled.
    pub warnings: Vec<Diagnostic>,
}

/// What may be done to a kernel's text to make it faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Nothing.
    Plain,
    /// Functions for fast calls are added.
    Fast,
    /// Cut into pieces, where that pays. Pieces are for edits, which are to be compiled soon, and so without fast calls.
    Pieces,
    /// In two halves where that is possible, with functions for fast calls or without, else in pieces.
    Halves {
        /// Are there to be functions for fast calls?
        fast: bool,
    },
    /// In two halves that are compiled at the same time where that is possible, else in one piece.
    Apart {
        /// Are there to be functions for fast calls?
        fast: bool,
    },
}

/// Decides what rustc is given for a kernel file, with a text below what the user wrote.
pub fn stage(source: &Source, manifest: &Manifest, form: Form, below: &str) -> Result<Stage> {
    let hidden = manifest.block.as_ref().and_then(|block| block.hidden.clone());
    let text = readable(source, manifest);
    let file = syntax::parse(&text);
    let name = PathBuf::from(source.path.file_name().unwrap_or_default());
    let making = match form {
        Form::Halves { fast } => Some(Making { fast, apart: false }),
        Form::Apart { fast } => Some(Making { fast, apart: true }),
        _ => None,
    };
    if let (Some(making), Some(file)) = (making, &file)
        && text.lines().count() < LONG
        && let Some(Halves { text, below, glue }) = halves(source, &text, file, manifest, making)
    {
        let files = copies(source, name, &text, &[&below]);
        let glue = Some(glue);
        return Ok(Stage::Copies(Staged { files, in_pieces: false, is_fast: making.fast, glue, warnings: Vec::new() }));
    }
    let is_fast = matches!(form, Form::Fast | Form::Apart { fast: true });
    let generated = pymodule::generated(source, &text, file.as_ref(), manifest, is_fast)?;
    let may_be_cut = matches!(form, Form::Pieces | Form::Halves { .. });
    let cut = file.filter(|_| may_be_cut).and_then(|file| pieces(&text, &file));
    // rustc would look for what belongs to a cell beside the cell's file in the cache.
    let changed = hidden.is_some() || generated.text.is_some() || cut.is_some() || !below.is_empty();
    if !changed && Cell::of(&source.path).is_none() {
        return Ok(Stage::Direct);
    }
    let files = copies(source, name, cut.as_ref().unwrap_or(&text), &[generated.text.as_deref().unwrap_or(""), below]);
    let (in_pieces, is_fast, warnings) = (cut.is_some(), generated.is_fast, generated.warnings);
    Ok(Stage::Copies(Staged { files, in_pieces, is_fast, glue: None, warnings }))
}

/// The copies of a kernel with this text, and with others below it.
fn copies(source: &Source, name: PathBuf, text: &str, below: &[&str]) -> Vec<(PathBuf, String)> {
    let mut copies = Copies { base: &source.base, files: HashMap::new(), order: Vec::new() };
    copies.add(name, text, Path::new(""));
    let mut files = copies.order.into_iter().filter_map(|path| copies.files.remove_entry(&path)).collect::<Vec<_>>();
    if let Some((_, root)) = files.first_mut() {
        for appended in below {
            if !root.ends_with('\n') && !appended.is_empty() {
                root.push('\n');
            }
            root.push_str(appended);
        }
    }
    files
}

/// The text without the frontmatter that no parser of Rust takes; every line and column stays what it was.
pub fn readable(source: &Source, manifest: &Manifest) -> String {
    match manifest.block.as_ref().and_then(|block| block.hidden.clone()) {
        Some(range) => blanked(&source.text, range),
        None => source.text.clone(),
    }
}

/// Writes spaces over a range, so that every line and column after it stays what it was.
fn blanked(text: &str, range: Range<usize>) -> String {
    let blank = |c: char| if c == '\n' || c == '\r' { c.to_string() } else { " ".repeat(c.len_utf8()) };
    format!(
        "{}{}{}",
        &text[..range.start],
        text[range.clone()].chars().map(blank).collect::<String>(),
        &text[range.end..]
    )
}

/// The copies made so far, by path relative to the kernel's folder.
struct Copies<'a> {
    base: &'a Path,
    files: HashMap<PathBuf, String>,
    order: Vec<PathBuf>,
}

impl Copies<'_> {
    /// Copies a file and the files of its modules. `modules` is the folder in which those are looked for.
    fn add(&mut self, path: PathBuf, text: &str, modules: &Path) {
        if self.files.contains_key(&path) {
            return;
        }
        let folder = self.base.join(path.parent().unwrap_or(Path::new("")));
        self.order.push(path.clone());
        self.files.insert(path.clone(), absolute_includes(text, &folder));
        if let Some(file) = syntax::parse(text) {
            let own_folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
            self.add_modules(&file.items, modules, &own_folder);
        }
    }

    fn add_modules(&mut self, items: &[Item], modules: &Path, own_folder: &Path) {
        for item in items {
            let Item::Mod(item) = item else { continue };
            match place(item, modules, own_folder) {
                Place::Here(below) => {
                    let items = item.content.as_ref().map_or(&[][..], |(_, items)| items);
                    self.add_modules(items, &below, &below);
                }
                Place::Files(files) => files.iter().for_each(|(file, below)| self.add_module(file, below)),
            }
        }
    }

    fn add_module(&mut self, path: &Path, modules: &Path) {
        let path = normal(path);
        // What lies outside of the kernel's folder is not copied: an absolute path is itself, and for a path that
        // climbs out of the folder the copy has to lie outside of the staging folder too, which nothing may do.
        if path.is_absolute() || path.starts_with("..") {
            return;
        }
        let Ok(text) = std::fs::read_to_string(self.base.join(&path)) else { return };
        self.add(path, &text, &normal(modules));
    }
}

/// Makes the relative paths in `include!`, `include_str!` and `include_bytes!` absolute, also inside other macros, and
/// those of `#[path]` that climb out of the folder.
fn absolute_includes(text: &str, folder: &Path) -> String {
    let Some(tokens) = syntax::tokens(text) else { return text.to_owned() };
    let mut found = Vec::new();
    find_includes(tokens, &mut found);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, path, is_module) in found {
        let climbs = normal(Path::new(&path)).starts_with("..");
        if Path::new(&path).is_absolute() || (is_module && !climbs) {
            continue;
        }
        out.push_str(&text[copied..range.start]);
        out.push_str(&format!("{:?}", followed(&folder.join(path)).to_string_lossy()));
        copied = range.end;
    }
    out + &text[copied..]
}

/// Is there an include whose path is not written out, so that only the compiler finds out where it leads?
pub fn computes_includes(text: &str) -> bool {
    fn search(tokens: TokenStream) -> bool {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        tokens.iter().enumerate().any(|(at, token)| match token {
            TokenTree::Group(group) if is_include(&tokens[..at]) => {
                !matches!(group.stream().into_iter().next(), None | Some(TokenTree::Literal(_)))
            }
            TokenTree::Group(group) => search(group.stream()),
            _ => false,
        })
    }
    text.contains("include") && syntax::tokens(text).is_some_and(search)
}

/// Do these tokens end with the name of a macro that includes a file?
fn is_include(before: &[TokenTree]) -> bool {
    let [.., TokenTree::Ident(name), TokenTree::Punct(mark)] = before else { return false };
    mark.as_char() == '!' && ["include", "include_str", "include_bytes"].iter().any(|known| name == known)
}

/// Finds the paths in includes and in `#[path]` of modules: where each stands, and whether it is that of a module.
pub fn find_includes(tokens: TokenStream, found: &mut Vec<(Range<usize>, String, bool)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let text_of = |token: &TokenTree| match syn::parse2::<syn::LitStr>(token.clone().into()) {
        Ok(text) => Some((text.span().byte_range(), text.value())),
        Err(_) => None,
    };
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            let includes = is_include(&tokens[..at]);
            match group.stream().into_iter().next().as_ref().and_then(text_of).filter(|_| includes) {
                Some((range, path)) => found.push((range, path, false)),
                None => find_includes(group.stream(), found),
            }
        }
        if let [TokenTree::Ident(name), TokenTree::Punct(equals), value] = &tokens[at..tokens.len().min(at + 3)]
            && name == "path"
            && equals.as_char() == '='
            && at == 0
            && let Some((range, path)) = text_of(value)
        {
            found.push((range, path, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(text: &str, others: &[(&str, &str)]) -> (tempfile::TempDir, Stage) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in others {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::write(folder.path().join("a.rs"), text).unwrap();
        let source = Source::open(&folder.path().join("a.rs"), "a").unwrap();
        let manifest = Manifest::of_kernel(&source.path, text).unwrap();
        let stage = stage(&source, &manifest, Form::Plain, "").unwrap();
        (folder, stage)
    }

    #[test]
    fn a_kernel_with_its_own_module_is_compiled_in_place() {
        assert_eq!(staged("#[pymodule] fn a() {}", &[]).1, Stage::Direct);
    }

    #[test]
    fn a_text_below_the_kernel_comes_after_all_of_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rs"), "#[pymodule] fn a() {}").unwrap();
        let source = Source::open(&folder.path().join("a.rs"), "a").unwrap();
        let stage = stage(&source, &Manifest::default(), Form::Plain, "fn below() {}").unwrap();
        let Stage::Copies(Staged { files, .. }) = stage else { panic!("a copy is needed") };
        assert_eq!(files[0].1, "#[pymodule] fn a() {}\nfn below() {}");
    }

    #[test]
    fn an_include_whose_path_is_not_written_out_is_seen() {
        for (text, computed) in [
            ("const A: &str = include_str!(\"a\");", false),
            ("const A: &str = include_str!(concat!(\"a\", \".txt\"));", true),
            ("macro_rules! a { ($p:literal) => { include_str!($p) } }", true),
            ("// include_str!(x)", false),
            ("fn include() {}", false),
        ] {
            assert_eq!(computes_includes(text), computed, "{text}");
        }
    }

    #[test]
    fn lines_and_columns_before_the_generated_module_stay() {
        let text = "---\n[package.metadata.rsimport]\n---\n#[pyfunction] fn f() {}";
        let Stage::Copies(Staged { files: copies, .. }) = staged(text, &[]).1 else { panic!("a copy is needed") };
        let lines: Vec<&str> = copies[0].1.lines().collect();
        assert_eq!(lines[3], "#[pyfunction] fn f() {}");
        assert_eq!(lines[..3].concat().trim(), "");
        assert!(lines[4].contains("#[::pyo3::pymodule]"));
    }

    #[test]
    fn modules_are_copied_and_includes_made_absolute() {
        let text = "mod b; mod c { mod d; } #[pyfunction] fn f() { x!(include_str!(\"t.txt\")); }";
        let (folder, stage) = staged(
            text,
            &[
                ("b.rs", "mod e; const T: &str = include_str!(\"../t.txt\");"),
                ("b/e.rs", ""),
                ("c/d/mod.rs", ""),
                ("z.rs", ""),
            ],
        );
        let Stage::Copies(Staged { files: copies, .. }) = stage else { panic!("copies are needed") };
        let mut names: Vec<String> = copies.iter().map(|(path, _)| path.display().to_string()).collect();
        assert_eq!(names.remove(0), "a.rs");
        names.sort();
        assert_eq!(names, ["b.rs", "b/e.rs", "c/d/mod.rs"]);
        assert!(copies[0].1.contains(&format!("include_str!(\"{}/t.txt\")", folder.path().display())));
        let b = &copies.iter().find(|(path, _)| path == Path::new("b.rs")).unwrap().1;
        assert!(b.contains(&format!("{}/t.txt\"", folder.path().parent().unwrap().display())), "{b}");
    }
}
