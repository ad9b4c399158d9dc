//! PyO3's macros without what they are made of: a build for rsimport has the engine expand them, which has PyO3's own code
//! for that compiled in. So neither syn nor that code is compiled before PyO3 is. This crate sends the tokens of a macro to
//! the engine and makes tokens of its answer; `src/expander/tokens.rs` has the other end.

use std::ffi::CString;
use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

#[cfg(any(feature = "experimental-async", feature = "experimental-inspect"))]
compile_error!("PyO3's macros cannot be expanded by rsimport with these features");

/// Names the folder of the engine's socket.
const FOLDER: &str = "RSIMPORT_EXPANDER";
/// How a place in the answer is meant: that of a group with all that is in it, or one that sees what the macro's own
/// tokens see.
const WHOLE: u32 = 1 << 31;
const LOCATED: u32 = 1 << 30;

/// The connection to the engine, one for all macros of a crate.
static ENGINE: Mutex<Option<UnixStream>> = Mutex::new(None);

#[proc_macro_attribute]
pub fn pymodule(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(b'm', attribute, item)
}

#[proc_macro_attribute]
pub fn pyclass(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(b'c', attribute, item)
}

#[proc_macro_attribute]
pub fn pymethods(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(b'i', attribute, item)
}

#[proc_macro_attribute]
pub fn pyfunction(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(b'f', attribute, item)
}

#[proc_macro_derive(IntoPyObject, attributes(pyo3))]
pub fn derive_into_py_object(item: TokenStream) -> TokenStream {
    expand(b'o', TokenStream::new(), item)
}

#[proc_macro_derive(IntoPyObjectRef, attributes(pyo3))]
pub fn derive_into_py_object_ref(item: TokenStream) -> TokenStream {
    expand(b'r', TokenStream::new(), item)
}

#[proc_macro_derive(FromPyObject, attributes(pyo3))]
pub fn derive_from_py_object(item: TokenStream) -> TokenStream {
    expand(b'x', TokenStream::new(), item)
}

