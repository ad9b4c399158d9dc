"""All that a kernel defines says where it is found, so that it pickles by reference, in submodules too."""

from __future__ import annotations

from helpers import write

BY_HAND = """
use pyo3::{create_exception, exceptions::PyException, wrap_pymodule};

create_exception!(k, KernelError, PyException);
create_exception!(nowhere, OddError, KernelError);
create_exception!(k.child, ChildError, PyException);
#[pyclass]
enum Shape { Circle { radius: f64 }, Rect(f64, f64), Nothing {} }
#[pyclass(eq, eq_int)]
#[derive(PartialEq)]
enum Color { Red }
#[pyclass(immutable_type)]
struct Fixed;
#[pyclass(name = "Renamed")]
struct Original;
#[pyclass(module = "pkg")]
struct Facade;
#[pyclass]
struct Aliased;
#[pyclass(subclass)]
struct Base;
#[pyclass(extends = Base)]
struct Derived;
#[pyclass]
struct InChild;
#[pyfunction]
fn f() {}
#[pyfunction]
fn g() {}

#[pymodule]
fn child(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<InChild>()?;
    m.add("ChildError", m.py().get_type::<ChildError>())?;
    m.add_function(wrap_pyfunction!(g, m)?)
}

#[pymodule]
fn k(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(f, m)?)?;
    m.add("without_module", wrap_pyfunction!(g, m.py())?)?;
    m.add("alias", wrap_pyfunction!(f, m)?)?;
    m.add_class::<Shape>()?;
    m.add_class::<Color>()?;
    m.add_class::<Fixed>()?;
    m.add_class::<Original>()?;
    m.add_class::<Facade>()?;
    m.add("Other", m.py().get_type::<Aliased>())?;
    m.add_class::<Base>()?;
    m.add_class::<Derived>()?;
    m.add("KernelError", m.py().get_type::<KernelError>())?;
    m.add("OddError", m.py().get_type::<OddError>())?;
    m.add("int", m.py().get_type::<pyo3::types::PyInt>())?;
    m.add("sqrt", m.py().import("math")?.getattr("sqrt")?)?;
    m.add("OrderedDict", m.py().import("collections")?.getattr("OrderedDict")?)?;
    m.add("json", m.py().import("json")?)?;
    m.add_wrapped(wrap_pymodule!(child))?;
    let hand = PyModule::new(m.py(), "hand")?;
    hand.add_function(wrap_pyfunction!(g, &hand)?)?;
    m.add_submodule(&hand)
}
"""
DECLARED = """
#[pymodule]
mod d {
    use pyo3::prelude::*;

    #[pyclass]
    enum Shape { Circle { radius: f64 } }
    #[pyfunction]
    fn f() {}
    #[pymodule]
    mod sub {
        use pyo3::prelude::*;

        #[pyclass]
        enum Shape { Circle { radius: f64 } }
        #[pyfunction]
        fn f() {}
        #[pymodule]
        mod deep {
            use pyo3::prelude::*;

            #[pyclass]
            struct Deep;
            #[pyfunction]
            fn f() {}
        }
    }
}
"""
GENERATED = """
use pyo3::{create_exception, exceptions::PyException};

create_exception!(g, GeneratedError, PyException);
#[pyclass]
enum Shape { Circle { radius: f64 } }
#[pyfunction]
fn f(x: i64) -> i64 { x }
pub mod inner {
    #[pyo3::pyclass]
    pub struct Inner;
}
"""
ALL = """
import importlib, pickle, sys, rsimport.import_hook
from types import BuiltinFunctionType, ModuleType

def walk(module, owner, path, found):
    for name, value in vars(owner).items():
        if name.startswith("_"):
            continue
        is_class = isinstance(value, type)
        if is_class or isinstance(value, BuiltinFunctionType) and not isinstance(owner, type):
            found[path + name] = value
        is_module = isinstance(value, ModuleType) and sys.modules.get(value.__name__) is not value
        if is_module or is_class and value.__module__ not in ("builtins", "collections"):
            walk(module, value, path + name + ".", found)
    return found

def everything():
    return {
        f"{name}:{path}": value
        for name in NAMES
        for path, value in walk(name, importlib.import_module(name), "", {}).items()
    }
"""
WRITES = """
found = everything()
for place, value in found.items():
    for protocol in (4, 5):
        assert pickle.loads(pickle.dumps(value, protocol)) is value, place
print(pickle.dumps(list(found.items())).hex(), *sorted(found))
"""
READS = """
for place, value in pickle.loads(bytes.fromhex(DATA)):
    name, _, path = place.partition(":")
    found = importlib.import_module(name)
    for part in path.split("."):
        found = getattr(found, part)
    assert value is found, place
print("same")
"""


