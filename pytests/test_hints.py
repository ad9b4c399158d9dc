"""Hints: what is pasted works, an old toolchain is told, and a panic names the file that was imported."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from helpers import block, value, without_rust

import rsimport

USES = """#[pyfunction]
fn value() -> String {
    itoa::Buffer::new().format(7).to_owned() + either::Left::<_, &str>("").into_inner()
}
"""
HEADS = {
    "no block": "// rsimport\n",
    "no block, below a blank line": "\n// rsimport\n",
    "a block with another crate": "// rsimport\n" + block("[dependencies]", 'either = "1"'),
    "a block without dependencies": "// rsimport\n" + block("[lints.rust]", 'unused = "allow"'),
    "an empty block": "// rsimport\n" + block(),
    "a frontmatter": "---\n[package.metadata.rsimport]\n---\n",
    "lines of rustimport": '// rsimport\n//: [dependencies]\n//: either = "1"\n',
}


def pasted(text: str, hint: str) -> str:
    """The text with what a hint says written where it says."""
    said = re.search(r"write (below|as|)\s?line (\d+)( as)?:\n(.*)", hint, re.S)
    assert said, hint
    lines = text.splitlines()
    at = int(said[2])
    lines[at - bool(said[3]) : at] = said[4].splitlines()
    return "\n".join(lines) + "\n"


def test_the_dependencies_that_a_hint_says_build_the_kernel(run, project):
    for name, head in HEADS.items():
        folder = project / name.replace(" ", "_")
        folder.mkdir()
        path = folder / "k.rs"
        path.write_text(head + "use pyo3::prelude::*;\n" + USES)
        with pytest.raises(rsimport.CompileError) as caught:
            rsimport.build_filepath(str(path))
        text = pasted(path.read_text(), caught.value.hint)
        path.write_text(text)
        assert rsimport.imp_from_filepath(str(path), f"k_{len(head)}").value() == "7", (name, text)


@pytest.mark.parametrize(
    "body",
    [
        "fn gen() -> i64 {\n    8\n}\n" + value("gen()"),
        'extern "C" {\n    fn abs(x: i32) -> i32;\n}\n' + value("i64::from(unsafe { abs(-8) })"),
        "static mut V: [i64; 1] = [8];\n" + value("unsafe { (&mut V)[0] }"),
        '#[no_mangle]\npub extern "C" fn eight() -> i64 {\n    8\n}\n' + value("eight()"),
    ],
    ids=["gen", "extern", "static mut", "no_mangle"],
)
def test_what_the_older_edition_allowed_compiles_with_the_edition_of_the_hint(kernel, project, body):
    path = kernel("k", body)
    with pytest.raises(rsimport.CompileError) as caught:
        rsimport.build_filepath(str(path))
    path.write_text(pasted(path.read_text(), caught.value.hint))
    rsimport.build_filepath(str(path))


def test_a_crate_is_told_the_lines_of_its_own_manifest(crate):
    root = crate("k", "use itoa::Buffer;\n" + value(1))
    with pytest.raises(rsimport.CompileError) as caught:
        rsimport.build_filepath(str(root))
    manifest = root / "Cargo.toml"
    line = manifest.read_text().splitlines().index("[dependencies]") + 1
    assert caught.value.hint == f'write below line {line} of {manifest}:\nitoa = "1"'


def test_a_cell_is_told_what_its_magic_takes(run):
    shell = pytest.importorskip("IPython.core.interactiveshell")
    assert shell
    program = """
        from IPython.core.interactiveshell import InteractiveShell
        import rsimport
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "rsimport")
        cell = "use pyo3::prelude::*;\\n#[pyfunction]\\n"
        cell += "fn f() -> String { itoa::Buffer::new().format(7).to_owned() }\\n"
        try:
            shell.run_cell_magic("rsimport", "", cell)
        except rsimport.CompileError as error:
            print(error.hint)
        shell.run_cell_magic("rsimport", "--deps itoa=1", cell)
        print(shell.user_ns["f"]())
    """
    lines = run(program).out.splitlines()
    assert "add to the cell's first line: --deps itoa=1" in lines and lines[-1] == "7"


def test_features_of_pyo3_without_a_version_are_those_of_the_kernels_own(kernel, look):
    kernel("k", value(5), block=block("[dependencies]", 'pyo3 = { features = ["macros"] }'))
    assert look()[:2] == (5, True)


@pytest.fixture
def old_rust(tmp_path: Path) -> dict[str, str | None]:
    """An environment with a rustc as old as distributions have them."""
    folder = tmp_path / "old"
    folder.mkdir()
    for tool in ("cargo", "rustc"):
        script = folder / tool
        said = f"{tool} 1.63.0\\nbinary: {tool}\\nrelease: 1.63.0"
        script.write_text(
            f'#!/bin/sh\nif [ "$1" = --print ]; then echo {folder}; else printf "{said}\\n"; fi\n'
        )
        script.chmod(0o755)
    return {**without_rust(tmp_path / "bare"), "PATH": f"{folder}:/usr/bin:/bin"}


def test_a_rustc_that_is_too_old_is_told_before_anything_is_built(kernel, report, cli, old_rust):
    path = kernel("k", value(1))
    said = report(env=old_rust)
    assert said["kind"] == "ToolchainError" and said["kernel"] == str(path)
    assert "rustc 1.63.0" in said["text"] and "kernels need Rust 1.85 or newer" in said["text"]
    assert "rustup" in said["hint"]
    checked = cli("doctor", env={**old_rust, "COLUMNS": "200"})
    assert checked.returncode == 1
    assert any("FAILED" in line and "rustc" in line and "1.85" in line for line in checked.text.splitlines())


def test_without_rust_the_hint_is_a_line_to_paste(kernel, report, tmp_path):
    kernel("k", value(1))
    said = report(env=without_rust(tmp_path / "bare"))
    assert said["kind"] == "ToolchainError" and "sh.rustup.rs | sh" in said["hint"]


def test_a_panic_does_not_name_an_equal_kernel_elsewhere(kernel, run, project):
    part = 'pub fn fail() {\n    panic!("in a part");\n}\n'
    body = """mod part;
