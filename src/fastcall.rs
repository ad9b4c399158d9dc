//! Functions of numbers and strings, called as fast as C functions are.
//!
//! What PyO3 does for a call is as much work again as the call itself: it unpacks arguments by a table, counts attachments
//! to Python and converts whatever can be converted. Where a kernel's module is generated and a function takes and gives
//! nothing but numbers and strings, a C function is put in front of PyO3's. It takes the arguments if they are all positional and of
//! the very types that need no conversion, and hands everything else on: keywords, defaults, subclasses, and all errors.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, FnArg, GenericArgument, ItemFn, Meta, PathArguments, ReturnType, Type};

const SUPPORT: &str = include_str!("fastcall/support.rs");
const FLOATS: [&str; 2] = ["f32", "f64"];
const SIGNED: [&str; 5] = ["i8", "i16", "i32", "i64", "isize"];
const UNSIGNED: [&str; 5] = ["u8", "u16", "u32", "u64", "usize"];
/// Attributes that change nothing about how a function is called.
const HARMLESS: [&str; 9] = ["allow", "cfg", "cold", "doc", "expect", "inline", "must_use", "pyfunction", "warn"];

/// What these functions share, in a module of its own. It is compiled with every kernel, so it has only the numbers that
/// they take or give.
pub fn support(functions: &[FastCall]) -> String {
    let used = |of: &[&str]| -> String {
        let is_used = |name: &&&str| functions.iter().any(|function| function.types.iter().any(|used| used == *name));
        of.iter().filter(is_used).fold(String::new(), |text, name| text + name + " ")
    };
    SUPPORT
        .replace("(FLOATS)", &format!("({})", used(&FLOATS)))
        .replace(": SIGNED)", &format!(": {})", used(&SIGNED)))
        .replace(": UNSIGNED)", &format!(": {})", used(&UNSIGNED)))
}

/// A function that is put in front of PyO3's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastCall {
    /// Its text.
    pub text: String,
    /// The statement that adds it to the module `m`.
    pub statement: String,
    /// The words of its signature, its types among them.
    types: Vec<String>,
}

impl FastCall {
    /// `None` for a function that has to be left to PyO3 alone. `conditions` are its `cfg` attributes.
    pub fn of(item: &ItemFn, conditions: &str) -> Option<FastCall> {
        let signature = &item.sig;
        let plain = signature.asyncness.is_none()
            && matches!(signature.safety, syn::Safety::Default)
            && signature.abi.is_none();
        // Without arguments there is nothing to unpack.
        let simple = plain
            && !signature.inputs.is_empty()
            && signature.generics.params.is_empty()
            && signature.generics.where_clause.is_none();
        if !simple || !item.attrs.iter().all(is_harmless) || !signature.inputs.iter().all(is_taken) {
            return None;
        }
        if let ReturnType::Type(_, given) = &signature.output
            && !is_given(given)
        {
            return None;
        }
        let name = signature.ident.to_string();
        let plain = name.trim_start_matches("r#");
        let count = signature.inputs.len();
        let each = |of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<Vec<_>>().concat();
        let (values, patterns) = (each(&|n| format!("x{n}, ")), each(&|n| format!("Some(x{n}), ")));
        let reads = each(&|n| format!("f::Taken::of(*a.add({n})), "));
        // SAFETY: (of the text that is written) Python gives as many arguments as it says.
        let text = format!(
            "#[allow(unsafe_code, unused, nonstandard_style, clippy::all, clippy::pedantic)] {conditions}\
             mod __rsimport_fastcall_{plain} {{ \
             use super::__rsimport_fastcall as f; use ::pyo3::ffi::{{Py_ssize_t, PyObject}}; \
             pub static OWN: f::Own = f::Own::new(::std::ptr::null_mut()); \
             pub unsafe extern \"C\" fn call(m: *mut PyObject, a: *const *mut PyObject, n: Py_ssize_t, k: *mut PyObject) \
             -> *mut PyObject {{ unsafe {{ \
             if n == {count} && k.is_null() {{ if let ({patterns}) = ({reads}) {{ return f::run(|| super::{name}({values})); }} }} \
             f::hand_on(&OWN, m, a, n, k) }} }} }}\n"
        );
        let statement = format!(
            "let function = ::pyo3::wrap_pyfunction!(self::{name}, m)?; __rsimport_fastcall::put(&function, \
             &__rsimport_fastcall_{plain}::OWN, __rsimport_fastcall_{plain}::call); m.add_function(function)?;"
        );
        let types = words(signature.to_token_stream());
        Some(FastCall { text, statement, types })
    }
}

fn words(tokens: TokenStream) -> Vec<String> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(word) => vec![word.to_string()],
            TokenTree::Group(group) => words(group.stream()),
            _ => vec![],
        })
        .collect()
}

