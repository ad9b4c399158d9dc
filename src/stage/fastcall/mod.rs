//! Functions of numbers and strings, called as fast as C functions are.
//!
//! What PyO3 does for a call is as much work again as the call itself: it unpacks arguments by a table, counts attachments
//! to Python and converts whatever can be converted. Where a kernel's module is generated and a function takes and gives
//! nothing but numbers and strings, a C function is put in front of PyO3's. It takes the arguments if they are all positional and of
//! the very types that need no conversion, and hands everything else on: keywords, defaults, subclasses, and all errors.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, FnArg, GenericArgument, Meta, PathArguments, ReturnType, Signature, Type};

const SIGNED: [&str; 5] = ["i8", "i16", "i32", "i64", "isize"];
const UNSIGNED: [&str; 5] = ["u8", "u16", "u32", "u64", "usize"];
/// Attributes that change nothing about how a function is called.
const HARMLESS: [&str; 9] = ["allow", "cfg", "cold", "doc", "expect", "inline", "must_use", "pyfunction", "warn"];

const SUPPORT: &str = include_str!("support.rs");
/// What does not hold of the user's code does not hold of this: it is not theirs to change.
const ALLOWED: &str = "#[allow(unsafe_code, unused, unused_qualifications, redundant_imports, nonstandard_style, unreachable_pub, trivial_casts, \
    trivial_numeric_casts, clippy::all, clippy::pedantic)]";

/// What these functions share, in a module of its own: only what they use, since it is compiled with every kernel.
pub fn support(functions: &[FastCall]) -> String {
    let is_used = |part: &&str| {
        let name = part.split_once(" fn ").and_then(|(_, after)| after.split(['(', '<']).next());
        let called = name.map(|name| format!("::{name}"));
        called.is_none_or(|called| functions.iter().any(|f| f.text.contains(&called) || f.statement.contains(&called)))
    };
    let (parts, end) = SUPPORT.rsplit_once('}').unwrap_or((SUPPORT, ""));
    let parts = parts.split("\n\n").filter(is_used).collect::<Vec<_>>().join("\n\n");
    format!("{ALLOWED} {parts}}}{end}")
}

/// A function that is put in front of PyO3's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastCall {
    /// Its text.
    pub text: String,
    /// The statement that adds it to the module `m`.
    pub statement: String,
}

impl FastCall {
    /// `None` for a function that has to be left to PyO3 alone. `path` is its path from the root, `conditions` are its `cfg`
    /// attributes, `types` the names in its module that are not those of the language, and `number` tells it from others.
    pub fn of(
        attributes: &[Attribute],
        signature: &Signature,
        path: &str,
        conditions: &str,
        types: &HashSet<String>,
        number: usize,
    ) -> Option<FastCall> {
        let plain = signature.asyncness.is_none()
            && matches!(signature.safety, syn::Safety::Default)
            && signature.abi.is_none()
            && signature.generics.params.is_empty()
            && signature.generics.where_clause.is_none();
        // Without arguments there is nothing to unpack.
        if !plain || signature.inputs.is_empty() || !attributes.iter().all(is_harmless) {
            return None;
        }
        let reads = signature.inputs.iter().map(|argument| taken(argument, types)).collect::<Option<Vec<_>>>()?;
        let (converted, given) = given(&signature.output, types)?;
        let count = reads.len();
        // A name of its own, which a backtrace shows.
        let own = format!("fastcall_{number}_{}", path.replace("::", "_").replace("r#", ""));
        let each = |of: &dyn Fn(usize, &Read) -> String| {
            reads.iter().enumerate().map(|(n, read)| of(n, read)).collect::<String>()
        };
        let patterns = each(&|n, _| format!("Some(x{n}), "));
        let values = each(&|n, read| format!("x{n}{}, ", read.cast));
        let reads = each(&|n, read| format!("f::{}(*a.add({n})), ", read.by));
        // SAFETY: (of the text that is written) Python gives as many arguments as it says.
        let text = format!(
            "{ALLOWED} {conditions}mod {own} {{ \
             use ::std::prelude::v1::*; use super::fastcall as f; use ::pyo3::ffi::{{self, Py_ssize_t, PyObject}}; \
             pub static OWN: f::Own = f::Own::new(::std::ptr::null_mut()); \
             pub unsafe extern \"C\" fn call(m: *mut PyObject, a: *const *mut PyObject, n: Py_ssize_t, k: *mut PyObject) \
             -> *mut PyObject {{ unsafe {{ \
             if n == {count} && k.is_null() {{ if let ({patterns}) = ({reads}) {{ \
             return match ::std::panic::catch_unwind(|| super::super::{path}({values}){converted}) {{ \
             Ok(x) => {given}, Err(payload) => f::panicked(payload) }}; }} }} \
             f::hand_on(&OWN, m, a, n, k) }} }} }}\n"
        );
        let statement = format!(
            "let function = ::pyo3::wrap_pyfunction!(super::{path}, m)?; fastcall::put(&function, \
             &{own}::OWN, {own}::call); ::pyo3::types::PyModuleMethods::add_function(m, function)?;"
        );
        Some(FastCall { text, statement })
    }
}

