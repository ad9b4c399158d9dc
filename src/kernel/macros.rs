//! Calls of a kernel's own `macro_rules!`, expanded as rustc does it.
//!
//! What a macro makes is part of a kernel, and only the compiler knows all macros. Those that stand in the kernel itself
//! are read here, with the parsers of syn for what a rule takes. Where one is not understood there is no expansion, and
//! never another one.

use std::collections::HashMap;

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};

/// Operators that are one token to a macro.
const OPERATORS: [&str; 25] = [
    "<<=", ">>=", "...", "..=", "::", "->", "=>", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "%=",
    "^=", "&=", "|=", "<<", ">>", "..", "<-",
];

/// The rules of a macro.
#[derive(Debug, Clone)]
pub struct Macro {
    rules: Vec<(Vec<Part>, Vec<Part>)>,
}

/// A part of what a rule takes or makes.
#[derive(Debug, Clone)]
enum Part {
    Token(TokenTree),
    Group(Delimiter, Span, Vec<Part>),
    /// `$name:fragment`, and `$name` with an empty fragment.
    Variable(String, String),
    /// `$( ... ) separator operator`.
    Repeated(Vec<Part>, Vec<TokenTree>, char),
}

/// What a variable stands for, at its depth of repetition.
#[derive(Debug, Clone)]
enum Value {
    One(Vec<TokenTree>),
    Many(Vec<Value>),
}

type Values = HashMap<String, Value>;

impl Macro {
    /// Reads the tokens of a `macro_rules!` definition.
    pub fn of(definition: TokenStream) -> Option<Macro> {
        let tokens: Vec<TokenTree> = definition.into_iter().collect();
        let mut rules = Vec::new();
        let mut rest = tokens.as_slice();
        while let [
            TokenTree::Group(taken),
            TokenTree::Punct(equals),
            TokenTree::Punct(greater),
            TokenTree::Group(made),
            after @ ..,
        ] = rest
        {
            if (equals.as_char(), greater.as_char()) != ('=', '>') {
                return None;
            }
            rules.push((parts(taken.stream(), true)?, parts(made.stream(), false)?));
            rest = match after {
                [TokenTree::Punct(end), after @ ..] if end.as_char() == ';' => after,
                after => after,
            };
        }
        rest.is_empty().then_some(Macro { rules })
    }

    /// What a call with these tokens makes.
    pub fn expand(&self, call: TokenStream) -> Option<TokenStream> {
        let tokens: Vec<TokenTree> = call.into_iter().collect();
        self.rules.iter().find_map(|(taken, made)| {
            let mut rest = tokens.as_slice();
            let values = take(taken, &mut rest)?;
            if !rest.is_empty() {
                return None;
            }
            let mut out = Vec::new();
            make(made, &values, &mut out)?;
            Some(out.into_iter().collect())
        })
    }
}

/// How many tokens these are.
pub fn size(tokens: TokenStream) -> usize {
    let mut left = vec![tokens.into_iter()];
    let mut found = 0;
    while let Some(last) = left.last_mut() {
        match last.next() {
            Some(TokenTree::Group(group)) => left.push(group.stream().into_iter()),
            Some(_) => {}
            None => drop(left.pop()),
        }
        found += 1;
    }
    found
}

