"""Nothing that a kernel names collides with what is generated for it: the module, fast calls, and pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import block

# PyO3's own macros bind `py`, `function` and `args` where the kernel's functions stand.
VALUES = """
    m functions f x a n k n0 x0 x1 payload error module text call count own result object float int
    string put main kwargs self_ fastcall hand_on failed panicked class
"""
TYPES = """
    Python Option Result_ Vec Box PyErr Bound Py PyModule PyAny PyCFunction PyMethodDef Own Fast
    Error AtomicPtr Ordering Payload Default_ Borrowed Infallible Turn Items Array PyClass PyClassGuard
"""
TRAITS = """
    Send Sync From Into TryFrom TryInto Clone Copy Drop Fn FnMut FnOnce Any_ ToString Iterator
    Sized_
"""
MODULES = """
    std core alloc pyo3 prelude types ffi impl_ support fastcalls option result ptr panic_ sync
"""

MACROS = """
    vec format wrap_pyfunction wrap_pymodule get_trampoline_function panic assert_eq matches write
    println cfg_ unreachable todo dbg include_str file line env m f x
"""
METHODS = """
    add add_function add_class add_wrapped as_ptr cast load store restore py into try_from ok map
    map_err unwrap is_null get clone name into_result
"""

NASTY = "\n".join(
    [
        "#![allow(dead_code, unused_imports, unused_macros, nonstandard_style)]",
        *(
            f"const {name}: i32 = 1;" if at % 2 else f"static {name}: i32 = 1;"
            for at, name in enumerate(VALUES.split())
        ),
        *(f"struct {name};" for name in TYPES.split()),
        *(f"trait {name} {{}}" for name in TRAITS.split()),
        *(f"mod {name} {{}}" for name in MODULES.split()),
        *(f"macro_rules! {name} {{ () => {{ compile_error! }}; }}" for name in MACROS.split()),
        "trait Clashing {",
        *(f"    fn {name}(&self) {{}}" for name in METHODS.split()),
        "}",
        "impl<T> Clashing for T {}",
        "type Result<T> = ::core::result::Result<T, ::std::string::String>;",
        "enum Enum { Some, None, Ok, Err }",
        "use Enum::*;",
        "",
    ]
)
FUNCTIONS = """
/// Adds.
#[::pyo3::pyfunction]
fn plain(i: i64, r: f64) -> f64 { i as f64 + r }
#[::pyo3::pyfunction]
fn fallible(i: i64) -> ::pyo3::PyResult<i64> { ::core::result::Result::Ok(i) }
#[::pyo3::pyfunction]
fn greeting(name: &str) -> ::std::string::String { ::std::borrow::ToOwned::to_owned(name) }
/// A class.
#[::pyo3::pyclass]
#[derive(Debug)]
pub struct Class;
::pyo3::create_exception!(k, KernelError, ::pyo3::exceptions::PyException, "An error.");
"""
PROGRAM = """
    import rsimport, rsimport.import_hook, k
    print(k.plain(1, 2.5), k.fallible(3), k.greeting("x"))
    print(k.Class.__doc__, issubclass(k.KernelError, Exception))
    print([w.message for w in rsimport.info(k).warnings])
"""
EXPECTED = ["3.5 3 x", "A class. True", "[]"]
# A lint that is new, unstable or gone is not the matter; and who has no field is never made.
ALLOWED = "#![allow(unknown_lints, dead_code, missing_copy_implementations, unused_crate_dependencies)]\n"
STRICT = """
    unused_qualifications missing_docs unreachable_pub unused_results trivial_casts
    trivial_numeric_casts elided_lifetimes_in_paths single_use_lifetimes unnameable_types
    missing_debug_implementations unused_lifetimes let_underscore_drop unused_import_braces
    unused_extern_crates explicit_outlives_requirements absolute_paths_not_starting_with_crate
    macro_use_extern_crate meta_variable_misuse non_ascii_idents redundant_lifetimes unit_bindings
    variant_size_differences ffi_unwind_calls ambiguous_negative_literals unsafe_op_in_unsafe_fn
    redundant_imports unused_macro_rules keyword_idents rust_2018_idioms future_incompatible
    nonstandard_style warnings
