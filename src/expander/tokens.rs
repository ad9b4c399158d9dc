//! Tokens on their way from a compiler and back. Each token and each end of a group has a number, its place; in the
//! answer a token names the place whose span it gets, or is the very token from there.
//!
//! Within the engine a place is a byte: a span is had only by parsing a text, so a text with one byte for each place is.

use std::collections::HashMap;

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// The place of a group with all that is in it.
const WHOLE: u32 = 1 << 31;
/// The place as it is, but seen from the macro.
const LOCATED: u32 = 1 << 30;
/// More than this is not looked at.
const MOST_PLACES: usize = 1 << 22;
/// So deep may groups lie in one another on the way in.
const DEEPEST: usize = 512;

/// What a compiler asks for.
pub struct Question {
    /// Which macro.
    pub kind: u8,
    /// May a class have several blocks of methods?
    pub several: bool,
    /// What stands in the attribute.
    pub attribute: TokenStream,
    /// What stands below it.
    pub item: TokenStream,
    /// Where all that came from.
    pub places: Places,
}

/// The places of a question.
#[derive(Default)]
pub struct Places {
    spans: Vec<Span>,
    /// The token at a place, as text.
    tokens: Vec<Option<(u8, String)>>,
    /// The end of the group that begins at a place.
    ends: HashMap<usize, usize>,
}

impl Question {
    /// Reads a question; nothing where it is none.
    pub fn read(bytes: &[u8]) -> Option<Question> {
        let (&[kind, several], bytes) = bytes.split_first_chunk()?;
        let (count, bytes) = bytes.split_first_chunk()?;
        let count = u32::from_le_bytes(*count) as usize;
        if count > MOST_PLACES {
            return None;
        }
        let text: TokenStream = ";".repeat(count).parse().ok()?;
        let mut places = Places { spans: text.into_iter().map(|token| token.span()).collect(), ..Places::default() };
        let mut reader = Reader { bytes, places: &mut places };
        let attribute = reader.stream(0)?;
        let item = reader.stream(0)?;
        let whole = reader.bytes.is_empty();
        (whole && places.tokens.len() == count).then_some(Question {
            kind,
            several: several != 0,
            attribute,
            item,
            places,
        })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    places: &'a mut Places,
}

impl Reader<'_> {
    fn stream(&mut self, depth: usize) -> Option<TokenStream> {
        let mut tokens = Vec::new();
        loop {
            let (&kind, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            let mut token: TokenTree = match kind {
                b'.' => return Some(tokens.into_iter().collect()),
                b'i' => {
                    let text = self.text()?;
                    let token = ident(&text)?.into();
                    self.places.tokens.push(Some((kind, text)));
                    token
                }
                b'l' => {
                    let text = self.text()?;
                    let token = text.parse::<Literal>().ok()?.into();
                    self.places.tokens.push(Some((kind, text)));
                    token
                }
                b'p' | b'j' => {
                    let (&mark, rest) = self.bytes.split_first()?;
                    self.bytes = rest;
                    self.places.tokens.push(Some((kind, char::from(mark).to_string())));
                    Punct::new(mark.into(), if kind == b'j' { Spacing::Joint } else { Spacing::Alone }).into()
                }
                b'(' | b'{' | b'[' | b'n' if depth < DEEPEST => {
                    let open = self.places.tokens.len();
                    self.places.tokens.push(None);
                    let stream = self.stream(depth + 1)?;
                    let close = self.places.tokens.len();
                    self.places.tokens.push(None);
                    self.places.ends.insert(open, close);
                    let mut group = Group::new(delimiter(kind), stream);
                    let ends = (self.places.spans.get(open)?, self.places.spans.get(close)?);
                    group.set_span(ends.0.join(*ends.1)?);
                    tokens.push(group.into());
                    continue;
                }
                _ => return None,
            };
            token.set_span(*self.places.spans.get(self.places.tokens.len() - 1)?);
            tokens.push(token);
        }
    }

    fn text(&mut self) -> Option<String> {
        let (length, rest) = self.bytes.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.bytes = rest;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    }
}

/// A name. What is none outside of a compiler, as `$crate`, is refused.
fn ident(text: &str) -> Option<Ident> {
    let plain = text.strip_prefix("r#");
    let valid = |text: &str| {
        let mut letters = text.chars();
        letters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
            && letters.all(|letter| letter == '_' || letter.is_alphanumeric())
    };
    match plain {
        Some(raw) => valid(raw).then(|| Ident::new_raw(raw, Span::call_site())),
        None => valid(text).then(|| Ident::new(text, Span::call_site())),
    }
}

fn delimiter(kind: u8) -> Delimiter {
    match kind {
        b'(' => Delimiter::Parenthesis,
        b'{' => Delimiter::Brace,
        b'[' => Delimiter::Bracket,
        _ => Delimiter::None,
    }
}

impl Places {
    /// The answer: what a macro came to.
    pub fn answer(&self, made: TokenStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(made, &mut bytes);
        bytes
    }

