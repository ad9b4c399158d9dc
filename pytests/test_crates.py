"""Crates: a marked folder with a Cargo.toml imports as a module, and cargo's own rules hold for it."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest
from helpers import QUICK, bound, line_of, package, read_only, snapshot, value, write

from rsimport import _engine

HELPER = {
    "Cargo.toml": package("helper"),
    "src/lib.rs": "pub fn number() -> i64 {\n    1\n}\n",
}
DEPENDS = '[dependencies]\npyo3 = "0.30"\nhelper = { path = "%s" }\n'


def test_a_folder_with_a_marked_lib_imports(crate, look):
    crate("k", value(1))
    assert look()[:2] == (1, True)
    assert look()[:2] == (1, False)


def test_the_marker_may_stand_in_the_manifest(crate, look):
    crate("k", value(2), manifest="[package.metadata.rsimport]\n", marker=False)
    assert look()[:2] == (2, True)


def test_an_unmarked_crate_is_invisible(crate, run, project):
    crate("k", value(1), marker=False)
    program = """
        import rsimport.import_hook, k
        print(k.__spec__.origin, list(k.__path__)[0])
    """
    assert run(program).out == f"None {project / 'k'}"
    assert _engine.crate_source(str(project / "k")) is None


def test_the_source_of_a_crate_is_its_lib(crate, run, project):
    root = crate("k", value(1))
    assert _engine.crate_source(str(root)) == str(root / "src/lib.rs")
    said = run("import rsimport, rsimport.import_hook, k; print(rsimport.info(k).source)").out
    assert said == str(root / "src/lib.rs")


def test_a_crate_inside_a_package(crate, run, project):
    write(project, {"pkg/__init__.py": "from . import k\n"})
    crate("k", value(3), folder=project / "pkg")
    assert run("import rsimport.import_hook, pkg; print(pkg.k.value(), pkg.k.__name__)").out == "3 pkg.k"


def test_a_package_name_with_a_dash(crate, look, project):
    root = crate("two_words", value(4))
    manifest = root / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('name = "two_words"', 'name = "two-words"'))
    assert look("two_words")[:2] == (4, True)


def test_a_crate_with_modules(crate, look, project):
    body = "mod part;\n#[pyfunction]\nfn value() -> i64 {\n    part::number()\n}\n"
    root = crate("k", body)
    write(root, {"src/part.rs": "pub fn number() -> i64 {\n    1\n}\n"})
    assert look()[:2] == (1, True)
    write(root, {"src/part.rs": "pub fn number() -> i64 {\n    2\n}\n"})
    number, built, reason = look()
    assert (number, built) == (2, True) and "part.rs" in reason
    write(root, {"src/part.rs": "pub fn number() -> i64 {\n    1\n}\n"})
    assert look()[:2] == (1, False)


def test_an_edit_of_the_manifest_is_seen(crate, look):
    root = crate("k", value('cfg!(feature = "loud") as i64'), manifest="[features]\nloud = []\n")
    assert look()[:2] == (0, True)
    manifest = root / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace("loud = []", 'loud = []\ndefault = ["loud"]'))
    number, built, reason = look()
    assert (number, built) == (1, True) and "Cargo.toml" in reason


def test_a_relative_path_dependency_outside_the_crate(crate, look, project):
    write(project / "libs/helper", HELPER)
    crate("k", value("helper::number()"), manifest=DEPENDS % "../libs/helper")
    assert look()[:2] == (1, True)
    write(project / "libs/helper", {"src/lib.rs": "pub fn number() -> i64 {\n    2\n}\n"})
    assert look()[:2] == (2, True)


def test_a_member_of_a_workspace_with_workspace_dependencies(crate, look, project):
    workspace = '[workspace]\nmembers = ["k", "helper"]\nresolver = "2"\n'
    workspace += '[workspace.dependencies]\npyo3 = "0.30"\nhelper = { path = "helper" }\n'
    # A profile is read from the root alone.
    write(project, {"Cargo.toml": workspace + QUICK})
    write(project / "helper", HELPER)
    crate(
        "k",
        value("helper::number()"),
        manifest="[dependencies]\npyo3.workspace = true\nhelper.workspace = true\n",
    )
    assert look()[:2] == (1, True)
    write(project / "helper", {"src/lib.rs": "pub fn number() -> i64 {\n    2\n}\n"})
    assert look()[:2] == (2, True)


def test_a_build_script_and_its_output(crate, look, project):
    root = crate("k", value('include!(concat!(env!("OUT_DIR"), "/number"))'))
    script = 'fn main() {\n    let out = std::env::var("OUT_DIR").unwrap();\n'
    script += '    println!("cargo::rerun-if-changed=number.txt");\n'
    script += '    std::fs::copy("number.txt", out + "/number").unwrap();\n}\n'
    write(root, {"build.rs": script, "number.txt": "1\n"})
    assert look()[:2] == (1, True)
    assert look()[:2] == (1, False)
    write(root, {"number.txt": "2\n"})
    assert look()[:2] == (2, True)


def test_nothing_is_written_beside_the_source_but_the_lock_file(crate, look, project, run):
    write(project / "libs/helper", HELPER)
    crate("k", value("helper::number()"), manifest=DEPENDS % "../libs/helper")
    before = snapshot(project)
    look()
    run("import rsimport; rsimport.imp_from_filepath('k', force_rebuild=True)")
    after = snapshot(project)
    assert {**after, **before} == after and set(after) - set(before) <= {"k/Cargo.lock"}


def test_nothing_at_all_is_written_beside_a_single_file(kernel, look, project):
    kernel("k", value(1))
    before = snapshot(project)
    look()
    assert snapshot(project) == before


@pytest.mark.parametrize("how", ["a read-only file system", "permission bits"])
def test_a_read_only_crate_builds(crate, look, project, how):
    root = crate("k", value(5))
    if how == "permission bits":
        for path in [root, root / "src", root / "Cargo.toml", root / "src/lib.rs"]:
            path.chmod(0o555)
    wrap = bound() if how == "permission bits" else read_only(project)
    assert look(wrap=wrap)[:2] == (5, True)
    assert sorted(path.name for path in root.iterdir()) == ["Cargo.toml", "src"]
    assert look(wrap=wrap)[:2] == (5, False)


def test_a_read_only_kernel_builds(kernel, look, project):
    kernel("k", value(6))
    assert look(wrap=read_only(project))[:2] == (6, True)


def test_a_lock_file_that_is_there_is_obeyed_and_kept(crate, look, run):
    root = crate(
        "k",
        value("itoa::Buffer::new().format(12u8).len() as i64"),
        manifest=f'{DEPENDS.splitlines()[0]}\npyo3 = "0.30"\nitoa = "1"\n',
    )
    look()
    lock = root / "Cargo.lock"
    assert 'name = "itoa"' in lock.read_text()
    before = lock.read_bytes()
    lib = root / "src/lib.rs"
    lib.write_text(lib.read_text() + "// edited\n")
    assert look(env={"RSIMPORT_LOCKED": "1"})[:2] == (2, True)
    assert lock.read_bytes() == before


def test_locked_refuses_a_lock_file_that_is_out_of_date(crate, look, run):
    root = crate("k", value(1))
    look()
    manifest = root / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('pyo3 = "0.30"', 'pyo3 = "0.30"\nitoa = "1"'))
    program = """
        import rsimport
        try:
            rsimport.imp_from_filepath("k", locked=True)
        except rsimport.RsimportError as error:
            print("lock" in str(error), "itoa" not in open("k/Cargo.lock").read())
    """
    assert run(program).out == "True True"


def test_a_crate_without_a_pymodule_gets_one(crate, look, run, project):
    body = """
        mod part;
        #[pyfunction]
        fn value() -> i64 {
            part::number() + include_str!("../data.txt").trim().len() as i64
        }
    """
    root = crate("k", textwrap.dedent(body))
    lib = root / "src/lib.rs"
    lib.write_text(lib.read_text().split("#[pymodule]")[0])
    write(root, {"src/part.rs": "pub fn number() -> i64 {\n    1\n}\n", "data.txt": "abc\n"})
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert look()[:2] == (4, True)
    write(root, {"src/part.rs": "pub fn number() -> i64 {\n    2\n}\n"})
    assert look()[:2] == (5, True)
    lib.write_text(lib.read_text().replace("part::number()", "part::nothing()"))
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
        except rsimport.CompileError as error:
            found = error.diagnostics[0]
            print(found.file, found.line, error)
    """
    said = run(program).out
    line = 1 + lib.read_text().split("part::nothing")[0].count("\n")
    assert said.startswith(f"{lib} {line} ")
    assert {path for path in root.rglob("*") if path.is_file()} - {root / "Cargo.lock"} == set(before)


def test_a_copy_of_a_crate_is_a_hit(crate, look, project, tmp_path):
    crate("k", value(7))
    assert look()[:2] == (7, True)
    copy = Path(shutil.copytree(project, tmp_path / "copy"))
    assert look(cwd=copy)[:2] == (7, False)


def test_a_compile_error_in_a_crate_names_its_file(crate, run):
    root = crate("k", value("missing()"))
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
        except rsimport.CompileError as error:
            print(error.diagnostics[0].file, error.diagnostics[0].line, error.kernel)
    """
    lib = root / "src/lib.rs"
    assert run(program).out == f"{lib} {line_of(lib, 'missing')} {lib}"


@pytest.mark.parametrize(
    "broken", ["[package\n", "[package]\n", "name = 1\n", "[package]\nname = 'k'\nversion = 'x'\n"]
)
def test_a_broken_manifest_is_a_config_error_that_names_it(crate, run, broken):
    root = crate("k", value(1))
    (root / "Cargo.toml").write_text(broken)
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
        except rsimport.ConfigError as error:
            print(error)
    """
    assert str(root / "Cargo.toml") in run(program).out
