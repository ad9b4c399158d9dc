//! The functions that a kernel exports to native callers, with their signatures in C.
//!
//! They are read from the text that is compiled, so that they belong to the library that comes of it, whatever becomes of
//! the text. A type that C can name has the name that it has in `<stdint.h>`, Cython and SciPy, which compare such
//! signatures letter by letter: a pointer's `const` is therefore left out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Abi, Attribute, Expr, ExprLit, FnArg, GenericArgument, ImplItem, Item, Lit, Meta, MetaNameValue, PathArguments,
    ReturnType, Signature, Token, Type,
};

use crate::kernel::syntax;

/// Without one of these words, a text exports nothing.
const WORDS: [&str; 2] = ["no_mangle", "export_name"];

/// Names in Rust, of the language or of `std::ffi` and `libc`, and in C.
const NAMES: [(&str, &str); 36] = [
    ("f64", "double"),
    ("f32", "float"),
    ("i8", "int8_t"),
    ("i16", "int16_t"),
    ("i32", "int32_t"),
    ("i64", "int64_t"),
    ("u8", "uint8_t"),
    ("u16", "uint16_t"),
    ("u32", "uint32_t"),
    ("u64", "uint64_t"),
    ("isize", "intptr_t"),
    ("usize", "size_t"),
    ("bool", "bool"),
    ("c_void", "void"),
    ("c_double", "double"),
    ("c_float", "float"),
    ("c_char", "char"),
    ("c_schar", "signed char"),
    ("c_uchar", "unsigned char"),
    ("c_short", "short"),
    ("c_ushort", "unsigned short"),
    ("c_int", "int"),
    ("c_uint", "unsigned int"),
    ("c_long", "long"),
    ("c_ulong", "unsigned long"),
    ("c_longlong", "long long"),
    ("c_ulonglong", "unsigned long long"),
    ("size_t", "size_t"),
    ("ssize_t", "intptr_t"),
    ("intptr_t", "intptr_t"),
    ("int32_t", "int32_t"),
    ("int64_t", "int64_t"),
    ("uint8_t", "uint8_t"),
    ("uint32_t", "uint32_t"),
    ("uint64_t", "uint64_t"),
    ("Py_ssize_t", "Py_ssize_t"),
];

/// One exported function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The symbol.
    pub name: String,
    /// Its types in C, the result's first.
    pub types: Vec<String>,
    /// Why C has no signature for it; then there are no types.
    pub problem: Option<String>,
    /// Where it stands.
    pub file: PathBuf,
    /// 1-based.
    pub line: usize,
}

impl Export {
    /// Its signature, as `double (int, double *)`. Cython writes no space behind a pointer.
    pub fn signature(&self) -> Option<String> {
        let (result, parameters) = self.types.split_first()?;
        let space = if result.ends_with('*') { "" } else { " " };
        Some(format!("{result}{space}({})", listed(parameters)))
    }
}

/// Can there be an exported function in the text?
pub fn mentioned(text: &str) -> bool {
    WORDS.iter().any(|word| text.contains(word))
}

/// The exported functions of a source file, those of its inline modules included.
pub fn exports(file: &Path, text: &str) -> Vec<Export> {
    let mut found = Vec::new();
    if mentioned(text)
        && let Some(parsed) = syntax::parse(text)
    {
        collect(file, &parsed.items, &HashMap::new(), &mut found);
    }
    found
}

/// Each name once. Of functions with one name a `cfg` chose which is compiled, so that only their common types are known.
pub fn settled(found: Vec<Export>) -> Vec<Export> {
    let mut settled: Vec<Export> = Vec::new();
    for export in found {
        match settled.iter_mut().find(|before| before.name == export.name) {
            None => settled.push(export),
            Some(before) if before.types == export.types => {}
            Some(before) => {
                let other = format!("{}:{}", export.file.display(), export.line);
                before
                    .problem
                    .get_or_insert(format!("stands with other types in {other}, and which holds is not known"));
                before.types.clear();
            }
        }
    }
    settled
}

