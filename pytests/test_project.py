"""A kernel as a package on which cargo's verbs are run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import line_of, snapshot
from stub_pyo3 import module

from rsimport.toolbox._project import Kernel

pytestmark = pytest.mark.usefixtures("shared_cache")

FAULTY = """
mod part;
pub fn café() -> u8 { let unused = 1; 2 }
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");
const _: () = assert!(FOLDER.len() == LENGTH);
"""


@pytest.fixture
def faulty(stub_kernel: Callable[..., Path], project: Path) -> Path:
    (project / "part.rs").write_text("pub fn other() { let more = 1; }\n")
    return stub_kernel(1, more=FAULTY.replace("LENGTH", str(len(str(project)))))


def test_cargo_checks_a_kernel_and_names_its_users_files_and_writes_nothing_beside_it(faulty: Path) -> None:
    before = snapshot(faulty.parent)
    kernel = Kernel(faulty, {})
    run = kernel.run("check")
    assert run.success and run.failure is None, run.text
    found = {(found.file, found.line) for found in run.diagnostics if found.code == "unused_variables"}
    assert found == {
        (str(faulty), line_of(faulty, "let unused")),
        (str(faulty.parent / "part.rs"), 1),
    }
    assert kernel.project.real(kernel.project.root) == str(faulty)
    reasons = {json.loads(line)["reason"] for line in run.output}
    assert {"compiler-artifact", "compiler-message", "build-finished"} <= reasons
    # The same again, although no file has changed since.
    assert len(kernel.run("check").diagnostics) == len(run.diagnostics)
    assert snapshot(faulty.parent) == before


def test_an_error_is_told_of_the_run_and_a_generated_line_is_never_named(
    stub_kernel: Callable[..., Path],
) -> None:
    kernel = stub_kernel("wrong")
    run = Kernel(kernel, {}, below="\nfn generated() { also_wrong }\n").run("check")
    assert not run.success
    [found] = run.diagnostics
    assert (found.file, found.line, found.code) == (str(kernel), line_of(kernel, "wrong"), "E0425")
    assert run.failure is not None and f"{kernel}:{found.line}" in str(run.failure)


def test_what_is_put_below_a_kernel_is_compiled_with_it(stub_kernel: Callable[..., Path]) -> None:
    kernel: Any = Kernel(stub_kernel(1), {}, below="#[unsafe(no_mangle)] pub fn marked_by_a_test() {}")
    run = kernel.run("rustc", flags=["-Cdebuginfo=0"])
    assert run.success, run.text
    assert b"marked_by_a_test" in Path(run.library).read_bytes()
    assert module(1) in Path(kernel.project.root).read_text()
