//! Types that PyO3 does not take or give as they are written, and those that it does.

use crate::kernel::source::Source;
use crate::rustc::paste;
use crate::rustc::symptom::{Case, places};

/// How a type is written that was meant for an argument.
pub fn argument(case: &Case<'_>) -> Option<String> {
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
    if plain.contains("dyn Iterator") {
        return Some("any iterable is taken by `Bound<'_, PyAny>`, and `for x in a.try_iter()? { let x: f64 = x?.extract()?; }` walks through it; a list by `Vec<f64>`".to_owned());
    }
    if plain.starts_with("fn(") || plain.contains("dyn Fn") || plain.contains("closure") {
        return Some(
            "a function of Python is taken by `f: Bound<'_, PyAny>`; `f.call1((x,))?.extract::<f64>()?` calls it, in a \
             function that returns a `PyResult`"
                .to_owned(),
        );
    }
    if let Some(array) = plain.strip_prefix("PyArray<") {
        let element = array.split([',', '>']).next().unwrap_or_default();
        let dimension = array.split("[usize; ").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or("Dyn");
        return Some(format!("an array of NumPy is taken by `PyReadonlyArray{dimension}<'_, {element}>`"));
    }
    if NATIVE.contains(&plain) {
        if case.line.contains("kwargs") || case.line.contains("args: ") {
            return Some("#[pyo3(signature = (*args, **kwargs))] below #[pyfunction] takes them, as `args: &Bound<'_, PyTuple>` and `kwargs: Option<&Bound<'_, PyDict>>`".to_owned());
        }
        let since = if inner.starts_with('&') { "since PyO3 0.21 " } else { "" };
        return Some(format!("{since}it is taken by `&Bound<'_, {plain}>`"));
    }
    if let Some(hint) = converted(case, plain) {
        return Some(hint);
    }
    let element = plain.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>'));
    if let Some(element) = element.filter(|_| inner.starts_with("&mut ")) {
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
        if case.text.contains("FromPyObjectOwned") {
            return Some(format!(
                "objects in a list are borrowed from Python: `Vec<PyRef<'_, {plain}>>`; or let them be copied: \
                 #[pyclass(from_py_object)] and #[derive(Clone)] above `{plain}`, and `Vec<{plain}>`"
            ));
        }
        return Some(format!(
            "take `&{plain}`, or let Python's object be copied: #[pyclass(from_py_object)] and #[derive(Clone)] above it"
        ));
    }
    if plain == "Path" || plain == "OsStr" {
        return Some(format!(
            "it is taken by value: `std::{}`",
            if plain == "Path" { "path::PathBuf" } else { "ffi::OsString" }
        ));
    }
    is_own(case, plain).then(|| {
        format!("#[pyclass] above `{plain}` makes a class of it, which is taken by `&{plain}`; #[derive(FromPyObject)] reads it from an object's attributes")
    })
}

/// How a type is written that was meant for a result.
pub fn result(case: &Case<'_>) -> Option<String> {
    let returned = case.found[0];
    let plain = returned.trim_start_matches('&').trim_start_matches("mut ");
    if NATIVE.contains(&plain) {
        let since = if returned.starts_with('&') { "since PyO3 0.21 " } else { "" };
        return Some(format!(
            "{since}it is returned as `Bound<'py, {plain}>`: fn NAME<'py>(py: Python<'py>) -> Bound<'py, {plain}>"
        ));
    }
    if returned.contains("dyn Fn") || returned.starts_with("impl Fn") || returned.starts_with("fn(") {
        return Some(
            "Python cannot call a function of Rust's that was made in a call: let a #[pyclass] hold what it needs, with \
             `fn __call__(&self, x: f64) -> f64` in its #[pymethods]"
                .to_owned(),
        );
    }
    if returned.starts_with("impl ") || returned.contains("closure") || returned.contains("iter::") {
        return Some("return what it yields: `.collect::<Vec<_>>()`, and `-> Vec<f64>`".to_owned());
    }
    if plain.contains("ArrayBase<") || plain.starts_with("Array") {
        return Some("an array of ndarray becomes one of NumPy: `-> Bound<'py, PyArray1<f64>>` and `.into_pyarray(py)`, with `use numpy::{IntoPyArray, PyArray1};`".to_owned());
    }
    if let Some(hint) = converted(case, plain) {
        return Some(hint);
    }
    match is_class(case.source, plain) {
        _ if !is_own(case, plain) => None,
        true => Some(format!("return `{plain}` itself, not a reference to it")),
        false => Some(format!(
            "write #[pyclass] above `{plain}`, which makes a class of it (#[pyo3(get)] above a field shows it to Python), or \
             #[derive(IntoPyObject)], which makes a dict"
        )),
    }
}

