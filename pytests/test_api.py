"""The public functions: loading by name and by path, building only, building a folder."""

from __future__ import annotations

import importlib.metadata
import inspect
from pathlib import Path

import pytest
from helpers import snapshot, value, write

import rsimport

PUBLIC = {
    "Artifact",
    "Diagnostic",
    "install",
    "native",
    "Hook",
    "Native",
    "Panic",
    "Report",
    "imp",
    "imp_from_filepath",
    "build",
    "build_filepath",
    "compile",
    "build_all",
    "reload",
    "info",
    "RsimportError",
    "CompileError",
    "ConfigError",
    "ToolchainError",
    "CacheError",
    "__version__",
}


def test_the_package_exports_exactly_the_public_names():
    assert set(rsimport.__all__) == PUBLIC
    assert all(getattr(rsimport, name) is not None for name in PUBLIC)
    assert set(dir(rsimport)) >= PUBLIC


def test_the_version_is_that_of_the_distribution():
    assert rsimport.__version__ == importlib.metadata.version("rsimport") == rsimport._engine.__version__


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_every_public_name_is_documented_and_functions_name_their_errors(name):
    thing = getattr(rsimport, name)
    documentation = inspect.getdoc(thing)
    assert documentation and len(documentation) > 20
    if inspect.isfunction(thing) and name not in ("info",):
        assert "Raises" in documentation


def test_the_package_is_typed():
    folder = Path(rsimport.__file__).parent
    assert (folder / "py.typed").exists() and (folder / "_engine.pyi").exists()


@pytest.mark.parametrize("marker", [True, False])
def test_imp_loads_by_name_without_asking_for_the_marker(kernel, run, project, marker):
    write(project, {"pkg/__init__.py": ""})
    kernel("k", value(1), folder=project / "pkg", marker=marker)
    program = """
        import sys, rsimport
        k = rsimport.imp("pkg.k")
        print(k.value(), k.__name__)
        print(sys.modules["pkg.k"] is k, sys.modules["pkg"].k is k, rsimport.imp("pkg.k") is k)
    """
    assert run(program).out.split() == ["1", "pkg.k", "True", "True", "True"]


def test_imp_of_what_is_not_there_is_an_import_error_that_names_it(run):
    program = """
        import rsimport
        for name in ("nothing", "json.nothing", "nothing.deeper"):
            try:
                rsimport.imp(name)
            except ImportError as error:
                print(name in str(error) or name.split(".")[0] in str(error))
    """
    assert run(program).out.split() == ["True"] * 3


@pytest.mark.parametrize("marker", [True, False])
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("'sub/k.rs'", "k"),
        ("'sub/k.rs', 'other.name'", "other.name"),
        ("__import__('pathlib').Path('sub/k.rs')", "k"),
    ],
)
def test_imp_from_filepath_loads_any_file(kernel, run, project, marker, arguments, name):
    kernel("k", value(2), folder=project / "sub", marker=marker)
    program = f"""
        import sys, rsimport
        k = rsimport.imp_from_filepath({arguments})
        print(k.value(), k.__name__, sys.modules.get({name!r}) is k)
    """
    assert run(program).out == f"2 {name} True"


def test_imp_from_filepath_takes_a_crate(crate, run, project):
    crate("k", value(3), folder=project / "sub", marker=False)
    for path in ("sub/k", "sub/k/Cargo.toml", "sub/k/src/lib.rs"):
        assert run(f"import rsimport; print(rsimport.imp_from_filepath({path!r}).value())").out == "3"


def test_a_file_without_its_suffix_is_told_the_one_that_is_there(kernel, project):
    path = kernel("k", value(1))
    with pytest.raises(rsimport.ConfigError) as caught:
        rsimport.imp_from_filepath(project / "k")
    assert caught.value.hint == f"did you mean {path}?"


def test_imp_from_filepath_gives_the_new_text_after_an_edit(kernel, run):
    kernel("k", value(1))
    program = """
        import pathlib, rsimport
        print(rsimport.imp_from_filepath("k.rs").value())
        source = pathlib.Path("k.rs")
        source.write_text(source.read_text().replace("1", "2"))
        print(rsimport.imp_from_filepath("k.rs").value())
    """
    assert run(program).out.split() == ["1", "2"]


@pytest.mark.parametrize("call", ["build('pkg.k')", "build_filepath('pkg/k.rs')"])
def test_build_only_returns_the_path_of_an_artifact_that_python_can_load(kernel, run, project, call):
    write(project, {"pkg/__init__.py": ""})
    kernel("k", value(4), folder=project / "pkg", marker=False)
    program = f"""
        import importlib.machinery, importlib.util, sys, rsimport
        path = rsimport.{call}
        assert isinstance(path, str) and "pkg.k" not in sys.modules and "k" not in sys.modules
        assert rsimport.{call} == path
        loader = importlib.machinery.ExtensionFileLoader("k", path)
        k = importlib.util.module_from_spec(importlib.util.spec_from_loader("k", loader))
        loader.exec_module(k)
        print(k.value())
    """
    assert run(program).out == "4"


def test_build_all_reports_each_marked_kernel_and_leaves_the_rest_alone(kernel, crate, run, project):
    kernel("good", value(1))
    kernel("bad", value("missing()"), folder=project / "pkg")
    kernel("unmarked", value("missing()"), marker=False)
    crate("boxed", value(2))
    before = snapshot(project)
    program = """
        import pathlib, rsimport
        for report in sorted(rsimport.build_all("."), key=lambda report: report.path):
            name, error = pathlib.Path(report.path).name, type(report.error).__name__
            print(name, report.built, error, report.artifact is not None)
        print([report.built for report in rsimport.build_all(".") if report.error is None])
    """
    lines = run(program).out.splitlines()
    assert sorted(lines[:-1]) == sorted(
        [
            "bad.rs False CompileError False",
            f"{_crate_name(lines)} True NoneType True",
            "good.rs True NoneType True",
        ]
    )
    assert lines[-1] == "[False, False]"
    after = snapshot(project)
    assert set(after) - set(before) <= {"boxed/Cargo.lock"} and {**after, **before} == after


def _crate_name(lines):
    """A crate is reported by its folder or by its lib.rs."""
    return next(name for name in ("boxed", "lib.rs") if any(line.startswith(name) for line in lines))


def test_build_all_of_a_folder_that_is_not_there_is_an_error(run):
    program = """
        import rsimport
        try:
            rsimport.build_all("missing")
        except (rsimport.RsimportError, OSError) as error:
            print("missing" in str(error))
    """
    assert run(program).out == "True"


def test_settings_may_be_given_to_every_call(stub_kernel, run, project):
    stub_kernel("cfg!(debug_assertions) as i64")
    program = """
        import rsimport
        release = rsimport.build_filepath("k.rs")
        dev = rsimport.build_filepath("k.rs", profile="dev")
        assert release != dev == rsimport.build("k", profile="dev")
        assert rsimport.imp("k", profile="dev").value() == 1
        assert rsimport.imp_from_filepath("k.rs", fullname="other.k", profile="release").value() == 0
        print(*[report.error for report in rsimport.build_all(".", profile="dev")])
    """
    assert run(program).out == "None"


def test_info_of_what_is_no_kernel_says_so():
    with pytest.raises((rsimport.RsimportError, TypeError), match="json"):
        rsimport.info(__import__("json"))