/// How an argument is read: by which function of the support, and what is done to its result.
struct Read {
    by: String,
    cast: &'static str,
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

fn taken(argument: &FnArg, types: &HashSet<String>) -> Option<Read> {
    let FnArg::Typed(typed) = argument else { return None };
    if !typed.attrs.is_empty() {
        return None;
    }
    let read = |by: &str, cast| Some(Read { by: by.to_owned(), cast });
    match &*typed.ty {
        Type::Reference(to) if to.lifetime.is_none() && to.mutability.is_none() && name(&to.elem, types)? == "str" => {
            read("text", "")
        }
        Type::Reference(_) => None,
        by_value => match name(by_value, types)?.as_str() {
            "f64" => read("float", ""),
            "f32" => read("float", " as f32"),
            "bool" => read("truth", ""),
            int if SIGNED.contains(&int) || UNSIGNED.contains(&int) => read(&format!("int::<{int}>"), ""),
            _ => None,
        },
    }
}

/// What is done to the result in its function's turn, and the expression that then makes an object of it, `x`: of a
/// number, a string, nothing, or one of these as PyO3's result.
fn given(output: &ReturnType, types: &HashSet<String>) -> Option<(&'static str, String)> {
    let plain = |output| Some(("", plainly_given(output, types)?));
    let ReturnType::Type(_, output) = output else { return plain(None) };
    let Type::Path(path) = &**output else { return plain(Some(output)) };
    match path.path.segments.last() {
        Some(last) if last.ident == "PyResult" && !types.contains("PyResult") => {
            let PathArguments::AngleBracketed(of) = &last.arguments else { return None };
            let (Some(GenericArgument::Type(inner)), 1) = (of.args.first(), of.args.len()) else { return None };
            let given = plainly_given(Some(inner), types)?;
            // The conversion may be the user's, and may panic.
            let converted = ".map_err(::std::convert::Into::<::pyo3::PyErr>::into)";
            Some((converted, format!("match x {{ Ok(x) => {given}, Err(error) => f::failed(error) }}")))
        }
        _ => plain(Some(output)),
    }
}

fn plainly_given(output: Option<&Type>, types: &HashSet<String>) -> Option<String> {
    let nothing = || Some("ffi::Py_NewRef(ffi::Py_None())".to_owned());
    match output {
        None => nothing(),
        Some(Type::Tuple(tuple)) if tuple.elems.is_empty() => nothing(),
        Some(output) => match name(output, types)?.as_str() {
            "f32" | "f64" => Some("ffi::PyFloat_FromDouble(x as f64)".into()),
            "bool" => Some("ffi::Py_NewRef(if x { ffi::Py_True() } else { ffi::Py_False() })".into()),
            "String" => Some("f::string(&x)".into()),
            int if SIGNED.contains(&int) => Some("ffi::PyLong_FromLongLong(x as i64)".into()),
            int if UNSIGNED.contains(&int) => Some("ffi::PyLong_FromUnsignedLongLong(x as u64)".into()),
            _ => None,
        },
    }
}

/// A type that is a name and no more, and that name the language's.
fn name(of: &Type, types: &HashSet<String>) -> Option<String> {
    match of {
        Type::Path(path) if path.qself.is_none() => path.path.get_ident().map(ToString::to_string),
        _ => None,
    }
    .filter(|name| !types.contains(name))
}

#[cfg(test)]
mod tests {
    use syn::ItemFn;

    use super::*;

    #[test]
    fn functions_of_numbers_are_called_fast_and_others_are_left_to_pyo3() {
        let check = |text: &str, fast: bool| {
            let item: ItemFn = syn::parse_str(text).unwrap();
            let types = HashSet::from(["u128".to_owned(), "i8".to_owned()]);
            let found = FastCall::of(&item.attrs, &item.sig, &item.sig.ident.to_string(), "", &types, 0);
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
        check("#[pyfunction] fn f(n: i8) {}", false);
    }
}
