//! Functions and methods of numbers, strings and arrays, called as fast as C functions are.
//!
//! What PyO3 does for a call is as much work again as the call itself: it unpacks arguments by a table, counts
//! attachments to Python and converts whatever can be converted. Where a kernel's module is generated and a function
//! takes and gives what is known here, a C function is put in front of PyO3's. It takes the arguments if they are all
//! positional and of the very types that need no conversion, and hands everything else on: keywords, subclasses, what
//! is borrowed, and all errors.
//!
//! Nobody counts the attachment then, and PyO3 puts off the release of objects that are dropped. So methods and arrays
//! are left to PyO3 in kernels that may keep objects, and functions that take part in Python's work go to PyO3 now and
//! then, which releases what was put off.

pub mod results;
pub mod arguments;

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, FnArg, GenericParam, Meta, ReceiverKind, Signature};

use crate::kernel::surface::{Method, Shown};
use crate::stage::fastcall::arguments::{Argument, defaults};
use crate::stage::fastcall::results::Given;

/// Attributes that change nothing about how a function is called.
const HARMLESS: [&str; 9] = ["allow", "cfg", "cold", "doc", "expect", "inline", "must_use", "pyfunction", "warn"];
const SUPPORT: &str = include_str!("support.rs");
const ARRAYS: &str = include_str!("arrays.rs");
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
    let arrays = if functions.iter().any(|function| function.text.contains("ITEMS_")) { ARRAYS } else { "" };
    let calls: String = functions.iter().map(|function| function.text.as_str()).collect();
    format!("{ALLOWED} {parts}{arrays}\n{calls}}}{end}")
}

/// A function or method that is put in front of PyO3's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastCall {
    /// Its text.
    pub text: String,
    /// The statement that puts it before PyO3's: `function`, an object, or that of a class `class`.
    pub statement: String,
}

/// What of a kernel matters to all its functions.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// Is there the crate numpy?
    pub has_numpy: bool,
    /// May it keep Python's objects beyond a call?
    pub keeps_objects: bool,
}

/// What of a function or method stands in the kernel.
struct Callable<'a> {
    attributes: &'a [Attribute],
    signature: &'a Signature,
    /// Its path from the root, or that of its class.
    path: &'a str,
    /// Of a method, its name in Python.
    method: Option<&'a str>,
    /// The names in its module that are not those of the language, of PyO3 or of rust-numpy.
    types: &'a HashSet<String>,
}

/// What adds something to the module `m`, if there are fast calls of it, and these. `conditions` are its `cfg`
/// attributes, and `number` is that of its first.
pub fn fast_calls(
    shown: &Shown,
    conditions: &str,
    surroundings: Surroundings,
    number: usize,
) -> (Option<String>, Vec<FastCall>) {
    let Shown { path, function, methods, types, .. } = shown;
    let mut found: Vec<FastCall> = Vec::new();
    let mut puts = String::new();
    if let Some(function) = function {
        let (attributes, signature) = &**function;
        let callable = Callable { attributes, signature, path, method: None, types };
        found.extend(FastCall::of(&callable, conditions, surroundings, number));
    }
    for Method { name, conditions: own, attributes, signature } in methods {
        let own: String = own.iter().map(|condition| format!("#[cfg({condition})] ")).collect();
        let callable = Callable { attributes, signature, path, method: Some(name), types };
        let both = format!("{conditions}{own}");
        let call = FastCall::of(&callable, &both, surroundings, number + found.len());
        puts.extend(call.as_ref().map(|call| format!("{own}{{ {} }} ", call.statement)));
        found.extend(call);
    }
    let module = "::pyo3::types::PyModuleMethods";
    let added = match found.first() {
        None => None,
        Some(call) if function.is_some() => Some(format!(
            "let function = ::pyo3::wrap_pyfunction!(super::{path}, m)?; {} {module}::add_function(m, function)?;",
            call.statement
        )),
        Some(_) => Some(format!(
            "{module}::add_class::<super::{path}>(m)?; \
             let class = <super::{path} as ::pyo3::PyTypeInfo>::type_object_raw(::pyo3::Bound::py(m)); {puts}"
        )),
    };
    (added, found)
}

