"""What Python sees of a kernel without a `#[pymodule]`: all that can be reached; of the rest it is told."""

from __future__ import annotations

import json

import pytest
from helpers import QUICK, block, line_of, write

MADE = """
use pyo3::pyfunction as export;
use pyo3::create_exception;

macro_rules! pair {
    ($($name:ident: $number:ty),* $(,)?) => {
        $(
            #[pyclass]
            struct $name { #[pyo3(get)] x: $number }
            #[pymethods]
            impl $name {
                #[new]
                fn new(x: $number) -> Self { $name { x } }
            }
        )*
    };
}
pair!(IntBox: i64, FloatBox: f64);

macro_rules! getter {
    ($name:ident => $body:expr) => { #[pyfunction] fn $name() -> i64 { $body } };
    (all $($name:ident = $body:expr;)*) => { $(getter!($name => $body);)* };
}
getter!(all one = 1; two = 1 + 1;);

#[cfg_attr(all(), pyfunction)]
fn under_cfg_attr() -> i64 { 3 }
#[cfg_attr(any(), pyfunction)]
#[allow(dead_code)]
fn switched_off() -> i64 { 4 }
#[cfg_attr(any(), cfg(any()))]
#[export]
fn renamed_attribute(x: i64) -> i64 { x }

pub mod geometry {
    use pyo3::prelude::*;

    #[pyfunction]
    pub fn area(width: f64, height: f64) -> f64 { width * height }
    #[pyclass]
    pub(crate) struct Rect { #[pyo3(get)] width: f64 }
    #[pymethods]
    impl Rect {
        #[new]
        fn new(width: f64) -> Self { Rect { width } }
    }
    pub mod deep {
        #[pyo3::pyfunction]
        pub(in super::super) fn depth() -> i64 { 2 }
        #[pyo3::pyfunction]
        #[pyo3(name = "area")]
        pub fn other_area() {}
        #[pyo3::pyfunction]
        fn secret() {}
    }
    mod closed {
        #[pyo3::pyclass]
        pub struct Inner;
    }
}
mod part;
include!("included.rs");

create_exception!(whatever, PartError, pyo3::exceptions::PyValueError, "Of, this, kernel.");

#[pyfunction]
fn fail() -> PyResult<()> { Err(PartError::new_err("no")) }

#[pyfunction]
fn wrapped_by_hand(py: Python<'_>) -> PyResult<Bound<'_, pyo3::types::PyCFunction>> {
    #[pyfunction]
    fn local() -> i64 { 7 }
    wrap_pyfunction!(local, py)
}

cfg_if::cfg_if! {
    if #[cfg(all())] {
        #[pyfunction]
        fn in_a_foreign_macro() {}
    }
}
"""