"""

KERNELS = {
    "nasty names": NASTY + FUNCTIONS,
    "nasty names, 2018": block("[package]", 'edition = "2018"') + NASTY + FUNCTIONS,
    "nasty names, 2021": block("[package]", 'edition = "2021"') + NASTY + FUNCTIONS,
    "no prelude": "#![no_implicit_prelude]\n#![deny(warnings)]\n"
    + FUNCTIONS.replace("#[derive(Debug)]\n", ""),
    "nasty names without a prelude": "#![no_implicit_prelude]\n"
    + NASTY
    + FUNCTIONS.replace("#[derive(Debug)]\n", ""),
    "all lints denied": f"//! Documented.\n{ALLOWED}#![deny({', '.join(STRICT.split())}, unsafe_code)]\n"
    + FUNCTIONS,
    "lints forbidden": f"//! Documented.\n{ALLOWED}#![forbid({', '.join(STRICT.split()[:-4])})]\n"
    + FUNCTIONS,
}


@pytest.fixture
def staged(shared_cache):
    """The text that was compiled of a kernel."""

    def staged_text(path: Path) -> str:
        token = path.read_text().rstrip().rpartition("\n")[2]
        texts = [file.read_text() for file in shared_cache.glob(f"v1/work/*/src/{path.name}")]
        (text,) = [text for text in texts if token in text]
        return text

    return staged_text


@pytest.mark.parametrize("name", KERNELS)
def test_what_is_generated_does_not_see_what_the_kernel_names(kernel, run, staged, name):
    path = kernel("k", KERNELS[name], prelude=False)
    assert run(PROGRAM, env={"RSIMPORT_TIER": "optimized"}).out.splitlines() == EXPECTED
    # Where it collides, a kernel is compiled without them.
    assert ("fn fastcall_0_plain(" in staged(path)) == (name != "lints forbidden")


FILLER = "fn filler_@(value: f64) -> f64 {\n    value\n        + @ as f64\n        + 1.0\n}\n"


def test_pieces_do_not_see_it_either(kernel, run, staged):
    fillers = "".join(FILLER.replace("@", str(at)) for at in range(60))
    # Functions that have the name of something else, which a `use` of theirs would bring along.
    shared = (
        "mod shared {}\nfn shared() -> i64 { 4 }\nmacro_rules! also { () => {}; }\nfn also() -> i64 { 5 }\n"
    )
    calls = " + ".join(f"filler_{at}(1.0)" for at in range(60))
    total = (
        f"#[::pyo3::pyfunction]\nfn total() -> f64 {{\n    shared() as f64 + also() as f64 + {calls}\n}}\n"
    )
    path = kernel("k", NASTY + shared + fillers + FUNCTIONS + total, prelude=False)
    assert run(PROGRAM, env={"RSIMPORT_TIER": "fast"}).out.splitlines() == EXPECTED
    assert "mod __rsimport_from_filler_" in staged(path)


TYPES_OF_ITS_OWN = """
type f64 = i64;
type PyResult<T> = T;
struct String;

impl<'py> IntoPyObject<'py> for String {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, PyErr> {
        Ok(5i32.into_pyobject(py)?.into_any())
    }
}

#[pyfunction]
fn long(i: f64) -> f64 { i + 1 }
#[pyfunction]
fn text(i: i64) -> String { let _ = i; String }
#[pyfunction]
fn result(i: i64) -> PyResult<i64> { i }
#[pyfunction]
fn usual(i: i64) -> i64 { i }
"""
BY_A_GLOB = (
    "mod types {\n    pub type u8 = u64;\n}\nuse types::*;\n#[pyfunction]\nfn wide(i: u8) -> u8 { i }\n"
)


def test_a_type_that_only_has_the_name_of_a_number_is_left_to_pyo3(kernel, run, staged):
    body = "#![allow(non_camel_case_types)]\nuse pyo3::prelude::*;\n" + TYPES_OF_ITS_OWN
    path = kernel("k", body, prelude=False)
    program = "import rsimport.import_hook, k; print(k.long(2**40), k.text(1), k.result(2), k.usual(3){})"
    assert run(program.format(""), env={"RSIMPORT_TIER": "optimized"}).out == "1099511627777 5 2 3"
    assert "fn fastcall_0_usual(" in staged(path) and "fn fastcall_1" not in staged(path)
    # What a glob brings along only the compiler knows.
    path.write_text(
        path.read_text().replace("#[pyfunction]\nfn usual", BY_A_GLOB + "#[pyfunction]\nfn usual")
    )
    program = program.format(", k.wide(1000)")
    assert run(program, env={"RSIMPORT_TIER": "optimized"}).out == "1099511627777 5 2 3 1000"
    assert "fn fastcall_" not in staged(path)


def test_an_error_of_the_users_is_said_once_where_fast_calls_do_not_compile_either(kernel, report):
    kernel(
        "k",
        "#![allow(non_camel_case_types)]\nuse pyo3::prelude::*;\n" + BY_A_GLOB + 'fn wrong() -> i32 { "" }\n',
        prelude=False,
    )
    said = report(env={"RSIMPORT_TIER": "optimized"})
    assert [found["message"] for found in said["diagnostics"]] == ["mismatched types"]
