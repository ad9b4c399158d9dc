//! What a fast call makes of a function's result.

use std::collections::HashSet;

use syn::{GenericArgument, PathArguments, ReturnType, Type};

/// Integers with a sign.
pub const SIGNED: [&str; 5] = ["i8", "i16", "i32", "i64", "isize"];
/// Integers without.
pub const UNSIGNED: [&str; 5] = ["u8", "u16", "u32", "u64", "usize"];

/// The expression that makes an object of a result `x`.
#[derive(Debug)]
pub struct Given {
    /// The expression.
    pub object: String,
    /// Is it PyO3's result, and `x` what is in it?
    pub is_result: bool,
}

impl Given {
    /// Of a number, a string, an object, nothing, or one of these as PyO3's result; `None` for the rest.
    pub fn of(output: &ReturnType, types: &HashSet<String>) -> Option<Given> {
        let ReturnType::Type(_, output) = output else { return Some(Given { object: nothing(), is_result: false }) };
        let (inner, is_result) = match inside(output, "PyResult", types) {
            Some(inner) => (inner, true),
            None => (&**output, false),
        };
        Some(Given { object: object(inner, types)?, is_result })
    }
}

fn nothing() -> String {
    "ffi::Py_NewRef(ffi::Py_None())".to_owned()
}

fn object(output: &Type, types: &HashSet<String>) -> Option<String> {
    if let Some(inner) = inside(output, "Option", types) {
        return Some(format!("match x {{ Some(x) => {}, None => {} }}", object(inner, types)?, nothing()));
    }
    match output {
        Type::Tuple(tuple) if tuple.elems.is_empty() => Some(nothing()),
        _ if inside(output, "Bound", types).is_some() || inside(output, "Py", types).is_some() => {
            Some("x.into_ptr()".to_owned())
        }
        output => match name(output, types)?.as_str() {
            "f32" | "f64" => Some("ffi::PyFloat_FromDouble(x as f64)".into()),
            "bool" => Some("ffi::Py_NewRef(if x { ffi::Py_True() } else { ffi::Py_False() })".into()),
            "String" => Some("self::string(&x)".into()),
            int if SIGNED.contains(&int) => Some("ffi::PyLong_FromLongLong(x as i64)".into()),
            int if UNSIGNED.contains(&int) => Some("ffi::PyLong_FromUnsignedLongLong(x as u64)".into()),
            _ => None,
        },
    }
}

/// The one type that another is given, if it has this name, and the name is the language's or PyO3's.
fn inside<'a>(of: &'a Type, wanted: &str, types: &HashSet<String>) -> Option<&'a Type> {
    let Type::Path(path) = of else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == wanted && !types.contains(wanted))?;
    let PathArguments::AngleBracketed(given) = &last.arguments else { return None };
    let mut given = given.args.iter().filter_map(|given| match given {
        GenericArgument::Type(of) => Some(of),
        _ => None,
    });
    given.next().filter(|_| given.next().is_none())
}

/// A type that is a name and no more, and that name the language's.
pub fn name(of: &Type, types: &HashSet<String>) -> Option<String> {
    match of {
        Type::Path(path) if path.qself.is_none() => path.path.get_ident().map(ToString::to_string),
        _ => None,
    }
    .filter(|name| !types.contains(name))
}
