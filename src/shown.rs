//! Text from outside, as it may be shown. File names, manifests, compilers and build scripts can say anything, and a
//! terminal obeys: it would hide lines, write others, or have its title changed.

use std::borrow::Cow;
use std::path::Path;

/// The text with its control characters written out, except for the ends of lines and tabs.
pub fn plain(text: &str) -> Cow<'_, str> {
    shown(text, |_| 0)
}

/// The same, but colours stay.
pub fn coloured(text: &str) -> Cow<'_, str> {
    shown(text, colour)
}

/// The same as [`plain`] in one line.
pub fn line(text: &str) -> Cow<'_, str> {
    let text = plain(text);
    if text.contains(['\n', '\t']) { text.replace('\n', "\\n").replace('\t', "\\t").into() } else { text }
}

/// The text with the names in this path in one line each; whatever else is in it may have more.
pub fn named<'a>(text: &'a str, path: &Path) -> Cow<'a, str> {
    let names = path.iter().map(|name| name.to_string_lossy()).filter(|name| name.contains(['\n', '\t']));
    names.fold(Cow::Borrowed(text), |text, name| text.replace(&*name, &line(&name)).into())
}

fn shown(text: &str, kept: impl Fn(&str) -> usize) -> Cow<'_, str> {
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let colour = kept(rest);
        let taken = colour.max(next.len_utf8());
        match next {
            _ if colour > 0 || !is_odd(next) => out.push_str(&rest[..taken]),
            '\r' if rest.starts_with("\r\n") => {}
            _ => out.extend(next.escape_unicode()),
        }
        rest = &rest[taken..];
    }
    Cow::Owned(out)
}

/// Is it one that a terminal may obey, or that changes the direction of writing?
fn is_odd(letter: char) -> bool {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || letter.is_control() && letter != '\n' && letter != '\t'
}

/// The length of the code for a colour or a weight that a text begins with.
fn colour(text: &str) -> usize {
    let Some(code) = text.strip_prefix("\u{1b}[") else { return 0 };
    let end = code.bytes().position(|byte| !byte.is_ascii_digit() && byte != b';');
    end.filter(|at| code.as_bytes()[*at] == b'm').map_or(0, |at| "\u{1b}[".len() + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left_but_colours() {
        for (text, expected, kept) in [
            ("a\n\tb é", "a\n\tb é", "a\n\tb é"),
            ("a\r\nb\rc", "a\nb\\u{d}c", "a\nb\\u{d}c"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\\u{1b}[1;31mred\\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("\u{1b}[2J\u{1b}]0;t\u{7}", "\\u{1b}[2J\\u{1b}]0;t\\u{7}", "\\u{1b}[2J\\u{1b}]0;t\\u{7}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("x\u{202e}y", "x\\u{202e}y", "x\\u{202e}y"),
            ("\u{1b}[", "\\u{1b}[", "\\u{1b}["),
        ] {
            assert_eq!((&*plain(text), &*coloured(text)), (expected, kept), "{text:?}");
        }
        assert_eq!(line("a\nb\u{1b}"), "a\\nb\\u{1b}");
    }

    #[test]
    fn a_name_with_lines_in_it_is_told_in_one() {
        let path = Path::new("/p/a\nhint: x/k.rs");
        assert_eq!(named("/p/a\nhint: x/k.rs:1: wrong\n\ntext", path), "/p/a\\nhint: x/k.rs:1: wrong\n\ntext");
    }
}
