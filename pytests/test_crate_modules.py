"""The module of a crate: tokens decide whether it has one, and what can be told is told before a build."""

from __future__ import annotations

import pytest
from helpers import AS_FOR_STUBS, line_of, package, value, write

HEAD = "// rsimport\nuse pyo3::prelude::*;\n"
MANIFEST = '{}\n[lib]\ncrate-type = ["cdylib"]\n\n[dependencies]\npyo3 = "0.30"\n'


@pytest.fixture
def files(project):
    """Writes a crate of these files."""

    def write_files(name="k", *, folder=None, manifest="", **texts):
        root = (folder or project) / name
        write(root, {"Cargo.toml": MANIFEST.format(package(name)) + manifest + AS_FOR_STUBS})
        write(root, {f"src/{stem}.rs": text for stem, text in texts.items()})
        return root

    return write_files


def test_a_word_in_a_comment_a_text_or_an_import_is_no_module(files, run):
    lib = (
        HEAD
        + "// No #[pymodule] is needed here.\nmod part;\n"
        + value("part::TEXT.len() as i64 + i64::from(part::f())")
    )
    part = '#[allow(unused_imports)]\nuse pyo3::pymodule;\npub const TEXT: &str = "#[pymodule]";\n'
    part += "#[pyo3::pyfunction]\npub fn f() -> i32 {\n    1\n}\n"
    root = files(lib=lib, part=part)
    # What belongs to no module of the crate says nothing about it.
    write(root, {"src/bin/other.rs": "#[pymodule]\nfn other() {}\nfn main() {}\n", "notes.rs": "#[pymodule]"})
    assert run("import rsimport.import_hook, k; print(k.value(), k.f())").out == "12 1"


def test_a_crate_that_shows_nothing_is_an_error_before_anything_is_built(files, run):
    lib = HEAD + "// #[pymodule] and #[pyfunction]\nmod part;\n"
    root = files(lib=lib, part="#[pyo3::pyfunction]\nfn f() {}\n")
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
        except rsimport.ConfigError as error:
            print(error)
    """
    offline = {"PATH": "", "CARGO_HOME": "/nowhere"}
    part = root / "src/part.rs"
    said = run(program, env=offline).out
    assert said.startswith(f"{part}:{line_of(part, 'fn f')}: #[pyfunction] `f` is not in the module")
    part.write_text("#[pyo3::pymodule]\nmod other {}\n")
    said = run(program, env=offline).out
    assert said.startswith(f"{part}:2: the #[pymodule] is called `other`, but the module is imported as `k`")
    part.write_text("// #[pymodule]\n")
    said = run(program, env=offline).out
    assert said.startswith(
        f"{root / 'src/lib.rs'}: the kernel has no #[pyfunction], #[pyclass] or #[pymodule]"
    )


def test_of_several_modules_in_the_files_of_a_crate_the_one_with_its_name_counts(files, run):
    module = "#[pyo3::pymodule]\npub mod {} {{\n    #[pymodule_export]\n    use super::super::{};\n}}\n"
    child, parent = module.format("child", "value"), module.format("k", "a_child::child")
    files(lib=HEAD + "mod a_child;\nmod parent;\n" + value(4), a_child=child, parent=parent)
    assert run("import rsimport.import_hook, k; print(k.child.value())").out == "4"


DEPENDS = 'near = {{ path = "{}near" }}\nfar = {{ path = "{}far" }}\n'


@pytest.fixture
def neighbours(project):
    """Crates beside and above the real folder of a kernel."""
    for path, number in {"real/deep/near": 20, "real/far": 1}.items():
        text = f"pub fn number() -> i64 {{\n    {number}\n}}\n"
        write(project / path, {"Cargo.toml": package(path.rpartition("/")[2]), "src/lib.rs": text})


def test_a_linked_crate_is_what_it_is_in_its_own_folder(files, look, project, neighbours):
    lib = HEAD + value("near::number() + far::number()")
    files("k", folder=project / "real/deep", manifest=DEPENDS.format("../", "../../"), lib=lib)
    (project / "app").mkdir()
    (project / "app/k").symlink_to("../real/deep/k")
    assert look(cwd=project / "app")[:2] == (21, True)
    write(project, {"real/far/src/lib.rs": "pub fn number() -> i64 {\n    2\n}\n"})
    number, built, reason = look(cwd=project / "app")
    assert (number, built) == (22, True) and "far" in reason
    # The same by a link further up.
    (project / "other").symlink_to("real/deep")
    assert look(cwd=project / "other")[:2] == (22, False)


def test_paths_of_a_kernel_in_a_linked_folder_leave_the_real_one(kernel, look, project, neighbours):
    (project / "app").symlink_to("real/deep")
    write(project, {"real/part.rs": "pub fn number() -> i64 {\n    300\n}\n", "real/data.txt": "abcd"})
    depends = "".join(f"//! {line}\n" for line in DEPENDS.format("", "../").splitlines())
    body = '#[path = "../part.rs"]\nmod part;\n'
    body += value(
        'near::number() + far::number() + part::number() + include_str!("../data.txt").len() as i64'
    )
    kernel(
        "k", body, folder=project / "real/deep", block=f"//! ```cargo\n//! [dependencies]\n{depends}//! ```\n"
    )
    assert look(cwd=project / "app")[:2] == (325, True)
    write(project, {"real/part.rs": "pub fn number() -> i64 {\n    400\n}\n"})
    number, built, reason = look(cwd=project / "app")
    assert (number, built) == (425, True) and "part.rs" in reason
    assert look(cwd=project / "app")[:2] == (425, False)


def test_what_fits_of_a_pasted_manifest_is_taken_and_the_rest_told_at_once(kernel, run, project):
    fits = """
        [package]
        name = "my-project"
        version = "1.2.3"
        edition = "2021"
        readme = "README.md"
        build = false
        [lib]
        name = "k"
        crate-type = ["cdylib", "rlib"]
        test = false
        [dependencies]
        [dev-dependencies]
        nothing-of-that-name = "1"
    """
    block = "".join(f"//! {line.strip()}\n" for line in ("```cargo", *fits.strip().splitlines(), "```"))
    text = 'concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"))'
    path = kernel("k", f"#[pyfunction]\nfn value() -> &'static str {{\n    {text}\n}}\n", block=block)
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
            print(k.value())
        except rsimport.ConfigError as error:
            print(error)
    """
    assert run(program).out == "my-project 1.2.3"
    path.write_text(
        path.read_text().replace("build = false", "build = 'b.rs'").replace('name = "k"', 'name = "j"')
    )
    said = run(program).out
    first, second = line_of(path, "build ="), line_of(path, 'name = "j"')
    keys = f"`[package] build` (line {first}), `[lib] name` (line {second})"
    assert said.startswith(f"{path}:{first}: a kernel's manifest has no keys {keys}\nhint: ")
