//! A long kernel in pieces, so that rustc compiles an edit of one function without most of the others.
//!
//! rustc optimises each source module as one unit, or as two, and takes a unit from the last build where nothing in it has
//! changed. A kernel without modules is one unit, however long it is. In the text that is made here neighbouring
//! functions lie in modules of their own and see everything that they saw before. What is added stands at the ends of
//! lines, so every token of the user's keeps its line and its column, and with them what a panic says.
//!
//! It gains more than half of an edit's time: 0.22, 0.27 and 0.35 s of the compiler's in place of 0.36, 0.56 and 1.19 for
//! kernels of 456, 846 and 2,276 lines (rustc 1.95). It risks that a function behaves otherwise in a module of its own, so
//! only functions are moved of which it is known that they cannot tell; what is not in the lists below stays.

use std::collections::HashSet;
use std::ops::Range;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Attribute, Expr, ExprLit, Item, ItemFn, Lit, Meta, Visibility};

/// With fewer lines there is little to save: with 300 an edit takes 190 ms in place of 290, with 200 it was 170 and 250.
pub const LONG: usize = 300;
/// So many lines a piece may have. Neighbours call one another, and only within a piece they are optimised together; an
/// edit takes 20 ms less with 70 and 20 more with 150.
const PIECE: usize = 100;
/// The attributes that mean the same wherever a function stands. PyO3 makes a module of the function's name for what it
/// needs, and whoever imports the function imports that as well. Attributes of other crates may do anything.
const ATTRIBUTES: [&str; 12] = [
    "allow",
    "cold",
    "deny",
    "doc",
    "expect",
    "forbid",
    "inline",
    "must_use",
    "pyfunction",
    "pyo3",
    "track_caller",
    "warn",
];
/// The macros of the standard library, of PyO3 and of ndarray that do not ask in which module they stand. Those of others
/// may: log and tracing name the module in what they write.
const MACROS: [&str; 35] = [
    "array",
    "assert",
    "assert_eq",
    "assert_ne",
    "azip",
    "cfg",
    "column",
    "compile_error",
    "concat",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "env",
    "eprint",
    "eprintln",
    "file",
    "format",
    "format_args",
    "include_bytes",
    "include_str",
    "intern",
    "line",
    "matches",
    "option_env",
    "panic",
    "print",
    "println",
    "s",
    "stringify",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
];

/// The text with its functions in modules, or nothing where that does not pay or could be noticed.
pub fn pieces(text: &str, file: &syn::File) -> Option<String> {
    // The name of a function tells its module to whoever asks for it.
    let told = ["type_name", "__rsimport_"].iter().any(|word| text.contains(word));
    if text.lines().count() < LONG || told || text.starts_with('\u{feff}') || file.shebang.is_some() {
        return None;
    }
    cut(text, file, PIECE)
}

fn cut(text: &str, file: &syn::File, longest: usize) -> Option<String> {
    let root = Root::of(text, file)?;
    let mut runs: Vec<Vec<Function>> = Vec::new();
    let mut open = false;
    // What stands first may follow a comment that belongs to the file.
    for item in file.items.iter().skip(1) {
        let Some(function) = root.function(item) else {
            open = false;
            continue;
        };
        match runs.last_mut() {
            Some(run) if open && function.lines.end - run[0].lines.start <= longest => run.push(function),
            _ => runs.push(vec![function]),
        }
        open = true;
    }
    (runs.len() > 1).then(|| edited(text, runs.iter().flat_map(|run| edits(run)).collect()))
}

/// What makes a module of neighbouring functions. It is called after the first of them, so that it keeps its name when
/// something is written above it.
fn edits(run: &[Function]) -> Vec<(Range<usize>, String)> {
    let (first, last) = (&run[0], &run[run.len() - 1]);
    let module = format!("__rsimport_from_{}", first.name.trim_start_matches("r#"));
    let opened = format!(" mod {module} {{ #[allow(unused_imports)] use super::*;");
    let names = run.iter().map(|Function { visibility, name, .. }| {
        format!(" #[allow(unused_imports)] {visibility} use {module}::{name};")
    });
    let closed = format!(" }}{}", names.collect::<String>());
    let mut edits = vec![(first.before..first.before, opened)];
    for function in run {
        let shown = function.shown..function.shown;
        for (at, text) in &function.comments {
            edits.push((*at..at + 1, " ".to_owned()));
            edits.push((shown.clone(), format!(" #[doc = {text:?}]")));
        }
        if function.visibility.is_empty() {
            edits.push((shown, " pub(super)".to_owned()));
        }
    }
    edits.push((last.end..last.end, closed));
    edits
}

