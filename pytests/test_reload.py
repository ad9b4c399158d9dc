"""Reloading: the edited kernel, in the same process, in the same module object."""

from __future__ import annotations

import pytest
from helpers import value, write

EDIT = """
import pathlib

def edit(old, new, path="k.rs"):
    source = pathlib.Path(path)
    text = source.read_text()
    assert old in text
    source.write_text(text.replace(old, new))
"""

RELOADERS = ["rsimport.reload", "importlib.reload"]


@pytest.fixture(autouse=True)
def editing(project):
    write(project, {"editing.py": EDIT})


HEAD = """
import importlib, pickle, sys
import rsimport, rsimport.import_hook
from editing import edit
import k
"""


@pytest.mark.parametrize("reload", RELOADERS)
def test_an_edited_kernel_is_the_new_one_in_the_same_module(kernel, run, reload):
    kernel("k", value(1) + value(5, "other"))
    program = f"""
before, identity, file = k.value(), id(k), k.__file__
edit("1", "2")
again = {reload}(k)
assert again is k is sys.modules["k"] and id(k) == identity and k.__file__ != file
assert k.__spec__.origin == k.__file__ == rsimport.info(k).path
print(before, k.value(), k.other())
edit("2", "3"); {reload}(k); print(k.value())
"""
    assert run(HEAD + program).out.split() == ["1", "2", "5", "3"]


@pytest.mark.parametrize("reload", RELOADERS)
def test_new_functions_appear_and_a_name_taken_before_keeps_the_old_function(kernel, run, reload):
    kernel("k", value(1))
    program = f"""
from k import value
edit("fn value", "fn added() -> i64 {{\\n    10\\n}}\\n\\n#[pyfunction]\\nfn value")
edit("    1\\n", "    2\\n")
{reload}(k)
print(value(), k.value(), k.added())
"""
    assert run(HEAD + program).out == "1 2 10"


@pytest.mark.parametrize("reload", RELOADERS)
def test_another_module_that_holds_the_kernel_sees_the_new_functions(kernel, run, project, reload):
    kernel("k", value(1))
    write(
        project,
        {"other.py": "import k\nfrom k import value as old\n\ndef call():\n    return k.value(), old()\n"},
    )
    program = f"""
import other
edit("1", "2")
{reload}(k)
print(*other.call())
"""
    assert run(HEAD + program).out == "2 1"


@pytest.mark.parametrize("reload", RELOADERS)
def test_python_globals_stay_and_rust_statics_start_afresh(kernel, run, reload):
    body = "static COUNT: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(100);\n"
    kernel("k", body + value("COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 0"))
    program = f"""
k.extra = "kept"
first = [k.value(), k.value()]
edit("+ 0", "+ 1000")
{reload}(k)
print(*first, k.value(), k.extra)
"""
    assert run(HEAD + program).out == "100 101 1100 kept"


@pytest.mark.parametrize("reload", RELOADERS)
def test_objects_of_an_old_class_live_on_and_a_reference_pickled_before_gives_the_old_function(
    kernel, run, reload
):
    methods = "#[pymethods]\nimpl Thing {\n    #[new]\n    fn new() -> Self {\n        Thing\n    }\n"
    methods += "    fn number(&self) -> i64 {\n        1\n    }\n}\n"
    kernel("k", value(1) + "#[pyclass]\nstruct Thing;\n" + methods)
    program = f"""
thing, pickled = k.Thing(), pickle.dumps(k.value)
edit("  1", "  2")
{reload}(k)
print(thing.number(), k.Thing().number(), isinstance(thing, k.Thing), pickle.loads(pickled)())
"""
    assert run(HEAD + program).out == "1 2 False 1"