    fn put(&self, stream: TokenStream, bytes: &mut Vec<u8>) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let located = self.located(&tokens);
        for (token, located) in tokens.into_iter().zip(located) {
            let mut place = self.place(token.span());
            let (kind, text) = match &token {
                TokenTree::Group(group) => {
                    bytes.push(match group.delimiter() {
                        Delimiter::Parenthesis => b'(',
                        Delimiter::Brace => b'{',
                        Delimiter::Bracket => b'[',
                        Delimiter::None => b'n',
                    });
                    if located && place != 0 {
                        place |= LOCATED;
                    }
                    bytes.extend(place.to_le_bytes());
                    self.put(group.stream(), bytes);
                    continue;
                }
                TokenTree::Ident(ident) => (b'i', ident.to_string()),
                TokenTree::Literal(literal) => (b'l', literal.to_string()),
                TokenTree::Punct(mark) => {
                    (if mark.spacing() == Spacing::Joint { b'j' } else { b'p' }, mark.as_char().to_string())
                }
            };
            let old = (place & WHOLE == 0).then(|| place.checked_sub(1)).flatten();
            if let Some(old) = old
                && self.tokens[old as usize].as_ref().is_some_and(|token| *token == (kind, text.clone()))
            {
                bytes.push(b'=');
                bytes.extend(old.to_le_bytes());
                continue;
            }
            if located && place != 0 {
                place |= LOCATED;
            }
            if text.starts_with("c\"")
                && let TokenTree::Literal(literal) = token
                && let syn::Lit::CStr(literal) = syn::Lit::new(literal)
            {
                bytes.push(b'z');
                bytes.extend(place.to_le_bytes());
                let value = literal.value();
                bytes.extend((value.as_bytes().len() as u32).to_le_bytes());
                bytes.extend(value.as_bytes());
                continue;
            }
            bytes.push(kind);
            bytes.extend(place.to_le_bytes());
            if matches!(kind, b'i' | b'l') {
                bytes.extend((text.len() as u32).to_le_bytes());
            }
            bytes.extend(text.as_bytes());
        }
        bytes.push(b'.');
    }

    /// Which of these tokens PyO3 has given `Span::call_site().located_at(span)`, where a span outside of a compiler is only
    /// a place: what is handed to an argument that takes the interpreter, or all further arguments.
    fn located(&self, tokens: &[TokenTree]) -> Vec<bool> {
        let is = |token: &TokenTree, names: &[&str]| match token {
            TokenTree::Ident(ident) => names.iter().any(|name| ident == name),
            _ => false,
        };
        let mut located: Vec<bool> = tokens.iter().map(|token| is(token, &["py", "__cancel_handle"])).collect();
        let rest = &["_args", "_kwargs"];
        for (at, token) in tokens.iter().enumerate() {
            let place = self.place(token.span());
            // `extract_argument(_args.as_any().as_borrowed(), ...)?`
            let calls = |token: &TokenTree| match token {
                TokenTree::Group(group) => group.stream().into_iter().next().is_some_and(|first| is(&first, rest)),
                _ => false,
            };
            if place == 0 || !(calls(token) || is(token, rest)) {
                continue;
            }
            for (other, located) in tokens.iter().zip(&mut located) {
                *located |= self.place(other.span()) == place;
            }
            located[at] = true;
        }
        located
    }