/// Replaces ranges of a text; of two at the same place the first comes first.
fn edited(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len() + edits.iter().map(|(_, new)| new.len()).sum::<usize>());
    let mut copied = 0;
    for (range, new) in edits {
        out.push_str(&text[copied..range.start]);
        out.push_str(&new);
        copied = range.end;
    }
    out + &text[copied..]
}

/// A function that may stand in a module, by places in the text.
struct Function {
    name: String,
    /// Its visibility as it is written.
    visibility: String,
    lines: Range<usize>,
    /// Where the item before it ends.
    before: usize,
    /// Where its visibility can be written.
    shown: usize,
    end: usize,
    /// The documentation comments behind that place: the letter of each that makes it one, and what it says. They would
    /// separate the visibility from the function, so they become plain comments, and attributes before it.
    comments: Vec<(usize, String)>,
}

/// The text's tokens, those in brackets as one, with their places; and the macros that may be called.
struct Root<'a> {
    text: &'a str,
    tokens: Vec<(Range<usize>, TokenTree)>,
    macros: Vec<String>,
    /// Names of what is no function. One that a function has too would be brought along when the function is imported.
    others: HashSet<String>,
}

impl<'a> Root<'a> {
    fn of(text: &'a str, file: &syn::File) -> Option<Self> {
        let tokens = text.parse::<TokenStream>().ok()?.into_iter();
        let tokens = tokens.map(|token| (token.span().byte_range(), token)).collect();
        let own = file.items.iter().filter_map(|item| match item {
            Item::Macro(item) => Some((item.ident.as_ref()?.to_string(), &item.mac.tokens)),
            _ => None,
        });
        let (names, bodies): (Vec<String>, Vec<&TokenStream>) = own.unzip();
        let known = MACROS.iter().map(|name| (*name).to_owned());
        let mut macros: Vec<String> = known.chain(names.iter().cloned()).collect();
        if !bodies.into_iter().all(|body| is_movable(body.clone(), &macros)) {
            macros.retain(|name| !names.contains(name));
        }
        let others = file.items.iter().filter_map(|item| match item {
            Item::Mod(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Macro(item) => item.ident.as_ref(),
            _ => None,
        });
        let others = others.map(ToString::to_string).collect();
        Some(Root { text, tokens, macros, others })
    }

    /// The function that an item is, if it may stand in a module.
    fn function(&self, item: &Item) -> Option<Function> {
        let Item::Fn(item) = item else { return None };
        let head = first_token(item).byte_range().start;
        let end = item.block.brace_token.span.close().byte_range().end;
        let start = item.attrs.first().map_or(head, |attribute| attribute.pound_token.span.byte_range().start);
        let before = self.tokens[..self.index(start)].last()?.0.end;
        let next = self.tokens.get(self.index(end)).map_or(self.text.len(), |(range, _)| range.start);
        let is_comment =
            |attribute: &&Attribute| self.text[attribute.pound_token.span.byte_range().start..].starts_with(['/']);
        let (comments, others): (Vec<&Attribute>, Vec<&Attribute>) = item.attrs.iter().partition(is_comment);
        let attributes_end = |attribute: &&Attribute| attribute.bracket_token.span.close().byte_range().end;
        let shown = others.last().map_or(before, attributes_end);
        // What follows on the line would be moved.
        let ends_line = |from: usize, to: usize| self.text[from..to].contains('\n') || to == self.text.len();
        let attribute = others.first().map_or(head, |attribute| attribute.pound_token.span.byte_range().start);
        let is_free = ends_line(before, attribute) && ends_line(shown, head) && ends_line(end, next);
        let tokens = self.tokens[self.index(head)..self.index(end)].iter().map(|(_, token)| token.clone());
        let is_plain = item.sig.abi.is_none()
            && !self.others.contains(&item.sig.ident.to_string())
            && others.iter().all(|attribute| self.is_plain(attribute))
            && is_movable(tokens.collect(), &self.macros);
        let first = &self.text[head..];
        let visibility = match &item.vis {
            Visibility::Inherited => "",
            Visibility::Public(_) => "pub",
            Visibility::Restricted(restricted) => &first[..restricted.paren_token.span.close().byte_range().end - head],
        };
        (is_free && is_plain).then(|| Function {
            name: item.sig.ident.to_string(),
            visibility: visibility.to_owned(),
            lines: first_token(item).start().line..item.block.brace_token.span.close().end().line + 1,
            before,
            shown,
            end,
            comments: comments.into_iter().filter_map(documentation).filter(|(at, _)| *at > shown).collect(),
        })
    }

    fn is_plain(&self, attribute: &Attribute) -> bool {
        let known = |name: &syn::PathSegment| ATTRIBUTES.iter().any(|known| name.ident == known);
        let tokens = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            _ => TokenStream::new(),
        };
        attribute.path().segments.last().is_some_and(known) && is_movable(tokens, &self.macros)
    }