def test_all_that_can_be_reached_is_shown_and_the_rest_is_told(kernel, run, project):
    path = kernel("k", MADE, block=block("[dependencies]", 'cfg-if = "1"'))
    part = "#[pyo3::pyfunction]\npub fn in_a_file() -> i64 {\n    5\n}\n"
    write(project, {"part.rs": part, "included.rs": part.replace("in_a_file", "in_an_included_file")})
    program = """
        import json, rsimport, rsimport.import_hook, k
        told = [[w.message, w.line, w.file, w.rendered] for w in rsimport.info(k).warnings]
        values = [
            k.IntBox(1).x, k.FloatBox(2).x, k.one(), k.two(), k.under_cfg_attr(), k.renamed_attribute(4),
            k.area(2, 3), k.Rect(5).width, k.depth(), k.in_a_file(), k.in_an_included_file(),
            k.wrapped_by_hand()(), issubclass(k.PartError, ValueError), k.PartError.__doc__,
        ]
        try:
            k.fail()
        except k.PartError as error:
            values.append(str(error))
        print(json.dumps([[n for n in dir(k) if n[0] != "_"], values, told]))
    """
    names, values, told = json.loads(run(program).out)
    assert " ".join(names) == (
        "FloatBox IntBox PartError Rect area depth fail in_a_file in_an_included_file one renamed_attribute "
        "two under_cfg_attr wrapped_by_hand"
    )
    assert values == [1, 2, 1, 2, 3, 4, 6, 5, 2, 5, 5, 7, True, "Of, this, kernel.", "no"]
    expected = {
        "fn other_area": "#[pyfunction] `geometry::deep::other_area` is not in module `k`: "
        "`geometry::area` has the same name in Python",
        "fn secret": "#[pyfunction] `secret` is not in module `k`: it is private in `mod deep`",
        "struct Inner": "#[pyclass] `Inner` is not in module `k`: `mod closed` is private",
        "cfg_if::cfg_if!": "#[pyfunction] `in_a_foreign_macro` is not in module `k`: `cfg_if!` makes it, "
        "and what that makes is not known",
    }
    ours = {message: (line, file) for message, line, file, _ in told if "is not in module" in message}
    assert ours == {text: (line_of(path, needle), str(path)) for needle, text in expected.items()}
    assert all(
        f"{path}:{line}:" in rendered for _, line, _, rendered in told if rendered.startswith("warning: #")
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("mod m {\n    #[pyo3::pyfunction]\n    fn lonely() {}\n}\n", "`lonely`"),
        ("use pyo3::pymodule;\n// #[pyfunction]\nfn f() {}\n", "no #[pyfunction], #[pyclass] or #[pymodule]"),
    ],
)
def test_a_kernel_that_shows_nothing_is_an_error_before_anything_is_compiled(kernel, run, body, message):
    path = kernel("k", body)
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
        except rsimport.ConfigError as error:
            print(error)
    """
    said = run(program, env={"PATH": "", "CARGO_HOME": "/nowhere"}).out
    assert str(path) in said and message in said and "\nhint: " in said


CHILD = """
#[pyfunction]
fn f() -> i64 {
    1
}
#[pymodule]
fn child(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(f, m)?)
}
"""
PARENT = "#[pymodule]\nfn k(m: &Bound<'_, PyModule>) -> PyResult<()> {\n"
PARENT += "    m.add_wrapped(pyo3::wrap_pymodule!(child))\n}\n"
DECLARED = """
mod inner {
    #[pyo3::pyfunction]
    pub fn f() -> i64 { 1 }
    #[pyo3::pymodule]
    pub mod child {
        #[pymodule_export]
        use super::f;
    }
}
mod outer {
    #[pyo3::pymodule]
    mod k {
        #[pymodule_export]
        use super::super::inner::child;
    }
}
"""


@pytest.mark.parametrize(
    "body",
    [
        CHILD + PARENT,
        PARENT + CHILD,
        DECLARED,
        CHILD.replace("#[pymodule]\nfn child", '#[pymodule(name = "child")]\nfn little')
        + PARENT.replace("(child)", "(little)").replace("fn k", '#[pyo3(name = "k")]\nfn big'),
        "#[pyfunction]\nfn f() -> i64 {\n    1\n}\n#[pymodule(submodule)]\nmod child {\n"
        "    #[pymodule_export]\n    use super::f;\n}\n",
    ],
    ids=["the child first", "the parent first", "both in other modules", "renamed", "only a submodule"],
)
def test_of_several_modules_the_one_with_the_name_of_the_file_counts(kernel, run, body):
    kernel("k", body)
    assert run("import rsimport.import_hook, k; print(k.child.f())").out == "1"


RAW = """
use pyo3::ffi::*;
use std::ptr;

