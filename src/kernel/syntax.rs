//! Rust code as a tree. The one place that parses a file of the user's.
//!
//! The parser calls itself for what is nested, and so does all that walks through its tree. A text that is nested without
//! end would take the stack of the Python process with it, so that is looked at before. rustc calls itself likewise, and
//! gives up on brackets that are some hundreds deep.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// So deep may brackets lie in one another: half a megabyte of stack in an engine that was not optimised.
const DEEPEST: usize = 128;
/// So many tokens may stand in a row of which each takes all that follows, as `-` and `&` do.
const LONGEST: usize = 256;

/// Words behind which an operator has nothing on its left.
const KEYWORDS: [&str; 22] = [
    "as", "async", "box", "break", "const", "dyn", "else", "fn", "for", "if", "impl", "in", "let", "loop", "match",
    "move", "mut", "raw", "ref", "return", "while", "yield",
];

/// The tree of a file; nothing where it does not parse, or is nested too deeply to try.
pub fn parse(text: &str) -> Option<syn::File> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(rest) = body.strip_prefix("#!") else { return parse_made(body.parse().ok()?) };
    // The line of a shebang may be anything, while `#![...]` is Rust.
    let tokens = rest.parse().or_else(|_| rest[rest.find('\n').unwrap_or(rest.len())..].parse());
    is_flat(tokens.ok()?).then(|| syn::parse_file(text).ok()).flatten()
}

/// The tree of what a macro has made of a file's tokens, under the same conditions.
pub fn parse_made(tokens: TokenStream) -> Option<syn::File> {
    is_flat(tokens.clone()).then(|| syn::parse2(tokens).ok()).flatten()
}

/// The tokens of a text; nothing where it has none, or brackets are nested too deeply to walk through them.
pub fn tokens(text: &str) -> Option<TokenStream> {
    let tokens: TokenStream = text.parse().ok()?;
    let mut open = vec![tokens.clone().into_iter()];
    while let Some(row) = open.last_mut() {
        match row.next() {
            Some(TokenTree::Group(group)) => open.push(group.stream().into_iter()),
            Some(_) => {}
            None => drop(open.pop()),
        }
        if open.len() > DEEPEST {
            return None;
        }
    }
    Some(tokens)
}

/// Forgets the texts that were parsed in this thread, which the parser keeps as long as there could be places in them.
/// Whoever is done with a kernel calls it: a session of a thousand edits would keep ten thousand texts.
pub fn forget() {
    proc_macro2::extra::invalidate_current_thread_spans();
}

/// Can code with these tokens be parsed, and its tree be walked through, on an ordinary stack?
pub fn is_flat(tokens: TokenStream) -> bool {
    // What is left of each group around, and the length of the row that it stands in.
    let mut outer = Vec::new();
    let (mut left, mut row) = (tokens.into_iter(), Row::default());
    loop {
        match left.next() {
            Some(TokenTree::Group(group)) => {
                let inner = group.stream().into_iter();
                row.group(group.delimiter());
                outer.push((std::mem::replace(&mut left, inner), std::mem::take(&mut row)));
                if outer.len() > DEEPEST {
                    return false;
                }
            }
            Some(token) => row.add(&token),
            None => match outer.pop() {
                Some(around) => (left, row) = around,
                None => return true,
            },
        }
        if row.length > LONGEST {
            return false;
        }
    }
}

/// Tokens in a row of which each may take all that follows.
#[derive(Default)]
struct Row {
    length: usize,
    /// Those of them that take no more than the next operand.
    tight: usize,
    after_operand: bool,
    /// The length before the block that stands last.
    before_block: usize,
}

impl Row {
    fn add(&mut self, token: &TokenTree) {
        match token {
            TokenTree::Punct(mark) => match (mark.as_char(), self.after_operand) {
                (';' | ',', _) => *self = Row::default(),
                ('=', true) if self.before_block > 0 => *self = Row { length: self.before_block + 1, ..Row::default() },
                // Between operands these take what stands on both sides, one after another.
                ('?', true) => {}
                ('+' | '-' | '*' | '/' | '%' | '^' | '&' | '.', true) => {
                    *self = Row { length: self.length - self.tight, ..Row::default() };
                }
                // Types in brackets like these take as much of the stack as several operators.
                ('<', true) => *self = Row { length: self.length + 4, ..Row::default() },
                ('-' | '!' | '*' | '&', false) => (self.length, self.tight) = (self.length + 1, self.tight + 1),
                _ => *self = Row { length: self.length + 1, ..Row::default() },
            },
            TokenTree::Ident(word) if self.after_operand || KEYWORDS.iter().any(|keyword| word == keyword) => {
                *self = Row { length: self.length + 1, ..Row::default() };
            }
            _ => self.operand(),
        }
    }

    fn group(&mut self, delimiter: Delimiter) {
        match delimiter {
            // An item or a statement ends with its block, unless something is assigned to what that gives.
            Delimiter::Brace => *self = Row { after_operand: true, before_block: self.length, ..Row::default() },
            _ => self.operand(),
        }
    }

    fn operand(&mut self) {
        (self.after_operand, self.before_block) = (true, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(open: &str, close: &str, times: usize) -> String {
        format!("fn f() {{ {}1{} }}", open.repeat(times), close.repeat(times))
    }

    #[test]
    fn what_is_nested_without_end_is_not_tried() {
        for (open, close) in [
            ("(", ")"),
            ("{", "}"),
            ("a(", ")"),
            ("-", ""),
            ("&", ""),
            ("return ", ""),
            ("a = ", ""),
            ("S {} = ", ""),
            ("|x| ", ""),
        ] {
            assert!(parse(&nested(open, close, 100_000)).is_none(), "{open}");
            assert!(parse(&nested(open, close, 3)).is_some() && tokens(&nested(open, close, 3)).is_some(), "{open}");
        }
        assert!(tokens(&nested("{", "}", 100_000)).is_none() && tokens("(").is_none());
        for open in ["break ", "-"] {
            assert!(parse(&nested(open, "", 260)).is_none() && parse(&nested(open, "", 250)).is_some(), "{open}");
        }
        let types = |times| format!("type A = {}u8{};", "A<".repeat(times), ">".repeat(times));
        assert!(parse(&types(222)).is_none() && parse(&types(40)).is_some());
    }

    #[test]
    fn what_is_only_long_is_read() {
        let function = "/// A function.\n#[pyfunction(signature = (a, *, b = -1))]\npub fn f<'a, T: A<B>>(a: &'a T, b: i64) -> PyResult<&'a T> { if a < -b { -1 } else { b = 2; !b } }\n";
        assert_eq!(parse(&function.repeat(1000)).map(|file| file.items.len()), Some(1000));
        for (open, close) in
            [("1 + ", ""), ("a(x) * -1.5 + ", ""), ("", ".clone()?"), ("if a == 1 { 2 } else ", "; {}")]
        {
            let close = if close.starts_with('.') { close.repeat(1000) } else { close.into() };
            let text = format!("fn f() {{ {}{{ 1 }}{close} }}", open.repeat(1000));
            assert!(parse(&text).is_some(), "{open:.9}{close:.9}");
        }
        assert!(parse(&format!("const A: [i64; 10_000] = [{}];", "-1, ".repeat(10_000))).is_some());
        assert!(
            parse("#!/usr/bin/env it's\nfn f() {}").is_some() && parse("\u{feff}#![allow(x)]\nfn f() {}").is_some()
        );
    }
}
