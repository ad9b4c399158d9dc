//! What of a kernel is meant for Python: read from its text, the files of its modules, and what its own macros make.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Attribute, Item, ItemMacro, Signature, UseTree, Visibility};

use crate::kernel::macros::Macro;
use crate::kernel::mod_files::{Place, place};
use crate::kernel::roles::{Imported, Role, arguments, conditions, given_name, mentioned};
use crate::kernel::source::Source;
use crate::paths::followed;

/// So many calls of macros are expanded, those that macros make included.
const CALLS: usize = 4096;
/// Macros that make nothing for Python but exceptions, which have a place of their own.
const HARMLESS: [&str; 6] =
    ["compile_error", "create_exception", "import_exception", "lazy_static", "macro_rules", "thread_local"];
const ROOTS: [&str; 4] = ["alloc", "core", "pyo3", "std"];

/// What of a kernel is meant for Python.
#[derive(Default)]
pub struct Surface {
    /// Its `#[pymodule]`s, and functions `PyInit_NAME` that were written by hand.
    pub modules: Vec<Module>,
    /// What a generated module can show, in the order of the text, the root's own first.
    pub shown: Vec<Shown>,
    /// What it cannot show.
    pub hidden: Vec<Hidden>,
    /// The conditions of each import of PyO3's prelude into the root.
    pub preludes: Vec<Vec<String>>,
    /// May there be more, which only the compiler knows?
    pub is_open: bool,
    /// Is there a `#[pymodule]` which only the compiler knows?
    pub has_unknown_module: bool,
}

/// A Python module that the kernel declares itself.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its name in Python.
    pub name: String,
    /// Where it stands.
    pub place: Spot,
    /// Is it a function `PyInit_NAME`, without PyO3?
    pub is_raw: bool,
}

/// A place in the user's files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spot {
    /// The file.
    pub file: PathBuf,
    /// 1-based.
    pub line: usize,
    /// 1-based.
    pub column: usize,
}

/// What is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `#[pyfunction]`
    Function,
    /// A `#[pyclass]`
    Class,
    /// What `create_exception!` makes.
    Exception,
    /// A `#[pymodule]` that is only a submodule.
    Submodule,
}

/// Something that a generated module shows.
#[derive(Clone)]
pub struct Shown {
    /// What it is.
    pub kind: Kind,
    /// Its path from the root, as `inner::f`.
    pub path: String,
    /// Its name in Python.
    pub name: String,
    /// The `cfg` predicates under which it is there.
    pub conditions: Vec<String>,
    /// Of a function, its attributes and signature.
    pub function: Option<Box<(Vec<Attribute>, Signature)>>,
    /// The types that its module calls otherwise than the language does.
    pub types: Rc<HashSet<String>>,
    /// Where it stands.
    pub place: Spot,
}

/// Something that no generated module can show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// What it is, as `#[pyfunction] area`.
    pub what: String,
    /// Why it cannot be shown.
    pub why: String,
    /// The way out.
    pub help: String,
    /// Where it stands.
    pub place: Spot,
}

impl Kind {
    /// How it is written.
    pub fn attribute(self) -> &'static str {
        match self {
            Kind::Function => "#[pyfunction]",
            Kind::Class => "#[pyclass]",
            Kind::Exception => "create_exception!",
            Kind::Submodule => "#[pymodule]",
        }
    }
}

impl Surface {
    /// Reads a kernel. `file` is its parsed text, in which everything stands where it stands in the file.
    pub fn of(source: &Source, text: &str, file: &syn::File) -> Surface {
        let folder = match &source.manifest {
            Some(_) => source.path.parent().unwrap_or(Path::new("/")).to_path_buf(),
            None => source.base.clone(),
        };
        let file_of = source.path.as_path().into();
        let root =
            Scope { file: file_of, folder: folder.clone(), modules: folder.clone(), own: folder, ..Scope::default() };
        let mut walk = Walk { calls: CALLS, ..Walk::default() };
        walk.file(text, file, &root);
        walk.finished()
    }
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

#[derive(Default)]
struct Walk {
    surface: Surface,
    macros: HashMap<String, Option<Macro>>,
    imported: Imported,
    /// The number of calls of macros that may still be expanded.
    calls: usize,
    files: HashSet<PathBuf>,
    /// `use path::*`: in which module, of which path, under which conditions.
    globs: Vec<(Vec<String>, Vec<String>, Vec<String>)>,
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
        self.collect_imported(&file.items);
        if let Ok(tokens) = text.parse::<TokenStream>() {
            for (role, name, place) in mentioned(tokens.clone(), &self.imported) {
                let (start, at) = (place.span().start(), place.span().byte_range().start);
                let spot = Spot { file: scope.file.to_path_buf(), line: start.line, column: start.column + 1 };
                self.mentioned.push((role, name.map(|name| name.to_string()), at, spot));
            }
            self.note(tokens, scope);
        }
        self.items(&file.items, scope);
    }