/// Has the engine expand a macro. By what is said where that fails the engine sees that PyO3's own macros are needed.
fn expand(kind: u8, attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut sent = Sent::default();
    sent.put(attribute);
    sent.put(item);
    let several = u8::from(cfg!(feature = "multiple-pymethods"));
    let mut question = vec![kind, several];
    question.extend((sent.places.len() as u32).to_le_bytes());
    question.append(&mut sent.bytes);
    match ask(&question) {
        Ok(answer) if !answer.is_empty() => {
            let made = || {
                Answer {
                    bytes: &answer,
                    places: &sent.places,
                }
                .stream()
            };
            catch_unwind(AssertUnwindSafe(made))
                .unwrap_or_else(|_| failed("the answer cannot be read"))
        }
        Ok(_) => failed("it was refused"),
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> TokenStream {
    let text = format!("rsimport did not expand PyO3's macro: {why}");
    format!("::core::compile_error! {{ {text:?} }}")
        .parse()
        .expect("this is Rust")
}

/// A question is a length and so many bytes, and so is an answer. An empty answer says no.
fn ask(question: &[u8]) -> Result<Vec<u8>> {
    let mut engine = ENGINE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let stream = match &mut *engine {
        Some(stream) => stream,
        none => none.insert(connect()?),
    };
    stream.write_all(&(question.len() as u32).to_le_bytes())?;
    stream.write_all(question)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn connect() -> Result<UnixStream> {
    let folder =
        std::env::var_os(FOLDER).ok_or_else(|| Error::other(format!("{FOLDER} is not set")))?;
    let folder = File::open(folder)?;
    // The name of a socket may have no more than 107 bytes.
    UnixStream::connect(format!("/proc/self/fd/{}/expander", folder.as_raw_fd()))
}

/// Something in the code of the user's that has a place: a token, or one end of a group.
struct Place {
    span: Span,
    /// Of the beginning of a group the span of all of it.
    whole: Span,
    token: Option<TokenTree>,
}

#[derive(Default)]
struct Sent {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Sent {
    fn put(&mut self, stream: TokenStream) {
        for token in stream {
            match &token {
                TokenTree::Group(group) => {
                    self.bytes.push(match group.delimiter() {
                        Delimiter::Parenthesis => b'(',
                        Delimiter::Brace => b'{',
                        Delimiter::Bracket => b'[',
                        Delimiter::None => b'n',
                    });
                    self.places.push(Place {
                        span: group.span_open(),
                        whole: group.span(),
                        token: None,
                    });
                    self.put(group.stream());
                    self.places.push(Place {
                        span: group.span_close(),
                        whole: group.span_close(),
                        token: None,
                    });
                    continue;
                }
                TokenTree::Ident(ident) => self.text(b'i', &ident.to_string()),
                TokenTree::Literal(literal) => self.text(b'l', &literal.to_string()),
                TokenTree::Punct(mark) => {
                    let kind = if mark.spacing() == Spacing::Joint {
                        b'j'
                    } else {
                        b'p'
                    };
                    self.bytes.extend([kind, mark.as_char() as u8]);
                }
            }
            self.places.push(Place {
                span: token.span(),
                whole: token.span(),
                token: Some(token),
            });
        }
        self.bytes.push(b'.');
    }

    fn text(&mut self, kind: u8, text: &str) {
        self.bytes.push(kind);
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.bytes.extend(text.as_bytes());
    }
}

struct Answer<'a> {
    bytes: &'a [u8],
    places: &'a [Place],
}

impl Answer<'_> {
    fn stream(&mut self) -> TokenStream {
        let mut tokens = Vec::new();
        loop {
            let token: TokenTree = match self.byte() {
                b'.' => return tokens.into_iter().collect(),
                b'=' => {
                    let place = self.number() as usize;
                    self.places[place]
                        .token
                        .clone()
                        .expect("there is a token at this place")
                }
                b'i' => {
                    let (span, text) = (self.span(), self.text());
                    match text.strip_prefix("r#") {
                        Some(raw) => Ident::new_raw(raw, span).into(),
                        None => Ident::new(text, span).into(),
                    }
                }
                b'l' => {
                    let (span, text) = (self.span(), self.text());
                    let mut literal: Literal = text.parse().expect("this is a literal");
                    literal.set_span(span);
                    literal.into()
                }
                // In the text of a crate of an old edition there are none.
                b'z' => {
                    let (span, text) = (self.span(), self.bytes());
                    let mut literal =
                        Literal::c_string(&CString::new(text).expect("this has no zeros"));
                    literal.set_span(span);
                    literal.into()
                }
                kind @ (b'p' | b'j') => {
                    let (span, mark) = (self.span(), self.byte());
                    let spacing = if kind == b'j' {
                        Spacing::Joint
                    } else {
                        Spacing::Alone
                    };
                    let mut mark = Punct::new(mark.into(), spacing);
                    mark.set_span(span);
                    mark.into()
                }
                kind => {
                    let (span, stream) = (self.span(), self.stream());
                    let delimiter = match kind {
                        b'(' => Delimiter::Parenthesis,
                        b'{' => Delimiter::Brace,
                        b'[' => Delimiter::Bracket,
                        _ => Delimiter::None,
                    };
                    let mut group = Group::new(delimiter, stream);
                    group.set_span(span);
                    group.into()
                }
            };
            tokens.push(token);
        }
    }

    fn span(&mut self) -> Span {
        let number = self.number();
        let at = (number & !(WHOLE | LOCATED)) as usize;
        if at == 0 {
            return Span::call_site();
        }
        let place = &self.places[at - 1];
        let span = if number & WHOLE != 0 {
            place.whole
        } else {
            place.span
        };
        if number & LOCATED != 0 {
            Span::call_site().located_at(span)
        } else {
            span
        }
    }

    fn byte(&mut self) -> u8 {
        let (first, rest) = self.bytes.split_first().expect("the answer goes on");
        self.bytes = rest;
        *first
    }

    fn number(&mut self) -> u32 {
        let (number, rest) = self.bytes.split_first_chunk().expect("the answer goes on");
        self.bytes = rest;
        u32::from_le_bytes(*number)
    }

    fn text(&mut self) -> &str {
        std::str::from_utf8(self.bytes()).expect("the engine answers in UTF-8")
    }

    fn bytes(&mut self) -> &[u8] {
        let length = self.number() as usize;
        let (bytes, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        bytes
    }
}
