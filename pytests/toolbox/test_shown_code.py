"""`rsimport expand`, `asm`, `doc` and `fmt`: what is shown of a kernel's code, and how it is written."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import REPOSITORY, Result, bound, line_of, snapshot, without_rust, write

Cli = Callable[..., Result]

LOGISTIC = REPOSITORY / "kernels" / "logistic.rs"


def test_asm_shows_the_loop_of_a_function_that_is_a_part_of_its_caller(cli: Cli, project: Path) -> None:
    if shutil.which("objdump") is None:
        pytest.skip("needs objdump")
    seen = cli("asm", f"{LOGISTIC}::logistic", "--tier", "optimized")
    assert seen.returncode == 0, seen.text
    blocks = re.split(r"^[0-9a-f]+ <(?=.*>:$)", seen.stdout, flags=re.M)[1:]
    called = next(block for block in blocks if block.startswith("logistic::__pyfunction_logistic"))
    jumps = re.findall(r"^\s*([0-9a-f]+):\s+j\w+\s+([0-9a-f]+) <", called, re.M)
    loops = [(int(to, 16), int(at, 16)) for at, to in jumps if int(to, 16) < int(at, 16)]
    code = re.findall(r"^\s*([0-9a-f]+):\s+(\w+)", called, re.M)
    within = [{word for at, word in code if first <= int(at, 16) <= last} for first, last in loops]
    assert any(any("mulsd" in word for word in words) for words in within), called
    # It is in the cache now, so nothing of Rust is needed.
    tools = without_rust(project / "bin")
    (project / "bin" / "objdump").symlink_to(shutil.which("objdump") or "")
    seen = cli("asm", str(LOGISTIC), "--tier", "optimized", env=tools)
    assert seen.returncode == 0 and "logistic::__pyfunction_logistic_nogil" in seen.stdout, seen.text
    (project / "bin" / "objdump").unlink()
    seen = cli("asm", str(LOGISTIC), "--tier", "optimized", env=tools)
    assert seen.returncode == 1 and "objdump was not found" in seen.stderr and "hint: " in seen.stderr
    seen = cli("asm", f"{LOGISTIC}::iterate", "--tier", "optimized")
    assert seen.returncode == 1 and "put it into those that call it" in seen.stderr


LINES = """\
// rsimport
use pyo3::prelude::*;

#[pyclass]
struct Sum {
    total: f64,
}

#[pymethods]
impl Sum {
    #[new]
    fn new() -> Self {
        Sum { total: 0.0 }
    }

    fn add_all(&mut self, values: Vec<f64>) {
        for value in values {
            self.total += 3.0 * value;
        }
    }
}
"""


def test_asm_finds_a_method_and_shows_its_lines(cli: Cli, project: Path) -> None:
    if shutil.which("objdump") is None:
        pytest.skip("needs objdump")
    write(project, {"lines.rs": LINES})
    seen = cli("asm", "lines.rs::Sum::add_all", "--tier", "optimized", "--profile", "profiling")
    assert seen.returncode == 0 and "no source lines" not in seen.stderr, seen.text
    line = line_of(project / "lines.rs", "3.0 * value")
    assert f"\n{project}/lines.rs:{line}\n" in seen.stdout
    assert "\n            self.total += 3.0 * value;\n" in seen.stdout
    gone = cli("asm", "lines.rs::Sum::gone", "--tier", "optimized", "--profile", "profiling")
    assert gone.returncode == 1


def test_expand_shows_what_is_made_of_a_kernel(cli: Cli) -> None:
    seen = cli("expand", f"{LOGISTIC}::logistic")
    assert seen.returncode == 0, seen.text
    assert "fn logistic(steps: u64, r: f64, x: f64) -> f64 {" in seen.stdout
    assert "fn __pyfunction_logistic" in seen.stdout and "logistic_nogil" not in seen.stdout
    seen = cli("expand", LOGISTIC, "--staged")
    assert seen.stdout.startswith(LOGISTIC.read_text()) and "#[::pyo3::pymodule]" in seen.stdout
    seen = cli("expand", f"{LOGISTIC}::logistik")
    assert seen.returncode == 1 and "hint: did you mean logistic?" in seen.stderr


def test_doc_makes_pages_of_all_functions(cli: Cli, project: Path) -> None:
    write(project, {"k.rs": "// rsimport\n/// Says one.\n#[pyo3::pyfunction]\nfn one() -> u8 {\n    1\n}\n"})
    seen = cli("doc", "k.rs", "--out", "pages")
    assert seen.returncode == 0 and "warning" not in seen.stderr, seen.text
    page = Path(seen.out)
    assert page == project / "pages/k/index.html" and "Says one." in page.read_text()
    assert "rsimport" not in page.with_name("all.html").read_text().replace("// rsimport", "")
    write(project, {"full/other.txt": ""})
    seen = cli("doc", "k.rs", "--out", "full")
    assert seen.returncode == 1 and "no documentation of Rust" in seen.stderr


UGLY = "fn f ( ) { g(async || 1) }\n"
FINE = "fn f() {\n    g(async || 1)\n}\n"


def test_fmt_formats_files_in_their_places(cli: Cli, project: Path) -> None:
    if shutil.which("rustfmt") is None:
        pytest.skip("needs rustfmt")
    manifest = '[package]\nname = "c"\nversion = "0.1.0"\nedition = "2021"\n'
    write(project, {"k.rs": "// rsimport\nmod part;\n" + UGLY, "part.rs": UGLY})
    write(project, {"c/Cargo.toml": manifest, "c/src/lib.rs": "// rsimport\n" + UGLY})
    before = snapshot(project)
    seen = cli("fmt", ".", "--check")
    assert seen.returncode == 1 and "+fn f() {" in seen.stdout and "hint: rsimport fmt k.rs" in seen.stderr
    assert snapshot(project) == before
    assert cli("fmt", "k.rs", "c").stdout == "k.rs: formatted\nc: formatted\n"
    assert (project / "k.rs").read_text() == "// rsimport\nmod part;\n" + FINE
    assert (project / "part.rs").read_text() == FINE
    assert cli("fmt", ".", "--check").returncode == 0
    # The edition is the kernel's own: in the first one `async` is a name.
    old = '// rsimport\n//! ```cargo\n//! [package]\n//! edition = "2015"\n//! ```\nfn f() { async() }\n'
    write(project, {"old.rs": old, "wrong.rs": "// rsimport\nfn f( {\n"})
    assert cli("fmt", "old.rs").returncode == 0
    seen = cli("fmt", "wrong.rs")
    assert seen.returncode == 1 and f"{project}/wrong.rs:2:" in seen.stderr
    assert "rustfmt has not formatted wrong.rs" in seen.stderr
    (project / "k.rs").write_text("// rsimport\n" + UGLY)
    (project / "k.rs").chmod(0o444)
    seen = cli("fmt", "k.rs", wrap=bound())
    assert seen.returncode == 1 and "rustfmt has not formatted k.rs" in seen.stderr, seen.text