fn parts(tokens: TokenStream, is_pattern: bool) -> Option<Vec<Part>> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = Vec::new();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (TokenTree::Punct(dollar), [TokenTree::Group(group), after @ ..])
                if dollar.as_char() == '$' && group.delimiter() == Delimiter::Parenthesis =>
            {
                let inner = parts(group.stream(), is_pattern)?;
                let at = after.iter().take(3).position(|token| operator(token).is_some())?;
                out.push(Part::Repeated(inner, after[..at].to_vec(), operator(&after[at])?));
                rest = &after[at + 1..];
            }
            (TokenTree::Punct(dollar), [TokenTree::Ident(name), after @ ..]) if dollar.as_char() == '$' => {
                rest = after;
                match after {
                    _ if name == "crate" => out.push(Part::Token(name.clone().into())),
                    [TokenTree::Punct(colon), TokenTree::Ident(fragment), after @ ..]
                        if is_pattern && colon.as_char() == ':' =>
                    {
                        out.push(Part::Variable(name.to_string(), fragment.to_string()));
                        rest = after;
                    }
                    _ => out.push(Part::Variable(name.to_string(), String::new())),
                }
            }
            // `${count(...)}` and the like are not stable.
            (TokenTree::Punct(dollar), [TokenTree::Group(_), ..]) if dollar.as_char() == '$' => return None,
            (TokenTree::Group(group), _) => {
                out.push(Part::Group(group.delimiter(), group.span(), parts(group.stream(), is_pattern)?))
            }
            (token, _) => out.push(Part::Token(token.clone())),
        }
    }
    Some(out)
}

fn operator(token: &TokenTree) -> Option<char> {
    match token {
        TokenTree::Punct(mark) if ['*', '+', '?'].contains(&mark.as_char()) => Some(mark.as_char()),
        _ => None,
    }
}

/// Takes what a rule asks for from the front of the tokens.
fn take(parts: &[Part], rest: &mut &[TokenTree]) -> Option<Values> {
    let mut values = Values::new();
    for part in parts {
        match part {
            Part::Token(token) => {
                let (first, after) = rest.split_first()?;
                if !is_same(token, first) {
                    return None;
                }
                *rest = after;
            }
            Part::Group(delimiter, _, inner) => {
                let (TokenTree::Group(group), after) = rest.split_first()? else { return None };
                if group.delimiter() != *delimiter {
                    return None;
                }
                let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut below = tokens.as_slice();
                values.extend(take(inner, &mut below)?);
                if !below.is_empty() {
                    return None;
                }
                *rest = after;
            }
            Part::Variable(name, fragment) => {
                let length = fragment_length(fragment, rest)?;
                let (taken, after) = rest.split_at(length);
                values.insert(name.clone(), Value::One(taken.to_vec()));
                *rest = after;
            }
            Part::Repeated(inner, separator, operator) => {
                values.extend(take_repeated(inner, separator, *operator, rest)?)
            }
        }
    }
    Some(values)
}

fn take_repeated(inner: &[Part], separator: &[TokenTree], operator: char, rest: &mut &[TokenTree]) -> Option<Values> {
    let mut turns: Vec<Values> = Vec::new();
    loop {
        let mut ahead = *rest;
        if !turns.is_empty() {
            let separated = separator.len() <= ahead.len() && separator.iter().zip(ahead).all(|(a, b)| is_same(a, b));
            if !separated {
                break;
            }
            ahead = &ahead[separator.len()..];
        }
        let before = ahead.len();
        let Some(values) = take(inner, &mut ahead) else { break };
        if ahead.len() == before {
            break;
        }
        *rest = ahead;
        turns.push(values);
        if operator == '?' {
            break;
        }
    }
    if operator == '+' && turns.is_empty() {
        return None;
    }
    let mut names = Vec::new();
    variables(inner, &mut names);
    let many = |name: &String| Value::Many(turns.iter().filter_map(|turn| turn.get(name).cloned()).collect());
    Some(names.iter().map(|name| (name.clone(), many(name))).collect())
}

fn variables(parts: &[Part], names: &mut Vec<String>) {
    for part in parts {
        match part {
            Part::Token(_) => {}
            Part::Variable(name, _) => names.push(name.clone()),
            Part::Group(_, _, inner) | Part::Repeated(inner, ..) => variables(inner, names),
        }
    }
}

