"""`rsimport export` and `rsimport wheel`: a kernel as a project, and as a wheel, that needs no rsimport."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
import venv
import zipfile
from pathlib import Path

import pytest
from helpers import LIMIT, package, write
from stub_pyo3 import module

from rsimport.toolbox import _portable

FAR = """---
[package]
license = "MIT"
authors = ["A B <a@b.c>"]

[dependencies]
# A neighbour.
dep = { path = "../dep" }

[package.metadata.rsimport]
target_cpu = "native"
---
//! Far "away" \\ text.

#[path = "../shared/util.rs"]
mod util;
mod near;

pyo3::create_exception!(far, FarError, pyo3::exceptions::PyValueError);

#[pyfunction]
fn sum() -> (i64, &'static str) {
    (dep::d() + util::inner::i() + near::n(), include_str!("../outside.txt"))
}

#[pyclass]
struct Point {
    #[pyo3(get)]
    x: i64,
}

#[pymethods]
impl Point {
    #[new]
    fn new(x: i64) -> Point {
        Point { x }
    }

    fn __getnewargs__(&self) -> (i64,) {
        (self.x,)
    }
}
"""

TEST_BESIDE = """\
import rsimport.import_hook  # noqa: F401

# isort: split
# The hook has to be there before the kernel is imported.
import far


def test_sum() -> None:
    assert far.sum()[0] == 112
"""

AROUND = {
    "dep/Cargo.toml": package("dep") + '[dependencies]\ndep2 = { path = "../dep2" }\n',
    "dep/src/lib.rs": "pub fn d() -> i64 { dep2::e() }",
    "dep2/Cargo.toml": package("dep2"),
    "dep2/src/lib.rs": "pub fn e() -> i64 { 7 }",
    "shared/util.rs": "pub mod inner;",
    "shared/inner.rs": "pub fn i() -> i64 { 5 }",
    "outside.txt": "out",
    "k/near.rs": "mod more;\npub fn n() -> i64 { more::m() }",
    "k/near/more.rs": 'pub fn m() -> i64 { include!("num.rs") }',
    "k/near/num.rs": "100",
    "k/far.rs": FAR,
    "k/far.pyi": "def sum() -> tuple[int, str]: ...\n",
    "k/test_far.py": TEST_BESIDE,
    "k/LICENSE": "As you like.",
}


@pytest.fixture
def far(project):
    """A kernel that uses much of what lies around it."""
    write(project, AROUND)
    return project / "k/far.rs"


def test_a_wheel_of_a_kernel_needs_neither_rsimport_nor_rust(far, cli, project):
    seen = cli("export", far, "out")
    assert seen.returncode == 0, seen.text
    out = project / "out"
    _check_project(out, seen)
    # PyO3 is compiled for it alone; the kernel itself has that of other kernels that nobody measures.
    quick = {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "0", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "256"}
    seen = cli("wheel", far, "--out", "dist", env=quick)
    assert seen.returncode == 0, seen.text
    (wheel,) = (project / "dist").iterdir()
    assert f"wrote dist/{wheel.name}" in seen.stdout and f"-cp3{sys.version_info[1]}-" in wheel.name
    venv.create(project / "venv", with_pip=False)
    site = next((project / "venv").glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    code = """
        import far, pickle, sys
        assert far.__doc__ == 'Far "away" \\\\ text.'
        assert far.__all__ == ["FarError", "sum", "Point"]
        assert [far.sum.__module__, far.Point.__module__, far.FarError.__module__] == ["far"] * 3
        for value in (far.sum, far.Point, far.FarError):
            assert pickle.loads(pickle.dumps(value)) is value
        assert pickle.loads(pickle.dumps(far.Point(3))).x == 3 and "rsimport" not in sys.modules
        print(far.sum())
    """
    python = project / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    words = [str(python), "-c", textwrap.dedent(code)]
    ended = subprocess.run(words, capture_output=True, text=True, env={"PATH": ""}, timeout=LIMIT)
    assert ended.stdout.strip() == "(112, 'out')", ended.stderr


def _check_project(out: Path, seen) -> None:
    """The project is complete, and reads as if somebody had written it."""
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {
        ".github/workflows/wheels.yml",
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "crates/dep/Cargo.toml",
        "crates/dep/src/lib.rs",
        "crates/dep2/Cargo.toml",
        "crates/dep2/src/lib.rs",
        "pyproject.toml",
        "python/far/__init__.py",
        "python/far/__init__.pyi",
        "python/far/py.typed",
        f"src/{out.parent.name}/outside.txt",
        "src/lib.rs",
        "src/near.rs",
        "src/near/more.rs",
        "src/near/num.rs",
        "src/shared/inner.rs",
        "src/shared/util.rs",
        "tests/test_far.py",
        "tests/test_far_package.py",
    }
    text = (out / "src/lib.rs").read_text()
    assert text.startswith(
        '//! Far "away" \\ text.\n\nuse pyo3::prelude::*;\n\n#[path = "shared/util.rs"]\nmod util;'
    )
    assert text.endswith(
        """
