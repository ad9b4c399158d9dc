"""A crate in PyO3's place that compiles in a second, for tests of what makes cargo compile PyO3 once more.

Its package has a name of its own: what cargo cleans, it cleans by name, and that of PyO3 would go with it.
Its `#[pymodule]` makes a module with one function, `value`, by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

from helpers import package

TEXT = r"""
use proc_macro::{TokenStream, TokenTree};

/// `#[pyo3::pymodule] fn k() -> i64 { 1 }` is a module `k` whose `value()` is 1.
#[proc_macro_attribute]
pub fn pymodule(_: TokenStream, item: TokenStream) -> TokenStream {
    let name = match item.clone().into_iter().nth(1) {
        Some(TokenTree::Ident(name)) => name.to_string(),
        _ => panic!("write #[pymodule] above a function"),
    };
    let made: TokenStream = MODULE.replace("NAME", &name).parse().unwrap();
    item.into_iter().chain(made).collect()
}

const MODULE: &str = r#"
#[allow(non_snake_case)]
mod __made {
    use std::ffi::{c_char, c_int, c_longlong, c_void};
    use std::ptr::{null, null_mut};
    type Object = *mut c_void;
    unsafe extern "C" {
        fn PyLong_FromLongLong(value: c_longlong) -> Object;
        fn PyModule_Create2(definition: *mut Module, version: c_int) -> Object;
    }
    #[repr(C)]
    struct Method {
        name: *const c_char, call: Option<extern "C" fn(Object, Object) -> Object>,
        flags: c_int, doc: *const c_char,
    }
    #[repr(C)]
    struct Module {
        head: [isize; 2], init: Object, index: isize, copy: Object,
        name: *const c_char, doc: *const c_char, size: isize, methods: *mut Method, rest: [Object; 4],
    }
    extern "C" fn value(_: Object, _: Object) -> Object {
        unsafe { PyLong_FromLongLong(super::NAME()) }
    }
    #[unsafe(no_mangle)]
    pub extern "C" fn PyInit_NAME() -> Object {
        let methods = [
            Method { name: c"value".as_ptr(), call: Some(value), flags: 4, doc: null() },
            Method { name: null(), call: None, flags: 0, doc: null() },
        ];
        let module = Module {
            head: [1, 0], init: null_mut(), index: 0, copy: null_mut(), name: c"NAME".as_ptr(), doc: null(),
            size: -1, methods: Box::leak(Box::new(methods)).as_mut_ptr(), rest: [null_mut(); 4],
        };
        unsafe { PyModule_Create2(Box::leak(Box::new(module)), 1013) }
    }
}
"#;
"""


CRATE = {
    "Cargo.toml": package("stub-pyo3").replace("0.1.0", "0.30.1").replace("2021", "2024")
    + "[lib]\nproc-macro = true\n[features]\nexperimental-inspect = []\n",
    "src/lib.rs": TEXT,
}


def module(number: object, name: str = "k") -> str:
    """A kernel's whole code."""
    return f"#[pyo3::pymodule]\nfn {name}() -> i64 {{\n    {number}\n}}\n"


def dependency(folder: Path) -> str:
    """The line of a manifest that names the crate in a folder."""
    return f'pyo3 = {{ package = "stub-pyo3", path = {json.dumps(str(folder))} }}'