impl FastCall {
    /// `None` for what has to be left to PyO3 alone.
    fn of(callable: &Callable<'_>, conditions: &str, surroundings: Surroundings, number: usize) -> Option<FastCall> {
        let Callable { attributes, signature, path, method, types } = callable;
        let Surroundings { has_numpy, keeps_objects } = surroundings;
        let is_lifetime =
            |generic: &GenericParam| matches!(generic, GenericParam::Lifetime(of) if of.bounds.is_empty());
        let plain = signature.asyncness.is_none()
            && matches!(signature.safety, syn::Safety::Default)
            && signature.abi.is_none()
            && signature.generics.params.iter().all(is_lifetime)
            && signature.generics.where_clause.is_none();
        if !plain || !attributes.iter().all(is_harmless) {
            return None;
        }
        let defaults = defaults(attributes)?;
        let (receiver, rest) = match (method, signature.inputs.first()) {
            (None, _) => (None, 0),
            (Some(_), Some(FnArg::Receiver(receiver))) => (Some(borrowed(receiver)?), 1),
            (Some(_), _) => return None,
        };
        let mut given = 0;
        let mut arguments = Vec::new();
        for argument in signature.inputs.iter().skip(rest) {
            let argument = Argument::of(argument, given, &defaults, types)?;
            given += usize::from(argument.read.is_some());
            arguments.push(argument);
        }
        // Without arguments there is nothing to unpack.
        if given == 0 && receiver.is_none() {
            return None;
        }
        let is_more =
            receiver.is_some() || arguments.iter().any(|argument| argument.has_items || argument.read.is_none());
        let has_arrays = arguments.iter().any(|argument| argument.has_items);
        if is_more && keeps_objects || has_arrays && !has_numpy {
            return None;
        }
        let result = Given::of(&signature.output, types)?;
        let written = Written { callable, receiver, arguments, result };
        // A name of its own, which a backtrace shows.
        let name = path.replace("::", "_").replace("r#", "");
        let own = match method {
            Some(method) => format!("fastcall_{number}_{name}_{method}"),
            None => format!("fastcall_{number}_{name}"),
        };
        let text = written.text(&own, conditions);
        let definition = match method {
            Some(name) => format!("of_method(class, {name:?})"),
            None => "of_function(&function)".to_owned(),
        };
        let put = format!(
            "fastcall::{definition}, fastcall::FLAGS_{own}, &fastcall::OWN_{own}, fastcall::{own} as *const ()"
        );
        let statement = format!("fastcall::put({put});");
        Some(FastCall { text, statement })
    }
}

/// All that is known of a function when its text is written.
struct Written<'a> {
    callable: &'a Callable<'a>,
    receiver: Option<&'static str>,
    arguments: Vec<Argument>,
    result: Given,
}

impl Written<'_> {
    /// The text of the C function, and of what it remembers. All stand in one module, which rustc compiles as one unit.
    fn text(&self, own: &str, cfg: &str) -> String {
        let given = self.arguments.iter().filter(|argument| argument.read.is_some());
        let reads = given.clone().filter_map(|argument| argument.read.as_ref());
        let reads: String =
            reads.map(|read| format!("{}, ", read.replace("ITEMS_", &format!("ITEMS_{own}_")))).collect();
        let of_items = |(n, argument): (usize, &Argument)| {
            argument.has_items.then(|| format!("{cfg}static ITEMS_{own}_{n}: Items = Items::new(null_mut()); "))
        };
        let mut statics: String = given.clone().enumerate().filter_map(of_items).collect();
        // So that rust-numpy does not come first when PyO3 reads an array.
        let ready =
            if statics.is_empty() { "" } else { "if ARRAY.load(Ordering::Relaxed).is_null() { prepare(py); } " };
        let (all, least) = (given.count(), self.least());
        let (flags, parameters, on) = match all {
            0 => ("METH_NOARGS", "m: *mut PyObject, _: *mut PyObject", format!("hand_on_alone(&OWN_{own}, m)")),
            _ => (
                "METH_FASTCALL | ffi::METH_KEYWORDS",
                "m: *mut PyObject, a: *const *mut PyObject, n: Py_ssize_t, k: *mut PyObject",
                format!("hand_on(&OWN_{own}, m, a, n, k)"),
            ),
        };
        let mut conditions = match all {
            0 => Vec::new(),
            _ if least == all => vec!["k.is_null()".to_owned(), format!("n == {all}")],
            _ => vec!["k.is_null()".to_owned(), format!("n <= {all}"), format!("n >= {least}")],
        };
        if self.arguments.iter().any(|argument| argument.read.is_none()) {
            statics.push_str(&format!("{cfg}static TURN_{own}: Turn = Turn::new(0); "));
            conditions.push(format!("self::is_ours(&TURN_{own})"));
        }
        if all > 0 {
            let patterns: String = (0..all).map(|n| format!("Some(x{n}), ")).collect();
            conditions.push(format!("let ({patterns}) = ({reads})"));
        }
        let body =
            conditions.iter().rev().fold(self.called(), |inner, condition| format!("if {condition} {{ {inner} }}"));
        // SAFETY: (of the text that is written) Python gives as many arguments as it says.
        format!(
            "{statics}{cfg}pub static OWN_{own}: Own = Own::new(null_mut()); \
             {cfg}pub const FLAGS_{own}: c_int = ffi::{flags}; \
             {cfg}pub unsafe extern \"C\" fn {own}({parameters}) -> *mut PyObject {{ unsafe {{ \
             let py = Python::assume_attached(); {body} {ready}self::{on} }} }}\n"
        )
    }

    /// So many arguments have to be given: all up to the last one without a default.
    fn least(&self) -> usize {
        let given = self.arguments.iter().filter(|argument| argument.read.is_some()).enumerate();
        given.filter(|(_, argument)| !argument.has_default).last().map_or(0, |(at, _)| at + 1)
    }

    /// The call itself, of arguments that were read. It returns, unless what it is called on is borrowed otherwise.
    fn called(&self) -> String {
        let Callable { signature, path, .. } = self.callable;
        let Given { object, is_result } = &self.result;
        let values: String = self.arguments.iter().map(|argument| format!("{}, ", argument.value)).collect();
        // The conversion of an error may be the user's, and may panic.
        let converted = if *is_result { ".map_err(::std::convert::Into::<::pyo3::PyErr>::into)" } else { "" };
        let object = match is_result {
            true => format!("match x {{ Ok(x) => {object}, Err(error) => self::failed(error) }}"),
            false => object.clone(),
        };
        let (called, found, missed) = match self.receiver {
            None => (format!("super::super::{path}({values}){converted}"), "x", ""),
            Some(borrowed) => {
                let class = format!("super::super::{path}");
                let mutable = if borrowed == "exclusive" { "mut " } else { "" };
                let called = format!("<{class}>::{}(&{mutable}slf, {values}){converted}", signature.ident);
                let held = format!("self::{borrowed}::<{class}>(&Borrowed::from_ptr(py, m))");
                (format!("{held}.map(|{mutable}slf| {called})"), "Some(x)", "Ok(None) => {} ")
            }
        };
        format!(
            "match catch_unwind(AssertUnwindSafe(|| {called})) {{ \
             Ok({found}) => return {object}, {missed}Err(payload) => return self::panicked(payload) }}"
        )
    }
}