fn is_harmless(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    match (&attribute.meta, last.as_str()) {
        // What is given by name only may not be given by place, and a function that warns has to do so.
        (Meta::List(list), "pyfunction" | "pyo3") => !has_star_or_warning(list.tokens.clone()),
        (_, name) => HARMLESS.contains(&name),
    }
}

fn has_star_or_warning(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Punct(punct) => punct.as_char() == '*',
        TokenTree::Ident(ident) => ident == "warn",
        TokenTree::Group(group) => has_star_or_warning(group.stream()),
        TokenTree::Literal(_) => false,
    })
}

fn is_taken(argument: &FnArg) -> bool {
    let FnArg::Typed(typed) = argument else { return false };
    let is_str = |given: &Type| matches!(given, Type::Path(path) if path.path.is_ident("str"));
    let fits = match &*typed.ty {
        Type::Reference(to) => to.lifetime.is_none() && to.mutability.is_none() && is_str(&to.elem),
        given => is_number(given),
    };
    fits && typed.attrs.is_empty()
}

fn is_number(given: &Type) -> bool {
    let mut names = FLOATS.iter().chain(&SIGNED).chain(&UNSIGNED).chain(&["bool"]);
    matches!(given, Type::Path(path) if path.qself.is_none() && names.any(|name| path.path.is_ident(name)))
}

/// Is it a number, a string, nothing, or one of these as PyO3's result?
fn is_given(given: &Type) -> bool {
    let is_plain = |given: &Type| match given {
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        Type::Path(path) if path.path.is_ident("String") => true,
        given => is_number(given),
    };
    let Type::Path(path) = given else { return is_plain(given) };
    match path.path.segments.last() {
        Some(last) if last.ident == "PyResult" => match &last.arguments {
            PathArguments::AngleBracketed(of) => {
                of.args.len() == 1 && matches!(of.args.first(), Some(GenericArgument::Type(given)) if is_plain(given))
            }
            _ => false,
        },
        _ => is_plain(given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_numbers_are_called_fast_and_others_are_left_to_pyo3() {
        let check = |text: &str, fast: bool| {
            let item: ItemFn = syn::parse_str(text).unwrap();
            let found = FastCall::of(&item, "");
            assert_eq!(found.is_some(), fast, "{text}");
            if let Some(found) = found {
                syn::parse_file(&(support(std::slice::from_ref(&found)) + &found.text)).unwrap();
            }
        };
        check("#[pyfunction] fn f(steps: u64, r: f64, mut x: f64) -> f64 { x }", true);
        check("/// Text.\n#[pyfunction] #[inline] pub fn f(n: u8) {}", true);
        check("#[pyfunction] fn f() {}", false);
        check("#[pyfunction] fn r#fn(i: i64) -> PyResult<i64> { Ok(i) }", true);
        check("#[pyfunction] fn f(yes: bool) -> pyo3::PyResult<()> { Ok(()) }", true);
        check("#[pyfunction] #[pyo3(signature = (n, x = 0.5))] fn f(n: u32, x: f32) -> f32 { x }", true);
        check("#[pyfunction(name = \"g\")] fn f(n: u32) {}", true);
        check("#[pyfunction] #[pyo3(signature = (n, *, x = 0.5))] fn f(n: u32, x: f32) -> f32 { x }", false);
        check("#[pyfunction(signature = (*, n))] fn f(n: u32) {}", false);
        check("#[pyfunction] #[pyo3(warn(message = \"old\"))] fn f(n: u8) {}", false);
        check("#[pyfunction] #[other] fn f(n: u8) {}", false);
        check("#[pyfunction] #[cfg_attr(unix, other)] fn f(n: u8) {}", false);
        check("#[pyfunction] fn f(text: &str, n: usize) -> String { text.into() }", true);
        check("#[pyfunction] fn f(text: &'static str) {}", false);
        check("#[pyfunction] fn f(text: String) {}", false);
        check("#[pyfunction] fn f(bytes: &[u8]) {}", false);
        check("#[pyfunction] fn f(py: Python<'_>, n: u64) {}", false);
        check("#[pyfunction] fn f(n: Option<u64>) {}", false);
        check("#[pyfunction] fn f(#[pyo3(from_py_with = g)] n: u64) {}", false);
        check("#[pyfunction] fn f(n: u8) -> Vec<f64> { vec![] }", false);
        check("#[pyfunction] fn f(n: u8) -> Result<f64, E> { Ok(1.0) }", false);
        check("#[pyfunction] fn f(n: u8) -> PyResult<String> { Ok(String::new()) }", true);
        check("#[pyfunction] fn f(n: u8) -> PyResult<Py<PyAny>> { Ok(x) }", false);
        check("#[pyfunction] async fn f(n: u8) {}", false);
        check("#[pyfunction] unsafe fn f(n: u8) {}", false);
    }
}
