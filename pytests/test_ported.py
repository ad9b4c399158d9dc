"""A module of Python that becomes a kernel in a running session, and a kernel that becomes one of Python."""

from __future__ import annotations

import pytest

HEAD = """
import importlib, os, pathlib, sys, rsimport, rsimport.import_hook
def rust(number, more=""):
    text = f"// rsimport\\n#[pyfunction]\\nfn step() -> i64 {{ {number} }}\\n{more}"
    pathlib.Path("step.rs").write_text(text)
    importlib.invalidate_caches()
def python(number):
    pathlib.Path("step.py").write_text(f"def step(): return {number}\\ndef helper(): return 0\\nX = 5\\n")
    importlib.invalidate_caches()
def is_kernel():
    try:
        return rsimport.info(step).source.endswith("step.rs") and step.__file__ == rsimport.info(step).path
    except rsimport.RsimportError:
        return False
def told():
    print(step.step(), hasattr(step, "helper"), is_kernel(), type(step.__spec__.loader).__name__)
python(1)
import step
step.mine = "kept"
"""


def test_it_shows_what_its_file_says_at_each_reload(run):
    code = """
rust(10); assert importlib.reload(step) is step; told()
rust(11); importlib.reload(step); told()
rust(10); rsimport.reload(step); told()
os.remove("step.rs"); python(2); importlib.reload(step); told()
rust(10); importlib.reload(step); told()
os.remove("step.rs"); python(3); importlib.reload(step); told()
print(step.mine, step.X)
"""
    rust, python = "False True KernelLoader", "True False SourceFileLoader"
    lines = [f"10 {rust}", f"11 {rust}", f"10 {rust}", f"2 {python}", f"10 {rust}", f"3 {python}"]
    assert run(HEAD + code).out.splitlines() == [*lines, "kept 5"]


def test_what_does_not_compile_leaves_the_module_of_python(run):
    code = """
rust(1, "broken")
try:
    importlib.reload(step)
except rsimport.CompileError:
    told()
    spec = step.__spec__
    print(step.__file__.endswith("step.py"), spec.origin == step.__file__, "__cached__" in vars(step))
rust(12); importlib.reload(step); told()
"""
    seen = run(HEAD + code).out.splitlines()
    assert seen == ["1 True False SourceFileLoader", "True True True", "12 False True KernelLoader"]


def test_a_package_becomes_a_kernel_and_back(run, project):
    (project / "pkg").mkdir()
    (project / "pkg" / "__init__.py").write_text("def value(): return 1\n")
    code = """
import importlib, os, shutil, rsimport, rsimport.import_hook, pkg
shutil.rmtree("pkg")
open("pkg.rs", "w").write("// rsimport\\n#[pyfunction]\\nfn value() -> i64 { 2 }\\n")
importlib.invalidate_caches()
importlib.reload(pkg)
print(pkg.value(), hasattr(pkg, "__path__"), pkg.__package__ == "")
os.remove("pkg.rs")
os.mkdir("pkg")
open("pkg/__init__.py", "w").write("def value(): return 3\\n")
importlib.invalidate_caches()
importlib.reload(pkg)
print(pkg.value(), len(pkg.__path__), pkg.__package__)
"""
    assert run(code).out.splitlines() == ["2 False True", "3 1 pkg"]


@pytest.mark.parametrize("python", [True, False])
def test_a_kernel_that_is_gone_is_what_python_says(run, kernel, project, python):
    kernel("k", "#[pyfunction]\nfn value() -> i64 { 1 }")
    code = f"""
import importlib, os, rsimport
k = rsimport.imp("k")
os.remove("k.rs")
if {python}:
    open("k.py", "w").write("def value(): return 2\\n")
importlib.invalidate_caches()
try:
    importlib.reload(k)
except ModuleNotFoundError as error:
    print(error)
print(k.value())
"""
    assert run(code).out.splitlines() == (["2"] if python else ["spec not found for the module 'k'", "1"])
