//! PyO3's stumbling stones: how it wants things, and how they were called in its older versions.

use crate::rustc::paste;
use crate::rustc::pyo3_attributes::{FUNCTION, SIGNATURE, attribute, base_class, option, quoted, receiver};
use crate::rustc::pyo3_types::{argument, error, native_type, result};
use crate::rustc::symptom::In::{Message, Text};
use crate::rustc::symptom::Row;
use crate::rustc::symptom::Say::{Of, Words};
use crate::rustc::symptom::{Case, places};
use crate::similar::similar;

const PYMODULE: &str =
    "since PyO3 0.21 a module comes as `m: &Bound<'_, PyModule>`: fn NAME(m: &Bound<'_, PyModule>) -> PyResult<()>";
const INTO: &str = "since PyO3 0.23 `IntoPyObject` does what `IntoPy` and `ToPyObject` did: `x.into_pyobject(py)?` converts, #[derive(IntoPyObject)] implements it";

const OWNS: &str = "an object of Python owns what it holds: `String` in place of `&str`, `Vec<T>` in place of `&[T]`, `Py<T>` in place of `Bound<'py, T>`";

/// Symptom and hint, the more telling ones first.
pub const TABLE: &[Row] = &[
    // PyO3's stumbling stones.
    (Message, "`&PyModule: From<", Words(PYMODULE)),
    (Message, "found for reference `&PyModule`", Words(PYMODULE)),
    (Message, "pyclass `{}` cannot be subclassed", Of(subclassed)),
    (Message, "`{}` cannot be used as the return value for `#[new]`", Of(base_class)),
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
    (
        Text,
        "expected `PyErr`, found",
        Words("make an exception of it: `Err(pyo3::exceptions::PyValueError::new_err(\"what is wrong\"))`"),
    ),
    (Message, "missing lifetime specifier", Of(lifetime)),
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
    (Message, "#[pyclass] cannot have lifetime parameters", Words(OWNS)),
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
    (
        Message,
        "duplicate definitions with name `__pymethod___new__",
        Words("a class has one #[new]; let further ones be a #[staticmethod] that returns `Self`"),
    ),
    (
        Message,
        "`<{} as PyClass>::Frozen == False`",
        Words(
            "a frozen class is never changed: leave `frozen` away, or take `&self` and keep what changes in a `Mutex` or an atomic",
        ),
    ),
    (Message, "size for values of type `str`", Words("return what is owned: `String` in place of `str`")),
    (Message, "size for values of type `[{}]`", Words("return what is owned: `Vec<@>` in place of `[@]`")),
    (
        Message,
        "bound `&{}: IntoPyCallbackOutput<",
        Words(
            "an object that returns itself is handed on: fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> { slf }",
        ),
    ),
    (
        Message,
        "IntoPyCallbackOutput<",
        Words(
            "Python asks for one type here: `__len__` returns a `usize`, `__bool__` and `__contains__` a `bool`, `__hash__` a `u64`",
        ),
    ),
    (
        Message,
        "is not supported in `trait`s or `impl`s",
        Words(
            "write #[pymethods] above the `impl`, and no #[pyfunction] in it: a function without `self` is a #[staticmethod]",
        ),
    ),
    (Message, "expected identifier", Of(quoted)),
    (Message, "expected string literal", Of(quoted)),
    (Message, "unexpected receiver", Of(receiver)),
    (Message, "static method needs #[staticmethod]", Of(without_self)),
    (Message, ": From<&Bound<{}>>` is not satisfied", Of(without_self)),
    (Message, "#[pyclass] only supports structs and enums", Words("#[pyfunction] is for functions")),
    (Message, "expected `fn`", Of(class_attribute)),
    (Text, "found `Option<_>`", Of(none)),
    (Message, "mismatched types", Of(constructor)),
    (Text, "{} between threads safely", Of(threads)),
    (Message, "bound `{}: PyClass` is not satisfied", Words("write #[pyclass] above `struct @`")),
    (Text, "`wrapped_pyfunction` in", Of(unexposed)),
    (Message, "unresolved import `{}`", Of(wrapped)),
    (Message, "the `?` operator can only be applied", Of(wrapped_alone)),
    (Message, "the `?` operator can only be used", Of(question)),
    (Message, "could not find `{}` in `pyo3`", Of(module)),
    (Message, "unresolved import `pyo3::{}`", Of(module)),
    (Message, "parameter defaults are not supported", Words(SIGNATURE)),
    (Message, "cannot find attribute `args`", Words(SIGNATURE)),
    (Message, "expected one of: `", Of(option)),
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
    (Message, "cannot index into a value of type `{}`", Of(item)),
    (Message, "no method named `{}` found for {} `{}` in", Of(method)),
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
        "`Bound<{}>` is not an iterator",
        Words(
            "`for x in a.try_iter()? { let x: f64 = x?.extract()?; }` walks through any iterable; a `Vec<f64>` argument takes a list",
        ),
    ),
    (Message, "expected function, found `Bound<", Of(call)),
    (
        Text,
        "expected struct `Py<PyAny>`",
        Words("return the value itself: PyO3 makes an object of an `f64`, a `String`, a `Vec` or a tuple"),
    ),
];

