//! What a Rust type of a signature is called in Python, as PyO3 converts it.

use syn::{GenericArgument, PathArguments, PathSegment, ReturnType, Type};

/// The last part of a Rust type's path, and the type in Python. `0` and `1` stand for its arguments; lifetimes count for
/// nothing.
const TYPES: [(&str, &str); 59] = [
    ("bool", "bool"),
    ("char", "str"),
    ("str", "str"),
    ("String", "str"),
    ("f32", "float"),
    ("f64", "float"),
    ("i8", "int"),
    ("i16", "int"),
    ("i32", "int"),
    ("i64", "int"),
    ("i128", "int"),
    ("isize", "int"),
    ("u8", "int"),
    ("u16", "int"),
    ("u32", "int"),
    ("u64", "int"),
    ("u128", "int"),
    ("usize", "int"),
    ("BigInt", "int"),
    ("BigUint", "int"),
    ("Complex32", "complex"),
    ("Complex64", "complex"),
    ("Decimal", "Decimal"),
    ("Duration", "timedelta"),
    ("Path", "Path"),
    ("PathBuf", "Path"),
    ("Vec", "list[0]"),
    ("VecDeque", "list[0]"),
    ("HashMap", "dict[0, 1]"),
    ("BTreeMap", "dict[0, 1]"),
    ("IndexMap", "dict[0, 1]"),
    ("HashSet", "set[0]"),
    ("BTreeSet", "set[0]"),
    ("Option", "0 | None"),
    ("Result", "0"),
    ("PyResult", "0"),
    ("Bound", "0"),
    ("Borrowed", "0"),
    ("Py", "0"),
    ("PyRef", "0"),
    ("PyRefMut", "0"),
    ("Box", "0"),
    ("Cow", "0"),
    ("PyBackedStr", "str"),
    ("PyBackedBytes", "bytes"),
    ("PyAny", "object"),
    ("PyBool", "bool"),
    ("PyByteArray", "bytearray"),
    ("PyBytes", "bytes"),
    ("PyComplex", "complex"),
    ("PyDict", "dict"),
    ("PyFloat", "float"),
    ("PyFrozenSet", "frozenset"),
    ("PyInt", "int"),
    ("PyList", "list"),
    ("PySet", "set"),
    ("PyString", "str"),
    ("PyTuple", "tuple"),
    ("PyType", "type"),
];

/// Types of the elements of arrays: the last part of the Rust type's path, and the type in NumPy.
const ELEMENTS: [(&str, &str); 21] = [
    ("bool", "bool_"),
    ("i8", "int8"),
    ("i16", "int16"),
    ("i32", "int32"),
    ("i64", "int64"),
    ("isize", "intp"),
    ("u8", "uint8"),
    ("u16", "uint16"),
    ("u32", "uint32"),
    ("u64", "uint64"),
    ("usize", "uintp"),
    ("f16", "float16"),
    ("f32", "float32"),
    ("f64", "float64"),
    ("Complex32", "complex64"),
    ("Complex64", "complex128"),
    ("Py", "object_"),
    ("PyFixedString", "bytes_"),
    ("PyFixedUnicode", "str_"),
    ("Datetime", "datetime64"),
    ("Timedelta", "timedelta64"),
];

/// A type's name in Python, where it is known. `classes` are those of the kernel: their names in Rust and in Python.
pub fn python_type(ty: &Type, classes: &[(String, String)]) -> Option<String> {
    match ty {
        Type::Paren(inner) => python_type(&inner.elem, classes),
        Type::Group(inner) => python_type(&inner.elem, classes),
        // PyO3 takes a slice of bytes from an object of bytes, and of nothing else a slice.
        Type::Reference(inner) => match &*inner.elem {
            Type::Slice(slice) if is_byte(&slice.elem) => Some("bytes".to_owned()),
            elem => python_type(elem, classes),
        },
        Type::Array(array) => Some(format!("list[{}]", python_type(&array.elem, classes)?)),
        Type::Tuple(tuple) if tuple.elems.is_empty() => Some("None".to_owned()),
        Type::Tuple(tuple) => {
            let parts: Option<Vec<_>> = tuple.elems.iter().map(|part| python_type(part, classes)).collect();
            Some(format!("tuple[{}]", parts?.join(", ")))
        }
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let name = last.ident.to_string();
            if let Some((_, class)) = classes.iter().find(|(rust, _)| *rust == name) {
                return Some(class.clone());
            }
            let types = arguments(last);
            if let Some(array) = array_type(&name, types.first().copied()) {
                return Some(array);
            }
            let (_, pattern) = TYPES.iter().find(|(rust, _)| *rust == name)?;
            // Only the pattern's own figures are places: what is put there may have some too, as `int16`.
            let mut filled = String::new();
            for letter in pattern.chars() {
                match letter.to_digit(2) {
                    Some(place) => filled += &python_type(types.get(place as usize)?, classes)?,
                    None => filled.push(letter),
                }
            }
            Some(filled)
        }
        _ => None,
    }
}

