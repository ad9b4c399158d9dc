//! PyO3's stumbling stones: how it wants things, and how they were called in its older versions.

use crate::rustc::paste;
use crate::rustc::pyo3_attributes::{FUNCTION, SIGNATURE, attribute, base_class, option, quoted, receiver};
use crate::rustc::pyo3_types::{argument, error, native_type, result};
use crate::rustc::symptom::Case;
use crate::rustc::symptom::In::{Message, Text};
use crate::rustc::symptom::Row;
use crate::rustc::symptom::Say::{Of, Words};
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
    (Message, "pyclass `{}` cannot be subclassed", Words("write #[pyclass(subclass)] above `@`")),
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
    (Message, "mismatched types", Of(constructor)),
    (Text, "{} between threads safely", Of(threads)),
    (Message, "bound `{}: PyClass` is not satisfied", Words("write #[pyclass] above `struct @`")),
    (Text, "`wrapped_pyfunction` in", Of(unexposed)),
    (Message, "unresolved import `{}`", Of(wrapped)),
    (Message, "the `?` operator can only be applied", Of(wrapped_alone)),
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
    (Message, "expected function, found `Bound<", Words("`f.call1((x,))?.extract::<f64>()?` calls it")),
    (
        Text,
        "expected struct `Py<PyAny>`",
        Words("return the value itself: PyO3 makes an object of an `f64`, a `String`, a `Vec` or a tuple"),
    ),
];

/// Python's own name for a constructor.
fn constructor(case: &Case<'_>) -> Option<String> {
    case.line.contains("fn __new__").then(|| FUNCTION.to_owned())
}

/// A reference in a class, or as a result that nothing lends.
fn lifetime(case: &Case<'_>) -> Option<String> {
    if case.line.contains("fn ") {
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
    misses.iter().any(|words| case.text.contains(words)).then(|| {
        "a `Py<T>` needs `py` for that: take `py: Python<'_>` as the first argument of the function and hand it on; or take \
         `Bound<'_, PyAny>`, whose methods need none"
            .to_owned()
    })
}
