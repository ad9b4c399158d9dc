"""The profile `profiling`: release code in which profilers and debuggers find the user's lines."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import line_of

BODY = """
#[inline(never)]
fn iterate(steps: i64, mut x: i64) -> i64 {
    for _ in 0..steps {
        x = std::hint::black_box(x) + 1; // the loop
    }
    x
}
"""


def disassembled(library: str) -> str:
    """The code with its lines, from binutils, without which nothing is linked."""
    command = ["objdump", "-d", "-l", "--no-show-raw-insn", library]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def lines_of(library: str, function: str) -> str:
    """The part of that which is one function's."""
    found = re.search(rf"^[0-9a-f]+ <[^>]*{function}[^>]*>:\n(.*?)\n\n", disassembled(library), re.M | re.S)
    assert found, f"there is no symbol of {function}"
    return found[1]


@pytest.fixture
def path(stub_kernel) -> Path:
    return stub_kernel("iterate(3, 4)", more=BODY)


BUILT = "import rsimport; print(rsimport.build_filepath({path!r}, profile={profile!r}))"


def test_code_names_lines_and_has_frame_pointers_and_only_the_kernel_is_compiled(
    path, run, own_cache, project
):
    def built(profile: str, of: Path = path) -> str:
        return run(BUILT.format(path=str(of), profile=profile)).out

    release = built("release")
    compiled = {file: file.stat().st_mtime_ns for file in (own_cache / "v1/targets").rglob("libstub*")}
    assert compiled
    profiling = built("profiling")
    assert profiling != release
    assert {
        file: file.stat().st_mtime_ns for file in (own_cache / "v1/targets").rglob("libstub*")
    } == compiled
    text = lines_of(profiling, "iterate")
    assert f"{path}:{line_of(path, 'the loop')}" in text and "%rbp" in text.splitlines()[2], text
    assert str(path) not in disassembled(release)

    # Files that it is made of besides are found on the same way from there.
    copy = project.with_name("elsewhere") / "k.rs"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    assert f"{copy}:{line_of(path, 'the loop')}" in lines_of(built("profiling", copy), "iterate")
    assert built("release", copy) == release, "a copy of a kernel is the same kernel, but for its paths"


def test_an_edit_is_optimised_at_once_and_an_error_names_its_line(path, run, report, own_cache):
    look = "import rsimport; k = rsimport.imp('k', profile='profiling'); i = rsimport.info(k)"
    look += "; print(k.value(), i.tier, i.profile, i.reason)"
    assert run(look).out == "7 optimized profiling first build"
    path.write_text(path.read_text().replace("iterate(3, 4)", "iterate(3, 5)"))
    assert run(look).out == "8 optimized profiling k.rs changed"
    path.write_text(path.read_text().replace("iterate(3, 5)", "iterate(3, missing)"))
    seen = report(env={"RSIMPORT_PROFILE": "profiling"})
    assert f"{path}:{line_of(path, 'missing')}" in seen["text"], seen


def test_gdb_stops_at_a_line_of_the_kernel(path, run, own_cache):
    if shutil.which("gdb") is None:
        pytest.skip("gdb is missing")
    line = line_of(path, "the loop")
    commands = ["set breakpoint pending on", f"break k.rs:{line}", "run", "bt 1", f"list {line},{line}"]
    words = [word for command in commands for word in ("-ex", command)]
    code = "import rsimport; rsimport.imp('k', profile='profiling').value()"
    seen = run(["-c", code], wrap=["gdb", "-q", "-batch", *words, "--args"], check=False)
    assert f"k.rs:{line}" in seen.stdout and "// the loop" in seen.stdout, seen.text
