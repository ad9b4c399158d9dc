"""An import that finds nothing where a Rust file lies: Python's message, and what is to be done."""

from __future__ import annotations

import json
import os
import zipfile

import pytest
from helpers import write

from rsimport import _marker

FILES = {
    "plain.rs": "fn f() {}",
    "second.rs": "\nuse std::fs;\n// rsimport\n",
    "hash.rs": "# rsimport\n",
    "doc.rs": "//! rsimport\n",
    "loud.rs": "// RSIMPORT\n",
    "other.rs": "// rustimport:pyo3\n",
    "a-b.rs": "// rsimport\n",
    "Case.rs": "// rsimport\n",
    "upper.RS": "// rsimport\n",
    "empty.rs": "",
    "escape.rs": "\x1b[31mred\n",
    "pkg/__init__.py": "",
    "pkg/inner.rs": "// rsimports\n",
    "pkg/near.py": "from . import inner\n",
    "two words.rs": "// rsimport\n",
    "note.rs.txt": "// rsimport\n",
    "dotted.name.rs": "// rsimport\n",
    "my-crate/Cargo.toml": "",
    "my-crate/src/lib.rs": "// rsimport\n",
    "plain_crate/Cargo.toml": "",
    "plain_crate/src/lib.rs": "use pyo3::prelude::*;\n",
    "program/Cargo.toml": "",
    "program/src/main.rs": "fn main() {}\n",
    "spare/inner.rs": "",
    "listed/__init__.py": "__all__ = ['inner']\n",
    "listed/inner.rs": "",
}
SAID = {
    "plain": "its first line is `fn f() {}`, not `// rsimport`",
    "second": "its first line is `use std::fs;`, and the marker stands on line 3",
    "hash": "its first line is `# rsimport`",
    "doc": "its first line is `//! rsimport`",
    "loud": "its first line is `// RSIMPORT`",
    "other": "its first line is `// rustimport:pyo3`",
    "a_b": "hint: rename it to a_b.rs, or call rsimport.imp_from_filepath(",
    "case": "hint: rename it to case.rs",
    "upper": "hint: rename it to upper.rs",
    "empty": "it is empty",
    "escape": "its first line is `\\x1b[31mred`",
    "utf16": "it is UTF-16, and Rust is UTF-8",
    "pkg.inner": "its first line is `// rsimports`",
    "two_words": "hint: rename it to two_words.rs",
    "note": "hint: rename it to note.rs",
    "dotted": "hint: rename it to dotted_name.rs, or call rsimport.imp_from_filepath(",
    "lost": "lost.rs is a link that leads nowhere: gone.rs",
    "packed": "hint: unpack it: python -m zipfile -e ",
    "my_crate": "hint: rename it to my_crate, or call rsimport.imp_from_filepath(",
}
NAMES = {
    "from pkg import inner": ("'pkg' (", "its first line is `// rsimports`"),
    "import pkg.near": ("'pkg' (", "its first line is `// rsimports`"),
    "from spare import inner": ("'spare' (unknown location)", "it is empty"),
    "from plain_crate import add": (
        "'plain_crate' (",
        "src/lib.rs is no kernel: its first line is `use pyo3::",
    ),
    "from program import add": ("'program' (", "it has no src/lib.rs"),
    "from pkg import nothing": ("'pkg' (", None),
    "__import__('pkg', fromlist=['inner']).inner": ("module 'pkg' has no attribute 'inner'", None),
    "from listed import *": ("module 'listed' has no attribute 'inner'", None),
}


@pytest.fixture
def files(project):
    write(project, FILES)
    (project / "utf16.rs").write_text("// rsimport\n", encoding="utf-16")
    (project / "lost.rs").symlink_to("gone.rs")
    with zipfile.ZipFile(project / "app.zip", "w") as archive:
        archive.writestr("packed.rs", "// rsimport\n")


def test_the_file_and_what_it_needs_are_named(files, run):
    code = f"""
import importlib, importlib.util, json, sys, traceback, rsimport.import_hook
sys.path.append("app.zip")
told = {{}}
for name in {[*SAID, "nothing", "pkg.nothing"]!r}:
    assert importlib.util.find_spec(name) is None
    try:
        exec(f"import {{name}}")
    except ModuleNotFoundError as error:
        assert type(error) is ModuleNotFoundError and error.name == name
        assert all("rsimport" not in frame.filename for frame in traceback.extract_tb(error.__traceback__))
        told[name] = str(error)
print(json.dumps(told))
"""
    told = json.loads(run(code).out)
    for name, said in SAID.items():
        first, *rest = told[name].splitlines()
        assert first == f"No module named {name!r}" and said in "\n".join(rest), told[name]
        assert rest[-1].startswith("hint: ")
    assert told["nothing"] == "No module named 'nothing'"
    assert told["pkg.nothing"] == "No module named 'pkg.nothing'"


