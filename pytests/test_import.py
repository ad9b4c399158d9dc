"""Where a kernel is found: Python's own path order, packages of every kind, and the module that comes out."""

from __future__ import annotations

import os
import shutil
import sysconfig
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from helpers import bound, value, write

import rsimport

HOOK = "import rsimport.import_hook\n"


@pytest.fixture
def kernel(kernel: Callable[..., Path]) -> Callable[..., Path]:
    """Here it is asked where kernels are found, not when they are built."""
    return partial(kernel, own=False)


def test_a_marked_kernel_beside_the_script_imports(kernel, run):
    kernel("k", "#[pyfunction]\nfn step(r: f64, x: f64) -> f64 {\n    r * x * (1.0 - x)\n}\n")
    assert run(HOOK + "import k; print(k.step(2.0, 0.5))").out == "0.5"


def test_in_a_clone_without_an_engine_the_error_says_what_to_do(run, tmp_path):
    clone = tmp_path / "rsimport"
    without = shutil.ignore_patterns("_engine*.so", "_engine*.pyd")
    shutil.copytree(Path(rsimport.__file__).parent, clone, ignore=without)
    said = run(HOOK, cwd=tmp_path, check=False).stderr.splitlines()
    assert said[-2] == f"ImportError: {clone} is the source of rsimport, which has no compiled engine"
    assert said[-1].startswith("hint: start Python in another folder")
    # What looks whether a module is there sees that it is not.
    code = "import rsimport\ntry:\n    import gone\nexcept ModuleNotFoundError as exc:\n    print(exc.name)"
    assert run(code, cwd=tmp_path).out == "gone"


def test_a_script_run_by_its_path_finds_the_kernel_beside_it(kernel, run, project, tmp_path):
    kernel("k", value(7))
    write(project, {"script.py": HOOK + "import k\nprint(k.value())\n"})
    assert run([str(project / "script.py")], cwd=tmp_path).out == "7"


@pytest.mark.parametrize(
    ("place", "files", "program", "expected"),
    [
        ("pkg", {"pkg/__init__.py": ""}, "import pkg.k; print(pkg.k.value(), pkg.k.__name__)", "5 pkg.k"),
        ("pkg", {"pkg/__init__.py": ""}, "from pkg import k; print(k.value(), k.__package__)", "5 pkg"),
        ("pkg", {"pkg/__init__.py": "from .k import value"}, "import pkg; print(pkg.value())", "5"),
        ("pkg", {"pkg/__init__.py": "from . import k"}, "import pkg; print(pkg.k.value())", "5"),
        (
            "pkg/sub",
            {"pkg/__init__.py": "", "pkg/sub/__init__.py": "", "pkg/use.py": "from .sub import k"},
            "from pkg.use import k; print(k.value(), k.__name__)",
            "5 pkg.sub.k",
        ),
        (
            "pkg/sub",
            {
                "pkg/__init__.py": "",
                "pkg/sub/__init__.py": "",
                "pkg/sub/deep.py": "from ..sub.k import value",
            },
            "import pkg.sub.deep as d; print(d.value())",
            "5",
        ),
        ("ns", {}, "import ns.k; print(ns.k.value(), hasattr(ns, '__file__') and ns.__file__)", "5 None"),
        ("ns/inner", {}, "from ns.inner import k; print(k.value())", "5"),
    ],
)
def test_a_kernel_inside_a_package(kernel, run, project, place, files, program, expected):
    write(project, files)
    kernel("k", value(5), folder=project / place)
    printed = run(HOOK + program).out.replace("False", "None")
    assert printed == expected


def test_a_namespace_package_with_portions_in_two_folders(kernel, run, project):
    kernel("one", value(1), folder=project / "a/ns")
    kernel("two", value(2), folder=project / "b/ns")
    program = (
        "import sys; sys.path[:0] = ['a', 'b']\nimport ns.one, ns.two; print(ns.one.value() + ns.two.value())"
    )
    assert run(HOOK + program).out == "3"


def test_the_first_entry_of_sys_path_wins(kernel, run, project):
    kernel("k", value(1), folder=project / "a")
    kernel("k", value(2), folder=project / "b")
    for order, expected in ((["a", "b"], "1"), (["b", "a"], "2")):
        assert run(f"{HOOK}import sys; sys.path[:0] = {order}\nimport k; print(k.value())").out == expected


