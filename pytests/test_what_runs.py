"""The tables of docs/security.md, row by row: what runs when, and whose file decides about it."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass

import pytest
import test_trust
from helpers import REPOSITORY, gone

PAGE = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")

CONSTRUCTOR = """
#[used]
#[unsafe(link_section = ".init_array")]
static OPENED: extern "C" fn() = opened;
extern "C" fn opened() {
    std::fs::write("MARKS/kernel", "").unwrap();
}
"""

HOOK = "import rsimport, rsimport.import_hook\n"

EDIT = r"""
import pathlib, rsimport.import_hook, time
path = pathlib.Path("k.rs")
path.write_text(path.read_text() + "// edited\n")
import k
from rsimport import _background
time.sleep(2 * _background.QUIET)
print(*(process.pid for process in _background._started))
"""


@dataclass(frozen=True)
class Row:
    """What is done, and what then runs of cargo, rustc and the kernel: at most this, and at least that."""

    what: str | list[str]
    at_most: str = ""
    at_least: str = ""
    cached: bool = False
    tier: str = "fast"


RUNS = {
    "`import rsimport`, `rsimport.install()`": Row(HOOK + "rsimport.install()"),
    '`importlib.util.find_spec("k")`': Row(
        HOOK + "import importlib.util; assert importlib.util.find_spec('k')"
    ),
    "`import k`, cached": Row(
        HOOK + "import k; assert not rsimport.info(k).built", "kernel", "kernel", cached=True
    ),
    "`import k`, not cached": Row(HOOK + "import k", "cargo rustc kernel", "rustc kernel"),
    "`rsimport build`, `build_all`, `watch`": Row(["build", "."], "cargo rustc", "rustc"),
    "`rsimport stubs`, `test`, `bench`": Row(["test", "k.rs"], "cargo rustc kernel", "cargo rustc kernel"),
    "`rsimport check`, `clippy`, `doc`, `expand`, `export`, `wheel`": Row(
        ["check", "k.rs"], "cargo rustc", "cargo rustc"
    ),
    "`rsimport asm`": Row(["asm", "k.rs"], cached=True),
    "an edit in the tier `auto`": Row(EDIT, "cargo rustc kernel", "rustc kernel", cached=True, tier="auto"),
    "`rsimport doctor`": Row(["doctor"], "rustc", "rustc"),
}

# Whose file it has to be is tested by this way in test_trust.py; what the user has set himself, by none.
DECIDES = {
    "the kernel": None,
    "`pyproject.toml` in the kernel's folder or above": "pyproject.toml",
    "`.cargo/config.toml` in the kernel's folder or above": ".cargo/config.toml",
    "`rust-toolchain.toml` in the kernel's folder or above": "rust-toolchain.toml",
    "`Cargo.toml` with `[workspace]` above a crate": "another_users_workspace",
    "`CARGO_HOME`, `RUSTUP_HOME`, `CARGO`, `RUSTC`, `PATH`": None,
    "`RSIMPORT_*`, `RUSTFLAGS`, `CARGO_*`": None,
}


def rows(heading: str) -> list[str]:
    """The first cells of a table of the page."""
    table = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]
    return cells[1:]


def test_the_page_has_the_rows_that_are_tested():
    assert rows("What runs when") == list(RUNS)
    assert rows("Whose file decides") == list(DECIDES)
    ways = [*test_trust.WAYS, *(name for name in dir(test_trust) if name.startswith("test_"))]
    for way in filter(None, DECIDES.values()):
        assert any(way in known for known in ways), way
    assert PAGE.count("| a trusted owner") == len(list(filter(None, DECIDES.values())))


@pytest.mark.skipif(sys.platform != "linux", reason="a constructor is told to the linker of Linux")
@pytest.mark.parametrize("row", RUNS.values(), ids=RUNS)
def test_what_runs_when(stub_kernel, run, cli, own_cache, tmp_path, row):
    marks = tmp_path / "marks"
    marks.mkdir()
    stub_kernel(1, more=CONSTRUCTOR.replace("MARKS", str(marks)))
    if row.cached:
        cli("build", ".")
    environment = {"RSIMPORT_TIER": row.tier}
    for name in ("cargo", "rustc"):
        spy = tmp_path / name
        spy.write_text(f'#!/bin/sh\ntouch {marks}/{name}\nexec {shutil.which(name)} "$@"\n')
        spy.chmod(0o755)
        environment[name.upper()] = str(spy)
    seen = run(row.what, env=environment) if isinstance(row.what, str) else cli(*row.what, env=environment)
    assert seen.returncode == 0, seen.text
    if row.what == EDIT:
        processes = [int(number) for number in seen.out.split()]
        assert processes and gone(processes), "it is optimised in the background"
    ran = {path.name for path in marks.iterdir()}
    assert set(row.at_least.split()) <= ran <= set(row.at_most.split()), ran