def test_a_name_that_is_imported_from_a_package_is_told_as_well(files, run):
    code = f"""
import json, traceback, rsimport.import_hook
told = {{}}
for statement in {list(NAMES)!r}:
    try:
        exec(statement)
    except (ImportError, AttributeError) as error:
        frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        assert not [frame for frame in frames if "rsimport" in frame or "frozen" in frame], frames
        told[statement] = str(error), getattr(error, "name", None), type(error).__name__
print(json.dumps(told))
"""
    told = json.loads(run(code).out)
    for statement, (first, more) in NAMES.items():
        text, name, kind = told[statement]
        assert first in text.splitlines()[0] and (more is None) == (len(text.splitlines()) == 1), text
        if more is not None:
            assert (name, kind) == (first[1:].partition("'")[0], "ImportError")
            assert more in text and "\nhint: " in text


def test_a_marked_file_without_the_hook_says_how_it_is_switched_on(kernel, run):
    kernel("k", "")
    seen = run("import rsimport\nimport k", check=False).stderr
    assert "k.rs is a kernel, and the import hook is not on" in seen and "rsimport.install()" in seen
    assert "_meta_finder" not in seen and "_missing" not in seen


def test_a_pipe_of_the_name_is_not_read(project, run):
    os.mkfifo(project / "pipe.rs")
    code = """
    import rsimport.import_hook
    try:
        import pipe
    except ModuleNotFoundError as error:
        print(error)
    """
    assert run(code).out == "No module named 'pipe'"
    assert _marker.advice(str(project / "pipe.rs"))[0].endswith("it is not a file")


def test_a_file_that_appears_later_is_seen(project, run):
    code = """
import rsimport.import_hook
for text in (None, "fn f() {}", "// rsimport\\n#[pyfunction]\\nfn value() -> i64 { 1 }\\n"):
    if text:
        open("late.rs", "w").write(text)
    try:
        import late
        print(late.value())
    except ModuleNotFoundError as error:
        print(len(str(error).splitlines()))
"""
    assert run(code).out.split() == ["1", "3", "1"]


def test_a_finder_that_comes_after_ours_is_asked_first(project, run):
    (project / "late.rs").write_text("fn f() {}")
    code = """
import sys, rsimport.import_hook
from importlib.machinery import ModuleSpec
class Late:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, Late, origin="late") if name == "late" else None
    create_module = exec_module = staticmethod(lambda about: None)
sys.meta_path.append(Late)
import late
print(late.__spec__.origin)
"""
    assert run(code).out == "late"


def test_a_kernel_that_was_loaded_by_its_path_changes_nothing_for_others(kernel, project, run):
    kernel("k", "#[pyfunction]\nfn value() -> i64 { 1 }")
    code = "import rsimport; rsimport.imp_from_filepath('k.rs'); import colorsys, wave; print(wave.__name__)"
    assert run(code).out == "wave"


HIDDEN = """
import sys, rsimport.import_hook
from importlib.machinery import FileFinder, SourceFileLoader
sys.path_hooks.insert(0, FileFinder.path_hook((SourceFileLoader, [".py"])))
sys.path_importer_cache.clear()
"""


def test_a_hook_put_before_ours_hides_no_kernel(kernel, crate, project, run):
    kernel("k", "#[pyfunction]\nfn value() -> i64 { 1 }")
    (project / "pkg").mkdir()
    (project / "pkg" / "__init__.py").write_text("")
    kernel("j", "#[pyfunction]\nfn value() -> i64 { 2 }", folder=project / "pkg")
    (project / "own.py").write_text("value = 3")
    code = (
        HIDDEN
        + "import k, pkg.j, own, importlib\nimportlib.reload(k)\nprint(k.value(), pkg.j.value(), own.value)"
    )
    assert run(code).out == "1 2 3"


@pytest.mark.parametrize("first", ["", "import pkgutil"])
def test_kernels_are_among_the_modules_of_a_folder(kernel, project, run, first):
    kernel("k", "")
    (project / "plain.rs").write_text("fn f() {}")
    (project / "own.py").write_text("")
    (project / "pkg").mkdir()
    (project / "pkg" / "__init__.py").write_text("")
    kernel("j", "", folder=project / "pkg")
    code = f"""
{first}
import rsimport.import_hook, pkgutil
print(sorted((found.name, found.ispkg) for found in pkgutil.walk_packages(["."])))
"""
    expected = [("k", False), ("own", False), ("pkg", True), ("pkg.j", False)]
    assert run(code).out == str(expected)


def test_help_has_nothing_of_ours(kernel, run):
    kernel("k", "/// Ours.\n#[pyfunction]\nfn value() -> i64 { 1 }")
    said = run("import pydoc, rsimport.import_hook, k; print(pydoc.plain(pydoc.render_doc(k)))").out
    data = said.partition("DATA")[2].partition("FILE")[0]
    assert "Ours." in said and data.split() == ["__all__", "=", "['value']"]