/// Crates whose types PyO3 converts with a feature of its own: the feature, the crate, the types.
const CONVERTED: [(&str, &str, &[&str]); 14] = [
    ("bigdecimal", "bigdecimal", &["BigDecimal"]),
    ("bytes", "bytes", &["Bytes"]),
    ("chrono", "chrono", &["NaiveDate", "NaiveDateTime", "NaiveTime", "DateTime", "TimeDelta", "FixedOffset", "Utc"]),
    ("chrono-tz", "chrono_tz", &["Tz"]),
    ("either", "either", &["Either"]),
    ("hashbrown", "hashbrown", &["HashMap", "HashSet"]),
    ("indexmap", "indexmap", &["IndexMap"]),
    ("num-bigint", "num_bigint", &["BigInt", "BigUint"]),
    ("num-complex", "num_complex", &["Complex"]),
    ("num-rational", "num_rational", &["Ratio"]),
    ("ordered-float", "ordered_float", &["OrderedFloat", "NotNan"]),
    ("rust_decimal", "rust_decimal", &["Decimal"]),
    ("smallvec", "smallvec", &["SmallVec"]),
    ("uuid", "uuid", &["Uuid", "NonNilUuid"]),
];

/// The feature of PyO3 that converts a type of another crate.
fn converted(case: &Case<'_>, kind: &str) -> Option<String> {
    let name = kind.split('<').next()?;
    let uses = |of: &str| case.source.text.contains(&format!("{of}::"));
    let (feature, ..) = CONVERTED.iter().find(|(_, of, names)| names.contains(&name) && uses(of))?;
    Some(format!("PyO3 converts it with one of its features: {}", paste::feature(case.source, "pyo3", feature)))
}

/// How an error becomes an exception.
pub fn error(case: &Case<'_>) -> Option<String> {
    let kind = case.found.first().copied().unwrap_or_default();
    // `?` names the error's type only in its text.
    let named = || places("the trait `From<{}>` is not implemented for `PyErr`", case.text);
    let kind = if kind.is_empty() { named().map_or(kind, |found| found[0]) } else { kind };
    for (of, name) in [("anyhow", "Error"), ("eyre", "Report")] {
        if kind == name && case.source.text.contains(of) {
            return Some(format!(
                "PyO3 makes an exception of it with one of its features: {}",
                paste::feature(case.source, "pyo3", of)
            ));
        }
    }
    let text = kind.is_empty() || kind.contains("str") || kind == "String" || kind.starts_with("Box<");
    let question = "`.map_err(|e| pyo3::exceptions::PyValueError::new_err(e.to_string()))?`";
    if kind.is_empty() {
        return Some(format!("make an exception of the error: {question}"));
    }
    if !text && !is_own(case, kind) {
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

/// How a type is called that nothing declares: one of Python's, or one that is not imported.
pub fn native_type(case: &Case<'_>) -> Option<String> {
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

/// Is this a type that the kernel declares, in this file or in another that rustc shows?
fn is_own(case: &Case<'_>, name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let declared = |word: &str| {
        let declaration = format!("{word} {name}");
        case.source.text.contains(&declaration) || case.text.contains(&declaration)
    };
    plain && ["struct", "enum"].into_iter().any(declared)
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