/// `#[pyfunction]` above a type.
fn class_attribute(case: &Case<'_>) -> Option<String> {
    let is_type = ["struct ", "enum "].iter().any(|word| case.line.contains(word));
    is_type.then(|| "#[pyclass] is for structs and enums".to_owned())
}

/// A class that is based on something that cannot be a base.
fn subclassed(case: &Case<'_>) -> Option<String> {
    let name = case.found[0];
    if case.source.text.contains(&format!("struct {name}")) {
        return Some(format!("write #[pyclass(subclass)] above `{name}`"));
    }
    Some(format!(
        "of Python's own types PyO3 takes exceptions, `PyDict`, `PySet` and some more for a base: keep a `Py<{name}>` in a field"
    ))
}

/// An object of Python that is called as Rust calls functions.
fn call(case: &Case<'_>) -> Option<String> {
    let label = case.text.split_once("` has type `").and_then(|(before, _)| before.rsplit('`').next());
    let name = label.unwrap_or("f");
    Some(format!("`{name}.call1((x,))?.extract::<f64>()?` calls it, in a function that returns a `PyResult`"))
}

/// A default of None for what cannot be None.
fn none(case: &Case<'_>) -> Option<String> {
    let kind = places("expected `{}`, found `Option<_>`", case.text)?[0];
    let has_default = case.source.text.contains("=None") || case.source.text.contains("= None");
    has_default.then(|| format!("what may be None is an `Option<{kind}>`"))
}

/// Python's own name for a constructor.
fn constructor(case: &Case<'_>) -> Option<String> {
    case.line.contains("fn __new__").then(|| FUNCTION.to_owned())
}

/// A function in #[pymethods] that takes no `self`: a constructor without its attribute, or a slip.
fn without_self(case: &Case<'_>) -> Option<String> {
    if case.text.contains("PyType>") {
        return Some("a #[classmethod] takes the class first: fn NAME(_cls: &Bound<'_, PyType>), with `use pyo3::types::PyType;`".to_owned());
    }
    let at = case.source.text.lines().position(|line| line == case.line)?;
    let (before, declared) = case.line.split_once("fn ").or_else(|| {
        // The place may be that of the attribute.
        case.source.text.lines().nth(at + 1)?.split_once("fn ")
    })?;
    if case.text.contains(": From<&Bound<") && declared.contains("self") {
        return None;
    }
    let name = declared.split(['(', '<']).next()?;
    let returned = declared.split_once("->").map_or("", |(_, returned)| returned.split('{').next().unwrap_or_default());
    let class = case.source.text.lines().take(at).filter_map(|line| line.trim_start().strip_prefix("impl ")).last();
    let class = class.and_then(|class| class.split([' ', '{', '<']).next()).unwrap_or("Self");
    let is_made =
        returned.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "Self" || word == class);
    if is_made {
        return Some(
            format!("write #[new] above `{before}fn {name}`, which makes it the constructor, or #[staticmethod]")
                .replace("`    fn", "`fn"),
        );
    }
    Some(format!(
        "`{name}` needs the object it belongs to: `&self` as its first argument, or `&mut self` to change it; without an object it is a #[staticmethod]"
    ))
}

