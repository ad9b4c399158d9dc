"""What the hook leaves alone: other imports, `find_spec`, and everything after `uninstall`."""

from __future__ import annotations

import pytest
from helpers import value, without_rust, write

TABLES = """
import sys
def tables():
    sys.path_importer_cache.clear()
    return list(sys.path_hooks)
"""


@pytest.mark.parametrize("name", ["k", "pkg.k", "boxed"])
def test_find_spec_does_not_compile(kernel, crate, run, project, tmp_path, own_cache, name):
    write(project, {"pkg/__init__.py": ""})
    kernel("k", value("missing()"))
    kernel("k", value("missing()"), folder=project / "pkg")
    crate("boxed", value("missing()"))
    before = set(own_cache.rglob("*"))
    program = f"""
        import importlib.util, rsimport.import_hook
        spec = importlib.util.find_spec({name!r})
        print(spec.name, spec.loader is not None)
    """
    assert run(program, env=without_rust(tmp_path / "bare")).out == f"{name} True"
    assert set(own_cache.rglob("*")) == before


def test_find_spec_says_none_for_what_is_not_there(kernel, run):
    kernel("unmarked", value(1), marker=False)
    program = """
        import importlib.util, rsimport.import_hook
        print(importlib.util.find_spec("unmarked"), importlib.util.find_spec("nothing"))
    """
    assert run(program).out == "None None"


@pytest.mark.parametrize(
    ("files", "expression"),
    [
        ({"json.rs": "fn main() {}\n"}, "__import__('json').loads('3')"),
        ({"x.rs": "fn main() {}\n", "x.py": "y = 3\n"}, "__import__('x').y"),
        ({"x.rs": "fn main() {}\n", "x/__init__.py": "y = 3\n"}, "__import__('x').y"),
        ({"x.rs": "// rsimport-like\n", "x/y.py": "z = 3\n"}, "__import__('x.y').y.z"),
    ],
    ids=["the standard library", "a module", "a package", "a namespace package"],
)
def test_an_unmarked_file_of_the_same_name_hides_no_real_module(run, project, files, expression):
    write(project, files)
    assert run(f"import rsimport.import_hook\nprint({expression})").out == "3"


def test_other_modules_are_loaded_by_pythons_own_loaders(run, project):
    write(project, {"x.py": "", "pkg/__init__.py": "", "pkg/y.py": "", "ns/z.py": ""})
    program = """
        import sys
        names = ["x", "pkg", "pkg.y", "ns", "ns.z", "colorsys", "_bisect"]
        def state():
            seen = []
            for name in names:
                __import__(name)
                module = sys.modules[name]
                spec = module.__spec__
                file = getattr(module, "__file__", None)
                seen.append((name, type(spec.loader), spec.origin, spec.cached, file))
            for name in names:
                del sys.modules[name]
            return seen
        before = state()
        import rsimport.import_hook
        sys.path_importer_cache.clear()
        print(state() == before)
    """
    assert run(program).out == "True"


def test_a_working_folder_that_is_gone_harms_nothing(run):
    program = """
        import os, sys
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir("../gone")
        import rsimport.import_hook, colorsys
        try:
            import nothing_of_the_kind
        except ModuleNotFoundError as error:
            print(error.name)
    """
    assert run(program).out == "nothing_of_the_kind"


def test_errors_of_other_modules_are_as_they_were(run, project):
    write(
        project,
        {"bad.py": "1 +\n", "raises.py": "raise KeyError('x')\n", "needs.py": "import nothing_of_the_kind\n"},
    )
    program = """
        import rsimport.import_hook
        for name in ("bad", "raises", "needs", "pkg.missing", "missing"):
            try:
                __import__(name)
            except BaseException as error:
                print(type(error).__name__, getattr(error, "name", None), error.__context__ is None)
    """
    assert run(program).out.splitlines() == [
        "SyntaxError None True",
        "KeyError None True",
        "ModuleNotFoundError nothing_of_the_kind True",
        "ModuleNotFoundError pkg True",
        "ModuleNotFoundError missing True",
    ]


def test_tools_that_list_modules_still_see_them(kernel, run, project):
    kernel("k", value(1))
    write(project, {"x.py": "", "pkg/__init__.py": "", "pkg/y.py": ""})
    program = """
        import rsimport.import_hook, pkgutil
        seen = {module.name for module in pkgutil.walk_packages(["."])}
        print({"x", "pkg", "pkg.y"} <= seen)
    """
    assert run(program).out == "True"


def test_installing_twice_is_harmless(kernel, run):
    kernel("k", value(1))
    program = """
import rsimport
before = tables()
first, one = rsimport.install(), tables()
import rsimport.import_hook
second, two = rsimport.install(), tables()
assert one == two and one != before
for hook in (second, rsimport.import_hook.hook):
    hook.uninstall()
import k
first.uninstall()
assert tables() == before
print(k.value())
"""
    assert run(TABLES + program).out == "1"


def test_uninstall_takes_everything_back(kernel, run):
    kernel("k", value(1))
    kernel("j", value(2))
    program = """
import rsimport
before = tables()
hook = rsimport.install()
import k
hook.uninstall()
hook.uninstall()
assert tables() == before
try:
    import j
except ModuleNotFoundError as error:
    print(error.name, k.value())
"""
    assert run(TABLES + program).out == "j 1"


def test_the_handle_is_a_context_manager(kernel, run):
    kernel("k", value(1))
    kernel("j", value(2))
    program = """
import rsimport
before = tables()
try:
    with rsimport.install() as hook:
        import k
        raise KeyError
except KeyError:
    pass
assert tables() == before and hasattr(hook, "uninstall")
try:
    import j
except ModuleNotFoundError:
    print(k.value())
"""
    assert run(TABLES + program).out == "1"


def test_without_the_hook_a_kernel_is_not_found(kernel, run):
    kernel("k", value(1))
    program = """
        import rsimport
        try:
            import k
        except ModuleNotFoundError:
            print("not found")
    """
    assert run(program).out == "not found"


def test_importing_the_hook_imports_little_and_starts_nothing(run):
    program = """
        import sys
        before = set(sys.modules)
        import rsimport.import_hook
        new = {name.partition(".")[0] for name in set(sys.modules) - before}
        heavy = {"subprocess", "asyncio", "click", "rich", "numpy", "IPython", "multiprocessing"}
        print(*sorted(new & heavy), "-")
    """
    assert run(program).out == "-"


def test_kernels_see_the_hook_while_another_thread_builds(barrier, kernel, run):
    """A flag for "the hook is running" would let this thread's import fall through."""
    kernel("slow", barrier.wait + value(1), block=barrier.block)
    kernel("quick", value(2))
    run("import rsimport; rsimport.build_filepath('quick.rs')")
    program = f"""
        import pathlib, threading, time, rsimport.import_hook
        thread = threading.Thread(target=lambda: __import__("slow"))
        thread.start()
        while not pathlib.Path({str(barrier.started)!r}).exists():
            time.sleep(0.005)
        import quick
        print(quick.value())
        pathlib.Path({str(barrier.folder / "go")!r}).touch()
        thread.join()
        import slow
        print(slow.value())
    """
    assert run(program).out.split() == ["2", "1"]