#[pymodule]
fn _far(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("FarError", m.py().get_type::<FarError>())?;
    m.add_function(wrap_pyfunction!(sum, m)?)?;
    m.add_class::<Point>()?;
    Ok(())
}
"""
    )
    cargo, pyproject = (out / "Cargo.toml").read_text(), (out / "pyproject.toml").read_text()
    assert (
        '# A neighbour.\ndep = { path = "crates/dep" }\n' in cargo
        and "rsimport" not in cargo + pyproject + text
    )
    assert (
        'license = "MIT"\nlicense-files = ["LICENSE*"]\nauthors = [{ name = "A B", email = "a@b.c" }]'
        in pyproject
    )
    assert 'exclude = ["dist/**", ".venv/**"]' in pyproject
    assert 'abi3 = ["pyo3/abi3-py310"]' in cargo and seen.stderr.count("note:") == 0
    assert 'name = "far"' in (out / "Cargo.lock").read_text()
    assert "rsimport" not in (out / "tests/test_far.py").read_text()
    for source in ("python/far/__init__.py", "tests/test_far.py", "tests/test_far_package.py"):
        ast.parse((out / source).read_text())


def test_a_crate_is_exported_with_everything_in_its_folder(stub_kernel, cli, project):
    (dependency,) = [line for line in stub_kernel(1).read_text().splitlines() if "path" in line]
    manifest = (
        f'# Mine.\n{package("boxed")}repository.workspace = true\n[lib]\ncrate-type = ["cdylib"]\n\n'
        f"[dependencies]\n{dependency[4:]}\n"
    )
    workspace = '[workspace]\nmembers = ["boxed"]\n[workspace.package]\nrepository = "https://a.b"\n'
    write(project, {"Cargo.toml": workspace})
    files = {
        "Cargo.toml": manifest,
        "src/lib.rs": "// rsimport\nmod sub;\n" + module("sub::s()", "boxed"),
        "src/sub.rs": "pub fn s() -> i64 { 1 }",
        "tests/t.rs": "#[test] fn t() {}",
        "target/x": "built",
        "__init__.pyi": "def value() -> int: ...\n",
        "rust-project.json": '{"generator": "rsimport ide",\n"crates": []}\n',
    }
    write(project / "boxed", files)
    seen = cli("export", "boxed", "out")
    assert seen.returncode == 0, seen.text
    out = project / "out"
    text = (out / "Cargo.toml").read_text()
    assert text.startswith("# Mine.\n[package]") and 'path = "crates/stub"' in text and "abi3" not in text
    assert 'repository = "https://a.b"' in text
    assert '#[pyo3::pymodule]\n#[pyo3(name = "_boxed")]\nfn boxed' in (out / "src/lib.rs").read_text()
    assert (out / "src/sub.rs").is_file() and (out / "tests/t.rs").is_file() and not (out / "target").exists()
    assert (project / "boxed/Cargo.toml").read_text() == manifest
    assert (out / "python/boxed/__init__.pyi").read_text() == files["__init__.pyi"]
    assert not (out / "__init__.pyi").exists() and not (out / "rust-project.json").exists()
    assert "__doc__ = _boxed.__doc__\n" in (out / "python/boxed/__init__.py").read_text()
    assert "no licence is named" in seen.stderr


def test_flags_of_a_kernel_go_along_but_for_a_cpu(stub_kernel, cli, project):
    stub_kernel(
        1, "[package.metadata.rsimport]", 'rustflags = ["-Ctarget-cpu=native", "-Cdebug-assertions=no"]'
    )
    seen = cli("export", "k.rs", "out")
    assert seen.returncode == 0, seen.text
    assert 'rustc-args = ["-Cdebug-assertions=no"]' in (project / "out/pyproject.toml").read_text()
    assert "-Ctarget-cpu=native of the kernel is left out" in seen.stderr


COMPUTED = """use pyo3::prelude::*;
macro_rules! inc { ($p:literal) => { include_str!($p) } }
#[pyfunction]
fn f() -> &'static str { inc!("../outside.txt") }
"""
HIDDEN = """use pyo3::prelude::*;
macro_rules! m { ($n:ident) => { #[pymodule] fn $n(_m: &Bound<'_, PyModule>) -> PyResult<()> { Ok(()) } } }
m!(hidden);
"""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("k/far.rs", "full"), 1, "full exists and is not empty"),
        (("k/far.rs", "k/far.rs"), 1, "far.rs is a file"),
        (("k/far.rs", "none/out"), 1, "there is no folder"),
        (("k", "out"), 1, "k is a folder without a Cargo.toml"),
        (("none.rs", "out"), 2, "'none.rs' does not exist"),
        (("k/broken.rs", "out"), 1, "broken.rs:1: kernel `broken` does not compile"),
        (("k/computed.rs", "out"), 1, "outside.txt, by a path that is not written out"),
        (("k/hidden.rs", "out"), 1, "its module cannot be renamed to _hidden"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_exported_is_told_and_leaves_nothing(project, cli, arguments, code, message):
    write(
        project,
        {
            "full/file": "mine",
            "k/far.rs": "",
            "k/broken.rs": "fn broken( {",
            "k/computed.rs": COMPUTED,
            "k/hidden.rs": HIDDEN,
            "outside.txt": "out",
        },
    )
    before = sorted(project.rglob("*"))
    seen = cli("export", *arguments)
    assert seen.returncode == code and message in seen.stderr and "Traceback" not in seen.text, seen.text
    assert sorted(project.rglob("*")) == before


def test_a_cell_or_a_text_is_no_project(run):
    code = """
        import rsimport
        from rsimport.toolbox._exported import Project
        module = rsimport.compile("#[pyfunction] fn f() {}", "loose")
        try:
            Project(rsimport.info(module).source, {})
        except rsimport.ConfigError as error:
            print(error)
    """
    assert run(code).out.startswith("<kernel loose> has no file of its own, so it cannot be exported")


def test_a_wheel_without_maturin_says_how_to_get_it(project, kernel, cli, tmp_path):
    kernel("k", "#[pyfunction] fn f() {}")
    write(
        tmp_path / "no",
        {
            "importlib_metadata": "",
            "sitecustomize.py": (
                "import importlib.metadata as m\n"
                "def gone(name): raise m.PackageNotFoundError(name)\n"
                "m.distribution = gone\n"
            ),
        },
    )
    seen = cli("wheel", "k.rs", env={"PATH": "", "PYTHONPATH": str(tmp_path / "no")})
    assert seen.returncode == 1 and "pip install 'maturin" in seen.stderr and not (project / "dist").exists()


@pytest.mark.parametrize(
    ("variables", "flags"),
    [
        ({"RUSTFLAGS": "-C target-cpu=native -Cdebuginfo=1"}, "-Cdebuginfo=1"),
        ({"RUSTFLAGS": "-Ctarget-cpu=native"}, ""),
        ({"CARGO_ENCODED_RUSTFLAGS": "-C\x1ftarget-cpu=znver4\x1f-Copt-level=2"}, "-Copt-level=2"),
        ({"RUSTFLAGS": "-Copt-level=2"}, "-Copt-level=2"),
        ({}, None),
    ],
)
def test_flags_for_the_cpu_at_hand_do_not_ship(variables, flags, monkeypatch, tmp_path):
    for name in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with _portable.environment(str(tmp_path)):
        assert os.environ.get("CARGO_ENCODED_RUSTFLAGS") == flags
    assert dict(os.environ) == before
    write(tmp_path, {".cargo/config.toml": '[build]\nrustflags = ["-Ctarget-cpu=native"]\n'})
    with _portable.environment(str(tmp_path)):
        assert "native" not in os.environ["CARGO_ENCODED_RUSTFLAGS"]