unsafe extern "C" fn add(_: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    let (mut a, mut b) = (0i32, 0i32);
    unsafe {
        if PyArg_ParseTuple(args, c"ii".as_ptr(), &mut a, &mut b) == 0 {
            return ptr::null_mut();
        }
        PyLong_FromLong((a + b).into())
    }
}
static mut METHODS: [PyMethodDef; 2] = [
    PyMethodDef {
        ml_name: c"add".as_ptr(),
        ml_meth: PyMethodDefPointer { PyCFunction: add },
        ml_flags: METH_VARARGS,
        ml_doc: c"".as_ptr(),
    },
    PyMethodDef::zeroed(),
];
static mut DEF: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"NAME".as_ptr(),
    m_doc: c"".as_ptr(),
    m_size: SIZE,
    m_methods: &raw mut METHODS as *mut PyMethodDef,
    m_slots: ptr::null_mut(),
    m_traverse: None,
    m_clear: None,
    m_free: None,
};
"""
CREATES = """#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit_NAME() -> *mut PyObject {
    unsafe { PyModule_Create(&raw mut DEF) }
}
"""
BY_EXPORT_NAME = CREATES.replace("no_mangle", 'export_name = "PyInit_NAME"').replace(
    "fn PyInit_NAME", "fn start"
)
BY_MACRO = "macro_rules! start { ($name:ident) => {\n" + CREATES.replace("PyInit_NAME", "$name")
BY_MACRO += "} }\nstart!(PyInit_NAME);\n"


def test_a_module_without_pyo3s_macros_is_imported_and_reloaded(kernel, run, project):
    kernel("a", (RAW + CREATES).replace("NAME", "a").replace("SIZE", "-1"), folder=project / "pkg")
    kernel("b", (RAW + BY_EXPORT_NAME).replace("NAME", "b").replace("SIZE", "0"))
    kernel("c", (RAW + BY_MACRO).replace("NAME", "c").replace("SIZE", "0"))
    program = """
        import importlib, pathlib, pickle, rsimport.import_hook, b, c
        from pkg import a
        print(a.add(1, 2), b.add(3, 4), c.add(5, 6), pickle.loads(pickle.dumps(a.add)) is a.add, a.__name__)
        path = pathlib.Path("pkg/a.rs")
        path.write_text(path.read_text().replace("a + b", "a * b"))
        print(importlib.reload(a).add(3, 4))
    """
    assert run(program).out.splitlines() == ["3 7 11 True pkg.a", "12"]


def test_a_raw_module_of_another_name_is_an_error_that_says_both(kernel, report):
    path = kernel("k", (RAW + CREATES).replace("NAME", "other").replace("SIZE", "-1"))
    said = report()
    assert said["kind"] == "ConfigError" and "PyInit_k" in said["hint"]
    place = f"{path}:{line_of(path, 'fn PyInit_other')}: "
    assert said["text"].startswith(
        place + "the PyInit function is called `other`, but the module is imported as `k`"
    )


def test_another_crates_prelude_is_not_pyo3s(kernel, run):
    body = """
        use std::io::prelude::*;
        mod prelude { pub fn one() -> i64 { 1 } }
        use prelude::*;
        #[pyfunction]
        fn value(text: &[u8]) -> PyResult<i64> {
            let mut all = String::new();
            (&mut &text[..]).read_to_string(&mut all)?;
            Ok(one() + all.len() as i64)
        }
    """
    kernel("k", body, prelude=False)
    kernel("l", body.replace("use std::io", "use pyo3::{prelude::*, types::*};\nuse std::io"), prelude=False)
    kernel(
        "m", body.replace("use std::io", "#[cfg(any())]\nuse pyo3::prelude::*;\nuse std::io"), prelude=False
    )
    program = """
        import rsimport, rsimport.import_hook, k, l, m
        for kernel in k, l, m:
            print(kernel.value(b"abc"), [w.message for w in rsimport.info(kernel).warnings])
    """
    assert run(program).out.splitlines() == ["4 []", "4 ['unused import: `types::*`']", "4 []"]


def test_a_renamed_pyo3_is_called_by_its_name(kernel, run):
    renamed = 'py = { package = "pyo3", version = "0.30", features = ["experimental-inspect"] }'
    # With a feature and a profile that it needs not, its macros are those that crates have compiled.
    manifest = block("[dependencies]", renamed, *QUICK.splitlines())
    body = '#[py::pyfunction]\n#[pyo3(crate = "::py")]\nfn value() -> i64 {\n    8\n}\n'
    kernel("k", body, block=manifest, prelude=False)
    assert run("import rsimport.import_hook, k; print(k.value())").out == "8"