def test_everything_pickles_by_reference_at_the_top_and_in_packages(kernel, run, project):
    write(project, {"pkg/__init__.py": "from .k import Facade\n", "pkg/sub/__init__.py": ""})
    for folder in (project, project / "pkg", project / "pkg/sub"):
        for name, body in {"k": BY_HAND, "d": DECLARED, "g": GENERATED}.items():
            # Who says himself where a class is says so of one kernel.
            said = body if folder == project / "pkg" else body.replace('(module = "pkg")', "")
            kernel(name, said, folder=folder)
    names = [f"{package}{name}" for package in ("", "pkg.", "pkg.sub.") for name in "kdg"]
    program = f"NAMES = {names!r}\n{ALL}"
    data, *found = run(program + WRITES).out.split()
    for place in [
        "k:Shape.Circle",
        "k:child.g",
        "k:hand.g",
        "k:alias",
        "k:OddError",
        "k:Other",
        "k:child.ChildError",
    ]:
        assert {place, f"pkg.{place}", f"pkg.sub.{place}"} <= set(found)
    assert {"d:sub.deep.f", "d:sub.Shape.Circle", "pkg.g:GeneratedError", "g:Inner", "k:Fixed"} <= set(found)
    # In another process, which has imported nothing yet.
    assert run(f"DATA = {data!r}\n{program}{READS}").out == "same"


def test_names_are_those_that_python_would_give(kernel, run, project):
    write(project, {"pkg/__init__.py": ""})
    kernel("k", BY_HAND, folder=project / "pkg")
    program = """
        import importlib, sys, rsimport.import_hook
        from pkg import k
        classes = k.Shape, k.Shape.Circle, k.Fixed, k.Facade, k.OddError, k.child.InChild
        for thing in k.f, k.without_module, *classes:
            print(thing.__module__, thing.__qualname__)
        print(k.child.g.__module__, k.child.g.__qualname__, k.child.ChildError, k.hand.g.__module__)
        print(k.int is int, k.sqrt.__module__, k.OrderedDict.__module__, k.json.loads.__module__)
        for name in "pkg.k.child", "pkg.k.nothing":
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                print(error, error.name)
    """
    assert run(program).out.splitlines() == [
        "pkg.k f",
        "pkg.k g",
        "pkg.k Shape",
        "pkg.k Shape.Circle",
        "pkg.k Fixed",
        "pkg Facade",
        "pkg.k OddError",
        "pkg.k child.InChild",
        "pkg.k.child g <class 'pkg.k.child.ChildError'> pkg.k.hand",
        "True math collections json",
        "No module named 'pkg.k.child'; 'pkg.k' is not a package pkg.k.child",
        "No module named 'pkg.k.nothing'; 'pkg.k' is not a package pkg.k.nothing",
    ]


def test_what_a_reload_brings_pickles_as_well(kernel, run):
    path = kernel("k", BY_HAND)
    program = f"""
        import importlib, pathlib, pickle, rsimport.import_hook, k
        before = k.child.g, k.Shape.Circle, k.child.InChild
        path = pathlib.Path({str(path)!r})
        path.write_text(path.read_text() + "\\n// edited\\n")
        importlib.reload(k)
        for old, new in zip(before, (k.child.g, k.Shape.Circle, k.child.InChild)):
            assert new is not old and pickle.loads(pickle.dumps(new)) is new
        print(k.Shape.Circle.__module__, k.Shape.Circle.__qualname__)
    """
    assert run(program).out == "k Shape.Circle"


def test_other_functions_of_c_pickle_as_before(kernel, run):
    kernel("k", BY_HAND)
    program = """
        import math, pickle, rsimport.import_hook, k
        for function in (math.sqrt, len, [].append, dict.fromkeys, {}.get, k.f, k.child.g):
            assert pickle.loads(pickle.dumps(function))
        try:
            pickle.dumps((nothing for nothing in ()).__next__)
        except TypeError as error:
            print(type(error).__name__)
    """
    assert run(program).out == "TypeError"