@pytest.mark.parametrize(
    "installed", [{"k.py": "value = lambda: 'python'"}, {"k/__init__.py": "value = lambda: 'python'"}]
)
def test_beside_an_installed_package_of_the_same_name_the_path_order_holds(kernel, run, project, installed):
    kernel("k", value(1), folder=project / "mine")
    write(project / "site", installed)
    for order, expected in ((["mine", "site"], "1"), (["site", "mine"], "python")):
        assert run(f"{HOOK}import sys; sys.path[:0] = {order}\nimport k; print(k.value())").out == expected


def test_a_kernel_beside_the_script_hides_a_module_of_the_standard_library(kernel, run):
    kernel("colorsys", value(3))
    assert run(HOOK + "import colorsys; print(colorsys.value())").out == "3"


def test_in_one_folder_a_marked_kernel_wins_over_python_and_extension_files(kernel, run, project):
    kernel("k", value(4))
    write(
        project,
        {"k.py": "value = lambda: 'python'", "k" + sysconfig.get_config_var("EXT_SUFFIX"): "no library"},
    )
    assert run(HOOK + "import k; print(k.value())").out == "4"


def test_an_unmarked_file_is_invisible(kernel, run, project):
    kernel("k", value(4), marker=False)
    kernel("alone", value(4), marker=False)
    write(project, {"k.py": "value = lambda: 'python'"})
    program = """
        import rsimport.import_hook, k
        print(k.value())
        try:
            import alone
        except ModuleNotFoundError as error:
            print(type(error).__name__, error)
    """
    seen = run(program).out.splitlines()
    assert seen[:2] == ["python", "ModuleNotFoundError No module named 'alone'"]
    assert "alone.rs is no kernel" in seen[2]


def test_python_m_runs_a_module_that_imports_a_kernel(kernel, run, project):
    kernel("k", value(6), folder=project / "app")
    write(project, {"app/__init__.py": "", "app/__main__.py": HOOK + "from . import k\nprint(k.value())\n"})
    assert run(["-m", "app"]).out == "6"


def test_a_folder_that_python_has_listed_before_the_hook_came(kernel, run, project):
    kernel("k", value(8))
    write(project, {"plain.py": ""})
    program = """
        import plain
        try:
            import k
        except ModuleNotFoundError:
            import rsimport.import_hook, k
            print(k.value())
    """
    assert run(program).out == "8"


def test_a_kernel_written_while_the_program_runs(kernel, run, project):
    source = kernel("k", value(9)).rename(project / "later.txt")
    program = f"""
        import rsimport.import_hook, importlib.util, os
        assert importlib.util.find_spec("k") is None
        os.rename({str(source)!r}, "k.rs")
        importlib.invalidate_caches()
        import k
        print(k.value())
    """
    assert run(program).out == "9"


def test_a_relative_entry_of_sys_path_follows_the_working_folder(kernel, run, project):
    kernel("k", value(1), folder=project / "a")
    program = "import os, sys; os.chdir('a'); sys.path.insert(0, ''); import k; print(k.value())"
    assert run(HOOK + program).out == "1"


@pytest.mark.parametrize(
    "entry", ["a file", "a missing folder", "an unreadable folder", "a zip file", "bytes that are no text"]
)
def test_a_strange_entry_in_sys_path_harms_nothing(kernel, run, project, entry):
    kernel("k", value(2))
    strange = project / "strange"
    if entry == "a file":
        strange.write_text("text")
    elif entry == "an unreadable folder":
        strange.mkdir(mode=0)
    elif entry == "a zip file":
        with zipfile.ZipFile(strange, "w") as archive:
            archive.writestr("zipped.py", "")
    elif entry == "bytes that are no text":
        strange = project / os.fsdecode(b"strange-\xff")
        strange.mkdir()
    program = f"""
        import sys; sys.path.insert(0, {str(strange)!r})
        import rsimport.import_hook, colorsys, k
        print(k.value(), {"__import__('zipped').__name__" if entry == "a zip file" else "'zipped'"})
    """
    assert run(program, wrap=bound() if entry == "an unreadable folder" else []).out == "2 zipped"