@pytest.mark.parametrize("reload", RELOADERS)
@pytest.mark.parametrize("bad", ['"text"', "missing()", "{"])
def test_a_reload_that_fails_to_compile_leaves_the_module_as_it_was(kernel, run, reload, bad):
    kernel("k", value(111))
    program = f"""
before = dict(vars(k))
edit("    111", "    " + {bad!r})
try:
    {reload}(k)
except rsimport.CompileError as error:
    assert error.diagnostics
else:
    raise SystemExit("no error")
assert sys.modules["k"] is k and dict(vars(k)) == before
print(k.value())
edit("    " + {bad!r}, "    222")
{reload}(k)
print(k.value())
"""
    assert run(HEAD + program).out.split() == ["111", "222"]


@pytest.mark.parametrize("reload", RELOADERS)
def test_a_reload_whose_initialisation_fails_leaves_the_old_functions(kernel, run, reload):
    body = "#[pymodule]\nfn k(m: &Bound<'_, PyModule>) -> PyResult<()> {\n"
    body += "    m.add_function(wrap_pyfunction!(value, m)?)\n}\n"
    kernel("k", value(1) + body)
    program = f"""
edit("m.add_function", 'Err(pyo3::exceptions::PyValueError::new_err("no"))?;\\n    m.add_function')
try:
    {reload}(k)
except ImportError as error:
    assert isinstance(error.__cause__, ValueError), repr(error.__cause__)
print(k.value(), sys.modules["k"] is k)
"""
    assert run(HEAD + program).out == "1 True"


@pytest.mark.parametrize("reload", RELOADERS)
def test_a_reload_works_when_the_hook_is_not_installed(kernel, run, project, reload):
    kernel("k", value(1))
    program = f"""
import importlib, rsimport
from editing import edit
k = rsimport.imp_from_filepath("k.rs")
edit("1", "2")
same = {reload}(k)
print(same is k, k.value(), "rsimport.import_hook" in __import__("sys").modules)
"""
    assert run(program).out == "True 2 False"


@pytest.mark.parametrize("reload", RELOADERS)
def test_a_reload_of_an_unchanged_kernel_is_a_hit(kernel, run, reload):
    kernel("k", value(1))
    program = f"first = rsimport.info(k).built\n{reload}(k)\nprint(first, rsimport.info(k).built, k.value())"
    assert run(HEAD + program).out == "True False 1"


@pytest.mark.parametrize("reload", RELOADERS)
def test_a_reload_goes_forth_and_back(kernel, run, reload):
    kernel("k", value(1))
    program = f"""
seen = [k.value()]
for old, new in ("12", "21", "12", "23", "31"):
    edit(f"    {{old}}\\n", f"    {{new}}\\n")
    {reload}(k)
    seen.append(k.value())
print(*seen)
"""
    assert run(HEAD + program).out == "1 2 1 2 3 1"


@pytest.mark.parametrize("reload", RELOADERS)
def test_a_kernel_in_a_package_reloads(kernel, run, project, reload):
    kernel("k", value(1), folder=project / "pkg")
    program = f"""
import importlib, rsimport, rsimport.import_hook, pkg.k
from editing import edit
edit("1", "2", "pkg/k.rs")
{reload}(pkg.k)
print(pkg.k.value(), pkg.k.__name__)
"""
    assert run(program).out == "2 pkg.k"


@pytest.mark.parametrize("reload", RELOADERS)
def test_a_crate_reloads(crate, run, reload):
    crate("boxed", value(1))
    program = f"""
import importlib, rsimport, rsimport.import_hook, boxed
from editing import edit
edit("1", "2", "boxed/src/lib.rs")
{reload}(boxed)
print(boxed.value())
"""
    assert run(program).out == "2"


def test_after_an_edit_a_module_taken_from_sys_modules_imports_as_the_new_one(kernel, run):
    kernel("k", value(1))
    program = """
old = k
edit("1", "2")
del sys.modules["k"]
import k
print(old.value(), k.value(), old is k)
"""
    assert run(HEAD + program).out == "1 2 False"


def test_reloading_what_is_no_kernel_says_so(run):
    program = """
import json, rsimport
try:
    rsimport.reload(json)
except (rsimport.RsimportError, TypeError) as error:
    print("json" in str(error))
"""
    assert run(program).out == "True"
