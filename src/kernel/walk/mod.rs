//! Reading what of a kernel is meant for Python: from its text, the files of its modules, and what its own macros make.

mod finish;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Attribute, Item, ItemEnum, ItemMacro, ItemStruct, Signature, Visibility};

use crate::kernel::macros::{Macro, size};
use crate::kernel::methods::{forgotten, keeps_objects, methods};
use crate::kernel::mod_files::{Place, place};
use crate::kernel::roles::{Role, arguments, conditions, given_name, mentioned};
use crate::kernel::source::Source;
use crate::kernel::surface::{Kind, Method, Module, Shown, Spot, Surface};
use crate::kernel::syntax;
use crate::kernel::uses::{Uses, is_seen_from_root, own_types};
use crate::paths::followed;

/// So many calls of macros are expanded, those that macros make included.
const CALLS: usize = 4096;
/// So deep may calls lie in what calls make, as for rustc.
const DEPTH: usize = 128;
/// So many tokens may be made by macros: one that doubles what it is given soon makes more than fits into memory.
const TOKENS: usize = 1 << 16;
/// Macros that make nothing for Python but exceptions, which have a place of their own.
const HARMLESS: [&str; 6] =
    ["compile_error", "create_exception", "import_exception", "lazy_static", "macro_rules", "thread_local"];

/// Reads a kernel. `file` is its parsed text, in which everything stands where it stands in the file.
pub fn surface(source: &Source, text: &str, file: &syn::File) -> Surface {
    let folder = match &source.manifest {
        Some(_) => source.path.parent().unwrap_or(Path::new("/")).to_path_buf(),
        None => source.base.clone(),
    };
    let file_of = source.path.as_path().into();
    let root =
        Scope { file: file_of, folder: folder.clone(), modules: folder.clone(), own: folder, ..Scope::default() };
    let mut walk = Walk { calls: CALLS, tokens: TOKENS, ..Walk::default() };
    walk.file(text, file, &root);
    walk.finished()
}

/// A place in the tree of modules.
#[derive(Debug, Clone)]
struct Scope {
    file: Rc<Path>,
    /// The folder that an `include!` starts from.
    folder: PathBuf,
    /// The folder with the files of modules below.
    modules: PathBuf,
    /// The folder that a `#[path]` starts from.
    own: PathBuf,
    /// The modules on the way from the root.
    path: Vec<String>,
    conditions: Vec<String>,
    /// The first module on the way that the root does not see.
    closed: Option<String>,
    types: Rc<HashSet<String>>,
    /// The place of the call of a macro that has made what is read.
    call: Option<Spot>,
}

impl Scope {
    fn spot(&self, span: Span) -> Spot {
        let start = span.start();
        let here = || Spot { file: self.file.to_path_buf(), line: start.line, column: start.column + 1 };
        self.call.clone().unwrap_or_else(here)
    }
}

impl Default for Scope {
    fn default() -> Self {
        Scope {
            file: Path::new("").into(),
            folder: PathBuf::new(),
            modules: PathBuf::new(),
            own: PathBuf::new(),
            path: Vec::new(),
            conditions: Vec::new(),
            closed: None,
            types: Rc::default(),
            call: None,
        }
    }
}

/// An item as far as it matters here.
struct Definition<'a> {
    attributes: &'a [Attribute],
    ident: &'a syn::Ident,
    visibility: &'a Visibility,
    signature: Option<&'a Signature>,
}

/// What has a role, before the way to it is known.
struct Offered {
    /// Its path is its name alone.
    shown: Shown,
    /// The modules on the way from the root.
    module: Vec<String>,
    /// Why the root does not see it there, and what would help.
    closed: Option<(String, String)>,
}

