//! What `pyo3-macros` does with PyO3's own code: which of its functions makes what of which macro.

use proc_macro2::TokenStream;
use pyo3_macros_backend::{
    PyClassArgs, PyClassMethodsType, PyFunctionOptions, PyModuleOptions, build_derive_from_pyobject,
    build_derive_into_pyobject, build_py_class, build_py_enum, build_py_function, build_py_methods,
    pymodule_function_impl, pymodule_module_impl,
};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::{Error, Item, Result, parse2};

use crate::expander::tokens::Question;
use crate::kernel::syntax::{forget, is_flat};

/// The answer to a question; empty where PyO3's own macros have to be asked.
pub fn answer(bytes: &[u8]) -> Vec<u8> {
    let answer = Question::read(bytes).filter(|question| is_flat(question.item.clone())).and_then(|question| {
        let Question { kind, several, attribute, item, places } = question;
        let made = expanded(kind, several, attribute, item)?;
        Some(places.answer(made.unwrap_or_else(Error::into_compile_error)))
    });
    forget();
    answer.unwrap_or_default()
}

fn expanded(kind: u8, several: bool, attribute: TokenStream, item: TokenStream) -> Option<Result<TokenStream>> {
    let methods = || if several { PyClassMethodsType::Inventory } else { PyClassMethodsType::Specialization };
    Some(match kind {
        b'm' => module(attribute, item),
        b'c' => class(attribute, item, methods()),
        b'i' => block(&attribute, item, methods()),
        b'f' => function(attribute, item),
        b'o' => parse2(item).and_then(|item| build_derive_into_pyobject::<false>(&item)),
        b'r' => parse2(item).and_then(|item| build_derive_into_pyobject::<true>(&item)),
        b'x' => parse2(item).and_then(|item| build_derive_from_pyobject(&item)),
        _ => return None,
    })
}

fn module(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options: PyModuleOptions = parse2(attribute)?;
    let mut item: Item = parse2(item)?;
    let made = match &mut item {
        Item::Mod(module) => match pymodule_module_impl(module, options) {
            Ok(made) => return Ok(made),
            Err(error) => Err(error),
        },
        Item::Fn(function) => pymodule_function_impl(function, options),
        other => Err(Error::new_spanned(other, "#[pymodule] only supports modules and functions.")),
    };
    Ok(both(item, made))
}

fn class(attribute: TokenStream, item: TokenStream, methods: PyClassMethodsType) -> Result<TokenStream> {
    match parse2(item)? {
        Item::Struct(mut class) => {
            let arguments = PyClassArgs::parse_struct_args.parse2(attribute)?;
            let made = build_py_class(&mut class, arguments, methods);
            Ok(both(class, made))
        }
        Item::Enum(mut class) => {
            let arguments = PyClassArgs::parse_enum_args.parse2(attribute)?;
            let made = build_py_enum(&mut class, arguments, methods);
            Ok(both(class, made))
        }
        other => Err(Error::new_spanned(other, "#[pyclass] only supports structs and enums.")),
    }
}

fn block(attribute: &TokenStream, item: TokenStream, methods: PyClassMethodsType) -> Result<TokenStream> {
    let mut block: syn::ItemImpl = parse2(item)?;
    block.attrs.push(syn::parse_quote!( #[pyo3(#attribute)] ));
    let made = build_py_methods(&mut block, methods);
    Ok(both(block, made))
}

fn function(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut function: syn::ItemFn = parse2(item)?;
    let options: PyFunctionOptions = parse2(attribute)?;
    let made = build_py_function(&mut function, options);
    Ok(both(function, made))
}

/// The user's item, as it is left of the attributes for PyO3, with what was made of it or why nothing was.
fn both(item: impl ToTokens, made: Result<TokenStream>) -> TokenStream {
    let made = made.unwrap_or_else(Error::into_compile_error);
    quote!(#item #made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expander::tokens::tests::sent;

    #[test]
    fn a_function_gets_its_wrapper_and_a_mistake_its_error() {
        let text =
            |kind, item: &str| String::from_utf8_lossy(&answer(&sent(kind, "", item.parse().unwrap()))).into_owned();
        assert!(text(b'f', "fn f(x: f64) -> f64 { x }").contains("__pyfunction_f"));
        assert!(text(b'c', "fn f() {}").contains("only supports structs and enums"));
        assert!(text(b'm', "struct S;").contains("only supports modules and functions"));
    }

    #[test]
    fn what_cannot_be_read_here_is_refused() {
        let crates = sent(b'f', "", "fn f(x: CRATE::T) {}".parse().unwrap());
        let crates: Vec<u8> = String::from_utf8(crates).unwrap().replace("CRATE", "$rate").into_bytes();
        assert!(answer(&crates).is_empty());
        let deep = format!("fn f() {{ {}{} }}", "(".repeat(300), ")".repeat(300));
        assert!(answer(&sent(b'f', "", deep.parse().unwrap())).is_empty());
        assert!(answer(b"").is_empty() && answer(&sent(b'?', "", TokenStream::new())).is_empty());
    }
}