type Aliases<'a> = HashMap<String, &'a Type>;

fn collect<'a>(file: &Path, items: &'a [Item], outer: &Aliases<'a>, found: &mut Vec<Export>) {
    let mut aliases = outer.clone();
    aliases.extend(items.iter().filter_map(|item| match item {
        Item::Type(alias) => Some((alias.ident.to_string(), &*alias.ty)),
        _ => None,
    }));
    for item in items {
        match item {
            Item::Mod(module) => {
                let items = module.content.as_ref().map_or(&[][..], |(_, items)| items);
                collect(file, items, &aliases, found);
            }
            Item::Fn(function) => found.extend(export(file, &function.attrs, &function.sig, &aliases)),
            Item::Impl(block) => found.extend(block.items.iter().filter_map(|item| match item {
                ImplItem::Fn(function) => export(file, &function.attrs, &function.sig, &aliases),
                _ => None,
            })),
            _ => {}
        }
    }
}

fn export(file: &Path, attributes: &[Attribute], function: &Signature, aliases: &Aliases<'_>) -> Option<Export> {
    let name = attributes.iter().find_map(|attribute| symbol(&attribute.meta, function))?;
    let types = types(function, aliases);
    Some(Export {
        name,
        problem: types.as_ref().err().cloned(),
        types: types.unwrap_or_default(),
        file: file.to_owned(),
        line: function.fn_token.span.start().line,
    })
}

/// The name that an attribute exports the function by. What `cfg_attr` says may hold or not; the library tells.
fn symbol(meta: &Meta, function: &Signature) -> Option<String> {
    match meta {
        Meta::List(list) if list.path.is_ident("unsafe") || list.path.is_ident("cfg_attr") => {
            let inner = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
            inner.iter().find_map(|meta| symbol(meta, function))
        }
        Meta::Path(path) if path.is_ident("no_mangle") => {
            Some(function.ident.to_string().trim_start_matches("r#").to_owned())
        }
        Meta::NameValue(MetaNameValue { path, value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }), .. })
            if path.is_ident("export_name") =>
        {
            Some(text.value())
        }
        _ => None,
    }
}

/// The types of a function in C, the result's first, or why it has none.
fn types(function: &Signature, aliases: &Aliases<'_>) -> Result<Vec<String>, String> {
    let is_c = |abi: &Abi| abi.name.as_ref().is_none_or(|name| ["C", "C-unwind", "system"].contains(&&*name.value()));
    if !function.abi.as_ref().is_some_and(is_c) {
        return Err("is not `extern \"C\"`, so that C cannot call it".to_owned());
    }
    if function.variadic.is_some() {
        return Err("takes a variable number of arguments, which has no counterpart here".to_owned());
    }
    let mut types = vec![result(&function.output, aliases).map_err(|named| format!("returns {}", foreign(&named)))?];
    for input in &function.inputs {
        let FnArg::Typed(input) = input else { return Err(format!("takes {}", foreign("self"))) };
        types.push(c_type(&input.ty, aliases, 0).map_err(|named| format!("takes {}", foreign(&named)))?);
    }
    Ok(types)
}

fn foreign(named: &str) -> String {
    format!("`{named}`, which has no counterpart in C")
}

fn result(output: &ReturnType, aliases: &Aliases<'_>) -> Result<String, String> {
    match output {
        ReturnType::Default => Ok("void".to_owned()),
        ReturnType::Type(_, ty) => match &**ty {
            Type::Tuple(tuple) if tuple.elems.is_empty() => Ok("void".to_owned()),
            Type::Never(_) => Ok("void".to_owned()),
            ty => c_type(ty, aliases, 0),
        },
    }
}