#[derive(Default)]
struct Walk {
    surface: Surface,
    macros: HashMap<String, Option<Macro>>,
    uses: Uses,
    /// The number of calls of macros that may still be expanded.
    calls: usize,
    /// The number of tokens that may still be made.
    tokens: usize,
    /// How many calls are being expanded, each made by the one before.
    depth: usize,
    files: HashSet<PathBuf>,
    offered: Vec<Offered>,
    /// The methods of classes, by the modules and names of these.
    methods: Vec<(Vec<String>, String, Vec<Method>)>,
    /// Methods that only Python would call, in blocks that say nothing of Python, with modules and names of their classes.
    forgotten: Vec<(Vec<String>, String, String, Spot)>,
    /// The attributes of PyO3 in the text, by file and place in it, and those of them that were met on an item.
    mentioned: Vec<(Role, Option<String>, usize, Spot)>,
    met: HashSet<(PathBuf, usize)>,
    /// Parts of the text that are known otherwise: definitions of macros, by name, and calls that were expanded.
    settled: Vec<(PathBuf, Range<usize>, Option<String>)>,
    /// Calls of macros that are not known: what they are called, and where they stand.
    unknown: Vec<(Range<usize>, String, Spot)>,
    /// Functions for which the kernel itself makes an object.
    wrapped: HashSet<String>,
}

