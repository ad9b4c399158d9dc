"""rsimport.native: what a kernel exports, as addresses, ctypes functions and capsules."""

from __future__ import annotations

import ctypes
import importlib
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import REPOSITORY, Result, line_of, value

import rsimport

USE = "// rsimport\nuse pyo3::prelude::*;\nuse std::ffi::{c_char, c_int, c_long, c_void};\n"

ZOO = """
type Real = f64;

struct Mine(f64);

#[unsafe(no_mangle)]
pub extern "C" fn twice(x: f64) -> f64 { 2.0 * x }

#[unsafe(no_mangle)]
pub extern "C" fn with_data(x: Real, data: *mut c_void) -> Real { if data.is_null() { x } else { -x } }

#[unsafe(no_mangle)]
pub unsafe extern "C" fn total(n: c_int, x: *const f64) -> f64 {
    (0..n as usize).map(|i| unsafe { *x.add(i) }).sum()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn filter(buffer: *mut f64, n: isize, result: *mut f64, _data: *mut c_void) -> c_int {
    unsafe { *result = (0..n as usize).map(|i| *buffer.add(i)).fold(f64::MIN, f64::max) };
    1
}

#[unsafe(no_mangle)]
pub extern "C" fn id_name(id: c_int) -> *const c_char {
    if id == 7 { c"seven".as_ptr() } else { std::ptr::null() }
}

#[unsafe(no_mangle)]
pub extern "C" fn widths(a: i8, b: u16, c: i32, d: u64, e: usize, f: bool, g: c_long, h: f32) -> i64 {
    i64::from(a) + i64::from(b) + i64::from(c) + d as i64 + e as i64 + i64::from(f) + g as i64 + h as i64
}

#[unsafe(no_mangle)]
pub extern "C" fn touch(mine: &mut Mine) { mine.0 += 1.0; }

#[unsafe(no_mangle)]
pub extern "C" fn apply(f: extern "C" fn(f64) -> f64, x: f64) -> f64 { f(x) }

#[unsafe(export_name = "renamed")]
extern "C" fn other() -> u8 { 200 }

mod inner {
    #[unsafe(no_mangle)]
    extern "C" fn within(x: f32) -> f32 { x + 0.5 }
}

#[unsafe(no_mangle)]
pub extern "C" fn text(text: &str) -> usize { text.len() }

#[unsafe(no_mangle)]
pub extern "C" fn pair(x: f64) -> (f64, f64) { (x, x) }

#[unsafe(no_mangle)]
pub fn not_c(x: f64) -> f64 { x }

#[cfg(any())]
#[unsafe(no_mangle)]
pub extern "C" fn left_out(x: f64) -> f64 { x }

#[pyfunction]
fn address_of_twice() -> usize { twice as *const () as usize }
"""

SIGNATURES = {
    "twice": "double (double)",
    "with_data": "double (double, void *)",
    "total": "double (int, double *)",
    "filter": "int (double *, intptr_t, double *, void *)",
    "id_name": "char *(int)",
    "widths": "int64_t (int8_t, uint16_t, int32_t, uint64_t, size_t, bool, long, float)",
    "touch": "void (void *)",
    "apply": "double (double (*)(double), double)",
    "renamed": "uint8_t (void)",
    "within": "float (float)",
}
PROBLEMS = {
    "text": "takes `&str`, which has no counterpart in C",
    "pair": "returns `(f64, f64)`, which has no counterpart in C",
    "not_c": 'is not `extern "C"`, so that C cannot call it',
}

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def zoo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zoo") / "native_zoo.rs"
    path.write_text(USE + "#[allow(improper_ctypes_definitions)]\nmod all {\nuse super::*;\n" + ZOO + "}\n")
    text = path.read_text().replace("#[pyfunction]\nfn address", "#[pyfunction]\npub fn address")
    path.write_text(
        text + "#[pymodule]\nmod native_zoo {\n#[pymodule_export]\nuse super::all::address_of_twice;\n}\n"
    )
    return path


@pytest.fixture(scope="module")
def zoo(zoo_file: Path, shared_cache: object) -> Iterator[types.ModuleType]:
    yield rsimport.imp_from_filepath(zoo_file)


@pytest.fixture(scope="module")
def native(zoo: types.ModuleType) -> rsimport.Native:
    return rsimport.native(zoo)


def pointer(capsule: object, name: str) -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    found: int = get(capsule, name.encode())
    return found