#[pyfunction]
fn fail() {
    panic!("boom");
}
#[pyfunction]
fn deep() {
    part::fail()
}
"""
    for folder in ("first", "second"):
        kernel("k", body + value("0"), folder=project / folder)
        (project / folder / "part.rs").write_text(part)
    program = """
        import sys
        sys.path.insert(0, sys.argv[1])
        import rsimport, rsimport.import_hook, k
        print(rsimport.info(k).built)
        for function in (k.fail, k.deep):
            try:
                function()
            except BaseException as error:
                print(type(error).__name__, error)
    """
    (project / "program.py").write_text("\n".join(line[8:] for line in program.splitlines()))
    for folder, built in (("first", "True"), ("second", "False")):
        seen = run(["program.py", folder], env={"RUST_BACKTRACE": "0", "RSIMPORT_PROGRESS": "0"})
        assert seen.out.splitlines() == [built, "PanicException boom", "PanicException in a part"]
        at = re.findall(r"panicked at (\S+):\d+:\d+:", seen.stderr)
        assert at == ["k.rs", "part.rs"], seen.stderr


def test_an_error_in_a_macro_of_a_crate_is_told_at_the_users_line(kernel, report, project):
    module = """#[pymodule]
fn k(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(valu, m)?)
}
"""
    path = kernel("k", value(1) + module)
    said = report()
    line = path.read_text().splitlines().index("    m.add_function(wrap_pyfunction!(valu, m)?)") + 1
    assert said["text"].splitlines()[0].startswith(f"{path}:{line}: ")
    assert (said["diagnostics"][0]["file"], said["diagnostics"][0]["line"]) == (str(path), line)
    assert said["hint"] == "there is no function `valu`; did you mean `value`?"


def test_every_hint_of_a_missing_toolchain_part_stays(kernel, report, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "cargo").symlink_to(shutil.which("cargo") or "cargo")
    kernel("k", value(1))
    said = report(env={**without_rust(tmp_path / "bare"), "PATH": str(tools)})
    assert said["kind"] == "ToolchainError" and "rustup" in said["hint"]
