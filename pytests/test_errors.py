"""Errors: the compiler's words reach the caller, with the user's file and line, and nothing old is lost."""

from __future__ import annotations

import os
import pty

import pytest
from helpers import block, line_of, package, value, write

import rsimport

MISTAKES = {
    "a wrong type": ("E0308", '#[pyfunction]\nfn value() -> i64 {\n    "WRONG"\n}\n'),
    "a moved value": (
        "E0382",
        "#[pyfunction]\nfn value() -> usize {\n    let s = String::new();\n    drop(s);\n"
        "    s.len() // WRONG\n}\n",
    ),
    "a borrow conflict": (
        "E0502",
        "#[pyfunction]\nfn value() -> i64 {\n    let mut v = vec![1];\n    let first = &v[0];\n"
        "    v.push(2); // WRONG\n    *first\n}\n",
    ),
    "a missing crate": ("E0433", "#[pyfunction]\nfn value() -> i64 {\n    nowhere::WRONG()\n}\n"),
    "an unresolved import": ("E0432", "use nowhere::WRONG;\n#[pyfunction]\nfn value() -> i64 {\n    1\n}\n"),
    "an unknown name": ("E0425", "#[pyfunction]\nfn value() -> i64 {\n    WRONG\n}\n"),
    "a syntax error": (None, "#[pyfunction]\nfn value() -> i64 {\n    1 + ; // WRONG\n}\n"),
    "a brace too many": (None, "#[pyfunction]\nfn value() -> i64 {\n    1\n}\n} // WRONG\n"),
    "a type that python does not know": (
        "E0277",
        "struct Own;\n#[pyfunction]\nfn value() -> Own { // WRONG\n    Own\n}\n",
    ),
    "a failed assertion in a constant": (
        "E0080",
        'const _: () = assert!(1 > 2, "WRONG");\n#[pyfunction]\nfn value() -> i64 {\n    1\n}\n',
    ),
    "compile_error!": (None, 'compile_error!("WRONG");\n#[pyfunction]\nfn value() -> i64 {\n    1\n}\n'),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_compile_error_carries_the_compilers_words_and_the_users_line(kernel, report, mistake):
    code, body = MISTAKES[mistake]
    path = kernel("k", body, block=block("[dependencies]"))
    said = report()
    assert said["kind"] == "CompileError" and said["kernel"] == str(path) and said["name"] == "k"
    errors = [d for d in said["diagnostics"] if d["level"] == "error"]
    assert errors and errors[0]["code"] == code, said["diagnostics"]
    at = [d for d in errors if d["file"] == str(path) and d["line"] == line_of(path, "WRONG")]
    assert at, [(d["file"], d["line"], d["message"]) for d in errors]
    assert at[0]["column"] >= 1 and at[0]["message"] in at[0]["rendered"]
    assert all(d["rendered"].strip() in said["text"] for d in errors)
    assert f"k.rs:{line_of(path, 'WRONG')}" in said["text"] and "\x1b" not in said["text"]
    assert "\x1b[" in at[0]["ansi"] and "\x1b" not in at[0]["rendered"]


def test_an_error_in_a_mod_file_names_that_file(kernel, report, project):
    write(project, {"part.rs": 'pub fn number() -> i64 {\n    "WRONG"\n}\n'})
    kernel("k", "mod part;\n" + value("part::number()"))
    first = report()["diagnostics"][0]
    assert (first["file"], first["line"]) == (str(project / "part.rs"), 2)


def test_an_error_behind_an_included_file_has_the_column_of_the_users_line(kernel, report, project):
    """The path is longer in the copy that is compiled, for the kernel itself and for its modules."""
    line = 'pub fn number() -> usize { include_str!("data.txt").len() + missing() }'
    write(project, {"data.txt": "x", "part.rs": line})
    path = kernel("k", f"mod part;\n{line}\n{value('number() as i64')}")
    said = report()
    at = line.index("missing") + 1
    for file, number in ((str(path), line_of(path, "missing")), (str(project / "part.rs"), 1)):
        found = [d for d in said["diagnostics"] if (d["file"], d["line"]) == (file, number)]
        assert [d["column"] for d in found] == [at] and f"--> {file}:{number}:{at}\n" in said["text"]


def test_an_error_at_the_first_build_with_new_dependencies_shows_the_users_path_too(kernel, report, project):
    """Then cargo itself compiles the kernel, which is another way than that of all later builds."""
    write(project, {"fresh/Cargo.toml": package("fresh"), "fresh/src/lib.rs": ""})
    path = kernel("k", value("missing()"), block=block("[dependencies]", 'fresh = { path = "fresh" }'))
    for _ in range(2):
        assert f"--> {path}:{line_of(path, 'missing')}" in report()["text"]


def test_an_error_in_a_path_dependency_names_that_file(kernel, report, project):
    manifest = package("helper")
    write(
        project,
        {"helper/Cargo.toml": manifest, "helper/src/lib.rs": 'pub fn number() -> i64 {\n    "WRONG"\n}\n'},
    )
    kernel("k", value("helper::number()"), block=block("[dependencies]", 'helper = { path = "helper" }'))
    said = report()
    assert said["kind"] == "CompileError" and "E0308" in said["text"]
    assert str(project / "helper/src/lib.rs") in said["text"] + str(said["diagnostics"][0]["file"])


def test_after_a_failure_the_old_text_is_still_a_hit(kernel, report, look):
    path = kernel("k", value(1))
    good = path.read_text()
    assert look()[:2] == (1, True)
    path.write_text(good.replace("    1\n", "    missing()\n"))
    assert report()["kind"] == "CompileError"
    assert report()["kind"] == "CompileError"
    path.write_text(good)
    assert look()[:2] == (1, False)


def test_a_failed_import_leaves_no_module_and_the_next_edit_imports(kernel, run):
    kernel("k", value("missing()"))
    program = """
        import pathlib, sys, rsimport, rsimport.import_hook
        for attempt in range(2):
            try:
                import k
            except rsimport.CompileError:
                assert "k" not in sys.modules
        source = pathlib.Path("k.rs")
        source.write_text(source.read_text().replace("missing()", "7"))
        import k
        print(k.value())
    """
    assert run(program).out == "7"


def test_the_hint_is_a_field_and_the_last_line(report, kernel):
    kernel("k", value(1), block=block("[package.metadata.rsimport]", "profil = 'dev'"))
    said = report()
    assert said["hint"] and said["text"].splitlines()[-1] == f"hint: {said['hint']}"


def test_an_error_without_a_hint_has_no_hint_line():
    assert str(rsimport.RsimportError("what", hint="do")).splitlines() == ["what", "hint: do"]
    plain = rsimport.RsimportError("what")
    assert plain.hint is None and str(plain) == "what"


@pytest.mark.parametrize("name", ["CompileError", "ConfigError", "ToolchainError", "CacheError"])
def test_every_error_is_an_import_error(name):
    assert issubclass(getattr(rsimport, name), rsimport.RsimportError) and issubclass(
        rsimport.RsimportError, ImportError
    )


@pytest.mark.parametrize(
    ("environment", "coloured"), [({"NO_COLOR": None}, True), ({"NO_COLOR": "1"}, False)]
)
def test_the_text_is_coloured_for_a_terminal_only(kernel, start, environment, coloured):
    kernel("k", value("missing()"))
    ours, theirs = pty.openpty()
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
        except rsimport.CompileError as error:
            print(error)
    """
    process = start(
        program, stderr=theirs, env={"TERM": "xterm-256color", "RSIMPORT_PROGRESS": "0", **environment}
    )
    stdout, _ = process.communicate(timeout=300)
    os.close(ours)
    os.close(theirs)
    assert "E0425" in stdout and ("\x1b[" in stdout) == coloured


def test_an_uncaught_error_shows_the_compilers_words(kernel, run):
    path = kernel("k", value("missing()"))
    stderr = run("import rsimport.import_hook, k", check=False).stderr
    assert "CompileError" in stderr and "E0425" in stderr and f"{path}:{line_of(path, 'missing')}" in stderr


TRACEBACKS = {
    "an import": "import rsimport.import_hook, k",
    "imp": "import rsimport; rsimport.imp('k')",
    "imp_from_filepath": "import rsimport; rsimport.imp_from_filepath('k.rs')",
    "build": "import rsimport; rsimport.build('k')",
    "build_filepath": "import rsimport; rsimport.build_filepath('k.rs')",
    "rsimport.reload": "import rsimport, good, edit; rsimport.reload(good)",
    "importlib.reload": "import importlib, good, edit; importlib.reload(good)",
    "imp of what is loaded": "import rsimport, good, edit; rsimport.imp('good')",
    "an import in an imported package": "import rsimport, rsimport.import_hook; rsimport.imp('package.j')",
}
EDIT = """
from pathlib import Path
Path('good.rs').write_text(Path('good.rs').read_text().replace('    1\\n', '    missing()\\n'))
"""


@pytest.mark.parametrize("way", TRACEBACKS)
def test_the_traceback_shows_the_users_line_and_next_to_nothing_of_rsimport(kernel, run, project, way):
    kernel("k", value("missing()"))
    kernel("good", value(1))
    write(project, {"edit.py": EDIT, "package/__init__.py": "import k  # the user's\n"})
    lead = "import rsimport.import_hook\n" if "reload" in way or "loaded" in way else ""
    write(project, {"script.py": f"{lead}{TRACEBACKS[way]}\n"})
    seen = run(["script.py"], check=False, env={"RSIMPORT_PROGRESS": "0"})
    files = [line for line in seen.stderr.splitlines() if line.startswith("  File ")]
    ours = os.path.dirname(rsimport.__file__)
    assert seen.returncode == 1 and "script.py" in files[0] and TRACEBACKS[way] in seen.stderr
    assert sum(ours in line for line in files) <= 1 and len(files) <= 4, seen.stderr
    assert "During handling" not in seen.stderr and seen.stderr.count("Traceback") == 1
    assert "rsimport.CompileError: " in seen.stderr and "E0425" in seen.stderr and "^^^^^^^" in seen.stderr
    assert ("# the user's" in seen.stderr) == ("package" in way)


def test_several_errors_are_all_reported_in_order(kernel, report):
    kernel("k", value("first()", "a") + value("second()", "b"))
    lines = [d["line"] for d in report()["diagnostics"] if d["line"]]
    assert len(lines) == 2 and lines == sorted(lines)


def test_warnings_do_not_stop_an_import(kernel, run):
    # cargo's report about what a future Rust refuses tells of packages that nobody has written.
    future = "use std::ffi::*;\nuse std::os::raw::*;\npub type Number = c_int;\n"
    path = kernel("k", "fn unused() {}\n" + future + value(1))
    program = """
        import rsimport, rsimport.import_hook, k
        for warning in rsimport.info(k).warnings:
            print(warning.level, warning.code, warning.line, warning.file)
    """
    said = run(program, env={"RSIMPORT_FORCE_REBUILD": "1"}).out.splitlines()
    assert f"warning dead_code {line_of(path, 'unused')} {path}" in said
    assert all(line.endswith(str(path)) for line in said) and run(program).out.splitlines() == said


def test_a_broken_kernel_is_not_skipped_for_a_module_further_along_the_path(kernel, run, project):
    kernel("k", value("missing()"), folder=project / "a")
    write(project / "b", {"k.py": ""})
    stderr = run("import sys; sys.path[:0] = ['a', 'b']\nimport rsimport.import_hook, k", check=False).stderr
    assert "CompileError" in stderr