/// The number of tokens that a fragment takes from the front.
fn fragment_length(fragment: &str, rest: &[TokenTree]) -> Option<usize> {
    let parsed = |parser: fn(ParseStream<'_>) -> syn::Result<()>| {
        let left = |input: ParseStream<'_>| {
            parser(input)?;
            input.parse::<TokenStream>()
        };
        let left = left.parse2(rest.iter().cloned().collect()).ok()?;
        Some(rest.len() - left.into_iter().count())
    };
    match fragment {
        "ident" => matches!(rest.first()?, TokenTree::Ident(name) if name != "_").then_some(1),
        "tt" => Some(tree_length(rest)).filter(|length| *length > 0),
        "ty" => parsed(|input| input.parse::<syn::Type>().map(drop)),
        "expr" | "expr_2021" => parsed(|input| input.parse::<syn::Expr>().map(drop)),
        "literal" => parsed(|input| {
            input.parse::<Option<syn::Token![-]>>()?;
            input.parse::<syn::Lit>().map(drop)
        }),
        "lifetime" => parsed(|input| input.parse::<syn::Lifetime>().map(drop)),
        "path" => parsed(|input| input.parse::<syn::Path>().map(drop)),
        "vis" => parsed(|input| input.parse::<syn::Visibility>().map(drop)),
        "block" => parsed(|input| input.parse::<syn::Block>().map(drop)),
        "item" => parsed(|input| input.parse::<syn::Item>().map(drop)),
        "stmt" => parsed(|input| input.parse::<syn::Stmt>().map(drop)),
        "meta" => parsed(|input| {
            if input.peek(syn::Ident::peek_any) || input.peek(syn::Token![::]) {
                return input.parse::<syn::Meta>().map(drop);
            }
            Err(input.error("a meta item begins with a name"))
        }),
        "pat" => parsed(|input| syn::Pat::parse_multi_with_leading_vert(input).map(drop)),
        "pat_param" => parsed(|input| syn::Pat::parse_single(input).map(drop)),
        _ => None,
    }
}

/// The length of what is one token to a macro: an operator of several marks is, and a lifetime.
fn tree_length(rest: &[TokenTree]) -> usize {
    let marks = rest.iter().map_while(|token| match token {
        TokenTree::Punct(mark) => Some(mark),
        _ => None,
    });
    let marks: Vec<&Punct> = marks.take(3).collect();
    let joined = marks.iter().position(|mark| mark.spacing() == Spacing::Alone).map_or(marks.len(), |at| at + 1);
    let text: String = marks[..joined].iter().map(|mark| mark.as_char()).collect();
    if text.starts_with('\'') {
        return 2.min(rest.len());
    }
    OPERATORS.iter().find(|operator| text.starts_with(**operator)).map_or(1, |found| found.len()).min(rest.len())
}

fn is_same(a: &TokenTree, b: &TokenTree) -> bool {
    match (a, b) {
        (TokenTree::Ident(a), TokenTree::Ident(b)) => a == b,
        (TokenTree::Punct(a), TokenTree::Punct(b)) => a.as_char() == b.as_char(),
        (TokenTree::Literal(a), TokenTree::Literal(b)) => a.to_string() == b.to_string(),
        _ => false,
    }
}