def test_it_names_what_the_library_has_and_nothing_that_a_cfg_left_out(native: rsimport.Native) -> None:
    assert native.names == tuple(native) == (*SIGNATURES, *PROBLEMS)
    assert "twice" in native and "left_out" not in native and 5 not in native
    assert "twice: double (double)" in repr(native) and "pair: no signature in C" in repr(native)


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_function_is_the_same_by_capsule_ctypes_and_address(
    native: rsimport.Native, zoo: types.ModuleType, name: str
) -> None:
    signature = SIGNATURES[name]
    assert native.signature(name) == signature
    address = native.address(name)
    assert pointer(native.capsule(name), signature) == address
    assert pointer(zoo.__pyx_capi__[name], signature) == address
    assert ctypes.cast(native.ctypes(name), ctypes.c_void_p).value == address


def test_the_address_is_that_of_the_loaded_library(native: rsimport.Native, zoo: types.ModuleType) -> None:
    assert native.address("twice") == zoo.address_of_twice()


NUMBERS = (ctypes.c_double * 3)(1.0, 2.5, 4.0)
RESULT = ctypes.c_double()


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("twice", (1.5,), 3.0),
        ("with_data", (1.5, None), 1.5),
        ("with_data", (1.5, ctypes.addressof(RESULT)), -1.5),
        ("total", (3, NUMBERS), 7.5),
        ("filter", (NUMBERS, 3, ctypes.byref(RESULT), None), 1),
        (
            "widths",
            (-1, 65535, -(2**31), 2**40, 5, True, -7, 3.5),
            -1 + 65535 - 2**31 + 2**40 + 5 + 1 - 7 + 3,
        ),
        ("apply", (ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x - 1), 5.0), 4.0),
        ("renamed", (), 200),
        ("within", (0.25,), 0.75),
        ("touch", (ctypes.byref(RESULT),), None),
    ],
)
def test_a_ctypes_function_takes_and_gives_what_its_types_say(
    native: rsimport.Native, name: str, arguments: tuple[Any, ...], result: object
) -> None:
    function = native.ctypes(name)
    assert function(*arguments) == result
    if arguments:
        with pytest.raises((TypeError, ctypes.ArgumentError)):
            function(*arguments[:-1])


def test_a_pointer_that_is_returned_can_be_read_or_is_null(native: rsimport.Native) -> None:
    id_name = native.ctypes("id_name")
    assert ctypes.string_at(id_name(7)) == b"seven"
    assert not id_name(8)


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("total", "double (int, double const *)"),
        ("total", "double(int32_t,const double*)"),
        ("id_name", "char const *(int)"),
        ("filter", "int (double *, npy_intp, double *, void *)"),
        ("filter", "int (double *, Py_ssize_t, double *, struct state *)"),
        ("renamed", "unsigned char ()"),
        ("touch", "void (Mine *)"),
        (
            "widths",
            "PY_LONG_LONG (signed char, unsigned short, bint, uint64_t, size_t, bool, int64_t, float)",
        ),
    ],
)
def test_a_capsule_can_have_another_name_of_the_same_types(
    native: rsimport.Native, name: str, signature: str
) -> None:
    assert pointer(native.capsule(name, signature), signature) == native.address(name)
    assert pointer(native.capsule(name), SIGNATURES[name]) == native.address(name)


@pytest.mark.parametrize(
    ("name", "signature", "differs"),
    [
        ("twice", "double (double, double)", "`twice` takes 1 arguments, not 2"),
        ("twice", "double (void)", "`twice` takes 1 arguments, not 0"),
        ("twice", "float (double)", "`twice` returns `double`, not `float`"),
        ("twice", "double (double *)", "`twice` takes as argument 1 `double`, not `double *`"),
        ("twice", "double (int64_t)", "`twice` takes as argument 1 `double`, not `int64_t`"),
        ("total", "double (long long, double *)", "`total` takes as argument 1 `int`, not `long long`"),
        ("total", "double (unsigned int, double *)", "`total` takes as argument 1 `int`, not `unsigned int`"),
        ("total", "double (int, void *)", "`total` takes as argument 2 `double *`, not `void *`"),
        ("twice", "real (double)", "`twice` returns `double`, not `real`"),
        ("twice", "nonsense", "`twice` cannot have the signature `nonsense`, which is none in C"),
        ("twice", "", "`twice` cannot have the signature ``, which is none in C"),
    ],
)
def test_a_capsule_of_other_types_is_an_error_that_says_what_differs(
    native: rsimport.Native, name: str, signature: str, differs: str
) -> None:
    with pytest.raises(rsimport.ConfigError) as caught:
        native.capsule(name, signature)
    assert caught.value.message == differs
    assert SIGNATURES[name] in (caught.value.hint or "")


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_c_has_no_type_for_has_an_address_and_else_an_error_with_its_line(
    native: rsimport.Native, zoo: types.ModuleType, zoo_file: Path, name: str
) -> None:
    assert native.address(name) > 0 and name not in zoo.__pyx_capi__
    for of_type in (native.signature, native.ctypes, native.capsule):
        with pytest.raises(rsimport.ConfigError) as caught:
            of_type(name)
        line = line_of(zoo_file, f"fn {name}(")
        assert caught.value.message == f"{zoo_file}:{line}: `{name}` {PROBLEMS[name]}"


