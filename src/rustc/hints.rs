//! What to do about errors whose cause rustc cannot know: how PyO3 wants it, how it was called in an older PyO3, what
//! another edition allowed, and how Rust says what a user of Python would say otherwise. One table, symptom -> hint.

use crate::error::Diagnostic;
use crate::kernel::source::Source;
use crate::rustc::paste;
use crate::similar::similar;

/// Where a symptom is looked for.
#[derive(Clone, Copy, PartialEq)]
enum In {
    /// In the headline.
    Message,
    /// Anywhere in rustc's text.
    Text,
}

/// What is to be said.
enum Say {
    /// This, with what stands in the place of the first `{}` for `@`.
    Words(&'static str),
    /// What this makes of it.
    Of(fn(&Case<'_>) -> Option<String>),
}

/// An error that shows a symptom.
struct Case<'a> {
    source: &'a Source,
    /// What stands in the places of `{}`.
    found: Vec<&'a str>,
    /// rustc's whole text.
    text: &'a str,
    /// The user's line.
    line: &'a str,
}

use In::{Message, Text};
use Say::{Of, Words};

/// The hint for a kernel with these errors: that of the first row that one of them fits.
pub fn hint(source: &Source, errors: &[&Diagnostic]) -> Option<String> {
    let errors: Vec<(String, String, &str)> = errors
        .iter()
        .map(|error| {
            let line = error.line.filter(|_| error.file.as_deref() == source.path.to_str());
            let line = line.and_then(|line| source.text.lines().nth(line - 1)).unwrap_or_default();
            (without_paths(&error.message), without_paths(&error.rendered()), line)
        })
        .collect();
    TABLE.iter().find_map(|(place, symptom, say)| {
        errors.iter().find_map(|(message, text, line)| {
            let found = places(symptom, if *place == Message { message } else { text })?;
            match say {
                Words(words) => Some(words.replace('@', found.first().unwrap_or(&""))),
                Of(of) => of(&Case { source, found, text, line }),
            }
        })
    })
}

const PYMODULE: &str =
    "since PyO3 0.21 a module comes as `m: &Bound<'_, PyModule>`: fn NAME(m: &Bound<'_, PyModule>) -> PyResult<()>";
const SIGNATURE: &str = "defaults stand below #[pyfunction]: #[pyo3(signature = (a, b=1))]";
const INTO: &str = "since PyO3 0.23 `IntoPyObject` does what `IntoPy` and `ToPyObject` did: `x.into_pyobject(py)?` converts, #[derive(IntoPyObject)] implements it";
const FUNCTION: &str = "#[pymethods] above the `impl` exposes its functions, and #[new] marks the constructor, which takes no `self`: fn new(x: f64) -> Self";

/// Symptom and hint, the more telling ones first. Paths are left out of what rustc says: `PyModule` stands for
/// `pyo3::types::PyModule` too, since its versions differ in that.
const TABLE: &[(In, &str, Say)] = &[
    // PyO3's stumbling stones.
    (Message, "`&PyModule: From<", Words(PYMODULE)),
    (Message, "found for reference `&PyModule`", Words(PYMODULE)),
    (Message, "`{}` cannot be used as a Python function argument", Of(argument)),
    (Message, "bound `for<'a> {}: FromPyObject<", Of(argument)),
    (Message, "bound `{}: FromPyObject<", Of(argument)),
    (
        Message,
        "implementation of `FromPyObject` is not general enough",
        Words("what a container holds has to be owned: `Vec<String>` in place of `Vec<&str>`"),
    ),
    (Message, "`{}` cannot be converted to a Python object", Of(result)),
    (Message, "bound `{}: IntoPyObject<", Of(result)),
    (
        Message,
        "wrap_into_ptr` found for struct `Converter<",
        Words("return what is owned: `String` in place of `str`, `Vec<T>` in place of `[T]`"),
    ),
    (Message, "`PyErr: From<{}>` is not satisfied", Of(error)),
    (Message, "couldn't convert the error to `PyErr`", Of(error)),
    (Text, "`Result<{}, PyErr>`", Of(exception)),
    (
        Text,
        "cannot satisfy `_: PyTypeInfo`",
        Words(
            "name the exception: `PyValueError::new_err(\"what is wrong\")`, with `use pyo3::exceptions::PyValueError;`",
        ),
    ),
    (
        Message,
        "Python functions cannot have generic",
        Words(
            "Python has to be told one type: `Vec<f64>` in place of `Vec<T>`, a function for each type, or `Bound<'_, PyAny>` for any object",
        ),
    ),
    (
        Message,
        "Python functions cannot have `impl Trait` arguments",
        Words(
            "name the type: a list comes as `Vec<f64>`, an iterator as `Bound<'_, PyIterator>`, a function as `Bound<'_, PyAny>`",
        ),
    ),
    (Message, "async functions are only supported with", Of(async_feature)),
    (
        Message,
        "#[pyclass] cannot have lifetime parameters",
        Words(
            "an object of Python owns what it holds: `String` in place of `&str`, `Vec<T>` in place of `&[T]`, `Py<T>` in place of `Bound<'py, T>`",
        ),
    ),
    (
        Message,
        "#[pyclass] cannot have generic parameters",
        Words("write the class for one type: `struct NAME { inner: Generic<f64> }`"),
    ),
    (
        Message,
        "conflicting implementations of trait `PyMethods<{}>`",
        Words("put all methods into one `#[pymethods] impl @`, or give pyo3 the feature \"multiple-pymethods\""),
    ),
    (Message, "'self' cannot be moved out of", Words("take `&self`, or `&mut self` to change the object")),
    (Message, "unexpected receiver", Words(FUNCTION)),
    (Text, "{} between threads safely", Of(threads)),
    (Message, "bound `{}: PyClass` is not satisfied", Words("write #[pyclass] above `struct @`")),
    (Text, "`wrapped_pyfunction` in", Of(unexposed)),
    (Message, "unresolved import `{}`", Of(wrapped)),
    (Message, "the `?` operator can only be applied", Of(wrapped_alone)),
    (Message, "parameter defaults are not supported", Words(SIGNATURE)),
    (Message, "cannot find attribute `args`", Words(SIGNATURE)),
    (Message, "expected one of: `name`, `pass_module`, `signature`", Words(SIGNATURE)),
    (
        Message,
        "cannot find attribute `text_signature`",
        Words("it stands in #[pyo3(...)] now: #[pyo3(text_signature = \"(a, b)\")]"),
    ),
    (
        Message,
        "cannot find attribute `getter`",
        Words("write #[pyo3(get)] above the field; #[getter] is for functions in #[pymethods]"),
    ),
    (
        Message,
        "cannot find attribute `setter`",
        Words("write #[pyo3(set)] above the field; #[setter] is for functions in #[pymethods]"),
    ),
    (
        Message,
        "cannot find attribute `pyproto`",
        Words("#[pymethods] does that since PyO3 0.17: its functions are called `__repr__`, `__len__` and so on"),
    ),
    (Message, "cannot find attribute `{}`", Of(attribute)),
    // Names of older versions of PyO3.
    (Message, "cannot find type `PyObject`", Words("since PyO3 0.28 it is called `Py<PyAny>`")),
    (
        Message,
        "cannot find type `PyCell`",
        Words("since PyO3 0.23 an object comes as `&Bound<'_, T>`, a borrowed one as `PyRef<'_, T>`, or just as `&T`"),
    ),
    (Message, "named `with_gil`", Words("since PyO3 0.26 it is called `Python::attach`")),
    (Message, "named `acquire_gil`", Words("`Python::attach(|py| ...)` does that")),
    (Message, "named `allow_threads`", Words("since PyO3 0.26 it is called `detach`: `py.detach(|| ...)`")),
    (Text, "IntoPy`", Words(INTO)),
    (Text, "`ToPyObject`", Words(INTO)),
    (Message, "`pyo3::ToPyObject", Words(INTO)),
    (Message, "`ToPyObject`", Words(INTO)),
    (Message, "no method named `into_py`", Words(INTO)),
    (Message, "no method named `to_object`", Words(INTO)),
    (Message, "named `{}_bound` found", Words("since PyO3 0.23 it is called `@`, without `_bound`")),
    (Message, "no method named `downcast{}` found", Words("since PyO3 0.27 it is called `cast@`")),
    (Message, "`GILOnceCell`", Words("since PyO3 0.26 it is called `pyo3::sync::PyOnceLock`")),
    (Message, "`GILProtected`", Words("`std::sync::Mutex` does that, or `pyo3::sync::PyOnceLock`")),
    (
        Message,
        "found for reference `&Py{}` in",
        Words("since PyO3 0.21 an object comes as `&Bound<'_, Py@>`, in place of `&Py@`"),
    ),
    (Message, "use of undeclared type `{}`", Of(native_type)),
    (Message, "cannot find type `{}` in", Of(native_type)),
    // Objects of Python in Rust.
    (Text, "py: Python<'", Of(token)),
    (
        Message,
        "found for struct `Py<",
        Words("a `Py<T>` has to be bound first: `x.bind(py)`; a `Bound<'_, PyAny>` argument is bound already"),
    ),
    (
        Message,
        "cannot {} `Py<",
        Words("an object is no number until it is extracted: `x.extract::<f64>(py)?`; or let the argument be an `f64`"),
    ),
    (
        Message,
        "cannot {} `Bound<",
        Words(
            "an object is no number until it is extracted: `x.extract::<f64>()?`; or let the argument be an `f64` or a `Vec<f64>`",
        ),
    ),
    (
        Message,
        "`Bound<{}> is not an iterator",
        Words(
            "`for x in a.try_iter()? { let x: f64 = x?.extract()?; }` walks through any iterable; a `Vec<f64>` argument takes a list",
        ),
    ),
    (Message, "expected function, found `Bound<", Words("`f.call1((x,))?.extract::<f64>()?` calls it")),
    (
        Text,
        "expected struct `Py<PyAny>`",
        Words("return the value itself: PyO3 makes an object of an `f64`, a `String`, a `Vec` or a tuple"),
    ),
    // The older edition.
    (Message, "reserved keyword `gen`", Of(gen_keyword)),
    (Message, "extern blocks must be unsafe", Of(edition)),
    (Message, "unsafe attribute used without unsafe", Of(edition)),
    (Message, "reference to mutable static", Of(edition)),
    (Message, "within an implicitly-borrowing pattern", Of(edition)),
    (Message, "bound `!: {}` is not satisfied", Of(edition)),
    (Message, "call to unsafe function `set_var`", Of(edition)),
    (Message, "call to unsafe function `remove_var`", Of(edition)),
    (Text, "Rust 2024", Of(edition)),
    // Names of older versions of rand.
    (Message, "cannot find function `thread_rng` in crate `rand`", Words("since rand 0.9 it is called `rand::rng()`")),
    (Message, "no method named `gen{}` found", Words("since rand 0.9 it is called `random@`")),
    (Message, "found module `rand::rng`", Words("`rand::rng()` needs rand = \"0.9\" or newer")),
    // Rust for users of Python.
    (Text, "the item is gated behind the `{}` feature", Of(feature)),
    (Text, "imported here, but it is only a trait, without a derive macro", Of(derive_feature)),
    (
        Message,
        "the type `str` cannot be indexed by",
        Words("`s.chars().nth(i)` is a character, `&s[a..b]` a part of bytes a to b"),
    ),
    (Message, "cannot be indexed by `{}`", Of(index)),
    (Message, "cannot {} by `{}`", Of(numbers)),
    (Message, "cannot {} to `{}`", Of(numbers)),
    (Message, "cannot {} from `{}`", Of(numbers)),
    (
        Message,
        "`f64: Ord` is not satisfied",
        Words(
            "floats have no total order: `v.sort_by(f64::total_cmp)`, `v.iter().copied().fold(f64::NEG_INFINITY, f64::max)`",
        ),
    ),
    (Message, "`f64: Eq` is not satisfied", Words("a float cannot be a key: `x.to_bits()` can")),
    (Message, "`f64: Hash` is not satisfied", Words("a float cannot be a key: `x.to_bits()` can")),
    (Message, "`{integer}` cannot be dereferenced", Of(power)),
    (Message, "cannot find function `{}` in this scope", Of(builtin)),
];

/// The modules in front of the names of types are left out: rustc's versions differ in whether they are written.
fn without_paths(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut parts = text.split("::").peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(part) = parts.next() {
        out.push_str(part);
        if let Some(next) = parts.peek() {
            out.push_str("::");
            if next.starts_with(char::is_uppercase) {
                // Back to the beginning of the path, as far as it consists of modules.
                while let Some(before) = out.strip_suffix("::") {
                    let start = before.trim_end_matches(is_word).len();
                    if start == before.len() || before[start..].starts_with(char::is_uppercase) {
                        break;
                    }
                    out.truncate(start);
                }
            }
        }
    }
    out
}

/// What stands in the places of `{}` in a symptom; `None` where a text does not show it.
fn places<'a>(symptom: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = symptom.split("{}");
    let first = parts.next()?;
    let mut rest = &text[text.find(first)? + first.len()..];
    let mut found = Vec::new();
    for part in parts {
        let at = rest.find(part)?;
        // What is quoted stands on one line.
        if rest[..at].contains('\n') {
            return None;
        }
        found.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    Some(found)
}

/// Names of PyO3's types for Python's own objects.
const NATIVE: [&str; 17] = [
    "PyAny",
    "PyBool",
    "PyByteArray",
    "PyBytes",
    "PyCFunction",
    "PyComplex",
    "PyDateTime",
    "PyDict",
    "PyFloat",
    "PyFrozenSet",
    "PyInt",
    "PyIterator",
    "PyList",
    "PyModule",
    "PySet",
    "PyString",
    "PyTuple",
];

fn argument(case: &Case<'_>) -> Option<String> {
    let whole = case.found[0];
    let inner = whole.strip_prefix("Option<").and_then(|inner| inner.strip_suffix('>')).unwrap_or(whole);
    let plain = inner.trim_start_matches('&').trim_start_matches("mut ");
    if let Some(element) = plain.strip_prefix('[').and_then(|rest| rest.split(['[', ']', ';']).next()) {
        let owned = if element == "&str" { "String" } else { element };
        let array = match owned.starts_with(['f', 'i', 'u', 'C']) {
            true => format!(", an array of NumPy by `PyReadonlyArray1<'_, {owned}>` of the crate numpy"),
            false => String::new(),
        };
        let bytes = if owned == "u8" { ", bytes by `&[u8]`" } else { "" };
        return Some(format!("a list is taken by `Vec<{owned}>`{array}{bytes}"));
    }
    if plain == "str" {
        return Some("a text is taken by `&str` or `String`".to_owned());
    }
    if plain.starts_with("fn(") || plain.contains("dyn Fn") || plain.contains("closure") {
        return Some(
            "a function of Python is taken by `f: Bound<'_, PyAny>`; `f.call1((x,))?.extract::<f64>()?` calls it"
                .to_owned(),
        );
    }
    if inner.starts_with('&') && (NATIVE.contains(&plain) || plain.starts_with("PyArray")) {
        return Some(format!("since PyO3 0.21 it is taken by `&Bound<'_, {plain}>`"));
    }
    if inner.starts_with("&mut ") && plain.starts_with("Vec<") {
        let element = &plain[4..plain.len() - 1];
        return Some(format!(
            "a change of it would not reach the list: take `mut a: {plain}` and return it; an array of NumPy is changed in place \
             by `PyReadwriteArray1<'_, {element}>` of the crate numpy"
        ));
    }
    let generic = ["Vec<", "HashMap<", "HashSet<", "BTreeMap<", "String", "i", "u", "f", "bool"];
    if inner.starts_with('&') && generic.iter().any(|start| plain.starts_with(start)) {
        return Some(format!("take it by value: `{plain}`"));
    }
    if is_class(case.source, plain) {
        return Some(format!(
            "take `&{plain}`, or let Python's object be copied: #[pyclass(from_py_object)] and #[derive(Clone)] above it"
        ));
    }
    let own = plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    own.then(|| {
        format!("#[pyclass] above `{plain}` makes a class of it, which is taken by `&{plain}`; #[derive(FromPyObject)] reads it from an object's attributes")
    })
}

fn result(case: &Case<'_>) -> Option<String> {
    let returned = case.found[0];
    let plain = returned.trim_start_matches('&').trim_start_matches("mut ");
    if returned.starts_with('&') && NATIVE.contains(&plain) {
        return Some(format!(
            "since PyO3 0.21 it is returned as `Bound<'py, {plain}>`: fn NAME<'py>(py: Python<'py>) -> Bound<'py, {plain}>"
        ));
    }
    if returned.starts_with("impl ") || returned.contains("closure") || returned.contains("iter::") {
        return Some("return what it yields: `.collect::<Vec<_>>()`, and `-> Vec<f64>`".to_owned());
    }
    if plain.contains("ArrayBase<") || plain.starts_with("Array") {
        return Some("an array of ndarray becomes one of NumPy: `-> Bound<'py, PyArray1<f64>>` and `.into_pyarray(py)`, with `use numpy::{IntoPyArray, PyArray1};`".to_owned());
    }
    let own = plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match is_class(case.source, plain) {
        _ if !own => None,
        true => Some(format!("return `{plain}` itself, not a reference to it")),
        false => Some(format!(
            "write #[pyclass] above `{plain}`, which makes a class of it (#[pyo3(get)] above a field shows it to Python), or \
             #[derive(IntoPyObject)], which makes a dict"
        )),
    }
}

fn error(case: &Case<'_>) -> Option<String> {
    let kind = case.found.first().copied().unwrap_or_default();
    let text = kind.is_empty() || kind.contains("str") || kind == "String" || kind.starts_with("Box<");
    let question = "`.map_err(|e| pyo3::exceptions::PyValueError::new_err(e.to_string()))?`";
    if kind.is_empty() {
        return Some(format!("make an exception of the error: {question}"));
    }
    Some(match text {
        true => "an error has to become an exception: return `PyResult<T>`, and raise by `Err(pyo3::exceptions::PyValueError::new_err(\"what is wrong\"))`; \
                 of another error `.map_err(|e| pyo3::exceptions::PyValueError::new_err(e.to_string()))?` makes one".to_owned(),
        false => format!(
            "write how it becomes an exception: impl From<{kind}> for PyErr {{ fn from(e: {kind}) -> PyErr {{ \
             pyo3::exceptions::PyValueError::new_err(format!(\"{{e:?}}\")) }} }}"
        ),
    })
}

/// A text where an exception is expected, or an exception that is not wrapped.
fn exception(case: &Case<'_>) -> Option<String> {
    let text = case.text.contains("expected `PyErr`") || case.text.contains("expected struct `PyErr`");
    text.then(|| {
        "make an exception of it: `Err(pyo3::exceptions::PyValueError::new_err(\"what is wrong\"))`".to_owned()
    })
}

fn threads(case: &Case<'_>) -> Option<String> {
    let of_python = ["Python<'", "NotSend", "Ungil"].iter().any(|word| case.text.contains(word));
    if of_python {
        return Some("objects of Python stay in their thread: extract numbers and texts before `detach`, before a thread or rayon begins".to_owned());
    }
    let class = case.text.contains("#[pyclass]") || case.source.text.contains("#[pyclass");
    class.then(|| {
        "an object may be used from any thread: `Arc` and `Mutex` in place of `Rc` and `RefCell`; or #[pyclass(unsendable)], \
         which binds it to the thread that made it"
            .to_owned()
    })
}

fn async_feature(case: &Case<'_>) -> Option<String> {
    let entry = ("pyo3".to_owned(), "{ features = [\"experimental-async\"] }".to_owned());
    Some(format!(
        "leave `async` away, since a kernel's function may take its time; or {}",
        paste::dependencies(case.source, &[entry])
    ))
}

/// A function behind `wrap_pyfunction!` that exists but has no `#[pyfunction]`.
fn unexposed(case: &Case<'_>) -> Option<String> {
    let name = wrapped_name(case.line)?;
    case.source.text.contains(&format!("fn {name}")).then(|| format!("write #[pyfunction] above `fn {name}`"))
}

/// A function behind `wrap_pyfunction!` that does not exist.
fn wrapped(case: &Case<'_>) -> Option<String> {
    let name = wrapped_name(case.line)?;
    let last = name.rsplit("::").next()?;
    let functions = case.source.text.lines().filter_map(|line| line.split_once("fn ")?.1.split(['(', '<', ' ']).next());
    let functions: Vec<&str> = functions.collect();
    let modules: Vec<&str> =
        case.source.text.lines().filter_map(|line| line.split_once("mod ")?.1.split([' ', '{', ';']).next()).collect();
    let first = name.split("::").next()?;
    let meant = match name.contains("::") {
        true => {
            similar(first, modules.iter().copied()).map(|meant| format!("module `{first}`; did you mean `{meant}`?"))
        }
        false => None,
    };
    let meant =
        meant.or_else(|| similar(last, functions).map(|meant| format!("function `{last}`; did you mean `{meant}`?")));
    Some(match meant {
        Some(meant) => format!("there is no {meant}"),
        None => format!("there is no function `{name}`: wrap_pyfunction! takes one with #[pyfunction] above it"),
    })
}

fn wrapped_alone(case: &Case<'_>) -> Option<String> {
    let name = wrapped_name(case.line).filter(|_| {
        !case
            .line
            .split("wrap_pyfunction!(")
            .any(|rest| rest.split(')').next().is_some_and(|inside| inside.contains(',')))
    })?;
    Some(format!("give it the module too: wrap_pyfunction!({name}, m)?"))
}

fn wrapped_name(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("wrap_pyfunction!(").or_else(|| line.split_once("wrap_pymodule!("))?;
    Some(rest.split([',', ')']).next()?.trim())
}

fn attribute(case: &Case<'_>) -> Option<String> {
    let known = [
        "pyfunction",
        "pyclass",
        "pymethods",
        "pymodule",
        "pyo3",
        "new",
        "staticmethod",
        "classmethod",
        "classattr",
        "pymodule_export",
        "pymodule_init",
    ];
    let name = case.found[0];
    if known[..4].contains(&name) {
        return Some("`use pyo3::prelude::*;` at the head of the file makes it known".to_owned());
    }
    similar(name, known).map(|meant| format!("did you mean #[{meant}]?"))
}

fn native_type(case: &Case<'_>) -> Option<String> {
    let name = case.found[0];
    let rust = [
        ("int", "i64"),
        ("integer", "i64"),
        ("long", "i64"),
        ("float", "f64"),
        ("double", "f64"),
        ("boolean", "bool"),
        ("string", "String"),
        ("list", "Vec<f64>"),
        ("List", "Vec<f64>"),
        ("array", "Vec<f64>"),
        ("dict", "HashMap<String, f64>"),
        ("Dict", "HashMap<String, f64>"),
        ("map", "HashMap<String, f64>"),
        ("set", "HashSet<i64>"),
        ("tuple", "(f64, f64)"),
        ("bytes", "&[u8]"),
        ("object", "Bound<'_, PyAny>"),
        ("Any", "Bound<'_, PyAny>"),
        ("None", "()"),
    ];
    if let Some((_, meant)) = rust.iter().find(|(python, _)| *python == name) {
        return Some(format!("Python's {name} is `{meant}` in Rust"));
    }
    if NATIVE[1..].contains(&name) {
        return Some(format!("`use pyo3::types::{name};` makes it known"));
    }
    let exception = name.starts_with("Py")
        && ["Error", "Exception", "Warning", "Iteration", "Interrupt"].iter().any(|end| name.ends_with(end));
    exception.then(|| format!("`use pyo3::exceptions::{name};` makes it known"))
}

/// A method that wants the proof that the interpreter is held.
fn token(case: &Case<'_>) -> Option<String> {
    let misses = ["0 arguments were supplied", "argument was supplied", "arguments were supplied"];
    misses.iter().any(|words| case.text.contains(words)).then(|| {
        "a `Py<T>` needs `py` for that: take `py: Python<'_>` as the first argument of the function and hand it on; or take \
         `Bound<'_, PyAny>`, whose methods need none"
            .to_owned()
    })
}

fn gen_keyword(case: &Case<'_>) -> Option<String> {
    let rand = case.source.text.contains("rand");
    let words = if rand { "since rand 0.9 the method is called `random`; or " } else { "call it otherwise; or " };
    older_edition(case, &format!("`gen` is a word of edition 2024: {words}take the older one: "))
}

fn edition(case: &Case<'_>) -> Option<String> {
    older_edition(case, "edition 2024 asks for that, 2021 did not: ")
}

fn older_edition(case: &Case<'_>, words: &str) -> Option<String> {
    if case.source.manifest.is_some() {
        return Some(format!("{words}edition = \"2021\" in the crate's [package]"));
    }
    if case.source.text.contains("edition = \"20") {
        return None;
    }
    Some(format!("{words}{}", paste::into_table(case.source, "package", &["edition = \"2021\"".to_owned()])))
}

/// Something that a crate has only with one of its features.
fn feature(case: &Case<'_>) -> Option<String> {
    let name = case.found[0];
    let place = case.text.split("registry/src/").nth(1)?.split('/').nth(1)?;
    let (package, _) = place.rsplit_once('-')?;
    Some(format!("give {package} the feature: {package} = {{ version = ..., features = [{name:?}] }}"))
}

fn derive_feature(case: &Case<'_>) -> Option<String> {
    case.text.contains("serde").then(|| {
        "the derive macros of serde are a feature: serde = { version = \"1\", features = [\"derive\"] }".to_owned()
    })
}

fn index(case: &Case<'_>) -> Option<String> {
    let kind = case.found[0];
    is_number(kind).then(|| "an index is a `usize`: `v[i as usize]`, or let the argument be a `usize`".to_owned())
}

fn numbers(case: &Case<'_>) -> Option<String> {
    let left = case.found[0].rsplit('`').find(|part| is_number(part))?;
    let right = case.found[1];
    if left == right || !is_number(right) {
        return None;
    }
    if right == "{integer}" {
        return Some("a number that is no integer has a point in it: `2.0`".to_owned());
    }
    let floats = [left, right].iter().any(|kind| kind.starts_with('f') || *kind == "{float}");
    let wanted = if floats { "f64" } else { left };
    Some(format!("Rust mixes no types of numbers: convert one of them, `x as {wanted}`"))
}

fn is_number(kind: &str) -> bool {
    let kind = kind.trim_start_matches('&');
    ["{integer}", "{float}"].contains(&kind)
        || (kind.starts_with(['i', 'u', 'f']) && ["8", "16", "32", "64", "128", "size"].contains(&&kind[1..]))
}

fn power(case: &Case<'_>) -> Option<String> {
    case.line
        .contains("**")
        .then(|| "`x.powi(2)` and `x.powf(0.5)` are powers of floats, `n.pow(2)` of integers".to_owned())
}

/// Functions that Python has built in.
fn builtin(case: &Case<'_>) -> Option<String> {
    let rust = [
        ("abs", "x.abs()"),
        ("all", "v.iter().all(|x| ...)"),
        ("any", "v.iter().any(|x| ...)"),
        ("enumerate", "v.iter().enumerate()"),
        ("exp", "x.exp()"),
        ("float", "n as f64"),
        ("int", "x as i64"),
        ("len", "v.len()"),
        ("log", "x.ln()"),
        ("max", "a.max(b)"),
        ("min", "a.min(b)"),
        ("pow", "x.powf(y)"),
        ("print", "println!(\"{x}\")"),
        ("range", "0..n"),
        ("round", "x.round()"),
        ("sorted", "v.sort_by(f64::total_cmp)"),
        ("sqrt", "x.sqrt()"),
        ("str", "x.to_string()"),
        ("sum", "v.iter().sum::<f64>()"),
        ("zip", "a.iter().zip(&b)"),
    ];
    let (_, written) = rust.iter().find(|(python, _)| *python == case.found[0])?;
    Some(format!("in Rust it is written `{written}`"))
}

/// Is this type a class of the kernel?
fn is_class(source: &Source, name: &str) -> bool {
    let declares = |line: &str| {
        ["struct ", "enum "].iter().any(|word| {
            line.split_once(word).is_some_and(|(_, rest)| rest.split([' ', '{', '(', ';', '<']).next() == Some(name))
        })
    };
    let lines: Vec<&str> = source.text.lines().collect();
    lines.iter().position(|line| declares(line)).is_some_and(|at| {
        lines[at.saturating_sub(4)..=at]
            .iter()
            .rev()
            .skip(usize::from(!lines[at].contains("#[pyclass")))
            .take_while(|line| line.trim_start().starts_with("#[") || line.trim_start().starts_with("//"))
            .any(|line| line.contains("pyclass"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symptom_is_found_with_its_places() {
        assert_eq!(places("bound `{}: FromPyObject<", "the trait bound `P: FromPyObject<'_>` is"), Some(vec!["P"]));
        assert_eq!(places("cannot {} to `{}`", "cannot add `f64` to `i64`"), Some(vec!["add `f64`", "i64"]));
        assert_eq!(places("`{}` x", "`a\nb` x"), None);
    }

    #[test]
    fn paths_are_left_out() {
        for (text, plain) in [
            (
                "`&pyo3::types::PyModule: From<&pyo3::Bound<'_, pyo3::types::PyModule>>`",
                "`&PyModule: From<&Bound<'_, PyModule>>`",
            ),
            ("`std::collections::HashMap<std::string::String, f64>`", "`HashMap<String, f64>`"),
            ("`Vec::<f64>` and my::own", "`Vec::<f64>` and my::own"),
            ("trait `pyo3::impl_::pyclass::PyMethods<P>` for", "trait `PyMethods<P>` for"),
            ("`HashMap::new` and ::std::vec::Vec", "`HashMap::new` and ::Vec"),
            ("Option::Some", "Option::Some"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_paths(text), plain);
        }
    }
}
