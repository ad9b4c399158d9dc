//! What attributes say, as far as it means the same in both halves of a kernel.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// Attributes of a file that say nothing about the glue.
pub const OF_FILES: [&str; 5] = ["allow", "deny", "doc", "expect", "warn"];
/// Attributes of a function that stay with it and say nothing about how it is called.
pub const OF_FUNCTIONS: [&str; 7] = ["allow", "cold", "deny", "expect", "inline", "must_use", "warn"];
/// What may be said to `#[pyfunction]`.
const OPTIONS: [&str; 4] = ["name", "pass_module", "signature", "text_signature"];

/// What an attribute documents; one that asks a macro what to say documents nothing that is known.
pub fn documentation(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(ExprLit { lit: Lit::Str(said), .. }) = &pair.value else { return None };
    pair.path.is_ident("doc").then(|| said.value().replace("\r\n", "\n"))
}

/// Is it one of these, and nothing that asks a macro what to say?
pub fn is_one_of(attribute: &Attribute, known: &[&str]) -> bool {
    let is_written_out = !matches!(&attribute.meta, Meta::NameValue(_)) || documentation(attribute).is_some();
    is_written_out && attribute.path().get_ident().is_some_and(|name| known.iter().any(|known| name == known))
}

/// Are these options of a function's that mean the same wherever they stand?
pub fn are_known(options: TokenStream) -> bool {
    parts(options).iter().all(|option| match option.as_slice() {
        [] => true,
        [TokenTree::Ident(name)] => name == "pass_module",
        [TokenTree::Ident(name), equals, TokenTree::Group(parameters)] => {
            name == "signature" && is_mark(equals, '=') && parts(parameters.stream()).iter().all(|it| is_parameter(it))
        }
        [TokenTree::Ident(name), equals, TokenTree::Literal(_)] => {
            is_mark(equals, '=') && OPTIONS.iter().any(|known| name == known)
        }
        _ => false,
    })
}

/// `name`, `*`, `/`, `*name`, `**name`, or `name = ` and a value that is written out.
fn is_parameter(tokens: &[TokenTree]) -> bool {
    let value = tokens.iter().position(|token| is_mark(token, '='));
    let (name, value) = tokens.split_at(value.unwrap_or(tokens.len()));
    let is_name = name.iter().all(|token| match token {
        TokenTree::Punct(mark) => ['*', '/'].contains(&mark.as_char()),
        token => matches!(token, TokenTree::Ident(_)),
    });
    is_name && value.iter().skip(1).all(is_written_out)
}

fn is_written_out(token: &TokenTree) -> bool {
    match token {
        TokenTree::Literal(_) => true,
        TokenTree::Punct(mark) => ['-', ','].contains(&mark.as_char()),
        TokenTree::Ident(word) => ["None", "false", "true"].iter().any(|known| word == known),
        TokenTree::Group(group) => {
            group.delimiter() != Delimiter::Brace && group.stream().into_iter().all(|token| is_written_out(&token))
        }
    }
}

/// What stands between commas.
pub fn parts(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.split(|token| is_mark(token, ',')).map(<[TokenTree]>::to_vec).collect()
}

/// Is it this mark?
pub fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == mark)
}
