"""The way out: what a forced build does again, and that what is garbled in the cache is made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers import package, value, write

FORCED = {"RSIMPORT_FORCE_REBUILD": "1"}
SILENT = """
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../secret.txt")).unwrap();
    println!("cargo:rustc-env=NUMBER={}", text.trim());
}
"""
DEPENDENCY = 'silent = { path = "silent" }'


def test_a_forced_build_runs_a_script_again_that_told_nothing_of_what_it_reads(stub_kernel, look, project):
    source = 'pub fn number() -> i64 {\n    env!("NUMBER").parse().unwrap()\n}\n'
    files = {"Cargo.toml": package("silent"), "build.rs": SILENT, "src/lib.rs": source}
    write(project / "silent", files)
    write(project, {"secret.txt": "1"})
    stub_kernel("silent::number()", DEPENDENCY)
    assert look()[:2] == (1, True)
    write(project, {"secret.txt": "2"})
    assert look()[:2] == (1, False)
    assert look(env=FORCED) == (2, True, "forced")
    assert look()[:2] == (2, False)
    # What was recorded meanwhile is of the forced build.
    stub_kernel("silent::number() * 10", DEPENDENCY)
    assert look()[:2] == (20, True)


def garble(path: Path, text: str) -> None:
    assert path.exists()
    path.write_text(text)


@pytest.mark.parametrize(
    "text", ["garbage [", "", 'version = 4\n[[package]]\nname = "x"\n', 'version = 4\npackage = "x"\n']
)
def test_a_garbled_lock_file_is_made_again(stub_kernel, look, own_cache, text):
    stub_kernel(1)
    assert look()[:2] == (1, True)
    for path in [own_cache / "v1/Cargo.lock", *own_cache.glob("v1/work/*/package/Cargo.*")]:
        garble(path, text)
    stub_kernel(2, "[features]", "another-recipe = []")
    assert look()[:2] == (2, True)
    assert 'name = "pyo3"' in (own_cache / "v1/Cargo.lock").read_text()


def test_garbled_libraries_and_records_are_made_again(stub_kernel, look, own_cache, project):
    write(project / "plain", {"Cargo.toml": package("plain"), "src/lib.rs": "pub const NUMBER: i64 = 1;\n"})
    dependency = 'plain = { path = "plain" }'
    stub_kernel("plain::NUMBER", dependency)
    assert look()[:2] == (1, True)
    libraries = list(own_cache.glob("v1/targets/*/release/**/libplain-*"))
    assert libraries
    for path in [*libraries, *own_cache.glob("v1/recipes/*"), *own_cache.glob("v1/targets/*.json")]:
        garble(path, "garbage")
    stub_kernel("plain::NUMBER + 1", dependency)
    assert look()[:2] == (2, True)


def test_a_copy_of_a_project_is_built_again_if_a_dependency_knows_its_folder(
    stub_kernel, look, project, tmp_path
):
    source = 'pub fn number() -> i64 {\n    env!("CARGO_MANIFEST_DIR").len() as i64\n}\n'
    write(project / "near", {"Cargo.toml": package("near"), "src/lib.rs": source})
    stub_kernel("near::number()", 'near = { path = "near" }')
    length = len(str(project / "near"))
    assert look()[:2] == (length, True)
    copy = shutil.copytree(project, tmp_path / "a-copy-of-the-project")
    assert look(cwd=copy)[:2] == (len(str(copy / "near")), True)
    assert look()[:2] == (length, False)


def test_what_a_build_script_has_written_is_no_input(stub_kernel, look, project):
    """A variable is the input, and with its old value the old build is found."""
    script = """
        fn main() {
            println!("cargo:rerun-if-env-changed=SCRIPT_SAYS");
            let out = std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("x.in");
            std::fs::write(out, std::env::var("SCRIPT_SAYS").unwrap()).unwrap();
        }
    """
    source = 'pub const NUMBER: i64 = include!(concat!(env!("OUT_DIR"), "/x.in"));\n'
    write(project / "out", {"Cargo.toml": package("out"), "build.rs": script, "src/lib.rs": source})
    stub_kernel("out::NUMBER", 'out = { path = "out" }')
    for says, built in [("1", True), ("2", True), ("1", False), ("2", False)]:
        assert look(env={"SCRIPT_SAYS": says})[:2] == (int(says), built)


def test_a_variable_that_a_crate_of_a_registry_watches_is_an_input(stub_kernel, look, project):
    """As crates do that compile C with `CFLAGS`."""
    script = """
        fn main() {
            println!("cargo:rerun-if-env-changed=NATIVE_FLAGS");
            let flags = std::env::var("NATIVE_FLAGS").unwrap_or_default();
            println!("cargo:rustc-env=LENGTH={}", flags.len());
        }
    """
    source = 'pub fn number() -> i64 {\n    env!("LENGTH").parse().unwrap()\n}\n'
    crate = {"Cargo.toml": package("native"), "build.rs": script, "src/lib.rs": source}
    write(project / "vendor/native", {**crate, ".cargo-checksum.json": '{"files": {}}'})
    replaced = '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "vendor"\n'
    write(project, {".cargo/config.toml": replaced})
    stub_kernel("native::number()", 'native = "0.1"')
    assert look()[:2] == (0, True)
    assert look(env={"NATIVE_FLAGS": "-DX=1"}) == (5, True, "environment variable NATIVE_FLAGS changed")
    assert look()[:2] == (0, False)
    assert look(env={"NATIVE_FLAGS": "-DX=1", **FORCED})[:2] == (5, True)


def test_a_kernel_of_plain_pyo3_has_no_input_but_its_key(kernel, run):
    """So that a warm import need not read its metadata."""
    kernel("k", value(1))
    code = "import rsimport, rsimport.import_hook, k; i = rsimport.info(k); print(len(i.inputs), i.path)"
    count, path = run(code).out.split()
    assert count == "0" and len(Path(path).parent.name.split("-")) >= 3


def test_warnings_of_cargo_are_told_with_the_kernels_line(stub_kernel, run, project):
    stub_kernel(1, "[profile.release]", "opt-levl = 3")
    code = """
        import rsimport, rsimport.import_hook, k
        print(*[(found.message, found.line) for found in rsimport.info(k).warnings])
    """
    line = 1 + (project / "k.rs").read_text().splitlines().index("//! opt-levl = 3")
    expected = f"('unused manifest key: profile.release.opt-levl', {line})"
    seen = run(code)
    assert seen.out == expected and f"k.rs:{line}" in seen.stderr
    # The recorded call says it again.
    stub_kernel(2, "[profile.release]", "opt-levl = 3")
    assert run(code).out == expected


def test_an_error_in_the_manifest_names_the_kernels_line(stub_kernel, report, project):
    stub_kernel(1, "[profile.release]", 'opt-level = "fast"')
    line = 1 + (project / "k.rs").read_text().splitlines().index('//! opt-level = "fast"')
    said = report()
    assert said["kind"] == "ConfigError" and f"k.rs:{line}: " in said["text"]
    assert "Cargo.toml" not in said["text"] and "/work/" not in said["text"]
