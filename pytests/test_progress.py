"""Progress: one live line on a terminal, two plain ones in a log, none for a build that is over soon."""

from __future__ import annotations

import os
import pty
import re
import select

import pytest
from helpers import LIMIT, Barrier, block, value, without_waiting

PROGRAM = """
import rsimport._progress
rsimport._progress.PATIENCE = {patience}
import rsimport.import_hook, k
print(k.value())
"""
SOON, NEVER = PROGRAM.format(patience=0.01), PROGRAM.format(patience=3600)
DEPENDENCIES = r"k: compiling dependencies, \d+ of \d+ crates, \d+\.\d s"


class Terminal:
    """What a program writes to a terminal."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        self.text = ""

    def read(self, seconds):
        """Takes what comes within some seconds; False if nothing does."""
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        try:
            self.text += os.read(self.ours, 100_000).decode(errors="replace")
        except OSError:
            return False
        return True

    def until(self, pattern):
        while not re.search(pattern, self.text):
            assert self.read(120), f"{pattern} never came: {self.text!r}"


@pytest.fixture
def terminal():
    made = Terminal()
    yield made
    os.close(made.ours)


@pytest.fixture
def started(start, terminal):
    """A program whose stderr is a terminal."""

    def start_program(program):
        environment = {"TERM": "xterm", "CI": None, "COLUMNS": "100"}
        process = start(program, stderr=terminal.theirs, env=environment)
        os.close(terminal.theirs)
        return process

    return start_program


def test_a_terminal_tells_dependencies_from_the_kernel_and_is_clean_afterwards(
    slow_dependency, barrier, kernel, started, terminal, tmp_path
):
    (tmp_path / "second").mkdir()
    second = Barrier(tmp_path.parent, tmp_path / "second")
    both = block(
        *re.findall("slow = .*|\\[dependencies\\]", slow_dependency), barrier.block.splitlines()[2][4:]
    )
    kernel("k", second.wait + value(1), block=both)
    process = started(SOON)
    barrier.reached()
    terminal.until(DEPENDENCIES)
    assert "compiling kernel" not in terminal.text
    barrier.go()
    second.reached()
    terminal.until(r"k: compiling kernel, \d+\.\d s")
    second.go()
    assert process.communicate(timeout=LIMIT)[0] == "1\n"
    while terminal.read(1):
        pass
    # The line is erased, and there never was a second one: the cursor went up no further than to its start.
    assert terminal.text.rstrip().endswith(("\x1b[2K", "\x1b[?25h")) and "\x1b[2A" not in terminal.text


@pytest.mark.parametrize("outcome", ["built", "broken"])
def test_a_log_gets_a_line_at_the_start_and_one_at_the_end(barrier, kernel, start, outcome):
    kernel("k", barrier.wait + value(1 if outcome == "built" else "missing()"), block=barrier.block)
    process = start(SOON)
    barrier.reached()
    assert process.stderr.readline() == "rsimport: k: compiling kernel\n"
    barrier.go()
    _, stderr = process.communicate(timeout=LIMIT)
    lines = [line for line in stderr.splitlines() if line.startswith("rsimport: ")]
    assert len(lines) == 1 and re.fullmatch(r"rsimport: k: (built in|failed after) \d+\.\d s", lines[0])
    assert "\x1b" not in stderr and ("E0425" in stderr) == (outcome == "broken")


def test_a_log_says_that_dependencies_are_compiled(
    slow_dependency, barrier, stub_kernel, start, own_cache, tmp_path
):
    stub_kernel(1, slow_dependency.splitlines()[2].removeprefix("//! "))
    # Where another test's cargo is just fetching something, the log says that this one waits for it.
    process = start(SOON, env=without_waiting(tmp_path / "cargo"))
    barrier.reached()
    assert re.match(r"rsimport: k: compiling dependencies", process.stderr.readline())
    barrier.go()
    assert process.communicate(timeout=LIMIT)[0] == "1\n"


def test_a_build_that_is_over_soon_shows_nothing(kernel, started, run, terminal):
    kernel("k", value(1))
    assert started(NEVER).communicate(timeout=LIMIT)[0] == "1\n"
    assert not terminal.read(1) and terminal.text == ""
    kernel("k", value(2))
    seen = run(NEVER)
    assert (seen.out, seen.stderr) == ("2", "")
