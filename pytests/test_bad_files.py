"""Files that are no kernels: unmarked they are as if not there; else they get one clear error."""

from __future__ import annotations

import os

import pytest
from helpers import LIMIT, bound, value

import rsimport
from rsimport import _engine

GIGABYTE = 1 << 30


def make(path, kind, *, marked):
    """A `.rs` file of some unhappy kind. Where there is content at all, the marker can lead it."""
    marker = b"// rsimport\n" if marked else b""
    if kind == "empty":
        path.write_bytes(marker)
    elif kind == "blank":
        path.write_bytes(marker + b" \n\t\r\n\n   ")
    elif kind == "binary":
        path.write_bytes(marker + bytes(range(256)) * 64)
    elif kind == "not UTF-8":
        path.write_bytes(marker + b'#[pyo3::pyfunction]\nfn f() -> &\'static str { "caf\xe9" }\n')
    elif kind == "a gigabyte":
        path.write_bytes(marker)
        os.truncate(path, GIGABYTE)
    elif kind == "unreadable":
        path.write_bytes(marker + b"use pyo3::prelude::*;\n" + value(1).encode())
        path.chmod(0)
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a dangling link":
        path.symlink_to(path.with_name("nowhere.rs"))
    elif kind == "a link to itself":
        path.symlink_to(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a NUL first":
        path.write_bytes(b"\0" + marker)
    return path


CONTENT = ["empty", "blank", "binary", "not UTF-8", "a gigabyte"]
THINGS = ["unreadable", "a FIFO", "a dangling link", "a link to itself", "a folder"]
TELL = """
import sys, rsimport, rsimport.import_hook
try:
    {statement}
except ImportError as error:
    print(type(error).__name__, error.name, "k" in sys.modules, sep="|")
    print(error, file=sys.stderr)
"""


@pytest.mark.parametrize("kind", [*CONTENT, *THINGS])
def test_unmarked_it_is_as_if_it_were_not_there(run, project, kind):
    make(project / "k.rs", kind, marked=False)
    wrap = bound() if kind == "unreadable" else []
    assert run(TELL.format(statement="import k"), wrap=wrap).out == "ModuleNotFoundError|k|False"
    (project / "k.py").write_text("value = 1")
    assert run("import rsimport.import_hook, k; print(k.value)", wrap=wrap).out == "1"
    assert _engine.marked(str(project / "k.rs")) is False or kind == "unreadable"


@pytest.mark.parametrize("kind", CONTENT)
def test_marked_it_is_a_clear_error(run, project, kind):
    path = make(project / "k.rs", kind, marked=True)
    assert _engine.marked(str(path)) is True
    seen = run(TELL.format(statement="import k"), timeout=LIMIT)
    assert seen.out.split("|")[0] in {"RsimportError", "ConfigError", "CompileError"} and seen.out.endswith(
        "|k|False"
    )
    assert str(path) in seen.stderr and "Traceback" not in seen.stderr and len(seen.stderr) < 5000


@pytest.mark.parametrize("kind", [*CONTENT, *THINGS])
def test_asked_for_by_path_it_is_a_clear_error(run, project, kind):
    path = make(project / "k.rs", kind, marked=False)
    wrap = bound() if kind == "unreadable" else []
    seen = run(TELL.format(statement="rsimport.imp_from_filepath('k.rs')"), wrap=wrap, timeout=LIMIT)
    kind_of_error = seen.out.split("|")[0]
    assert kind_of_error in {"RsimportError", "ConfigError", "CompileError"} and seen.out.endswith("False")
    assert str(path) in seen.stderr and "Traceback" not in seen.stderr and len(seen.stderr) < 5000


def test_an_unreadable_marked_file_hides_no_python_module(run, project):
    make(project / "k.rs", "unreadable", marked=True)
    (project / "k.py").write_text("value = 1")
    assert run("import rsimport.import_hook, k; print(k.value)", wrap=bound()).out == "1"


def test_a_file_that_does_not_exist_is_a_clear_error(run):
    seen = run(TELL.format(statement="rsimport.imp_from_filepath('missing.rs')"))
    assert seen.out.endswith("False") and "missing.rs" in seen.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"// rsimport\n", True),
        (b"// rsimport", True),
        (b"// rsimport\r\nfn f() {}\r\n", True),
        (b"\n\n  \t\n// rsimport\n", True),
        (b"\xef\xbb\xbf// rsimport\n", True),
        (b"\xef\xbb\xbf\n// rsimport\n", True),
        (b"---\n[package.metadata.rsimport]\n---\n", True),
        (b"---\n[package]\nname = 'k'\n[package.metadata.rsimport]\nprofile = 'dev'\n---\n", True),
        (b"", False),
        (b"\n \n", False),
        (b"fn f() {}\n// rsimport\n", False),
        (b"// another comment\n// rsimport\n", False),
        (b"// rsimported\n", False),
        (b"// not rsimport\n", False),
        (b"# rsimport\n", False),
        (b'"// rsimport"\n', False),
        (b"---\n[package]\nname = 'k'\n---\n", False),
        (b"\0// rsimport\n", False),
        (b"\xff\xfe/\0/\0 \0r\0s\0", False),
        (b" " * 100_000 + b"// other", False),
    ],
)
def test_the_marker_is_the_first_line_that_is_not_blank(tmp_path, text, expected):
    path = tmp_path / "k.rs"
    path.write_bytes(text)
    assert _engine.marked(str(path)) is expected


@pytest.mark.parametrize("kind", THINGS[1:])
def test_the_marker_question_never_raises(tmp_path, kind):
    assert _engine.marked(str(make(tmp_path / "k.rs", kind, marked=False))) is False
    assert _engine.crate_source(str(tmp_path / "k.rs")) is None


@pytest.mark.parametrize(
    "text", [b"\xef\xbb\xbf// rsimport\n", b"\n\n// rsimport\n", b"\n \r\n// rsimport\r\n"]
)
def test_a_kernel_with_such_a_beginning_compiles(run, project, text):
    ending = b"\r\n" if b"\r\n" in text else b"\n"
    body = ("use pyo3::prelude::*;\n" + value(5)).encode().replace(b"\n", ending)
    (project / "k.rs").write_bytes(text + body)
    assert run("import rsimport.import_hook, k; print(k.value())").out == "5"


def test_a_marked_file_that_is_renamed_away_during_the_program_is_an_import_error(kernel, run):
    kernel("k", value(1))
    program = """
        import importlib.util, os, rsimport.import_hook
        spec = importlib.util.find_spec("k")
        os.rename("k.rs", "away.rs")
        try:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        except ImportError as error:
            print("k.rs" in str(error))
    """
    assert run(program).out == "True"


def test_an_unmarked_file_that_python_cannot_read_is_no_error_for_build_all(project):
    make(project / "k.rs", "binary", marked=False)
    make(project / "j.rs", "a dangling link", marked=False)
    assert list(rsimport.build_all(str(project))) == []