/// Writes what a rule makes; nothing where a variable is used at another depth than it was taken.
fn make(parts: &[Part], values: &Values, out: &mut Vec<TokenTree>) -> Option<()> {
    for part in parts {
        match part {
            Part::Token(token) => out.push(token.clone()),
            Part::Group(delimiter, span, inner) => {
                let mut below = Vec::new();
                make(inner, values, &mut below)?;
                let mut group = Group::new(*delimiter, below.into_iter().collect());
                group.set_span(*span);
                out.push(group.into());
            }
            Part::Variable(name, _) => match values.get(name) {
                Some(Value::One(tokens)) => out.extend(tokens.iter().cloned()),
                Some(Value::Many(_)) => return None,
                // A macro that is defined in what is made has variables of its own.
                None => out.extend([
                    TokenTree::from(Punct::new('$', Spacing::Alone)),
                    Ident::new(name, Span::call_site()).into(),
                ]),
            },
            Part::Repeated(inner, separator, _) => {
                let mut names = Vec::new();
                variables(inner, &mut names);
                let many = |name: &String| match values.get(name) {
                    Some(Value::Many(turns)) => Some((name.clone(), turns)),
                    _ => None,
                };
                let many: Vec<(String, &Vec<Value>)> = names.iter().filter_map(many).collect();
                let turns = many.first()?.1.len();
                if many.iter().any(|(_, values)| values.len() != turns) {
                    return None;
                }
                for turn in 0..turns {
                    let mut own = values.clone();
                    own.extend(many.iter().map(|(name, values)| (name.clone(), values[turn].clone())));
                    if turn > 0 {
                        out.extend(separator.iter().cloned());
                    }
                    make(inner, &own, out)?;
                }
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(definition: &str, call: &str, expected: Option<&str>) {
        let made = Macro::of(definition.parse().unwrap()).and_then(|found| found.expand(call.parse().unwrap()));
        let normal = |tokens: TokenStream| tokens.to_string().replace(' ', "");
        let expected = expected.map(|text| normal(text.parse().unwrap()));
        assert_eq!(made.map(normal), expected, "{definition}\n{call}");
    }

    #[test]
    fn calls_are_expanded_by_the_first_rule_that_fits() {
        check("($a:ident) => { fn $a() {} }", "f", Some("fn f() {}"));
        check("(one) => { a }; ($x:tt) => { b }", "one", Some("a"));
        check("(one) => { a }; ($x:tt) => { b }", "two", Some("b"));
        check("(one) => { a };", "two", None);
        check(
            "($a:ident, $t:ty) => { struct $a { x: $t } }",
            "A, Vec<Option<u8>>",
            Some("struct A { x: Vec<Option<u8>> }"),
        );
        check("($a:ident = $e:expr) => { const $a: u8 = $e; }", "A = 1 + 2", Some("const A: u8 = 1 + 2;"));
        check("($v:vis $a:ident) => { $v struct $a; }", "A", Some("struct A;"));
        check("($v:vis $a:ident) => { $v struct $a; }", "pub(crate) A", Some("pub(crate) struct A;"));
        check("($i:item) => { #[x] $i }", "pub fn f() { 1 }", Some("#[x] pub fn f() { 1 }"));
        check(
            "($(#[$m:meta])* $a:ident) => { $(#[$m])* struct $a; }",
            "#[a] #[b(c)] A",
            Some("#[a] #[b(c)] struct A;"),
        );
        check("($p:path) => { $p }", "a::b<c>", Some("a::b<c>"));
        check("($l:lifetime $b:block $n:literal) => { $n $b $l }", "'a { 1 } -1", Some("-1 { 1 } 'a"));
        check("($x:tt $y:tt) => { $y $x }", "'a =>", Some("=> 'a"));
    }

    #[test]
    fn repetitions_are_taken_and_made() {
        let each = "($($a:ident: $t:ty),* $(,)?) => { $(fn $a() -> $t {})* }";
        check(each, "f: u8, g: Vec<u8>,", Some("fn f() -> u8 {} fn g() -> Vec<u8> {}"));
        check(each, "", Some(""));
        check("($($a:ident)+) => { [$($a),+] }", "", None);
        check("($($a:ident)+) => { [$($a),+] }", "a b", Some("[a, b]"));
        check(
            "($($a:ident($($b:ty),*));*) => { $(enum $a { $(B($b)),* })* }",
            "A(u8, u16); C()",
            Some("enum A { B(u8), B(u16) } enum C {}"),
        );
        check("($n:ident; $($a:ident)*) => { $($n::$a;)* }", "x; a b", Some("x::a; x::b;"));
        check("($(a $x:ident)? b) => { $($x)? }", "a y b", Some("y"));
        check("($(a $x:ident)? b) => { $($x)? }", "b", Some(""));
        check("(@$($rest:tt)*) => { m!($($rest)*); }", "@ x => 1, $crate", Some("m!(x => 1, $crate);"));
    }

    #[test]
    fn what_is_not_understood_has_no_expansion() {
        check("($($a:ident)*) => { $a }", "x", None);
        check("($a:unknown) => { $a }", "x", None);
        check("not rules", "x", None);
    }
}