@pytest.mark.parametrize("name", ["left_out", "", "Twice", "twice\0"])
def test_an_unknown_name_is_an_error_that_lists_the_others(native: rsimport.Native, name: str) -> None:
    for call in (native.address, native.signature, native.ctypes, native.capsule):
        with pytest.raises(rsimport.ConfigError, match="exports no") as caught:
            call(name)
        assert caught.value.hint == f"it exports {', '.join((*SIGNATURES, *PROBLEMS))}"


@pytest.mark.parametrize("thing", [types, ctypes, 5, None])
def test_what_is_no_kernel_has_no_native_functions(thing: Any) -> None:
    with pytest.raises(rsimport.RsimportError, match="not a kernel"):
        rsimport.native(thing)


@pytest.mark.parametrize("body", [value(1), "// no_mangle\n" + value(1)])
def test_a_kernel_that_exports_nothing_says_how_it_would(
    kernel: Callable[..., Path], run: Run, body: str
) -> None:
    kernel("k", body)
    program = """
        import rsimport, rsimport.import_hook, k
        native = rsimport.native(k)
        assert native.names == () and not hasattr(k, "__pyx_capi__"), native
        try:
            native.address("f")
        except rsimport.ConfigError as error:
            print(error)
    """
    said = run(program).out
    assert "k.rs: the kernel exports no `f`" in said
    assert '#[unsafe(no_mangle)] pub extern "C" fn' in said and "--template native" in said


@pytest.mark.parametrize("kernel_name", ["hot_loop", "increment", "logistic"])
def test_the_shipped_kernels_export_what_their_docs_say(shared_cache: object, kernel_name: str) -> None:
    module = importlib.import_module(f"rsimport.kernels.{kernel_name}")
    signatures = {
        "hot_loop": {"hot_loop_example": "double (double)"},
        "increment": {"increment_native": "int64_t (int64_t)"},
        "logistic": {"logistic_step": "double (double, double)"},
    }
    native = rsimport.native(module)
    assert {name: native.signature(name) for name in native} == signatures[kernel_name]
    text = (REPOSITORY / "kernels" / f"{kernel_name}.rs").read_text()
    for name, signature in signatures[kernel_name].items():
        assert name in text and signature.split(" ")[0] in text


def test_scipy_integrates_and_filters_with_them(zoo: types.ModuleType) -> None:
    scipy = pytest.importorskip("scipy")
    integrate, ndimage = pytest.importorskip("scipy.integrate"), pytest.importorskip("scipy.ndimage")
    from_cython = scipy.LowLevelCallable.from_cython
    assert integrate.quad(from_cython(zoo, "twice"), 0, 3)[0] == pytest.approx(9)
    assert integrate.quad(from_cython(zoo, "with_data"), 0, 2)[0] == pytest.approx(2)
    assert integrate.nquad(from_cython(zoo, "total"), [(0, 1), (0, 1)])[0] == pytest.approx(1)
    picture = [[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]]
    seen = ndimage.generic_filter(picture, from_cython(zoo, "filter"), size=3)
    assert seen.tolist() == ndimage.maximum_filter(picture, size=3).tolist()
    with pytest.raises(ValueError, match="No function 'pair' found"):
        from_cython(zoo, "pair")


def test_numba_calls_them_from_compiled_code(zoo: types.ModuleType, native: rsimport.Native) -> None:
    numba = pytest.importorskip("numba")
    extending = pytest.importorskip("numba.extending")
    address = extending.get_cython_function_address(zoo.__name__, "twice")
    assert address == native.address("twice")
    by_ctypes = native.ctypes("twice")

    @numba.njit  # type: ignore[untyped-decorator]
    def called(x: float) -> float:
        return by_ctypes(x) + 1.0  # type: ignore[no-any-return]

    assert called(3.0) == 7.0