/// What a function gives back, in Python. Bytes come out of a vector of them, though they go in as a list.
pub fn python_result(output: &ReturnType, classes: &[(String, String)]) -> Option<String> {
    match output {
        ReturnType::Default => Some("None".to_owned()),
        ReturnType::Type(_, ty) => Some(python_type(ty, classes)?.replace("list[bytes]", "list[list[int]]")),
    }
}

/// The arguments of a type that are types themselves.
fn arguments(part: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &part.arguments else { return Vec::new() };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

/// An array of the crate numpy: with a number of dimensions, with any, or with one that its type names.
fn array_type(name: &str, element: Option<&Type>) -> Option<String> {
    let kind = name.trim_end_matches("Dyn").trim_end_matches(|last: char| last.is_ascii_digit());
    match kind {
        "PyArray" | "PyReadonlyArray" | "PyReadwriteArray" => {
            let element = element.and_then(element_type).map_or("Any".to_owned(), |name| format!("np.{name}"));
            Some(format!("NDArray[{element}]"))
        }
        "PyUntypedArray" => Some("NDArray[Any]".to_owned()),
        "PyArrayLike" => Some("ArrayLike".to_owned()),
        "PyArrayDescr" => Some("np.dtype[Any]".to_owned()),
        _ => None,
    }
}

fn element_type(ty: &Type) -> Option<&'static str> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let name = last.ident.to_string();
    if name == "Complex" {
        let part = arguments(last).first().copied().and_then(element_type);
        return Some(if part == Some("float32") { "complex64" } else { "complex128" });
    }
    ELEMENTS.iter().find(|(rust, _)| *rust == name).map(|(_, python)| *python)
}

fn is_byte(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("u8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_called_what_python_calls_it() {
        let classes = [("Counter", "Count"), ("Vec2", "Vec2"), ("Row10", "Row10")];
        let classes = classes.map(|(rust, python)| (rust.to_owned(), python.to_owned()));
        let check = |rust: &str, python: Option<&str>| {
            let ty: Type = syn::parse_str(rust).unwrap();
            assert_eq!(python_type(&ty, &classes).as_deref(), python, "{rust}");
        };
        check("f64", Some("float"));
        check("Vec<f64>", Some("list[float]"));
        check("std::collections::HashMap<String, (u8, f32)>", Some("dict[str, tuple[int, float]]"));
        check("PyResult<Option<&str>>", Some("str | None"));
        check("HashMap<Row10, Option<Vec2>>", Some("dict[Row10, Vec2 | None]"));
        check("PyResult<Bound<'py, PyArray1<i16>>>", Some("NDArray[np.int16]"));
        check("(Py<PyArray2<Complex64>>, f64)", Some("tuple[NDArray[np.complex128], float]"));
        check("Result<(), MyError>", Some("None"));
        check("&Bound<'_, PyList>", Some("list"));
        check("Bound<'py, PyAny>", Some("object"));
        check("&[u8]", Some("bytes"));
        check("[f64; 3]", Some("list[float]"));
        check("PyRef<'_, Counter>", Some("Count"));
        check("std::borrow::Cow<'_, str>", Some("str"));
        check("Vec<Mine>", None);
        check("PyReadonlyArray1<'_, f64>", Some("NDArray[np.float64]"));
        check("PyResult<Bound<'py, numpy::PyArray2<i32>>>", Some("NDArray[np.int32]"));
        check("&Bound<'_, PyArrayDyn<Complex<f32>>>", Some("NDArray[np.complex64]"));
        check("PyReadwriteArray<'py, bool, Ix2>", Some("NDArray[np.bool_]"));
        check("Option<Vec<Py<PyArray1<T>>>>", Some("list[NDArray[Any]] | None"));
        check("Bound<'py, PyUntypedArray>", Some("NDArray[Any]"));
        check("PyArrayLike1<'py, f64, AllowTypeChange>", Some("ArrayLike"));
        check("impl Iterator<Item = f64>", None);
    }
}