/// A type's name in C, or what it is called in Rust. Nothing but `void *` is ever `void` here.
fn c_type(ty: &Type, aliases: &Aliases<'_>, depth: usize) -> Result<String, String> {
    let named = || Err(quote(ty));
    // An alias that names itself is an error of rustc's.
    if depth > 16 {
        return named();
    }
    match ty {
        Type::Paren(inner) => c_type(&inner.elem, aliases, depth + 1),
        Type::Group(inner) => c_type(&inner.elem, aliases, depth + 1),
        Type::Ptr(pointer) => pointer_to(&pointer.elem, aliases, depth).map_or_else(named, Ok),
        Type::Reference(reference) => pointer_to(&reference.elem, aliases, depth).map_or_else(named, Ok),
        Type::FnPtr(function) if function.abi.is_some() && function.variadic.is_none() => {
            let inputs = function.inputs.iter().map(|input| c_type(&input.ty, aliases, depth + 1));
            let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
            Ok(format!("{} (*)({})", result(&function.output, aliases)?, listed(&inputs)))
        }
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return named() };
            let name = last.ident.to_string();
            if let (Some(alias), 1) = (aliases.get(&name), path.path.segments.len()) {
                return c_type(alias, aliases, depth + 1);
            }
            if let ("Option" | "NonNull", PathArguments::AngleBracketed(arguments)) = (&*name, &last.arguments) {
                let Some(GenericArgument::Type(inner)) = arguments.args.first() else { return named() };
                return match inner {
                    Type::Reference(_) | Type::FnPtr(_) if name == "Option" => c_type(inner, aliases, depth + 1),
                    inner if name == "NonNull" => pointer_to(inner, aliases, depth).map_or_else(named, Ok),
                    _ => named(),
                };
            }
            let known = NAMES.iter().find(|(rust, c)| *rust == name && *c != "void");
            known.map_or_else(named, |(_, c)| Ok((*c).to_owned()))
        }
        _ => named(),
    }
}

/// What C has no name for is `void` behind a pointer, but for that to which a pointer is two words wide.
fn pointer_to(ty: &Type, aliases: &Aliases<'_>, depth: usize) -> Option<String> {
    match ty {
        Type::Slice(_) | Type::TraitObject(_) => return None,
        Type::Path(path) if ["str", "CStr", "Path", "OsStr"].iter().any(|name| ends_with(path, name)) => return None,
        Type::Path(path) if depth < 16 => {
            if let Some(alias) = path.path.get_ident().and_then(|name| aliases.get(&name.to_string())) {
                return pointer_to(alias, aliases, depth + 1);
            }
        }
        _ => {}
    }
    let inner = c_type(ty, aliases, depth + 1).unwrap_or_else(|_| "void".to_owned());
    Some(if inner.ends_with('*') { format!("{inner}*") } else { format!("{inner} *") })
}

/// Types as they stand between the parentheses of a signature.
fn listed(types: &[String]) -> String {
    if types.is_empty() { "void".to_owned() } else { types.join(", ") }
}

fn ends_with(path: &syn::TypePath, name: &str) -> bool {
    path.path.segments.last().is_some_and(|segment| segment.ident == name)
}