    /// The number that stands for a span in an answer: 0 for what has no place in the user's code.
    fn place(&self, span: Span) -> u32 {
        // Texts that were parsed on the way have places of their own.
        let is_own = self.spans.first().is_some_and(|first| first.join(span).is_some());
        let range = span.byte_range();
        if !is_own || range.is_empty() {
            return 0;
        }
        let first = range.start as u32 + 1;
        match self.ends.get(&range.start) {
            // A span of more than one token is that of the first one: compilers join spans only if they are unstable.
            Some(_) if range.len() > 1 => first | WHOLE,
            _ => first,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a compiler sends of these tokens.
    pub fn sent(kind: u8, attribute: &str, item: TokenStream) -> Vec<u8> {
        fn put(stream: TokenStream, bytes: &mut Vec<u8>, count: &mut u32) {
            for token in stream {
                *count += 1;
                let (kind, text) = match token {
                    TokenTree::Group(group) => {
                        let kinds = [Delimiter::Parenthesis, Delimiter::Brace, Delimiter::Bracket, Delimiter::None];
                        let at = kinds.iter().position(|kind| *kind == group.delimiter()).unwrap();
                        bytes.push(b"({[n"[at]);
                        put(group.stream(), bytes, count);
                        *count += 1;
                        continue;
                    }
                    TokenTree::Punct(mark) => {
                        let kind = if mark.spacing() == Spacing::Joint { b'j' } else { b'p' };
                        bytes.extend([kind, mark.as_char() as u8]);
                        continue;
                    }
                    TokenTree::Ident(ident) => (b'i', ident.to_string()),
                    TokenTree::Literal(literal) => (b'l', literal.to_string()),
                };
                bytes.push(kind);
                bytes.extend((text.len() as u32).to_le_bytes());
                bytes.extend(text.as_bytes());
            }
            bytes.push(b'.');
        }
        let (mut bytes, mut count) = (Vec::new(), 0);
        put(attribute.parse().unwrap(), &mut bytes, &mut count);
        put(item, &mut bytes, &mut count);
        [&[kind, 0], &count.to_le_bytes()[..], &bytes].concat()
    }

    #[test]
    fn a_token_comes_back_as_the_one_that_was_sent_and_a_new_one_with_a_place_or_none() {
        let question = Question::read(&sent(b'f', "", "a (1.5)".parse().unwrap())).unwrap();
        let answer = question.places.answer(question.item.clone());
        let number = |number: u32| number.to_le_bytes();
        let group = [&[b'('][..], &number(2 | WHOLE), b"=", &number(2), b"."].concat();
        assert_eq!(answer, [&[b'='][..], &number(0), &group, b"."].concat());
        let place = question.item.into_iter().next().unwrap().span();
        let made = [Ident::new("b", place), Ident::new("c", Span::call_site())];
        let answer = question.places.answer(made.into_iter().map(TokenTree::from).collect());
        let new = |name: &[u8], place| [&[b'i'][..], &number(place), &number(1), name].concat();
        assert_eq!(answer, [new(b"b", 1), new(b"c", 0), b".".to_vec()].concat());
        // A text that was parsed on the way has no place in the user's code.
        let parsed: TokenStream = "zzzz d".parse().unwrap();
        let answer = question.places.answer(parsed.into_iter().skip(1).collect());
        assert_eq!(answer, [new(b"d", 0), b".".to_vec()].concat());
    }

    #[test]
    fn groups_that_nobody_sees_are_kept() {
        let group = TokenTree::from(Group::new(Delimiter::None, "1 + 2".parse().unwrap()));
        let question = Question::read(&sent(b'f', "", group.into())).unwrap();
        let first = question.item.into_iter().next();
        assert!(matches!(first, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None));
    }

    #[test]
    fn what_is_no_question_is_refused() {
        let good = sent(b'f', "", "fn f() {}".parse().unwrap());
        assert!(Question::read(&good).is_some());
        for length in 0..good.len() {
            assert!(Question::read(&good[..length]).is_none(), "{length}");
        }
        let more = [&good[..], b"."].concat();
        let many = [&good[..2], &u32::MAX.to_le_bytes(), &good[6..]].concat();
        let deep = [&[b'f', 0][..], &2000_u32.to_le_bytes(), b".", &[b'('; 1000], &[b'.'; 1001]].concat();
        for bad in [more, many, deep] {
            assert!(Question::read(&bad).is_none());
        }
    }
}