    /// The number of tokens that begin before a place.
    fn index(&self, place: usize) -> usize {
        self.tokens.partition_point(|(range, _)| range.start < place)
    }
}

/// The place of a documentation comment's third letter, and what it says.
fn documentation(attribute: &Attribute) -> Option<(usize, String)> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else { return None };
    Some((attribute.pound_token.span.byte_range().start + 2, text.value().replace("\r\n", "\n")))
}

/// The first token of a function behind its attributes.
fn first_token(item: &ItemFn) -> Span {
    let signature = &item.sig;
    match (&item.vis, &signature.constness, &signature.asyncness, &signature.safety) {
        (Visibility::Public(word), ..) => word.span,
        (Visibility::Restricted(restricted), ..) => restricted.pub_token.span,
        (_, Some(word), ..) => word.span,
        (_, _, Some(word), _) => word.span,
        (_, _, _, syn::Safety::Unsafe(word)) => word.span,
        _ => signature.fn_token.span,
    }
}

/// Do these tokens mean the same in a module below?
fn is_movable(tokens: TokenStream, macros: &[String]) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_mark =
        |at: usize, mark: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == mark);
    tokens.iter().enumerate().all(|(at, token)| match token {
        TokenTree::Group(group) => is_movable(group.stream(), macros),
        TokenTree::Ident(word) => {
            let is_path = is_mark(at + 1, ':') && is_mark(at + 2, ':');
            let calls = is_mark(at + 1, '!') && matches!(tokens.get(at + 2), Some(TokenTree::Group(_)));
            // What stands behind a keyword is negated.
            let is_macro = calls && syn::parse2::<syn::Ident>(token.clone().into()).is_ok();
            let names_module = ["Self", "macro_rules", "module_path", "super"].iter().any(|other| word == other);
            let is_known = !is_macro || macros.iter().any(|name| word == name);
            is_known && !names_module && !(is_path && word == "self")
        }
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `[` and what is added to name it where a module begins, `]` where one ends, and `+` for a visibility.
    fn check(text: &str, expected: Option<&str>) {
        let made = cut(text, &syn::parse_file(text).unwrap(), 4);
        let short = made.as_ref().map(|made| {
            let mut parts = made.split(" #[allow(unused_imports)] ");
            let mut short = parts.next().unwrap().to_owned();
            for part in parts {
                let (added, rest) = part.split_once(';').unwrap();
                short.push_str(&format!("<{added}>"));
                short.push_str(rest);
            }
            short.replace(" mod __rsimport_from_", " [").replace("__rsimport_from_", "").replace(" pub(super)", "+")
        });
        assert_eq!(short.as_deref(), expected, "{text}");
        let Some(made) = made else { return };
        // rustc takes the text for one file, and each of the user's lines still ends what it began.
        syn::parse_file(&made).unwrap();
        assert_eq!(made.lines().count(), text.lines().count());
        for (new, old) in made.lines().zip(text.lines()) {
            let plain = old.replace("///", "// ").replace("/**", "/* ");
            let code = plain.split(" //").next().unwrap();
            assert!(new.starts_with(code), "{new}\n{old}");
        }
    }

    #[test]
    fn neighbours_share_a_module_until_it_is_long() {
        check(
            "use a;\nfn f() {\n}\nfn g() {\n}\nfn h() {\n}\n",
            Some(
                "use a; [f {<use super::*>+\nfn f() {\n}+\nfn g() {\n} }< use f::f>< use f::g> [h {<use super::*>+\nfn h() {\n} }< use h::h>\n",
            ),
        );
        check("use a;\nfn f() {}\nfn g() {}\n", None);
        check(
            "use a;\nfn f() {}\nstruct S;\nfn g() {}",
            Some(
                "use a; [f {<use super::*>+\nfn f() {} }< use f::f>\nstruct S; [g {<use super::*>+\nfn g() {} }< use g::g>",
            ),
        );
    }

    /// What becomes of a function between two that are moved.
    fn moved(function: &str, expected: Option<&str>) {
        let text = format!("use a;\nfn f() {{}}\nstruct S;\n{function}\nstruct T;\nfn h() {{}}\n");
        let made = cut(&text, &syn::parse_file(&text).unwrap(), 4).unwrap();
        syn::parse_file(&made).unwrap();
        for (new, old) in made.lines().zip(text.lines()) {
            let code = old.replace("///", "// ");
            assert!(new.starts_with(code.strip_suffix(" // x").unwrap_or(&code)), "{new}\n{old}");
        }
        let part = made.split_once("struct S;").unwrap().1.split_once("struct T;").unwrap().0;
        let moved = part.contains("mod ").then(|| {
            let part = part.replace(" #[allow(unused_imports)]", "").replace("__rsimport_from_", "_");
            part.split_once(" use super::*;").unwrap().1.trim_end().to_owned()
        });
        assert_eq!(moved.as_deref(), expected, "{function}");
    }

    #[test]
    fn a_function_keeps_its_visibility_and_its_places() {
        moved("fn g() {}", Some(" pub(super)\nfn g() {} }  use _g::g;"));
        moved("pub fn g() {}", Some("\npub fn g() {} } pub use _g::g;"));
        moved("pub(crate) fn g() {}", Some("\npub(crate) fn g() {} } pub(crate) use _g::g;"));
        moved("fn r#try() {}", Some(" pub(super)\nfn r#try() {} }  use _try::r#try;"));
        moved("const unsafe fn g() {}", Some(" pub(super)\nconst unsafe fn g() {} }  use _g::g;"));
        moved("fn größe() -> char { 'ß' }", Some(" pub(super)\nfn größe() -> char { 'ß' } }  use _größe::größe;"));
        moved("fn g() {\r\n} // x", Some(" pub(super)\nfn g() {\r\n} }  use _g::g; // x"));
        moved(
            "/// ä\n/// b\nfn g() {}",
            Some(" #[doc = \" ä\"] #[doc = \" b\"] pub(super)\n//  ä\n//  b\nfn g() {} }  use _g::g;"),
        );
        moved(
            "#[cold]\n/// a\nfn g() {}",
            Some("\n#[cold] #[doc = \" a\"] pub(super)\n//  a\nfn g() {} }  use _g::g;"),
        );
        moved("/** a */\n#[cold]\nfn g() {}", Some("\n/** a */\n#[cold] pub(super)\nfn g() {} }  use _g::g;"));
        moved("#[pyfunction]\nfn g() {}", Some("\n#[pyfunction] pub(super)\nfn g() {} }  use _g::g;"));
        moved("fn g<T>(x: impl Fn() -> T) {}", Some(" pub(super)\nfn g<T>(x: impl Fn() -> T) {} }  use _g::g;"));
        moved(
            "fn g() { if !(a) { panic!(\"\") } }",
            Some(" pub(super)\nfn g() { if !(a) { panic!(\"\") } } }  use _g::g;"),
        );
    }

    #[test]
    fn a_function_that_could_tell_the_difference_stays() {
        for function in [
            "#[cfg(unix)]\nfn g() {}",
            "#[instrument]\nfn g() {}",
            "#[no_mangle]\nfn g() {}",
            "#[cold] fn g() {}",
            "extern \"C\" fn g() {}",
            "fn g() {} fn i() {}",
            "fn g() { super::f() }",
            "fn g() { self::f() }",
            "pub(in self::a) fn g() {}",
            "fn g() { vec![self::f()]; }",
            "fn g() { module_path!(); }",
            "fn g() { log::info!(\"\"); }",
            "fn g() { dbg!(info!()); }",
            "fn g() { macro_rules! m { () => {} } }",
            "#[pyfunction(signature = (x = self::X))]\nfn g(x: u8) {}",
        ] {
            moved(function, None);
        }
    }

    #[test]
    fn a_function_with_the_name_of_something_else_stays() {
        for other in ["struct g {}", "mod g {}", "type g = u8;", "macro_rules! g { () => {} }"] {
            let text = format!("use a;\nfn f() {{}}\n{other}\nfn g() {{}}\nstruct T;\nfn h() {{}}\n");
            let made = cut(&text, &syn::parse_file(&text).unwrap(), 4).unwrap();
            assert!(!made.contains("__rsimport_from_g") && made.contains("__rsimport_from_h"), "{made}");
        }
    }

    #[test]
    fn own_macros_are_called_where_none_of_them_could_tell_the_difference() {
        let text =
            |body: &str| format!("macro_rules! m {{ () => {{ {body} }} }}\nfn f() {{ m!() }}\nuse a;\nfn g() {{}}\n");
        let is_cut = |text: &str| cut(text, &syn::parse_file(text).unwrap(), 9).is_some();
        assert!(is_cut(&text("println!()")));
        assert!(is_cut(&text("m!(1)")));
        assert!(!is_cut(&text("info!()")));
        assert!(!is_cut(&text("self::f()")));
    }

    #[test]
    fn only_a_long_kernel_is_cut() {
        let is_cut = |text: &str| pieces(text, &syn::parse_file(text).unwrap()).is_some();
        let long = format!("use a;\n{}", "fn f() {\n}\n".repeat(LONG / 2));
        assert!(is_cut(&long));
        assert!(!is_cut(&long[..long.len() - 2 * "fn f() {\n}\n".len()]));
        assert!(!is_cut(&long.replacen("use a", "use std::any::type_name", 1)));
        assert!(!is_cut(&format!("\u{feff}{long}")));
        assert!(!is_cut(&format!("#!/bin/sh\n{long}")));
        assert!(is_cut(&format!("#![allow(dead_code)]\n{long}")));
    }
}