/// A type as the user wrote it.
fn quote(ty: &Type) -> String {
    ty.span().source_text().unwrap_or_else(|| "a type".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = exports(Path::new("/k.rs"), text);
        let found: Vec<_> = found
            .iter()
            .map(|export| (&*export.name, export.signature().or(export.problem.clone()).unwrap_or_default()))
            .collect();
        let expected: Vec<_> = expected.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn signatures_are_read_as_scipy_and_cython_write_them() {
        let one = |parameters: &str, expected: &str| {
            let (parameters, result) = parameters.split_once(" => ").unwrap_or((parameters, "()"));
            let text = format!("#[unsafe(no_mangle)] pub extern \"C\" fn f({parameters}) -> {result} {{}}");
            check(&text, &[("f", expected)]);
        };
        one("x: f64 => f64", "double (double)");
        one("x: f64, data: *mut c_void => f64", "double (double, void *)");
        one("n: c_int, x: *mut f64 => f64", "double (int, double *)");
        one("n: std::ffi::c_int, x: *const f64, d: *mut core::ffi::c_void => f64", "double (int, double *, void *)");
        one(
            "b: *mut f64, n: isize, r: *mut f64, d: *mut c_void => c_int",
            "int (double *, intptr_t, double *, void *)",
        );
        one("", "void (void)");
        one("a: i8, b: u16, c: i64, d: usize, e: bool", "void (int8_t, uint16_t, int64_t, size_t, bool)");
        one("a: &mut [f64; 3], b: *mut *const c_char, c: &Mine", "void (void *, char **, void *)");
        one(
            "a: Option<&f64>, b: NonNull<u8>, c: Option<unsafe extern \"C\" fn(f64) -> f64>",
            "void (double *, uint8_t *, double (*)(double))",
        );
        one("n: c_int => *const c_char", "char *(int)");
        one("a: *mut *mut Mine => *const *const u8", "uint8_t **(void **)");
    }

    #[test]
    fn every_spelling_of_an_export_is_found_wherever_it_stands() {
        check("#[no_mangle] extern \"C\" fn f() -> u8 { 0 }", &[("f", "uint8_t (void)")]);
        check("#[no_mangle] unsafe extern fn r#fn() {}", &[("fn", "void (void)")]);
        check("#[unsafe(export_name = \"g\")] extern \"C-unwind\" fn f() -> () {}", &[("g", "void (void)")]);
        check("mod m { type R = f64; mod n { } #[no_mangle] extern \"C\" fn f(x: R) {} }", &[("f", "void (double)")]);
        check("struct S; impl S { #[no_mangle] extern \"C\" fn f(n: i8) {} }", &[("f", "void (int8_t)")]);
        check("#[cfg_attr(not(test), unsafe(no_mangle))] extern \"C\" fn f() {}", &[("f", "void (void)")]);
        check("extern \"C\" fn f() {} // no_mangle", &[]);
        check("#[no_mangle] fn broken( {", &[]);
    }

    #[test]
    fn what_c_cannot_say_is_named() {
        let one =
            |function: &str, expected: &str| check(&format!("#[unsafe(no_mangle)] {function}"), &[("f", expected)]);
        one("extern \"C\" fn f(x: f64, text: &str) {}", "takes `&str`, which has no counterpart in C");
        one("extern \"C\" fn f() -> (f64, f64) { (0., 0.) }", "returns `(f64, f64)`, which has no counterpart in C");
        one("extern \"C\" fn f(v: Vec<u8>) {}", "takes `Vec<u8>`, which has no counterpart in C");
        one("extern \"C\" fn f(v: u128) {}", "takes `u128`, which has no counterpart in C");
        one("extern \"C\" fn f(v: c_void) {}", "takes `c_void`, which has no counterpart in C");
        one("extern \"C\" fn f(v: &[u8]) {}", "takes `&[u8]`, which has no counterpart in C");
        one("extern \"C\" fn f(v: *const [u8]) {}", "takes `*const [u8]`, which has no counterpart in C");
        one("extern \"C\" fn f(v: &Name) {} type Name = str;", "takes `&Name`, which has no counterpart in C");
        one("extern \"C\" fn f(v: NonNull<dyn Any>) {}", "takes `NonNull<dyn Any>`, which has no counterpart in C");
        one("fn f() {}", "is not `extern \"C\"`, so that C cannot call it");
        one("extern \"C\" fn f(x: Loop) {} type Loop = Loop;", "takes `Loop`, which has no counterpart in C");
    }

    #[test]
    fn functions_of_one_name_have_the_signature_on_which_they_agree() {
        let of = |parameter: &str| format!("#[no_mangle] extern \"C\" fn f(x: {parameter}) {{}}\n");
        let signature = |one: &str, other: &str| {
            let found = settled(exports(Path::new("/k.rs"), &(of(one) + &of(other))));
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].signature().ok_or(found[0].problem.clone().unwrap_or_default())
        };
        assert_eq!(signature("*const u8", "*mut u8"), Ok("void (uint8_t *)".to_owned()));
        let differ = "stands with other types in /k.rs:2, and which holds is not known";
        assert_eq!(signature("f64", "f32"), Err(differ.to_owned()));
    }
}