/// By which function of the support a receiver is borrowed.
fn borrowed(receiver: &syn::Receiver) -> Option<&'static str> {
    match &receiver.kind {
        ReceiverKind::Reference(_, None, mutability) if receiver.attrs.is_empty() => {
            Some(if mutability.is_some() { "exclusive" } else { "shared" })
        }
        _ => None,
    }
}

fn is_harmless(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    match (&attribute.meta, last.as_str()) {
        // A function that warns has to do so.
        (Meta::List(list), "pyfunction" | "pyo3") => !warns(list.tokens.clone()),
        (_, name) => HARMLESS.contains(&name),
    }
}

fn warns(tokens: TokenStream) -> bool {
    tokens
        .into_iter()
        .any(|token| matches!(token, TokenTree::Ident(ident) if ident == "warn" || ident == "pass_module"))
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
            let path = item.sig.ident.to_string();
            let callable =
                Callable { attributes: &item.attrs, signature: &item.sig, path: &path, method: None, types: &types };
            let surroundings = Surroundings { has_numpy: true, keeps_objects: false };
            let found = FastCall::of(&callable, "", surroundings, 0);
            assert_eq!(found.is_some(), fast, "{text}");
            if let Some(found) = found {
                syn::parse_file(&support(&[found])).unwrap();
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
        check("#[pyfunction] fn f(py: Python<'_>, n: u64) {}", true);
        check("#[pyfunction] fn f(py: Python<'_>) {}", false);
        check("#[pyfunction] fn f(n: Option<u64>) -> Option<f64> { None }", true);
        check(
            "#[pyfunction] #[pyo3(signature = (n, x = -0.5, y = None))] fn f(n: u32, x: f32, y: Option<f32>) {}",
            true,
        );
        check("#[pyfunction] #[pyo3(signature = (*n))] fn f(n: Vec<u64>) {}", false);
        check("#[pyfunction] fn f(a: PyReadonlyArray1<'_, f64>, mut b: numpy::PyReadwriteArrayDyn<'_, bool>) {}", true);
        check("#[pyfunction] fn f<'py>(a: PyReadonlyArray<'py, f32, Ix1>) -> Bound<'py, PyAny> { a.py() }", true);
        check("#[pyfunction] fn f<'py, T: 'py>(a: PyReadonlyArray1<'py, f32>) {}", false);
        check("#[pyfunction] fn f(a: &Bound<'_, PyArray2<Complex64>>, b: Bound<'_, PyArray1<u8>>) {}", true);
        check("#[pyfunction] fn f(a: PyReadonlyArray1<'_, Py<PyAny>>) {}", false);
        check("#[pyfunction] fn f(a: PyReadonlyArray1<'_, i8>) {}", false);
        check("#[pyfunction] fn f(a: Option<PyReadonlyArray1<'_, f64>>) {}", false);
        check("#[pyfunction] fn f(a: PyArrayLike1<'_, f64>) {}", false);
        check("#[pyfunction] fn f(a: &Bound<'_, PyAny>) {}", false);
        check("#[pyfunction] fn f(#[pyo3(from_py_with = g)] n: u64) {}", false);
        check("#[pyfunction] fn f(n: u8) -> Vec<f64> { vec![] }", false);
        check("#[pyfunction] fn f(n: u8) -> Result<f64, E> { Ok(1.0) }", false);
        check("#[pyfunction] fn f(n: u8) -> PyResult<String> { Ok(String::new()) }", true);
        check("#[pyfunction] fn f(n: u8) -> PyResult<(u8, u8)> { Ok(x) }", false);
        check("#[pyfunction] async fn f(n: u8) {}", false);
        check("#[pyfunction] unsafe fn f(n: u8) {}", false);
        check("#[pyfunction] fn f(n: i8) {}", false);
    }
}