/// `?` in a function that returns no `Result`.
fn question(case: &Case<'_>) -> Option<String> {
    let (_, returned) = case.text.split_once("in a function that returns `")?;
    // The headline says the same of all; the label names the type.
    let returned = returned.rsplit("in a function that returns `").next()?.split('`').next()?;
    let returned = if returned == "Result" { "()" } else { returned };
    Some(format!("let the function return `PyResult<{returned}>`, and its last value be `Ok(...)`"))
}

/// A module of PyO3's that there is not.
fn module(case: &Case<'_>) -> Option<String> {
    const MODULES: [&str; 12] = [
        "buffer",
        "conversion",
        "coroutine",
        "create_exception",
        "exceptions",
        "ffi",
        "marker",
        "prelude",
        "pybacked",
        "pyclass",
        "sync",
        "types",
    ];
    let name = case.found[0].split("::").next()?;
    similar(name, MODULES).map(|meant| format!("did you mean `pyo3::{meant}`?"))
}

/// What of Python's containers is asked for by an index.
fn item(case: &Case<'_>) -> Option<String> {
    let kind = case.found[0];
    let get = "`a.get_item(i)?.extract::<f64>()?` is an item of it; or let the argument be a `Vec<f64>`";
    if kind.contains("PyDict") {
        return Some("`d.get_item(\"key\")?` is `Some(value)` or `None`, and `value.extract::<f64>()?` a number; or let the argument be a `HashMap<String, f64>`".to_owned());
    }
    (kind.contains("Bound<") && ["PyList", "PyTuple", "PyAny"].iter().any(|name| kind.contains(name)))
        .then(|| get.to_owned())
}

/// A method of Rust's containers that Python's have under another name.
fn method(case: &Case<'_>) -> Option<String> {
    let (name, kind) = (case.found[0], *case.found.get(2)?);
    if kind.starts_with("Option<") && case.line.contains("get_item(") {
        return Some(
            "`None` stands for a key that is not there: `d.get_item(key)?.ok_or_else(|| \
             pyo3::exceptions::PyKeyError::new_err(\"no such key\"))?` is the value itself"
                .to_owned(),
        );
    }
    const METHODS: [(&str, &str, &str); 14] = [
        ("PyList", "push", "l.append(x)?"),
        ("PyList", "add", "l.append(x)?"),
        ("PyList", "extend", "for x in values { l.append(x)?; }"),
        ("PyList", "remove", "l.del_item(i)?"),
        ("PyList", "pop", "l.del_item(i)?"),
        ("PyDict", "insert", "d.set_item(key, value)?"),
        ("PyDict", "get", "d.get_item(key)?"),
        ("PyDict", "contains_key", "d.contains(key)?"),
        ("PyDict", "remove", "d.del_item(key)?"),
        ("PySet", "insert", "s.add(x)?"),
        ("PyAny", "push", "a.call_method1(\"append\", (x,))?"),
        ("PyAny", "append", "a.call_method1(\"append\", (x,))?"),
        ("PyAny", "iter", "a.try_iter()?"),
        ("PyAny", "get", "a.get_item(key)?"),
    ];
    let (.., written) =
        METHODS.iter().find(|(of, rust, _)| *rust == name && kind.contains("Bound<") && kind.contains(of))?;
    Some(format!("it is written `{written}`"))
}

/// A reference in a class, or as a result that nothing lends.
fn lifetime(case: &Case<'_>) -> Option<String> {
    if case.line.contains("fn ") {
        if case.line.split_once("->").is_some_and(|(_, returned)| returned.contains("Bound<'_")) {
            return Some("what belongs to Python is returned with its lifetime: fn NAME<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>>".to_owned());
        }
        let owned = "return what is owned: `String` in place of `&str`, `Vec<T>` in place of `&[T]`";
        return case.line.contains("->").then(|| owned.to_owned());
    }
    case.source.text.contains("#[pyclass").then(|| OWNS.to_owned())
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

/// A method that wants the proof that the interpreter is held.
fn token(case: &Case<'_>) -> Option<String> {
    let misses = ["0 arguments were supplied", "argument was supplied", "arguments were supplied"];
    let by = if [case.text, &case.source.text].iter().any(|text| text.contains("Py<")) {
        "; or take `Bound<'_, PyAny>`, whose methods need none"
    } else {
        ""
    };
    misses.iter().any(|words| case.text.contains(words)).then(|| {
        format!("that needs `py`: take `py: Python<'_>` as the first argument of the function and hand it on{by}")
    })
}