impl Walk {
    fn file(&mut self, text: &str, file: &syn::File, scope: &Scope) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = &text[file.shebang.as_ref().map_or(0, String::len)..];
        self.uses.collect(&file.items);
        self.surface.keeps_objects |= keeps_objects(text);
        if let Ok(tokens) = text.parse::<TokenStream>() {
            for (role, name, place) in mentioned(tokens.clone(), &self.uses.imported) {
                let (start, at) = (place.span().start(), place.span().byte_range().start);
                let spot = Spot { file: scope.file.to_path_buf(), line: start.line, column: start.column + 1 };
                self.mentioned.push((role, name.map(|name| name.to_string()), at, spot));
            }
            self.note(tokens, scope);
        }
        self.items(&file.items, scope);
    }

    fn items(&mut self, items: &[Item], scope: &Scope) {
        self.uses.collect(items);
        let mut types = HashSet::clone(&scope.types);
        if scope.call.is_none() {
            types.clear();
        }
        types.extend(items.iter().flat_map(own_types));
        let scope = &Scope { types: Rc::new(types), ..scope.clone() };
        // A macro may be called before its definition, by its path.
        for item in items {
            if let Item::Macro(ItemMacro { ident: Some(name), mac, .. }) = item {
                self.macros.entry(name.to_string()).or_insert_with(|| Macro::of(mac.tokens.clone()));
            }
        }
        for item in items {
            self.item(item, scope);
        }
    }

    fn item(&mut self, item: &Item, scope: &Scope) {
        match item {
            Item::Fn(item) => {
                let (attributes, visibility) = (&item.attrs, &item.vis);
                let signature = Some(&item.sig);
                self.with_role(&Definition { attributes, ident: &item.sig.ident, visibility, signature }, scope);
            }
            Item::Struct(ItemStruct { attrs: attributes, ident, vis: visibility, .. })
            | Item::Enum(ItemEnum { attrs: attributes, ident, vis: visibility, .. }) => {
                self.with_role(&Definition { attributes, ident, visibility, signature: None }, scope);
            }
            Item::Mod(item) if Role::of(&item.attrs, &self.uses.imported).is_some() => {
                let (attributes, visibility) = (&item.attrs, &item.vis);
                self.with_role(&Definition { attributes, ident: &item.ident, visibility, signature: None }, scope);
                // PyO3 sees to what stands in it.
                let braces = item.content.as_ref().map(|(braces, _)| braces.span.join().byte_range());
                self.settled.extend(braces.map(|range| (scope.file.to_path_buf(), range, None)));
            }
            Item::Mod(item) => self.module(item, scope),
            Item::Impl(item) => {
                let found = methods(item, scope.path.len(), &self.uses.imported);
                self.methods.extend(found.map(|(class, methods)| (scope.path.clone(), class, methods)));
                let forgotten = forgotten(item)
                    .map(|(class, name)| (scope.path.clone(), class, name.to_string(), scope.spot(name.span())));
                self.forgotten.extend(forgotten);
            }
            Item::Use(item) => self.uses.note(item, &scope.path, &scope.conditions, scope.closed.is_none()),
            Item::Macro(item) => self.called(item, scope),
            _ => {}
        }
    }

    fn module(&mut self, item: &syn::ItemMod, scope: &Scope) {
        let mut below = scope.clone();
        below.conditions.extend(conditions(&item.attrs));
        let name = item.ident.to_string();
        if below.closed.is_none() && !is_seen_from_root(&item.vis, scope.path.len()) {
            below.closed = Some(name.clone());
        }
        below.path.push(name);
        match place(item, &scope.modules, &scope.own) {
            Place::Here(folder) => {
                let items = item.content.as_ref().map_or(&[][..], |(_, items)| items);
                self.items(items, &Scope { modules: folder.clone(), own: folder, ..below });
            }
            Place::Files(files) => match files.into_iter().find(|(file, _)| file.is_file()) {
                Some((file, modules)) => self.read(&file, &Scope { modules, ..below }),
                None => self.surface.is_open = true,
            },
        }
    }

    fn read(&mut self, file: &Path, scope: &Scope) {
        // A file that is a module twice is read once.
        if !self.files.insert(followed(file)) {
            return;
        }
        let Ok(text) = std::fs::read_to_string(file) else { return };
        let file = followed(file);
        let folder = file.parent().unwrap_or(Path::new("/")).to_path_buf();
        let scope = &Scope { file: file.as_path().into(), own: folder.clone(), folder, call: None, ..scope.clone() };
        match syntax::parse(&text) {
            Some(parsed) => self.file(&text, &parsed, scope),
            None => self.surface.is_open = true,
        }
    }

    fn called(&mut self, item: &ItemMacro, scope: &Scope) {
        let range = item.mac.delimiter.span().join().byte_range();
        if let Some(name) = &item.ident {
            self.macros.insert(name.to_string(), Macro::of(item.mac.tokens.clone()));
            self.settled.push((scope.file.to_path_buf(), range, Some(name.to_string())));
            return;
        }
        let Some(last) = item.mac.path.segments.last() else { return };
        let name = last.ident.to_string();
        let name = self.uses.imported.get(&name).and_then(|path| path.last()).cloned().unwrap_or(name);
        if name == "create_exception" {
            self.exception(item, scope);
        } else if name == "include" {
            match syn::parse2::<syn::LitStr>(item.mac.tokens.clone()) {
                Ok(path) => self.read(&scope.folder.join(path.value()), scope),
                Err(_) => self.surface.is_open = true,
            }
        } else if !HARMLESS.contains(&name.as_str()) {
            self.calls = self.calls.saturating_sub(1);
            let room = self.calls > 0 && self.depth < DEPTH;
            let known = self.macros.get(&name).and_then(Option::as_ref).filter(|_| room);
            let made = known.and_then(|known| known.expand(item.mac.tokens.clone()));
            let size = made.clone().map_or(0, size);
            let made = made.filter(|_| size <= self.tokens);
            self.tokens = self.tokens.saturating_sub(size);
            match made.and_then(|made| Some((made.clone(), syntax::parse_made(made)?))) {
                Some((tokens, made)) => {
                    if scope.call.is_none() {
                        self.settled.push((scope.file.to_path_buf(), range, None));
                    }
                    let call = Some(scope.spot(last.ident.span()));
                    let mut below = Scope { call, ..scope.clone() };
                    below.conditions.extend(conditions(&item.attrs));
                    self.note(tokens, &below);
                    self.depth += 1;
                    self.items(&made.items, &below);
                    self.depth -= 1;
                }
                None => {
                    self.surface.is_open = true;
                    self.unknown.push((range, name, scope.spot(last.ident.span())));
                }
            }
        }
    }

    /// `create_exception!(module, Name, Base)`
    fn exception(&mut self, item: &ItemMacro, scope: &Scope) {
        let tokens: Vec<TokenTree> = item.mac.tokens.clone().into_iter().collect();
        let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
        if let Some(TokenTree::Ident(name)) = tokens.split(is_comma).nth(1).and_then(|part| part.first()) {
            let visibility = &Visibility::Public(Default::default());
            let definition = Definition { attributes: &item.attrs, ident: name, visibility, signature: None };
            self.show(Kind::Exception, conditions(&item.attrs), &definition, scope);
        }
    }

    fn with_role(&mut self, definition: &Definition<'_>, scope: &Scope) {
        let Definition { attributes, ident, .. } = *definition;
        let Some((role, conditions)) = Role::of(attributes, &self.uses.imported) else { return };
        for attribute in attributes {
            self.met.insert((scope.file.to_path_buf(), attribute.bracket_token.span.open().byte_range().start));
        }
        let is_submodule = || {
            let says_so = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "submodule");
            arguments(attributes).iter().any(says_so)
        };
        let kind = match role {
            Role::Function => Kind::Function,
            Role::Class => Kind::Class,
            Role::Module if is_submodule() => Kind::Submodule,
            Role::Module => {
                let name = given_name(attributes).unwrap_or_else(|| plain(ident));
                self.surface.modules.push(Module { name, place: scope.spot(ident.span()), is_raw: false });
                return;
            }
        };
        self.show(kind, conditions, definition, scope);
    }

    fn show(&mut self, kind: Kind, own_conditions: Vec<String>, definition: &Definition<'_>, scope: &Scope) {
        let Definition { attributes, ident, visibility, signature } = *definition;
        let conditions: Vec<String> = scope.conditions.iter().cloned().chain(own_conditions).collect();
        let name = given_name(attributes).unwrap_or_else(|| plain(ident));
        let function = signature.map(|signature| Box::new((attributes.to_vec(), signature.clone())));
        let depth = scope.path.len();
        let place = scope.spot(ident.span());
        let closed = match &scope.closed {
            Some(module) => Some((format!("`mod {module}` is private"), format!("write `pub mod {module}`"))),
            None if !is_seen_from_root(visibility, depth) => {
                let module = scope.path.last().cloned().unwrap_or_default();
                let word = match kind {
                    Kind::Function => "fn",
                    Kind::Submodule => "mod",
                    _ => "struct",
                };
                Some((format!("it is private in `mod {module}`"), format!("write `pub {word} {ident}`")))
            }
            None => None,
        };
        let types = scope.types.clone();
        let shown =
            Shown { kind, path: ident.to_string(), name, conditions, function, methods: Vec::new(), types, place };
        self.offered.push(Offered { shown, module: scope.path.clone(), closed });
    }

    /// Notes functions `PyInit_NAME`, and those for which the kernel makes an object itself.
    fn note(&mut self, tokens: TokenStream, scope: &Scope) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_word = |at: usize, word: &str| matches!(tokens.get(at), Some(TokenTree::Ident(found)) if found == word);
        for (at, token) in tokens.iter().enumerate() {
            let raw = match token {
                TokenTree::Group(group) => {
                    if at >= 2 && is_word(at - 2, "wrap_pyfunction") {
                        let is_comma =
                            |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
                        let path = group.stream().into_iter().take_while(|token| !is_comma(token)).last();
                        self.wrapped.extend(path.map(|name| name.to_string()));
                    }
                    self.note(group.stream(), scope);
                    continue;
                }
                TokenTree::Ident(name) if at >= 1 && is_word(at - 1, "fn") => name.to_string(),
                TokenTree::Literal(text) if at >= 2 && is_word(at - 2, "export_name") => text.to_string(),
                _ => continue,
            };
            let raw = raw.trim_matches('"');
            if let Some(name) = raw.strip_prefix("PyInit_").or_else(|| raw.strip_prefix("PyModExport_")) {
                let (name, place) = (name.to_owned(), scope.spot(token.span()));
                self.surface.modules.push(Module { name, place, is_raw: true });
            }
        }
    }
}

fn plain(ident: &syn::Ident) -> String {
    plain_text(&ident.to_string()).to_owned()
}

fn plain_text(name: &str) -> &str {
    name.trim_start_matches("r#")
}
