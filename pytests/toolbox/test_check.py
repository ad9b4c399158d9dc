"""`rsimport check` and `rsimport clippy`: what is said, where, and with which exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import REPOSITORY, Result, bound, line_of, snapshot, without_rust, write

Cli = Callable[..., Result]

ODD = """\
// äöü 日本
pub const T: &str = include_str!("data.txt"); pub fn g() { let süß = 1; }
pub fn h() { let 変数 = "日本"; }
"""


def spans(seen: Result) -> list[dict[str, Any]]:
    """Every place that a message names, its children's among them."""
    messages = [json.loads(line) for line in seen.stdout.splitlines()]
    told = [line["message"] for line in messages if line["reason"] == "compiler-message"]
    return [span for message in told for one in (message, *message["children"]) for span in one["spans"]]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "BOM"])
def test_json_has_the_places_of_the_users_own_file(
    stub_kernel: Callable[..., Path], cli: Cli, project: Path, end: str, mark: str
) -> None:
    kernel = stub_kernel(1, more=ODD)
    kernel.write_text(mark + kernel.read_text(encoding="utf-8"), encoding="utf-8", newline=end)
    write(project, {"data.txt": "x"})
    seen = cli("check", "k.rs", "--message-format=json")
    assert seen.returncode == 0, seen.text
    found = spans(seen)
    text = kernel.read_bytes()
    lines = text.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    for span in found:
        assert span["file_name"] == str(kernel)
        named = text[span["byte_start"] : span["byte_end"]].decode()
        line = lines[span["line_start"] - 1]
        assert named == line[span["column_start"] - 1 : span["column_end"] - 1]
        assert [shown["text"] for shown in span["text"]] == [line]
    words = {text[span["byte_start"] : span["byte_end"]].decode() for span in found}
    assert {"süß", "変数"} <= words


def test_a_saved_module_file_is_checked_with_its_kernel(
    stub_kernel: Callable[..., Path], cli: Cli, project: Path
) -> None:
    stub_kernel(1, more="mod part;\n")
    write(project, {"part/mod.rs": "pub mod deep;\n", "part/deep.rs": "pub fn f() { missing() }\n"})
    seen = cli("check", "part/deep.rs", "--message-format=json")
    assert seen.returncode == 1
    assert {(span["file_name"], span["line_start"]) for span in spans(seen)} == {
        (str(project / "part/deep.rs"), 1)
    }
    # What cargo is not asked about is told in the same form.
    write(project, {"k.rs": "// rsimport\n//! ```cargo\n//! [dependencies\n//! ```\n"})
    seen = cli("check", "k.rs", "--message-format=json")
    assert seen.returncode == 1
    assert [(span["file_name"], span["line_start"]) for span in spans(seen)] == [(str(project / "k.rs"), 3)]


def test_warnings_pass_and_errors_fail_and_nothing_is_written(
    stub_kernel: Callable[..., Path], cli: Cli, project: Path
) -> None:
    kernel = stub_kernel(1, more="pub fn f() { let unused = 1; }\n")
    before = snapshot(project)
    seen = cli("check", "k.rs")
    assert seen.returncode == 0 and "k.rs: 1 warning" in seen.stdout
    assert f"{kernel}:{line_of(kernel, 'unused')}:" in seen.stderr
    assert cli("check", "k.rs", "--message-format=short").stderr.count("unused variable") == 1
    assert snapshot(project) == before
    kernel.write_text(kernel.read_text().replace("unused = 1", "unused: u8 = 'x'"))
    seen = cli("check", "k.rs")
    line = line_of(kernel, "unused")
    assert seen.returncode == 1 and f"{kernel}:{line}: kernel `k` does not compile" in seen.stderr


def test_clippy_names_its_lints_and_takes_their_levels(
    stub_kernel: Callable[..., Path], cli: Cli, project: Path
) -> None:
    kernel = stub_kernel(
        1, more="pub fn f(x: u8) -> u8 { return x; }\n#[cfg(test)]\nfn g(x: u8) { x * 1; }\n"
    )
    seen = cli("clippy", "k.rs", "--message-format=short")
    place = f"{kernel}:{line_of(kernel, 'return')}:25: "
    assert seen.returncode == 0 and f"{place}warning[clippy::needless_return]" in seen.stderr
    assert "identity_op" not in seen.text
    # What rustc has checked is not taken for what clippy has checked.
    assert cli("check", "k.rs").stdout == "k.rs: no warnings\n"
    seen = cli("clippy", "k.rs", "--tests", "--message-format=short", "--", "-D", "clippy::needless_return")
    assert seen.returncode == 1 and f"{place}error[clippy::needless_return]" in seen.stderr
    assert "clippy::identity_op" in seen.stderr and seen.stderr.count("needless_return]") == 1


def test_a_fix_is_refused_and_bad_input_is_told_in_a_line(cli: Cli, project: Path) -> None:
    write(project, {"k.rs": "// rsimport\n", "text.txt": "", "empty/x.txt": ""})
    for arguments, code, words in [
        (["check", "--fix", "k.rs"], 2, "rsimport never edits a kernel"),
        (["clippy", "k.rs", "--", "--fix"], 2, "rsimport never edits a kernel"),
        (["check", "gone.rs"], 2, "does not exist"),
        (["check"], 2, "Missing argument"),
        (["check", "text.txt"], 1, "text.txt is no kernel\nhint: "),
        (["check", "empty"], 1, "there is no marked kernel in empty\nhint: "),
        (["check", "k.rs"], 1, "the kernel has no #[pyfunction]"),
        (["doc", "gone.rs"], 2, "does not exist"),
        (["test", "gone.rs"], 2, "does not exist"),
        (["expand", "gone.rs::f"], 2, "does not exist"),
        (["test", "k.rs", "other.rs"], 2, "other.rs is no part of a test's name"),
        (["asm", "gone.rs::f"], 2, "does not exist"),
        (["fmt", "gone.rs"], 2, "does not exist"),
    ]:
        seen = cli(*arguments)
        assert (seen.returncode, words in seen.stderr) == (code, True), (arguments, seen.text)
        assert "Traceback" not in seen.text
    seen = cli("check", "k.rs", env=without_rust(project / "bin"))
    assert seen.returncode == 1 and "error: cargo was not found\nhint: " in seen.stderr


def test_a_kernel_in_a_folder_that_cannot_be_written_to_is_checked(
    stub_kernel: Callable[..., Path], cli: Cli, project: Path
) -> None:
    stub_kernel(1)
    project.chmod(0o555)
    try:
        assert cli("check", "k.rs", wrap=bound()).returncode == 0
        seen = cli("new", "fresh", wrap=bound())
        said = f"error: {project} cannot be written to: Permission denied"
        assert (seen.returncode, seen.stderr.strip()) == (1, said)
    finally:
        project.chmod(0o755)


def test_clippy_has_nothing_against_the_kernels_that_come_with_rsimport(cli: Cli) -> None:
    """Those that need no crate but PyO3; `make lint` looks at all."""
    folder = REPOSITORY / "kernels"
    names = [file for file in sorted(folder.glob("*.rs")) if "[dependencies]" not in file.read_text()]
    assert len(names) >= 3
    seen = cli("clippy", *names, "--", "-D", "warnings")
    assert seen.returncode == 0, seen.text
    assert seen.stdout.count("no warnings") == len(names)