    fn items(&mut self, items: &[Item], scope: &Scope) {
        self.collect_imported(items);
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
                let function = Some(Box::new((item.attrs.clone(), item.sig.clone())));
                self.with_role(&item.attrs, &item.sig.ident, &item.vis, function, scope);
            }
            Item::Struct(item) => self.with_role(&item.attrs, &item.ident, &item.vis, None, scope),
            Item::Enum(item) => self.with_role(&item.attrs, &item.ident, &item.vis, None, scope),
            Item::Mod(item) => {
                if Role::of(&item.attrs, &self.imported).is_some() {
                    // PyO3 sees to what stands in it.
                    self.with_role(&item.attrs, &item.ident, &item.vis, None, scope);
                    let braces = item.content.as_ref().map(|(braces, _)| braces.span.join().byte_range());
                    self.settled.extend(braces.map(|range| (scope.file.to_path_buf(), range, None)));
                } else {
                    self.module(item, scope);
                }
            }
            Item::Use(item) => {
                let conditions = scope.conditions.iter().cloned().chain(conditions(&item.attrs)).collect::<Vec<_>>();
                leaves(&item.tree, &mut Vec::new(), &mut |path, name| {
                    if name.is_none() {
                        self.globs.push((scope.path.clone(), path.to_vec(), conditions.clone()));
                    }
                });
            }
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
        match syn::parse_file(&text) {
            Ok(parsed) => self.file(&text, &parsed, scope),
            Err(_) => self.surface.is_open = true,
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
        let name = self.imported.get(&name).and_then(|path| path.last()).cloned().unwrap_or(name);
        if name == "create_exception" {
            self.exception(item, scope);
        } else if name == "include" {
            match syn::parse2::<syn::LitStr>(item.mac.tokens.clone()) {
                Ok(path) => self.read(&scope.folder.join(path.value()), scope),
                Err(_) => self.surface.is_open = true,
            }
        } else if !HARMLESS.contains(&name.as_str()) {
            self.calls = self.calls.saturating_sub(1);
            let known = self.macros.get(&name).and_then(Option::as_ref).filter(|_| self.calls > 0);
            let made = known.and_then(|known| known.expand(item.mac.tokens.clone()));
            match made.and_then(|made| Some((made.clone(), syn::parse2::<syn::File>(made).ok()?))) {
                Some((tokens, made)) => {
                    if scope.call.is_none() {
                        self.settled.push((scope.file.to_path_buf(), range, None));
                    }
                    let call = Some(scope.spot(last.ident.span()));
                    let mut below = Scope { call, ..scope.clone() };
                    below.conditions.extend(conditions(&item.attrs));
                    self.note(tokens, &below);
                    self.items(&made.items, &below);
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
            let conditions = conditions(&item.attrs);
            let public = Visibility::Public(Default::default());
            self.show(Kind::Exception, name, None, conditions, &public, None, scope);
        }
    }

    fn with_role(
        &mut self,
        attributes: &[Attribute],
        ident: &syn::Ident,
        visibility: &Visibility,
        function: Option<Box<(Vec<Attribute>, Signature)>>,
        scope: &Scope,
    ) {
        let Some((role, conditions)) = Role::of(attributes, &self.imported) else { return };
        for attribute in attributes {
            self.met.insert((scope.file.to_path_buf(), attribute.bracket_token.span.open().byte_range().start));
        }
        let name = given_name(attributes);
        let is_submodule = || {
            let says_so = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "submodule");
            arguments(attributes).iter().any(says_so)
        };
        let kind = match role {
            Role::Function => Kind::Function,
            Role::Class => Kind::Class,
            Role::Module if is_submodule() => Kind::Submodule,
            Role::Module => {
                let name = name.unwrap_or_else(|| plain(ident));
                self.surface.modules.push(Module { name, place: scope.spot(ident.span()), is_raw: false });
                return;
            }
        };
        self.show(kind, ident, name, conditions, visibility, function, scope);
    }

    #[allow(clippy::too_many_arguments)]
    fn show(
        &mut self,
        kind: Kind,
        ident: &syn::Ident,
        name: Option<String>,
        own_conditions: Vec<String>,
        visibility: &Visibility,
        function: Option<Box<(Vec<Attribute>, Signature)>>,
        scope: &Scope,
    ) {
        let conditions: Vec<String> = scope.conditions.iter().cloned().chain(own_conditions).collect();
        let name = name.unwrap_or_else(|| plain(ident));
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
        if let Some((why, help)) = closed {
            let is_wrapped = kind == Kind::Function && self.wrapped.contains(&plain(ident));
            let is_test = conditions.iter().any(|condition| words(condition).any(|word| word == "test"));
            if !is_wrapped && !is_test {
                let what = format!("{} `{}`", kind.attribute(), plain(ident));
                self.surface.hidden.push(Hidden { what, why, help, place });
            }
            return;
        }
        let path = scope.path.iter().map(|part| format!("{part}::")).collect::<String>() + &ident.to_string();
        let types = scope.types.clone();
        self.surface.shown.push(Shown { kind, path, name, conditions, function, types, place });
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

    fn collect_imported(&mut self, items: &[Item]) {
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
        let hands_on = |(module, target, _): &(Vec<String>, Vec<String>, Vec<String>)| {
            !module.is_empty() && *module == path && self.is_prelude(target, depth + 1)
        };
        depth < 8 && self.globs.iter().any(hands_on)
    }

    fn finished(mut self) -> Surface {
        let globs = self.globs.iter().filter(|(module, path, _)| module.is_empty() && self.is_prelude(path, 0));
        self.surface.preludes = globs.map(|(_, _, conditions)| conditions.clone()).collect();
        self.one_of_each_name();
        for (role, name, at, place) in &self.mentioned {
            let is_inside =
                |(file, range, _): &&(PathBuf, Range<usize>, Option<String>)| *file == place.file && range.contains(at);
            let settled = self.settled.iter().find(is_inside);
            let is_in = |(range, _, spot): &(Range<usize>, String, Spot)| spot.file == place.file && range.contains(at);
            let call = match settled {
                // What a macro has in its definition is missed where a call of it could not be expanded.
                Some((.., None)) => None,
                Some((.., Some(defined))) => {
                    self.unknown.iter().find(|unknown| &unknown.1 == defined || is_in(unknown))
                }
                None => self.unknown.iter().find(|unknown| is_in(unknown)),
            };
            if self.met.contains(&(place.file.clone(), *at)) || settled.is_some() && call.is_none() {
                continue;
            }
            if *role == Role::Module {
                self.surface.has_unknown_module = true;
                continue;
            }
            // A class may be made for no more than a function's own use.
            let is_own = *role == Role::Class && call.is_none();
            if is_own || name.as_ref().is_some_and(|name| self.wrapped.contains(name)) {
                continue;
            }
            let attribute = format!("#[{}]", role.attribute());
            let what = name.as_ref().map_or_else(|| format!("a {attribute}"), |name| format!("{attribute} `{name}`"));
            let own = "a #[pymodule] of your own can name it".to_owned();
            let (why, help, place) = match call {
                Some((_, name, spot)) => (format!("`{name}!` makes it, and what that makes is not known"), own, spot),
                None => {
                    ("it stands inside of another item".to_owned(), "move it to the root of the file".to_owned(), place)
                }
            };
            self.surface.hidden.push(Hidden { what, why, help, place: place.clone() });
        }
        self.surface
    }

    /// Leaves the first of what would have the same name in Python, the root's own before that of modules.
    fn one_of_each_name(&mut self) {
        let mut shown: Vec<Shown> = std::mem::take(&mut self.surface.shown);
        shown.sort_by_key(|shown| shown.path.contains("::"));
        for new in shown {
            let is_same = |old: &&Shown| {
                old.name == new.name && old.path != new.path && old.conditions.is_empty() && new.conditions.is_empty()
            };
            match self.surface.shown.iter().find(is_same) {
                None => self.surface.shown.push(new),
                Some(old) => self.surface.hidden.push(Hidden {
                    what: format!("{} `{}`", new.kind.attribute(), new.path),
                    why: format!("`{}` has the same name in Python", old.path),
                    help: format!(
                        "give it another one: #[pyo3(name = \"{}\")]",
                        new.path.replace("::", "_").replace("r#", "")
                    ),
                    place: new.place,
                }),
            }
        }
    }
}

/// Does the root see an item of a module so deep below it?
fn is_seen_from_root(visibility: &Visibility, depth: usize) -> bool {
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

/// The names of types that an item brings into its module and that are not those of the language, or PyO3's.
fn own_types(item: &Item) -> Vec<String> {
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
fn leaves(tree: &UseTree, path: &mut Vec<String>, found: &mut dyn FnMut(&[String], Option<&str>)) {
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

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}
