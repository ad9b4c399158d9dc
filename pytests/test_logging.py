"""Logging: silent when warm, one line for each build, and no hand laid on anyone's logging."""

from __future__ import annotations

import os
import pty
import re
import select

import pytest
from helpers import LIMIT, block, line_of, package, value, write

RECORDS = """
import logging
class Keep(logging.Handler):
    def emit(self, record):
        print(record.levelname, record.name, record.getMessage(), sep="|")
logging.getLogger("rsimport").addHandler(Keep())
logging.getLogger("rsimport").setLevel(LEVEL)
import rsimport.import_hook, k
"""


def records(run, level="INFO", **options):
    lines = run(RECORDS.replace("LEVEL", repr(level)), **options).out.splitlines()
    return [line.split("|", 2) for line in lines]


def test_a_build_is_one_line_with_its_reason_and_its_time(kernel, run):
    path = kernel("k", value(1))
    ((level, name, message),) = records(run)
    assert (level, name) == ("INFO", "rsimport") and "first build" in message
    assert path.name in message and re.search(r"\d ?m?s\b", message)


def test_a_warm_import_says_nothing_at_any_level(kernel, run):
    kernel("k", value(1))
    assert records(run, "DEBUG")
    assert records(run, "DEBUG") == []


@pytest.mark.parametrize(
    ("edited", "expected"),
    [("k.rs", "k.rs changed"), ("part.rs", "part.rs changed"), ("data.txt", "data.txt changed")],
)
def test_a_rebuild_says_what_changed(kernel, run, project, edited, expected):
    write(project, {"part.rs": "pub fn number() -> i64 {\n    1\n}\n", "data.txt": "1\n"})
    kernel("k", "mod part;\n" + value('part::number() + include_str!("data.txt").len() as i64 * 1'))
    records(run)
    path = project / edited
    path.write_text(path.read_text().replace("1", "2"))
    ((_, _, message),) = records(run)
    assert expected in message


def test_a_rebuild_for_another_profile_says_so(stub_kernel, run):
    stub_kernel(1)
    records(run)
    ((_, _, message),) = records(run, env={"RSIMPORT_PROFILE": "dev"})
    assert "profile changed from release to dev" in message


def test_a_forced_rebuild_says_so(kernel, run):
    kernel("k", value(1))
    records(run)
    ((_, _, message),) = records(run, env={"RSIMPORT_FORCE_REBUILD": "1"})
    assert "forced" in message


def test_a_reload_logs_as_an_import_does(kernel, run):
    kernel("k", value(1))
    program = RECORDS.replace("LEVEL", "'INFO'") + (
        "import importlib, pathlib\n"
        "source = pathlib.Path('k.rs')\n"
        "importlib.reload(k)\n"
        "source.write_text(source.read_text().replace('1', '2'))\n"
        "importlib.reload(k)\n"
    )
    lines = run(program).out.splitlines()
    assert len(lines) == 2 and "first build" in lines[0] and "k.rs changed" in lines[1]


def test_the_logger_is_an_ordinary_one(run):
    program = """
        import logging
        root = list(logging.getLogger().handlers)
        import rsimport.import_hook
        logger = logging.getLogger("rsimport")
        handlers = [type(handler).__name__ for handler in logger.handlers]
        print(logger.propagate, logger.level, set(handlers) <= {"NullHandler"})
        print(root == logging.getLogger().handlers)
    """
    assert run(program).out == "True 0 True\nTrue"


def test_with_no_logging_set_up_a_pipe_stays_quiet(kernel, run):
    kernel("k", value(1))
    seen = run("import rsimport.import_hook, k; print(k.value())", env={"RSIMPORT_PROGRESS": "0"})
    assert (seen.out, seen.stderr) == ("1", "")


@pytest.mark.parametrize(("progress", "shown"), [("1", True), ("0", False)])
def test_progress_of_a_long_build_is_shown_on_a_terminal_and_can_be_switched_off(
    barrier, kernel, start, progress, shown
):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    ours, theirs = pty.openpty()
    environment = {"RSIMPORT_PROGRESS": progress, "TERM": "xterm", "CI": None}
    process = start("import rsimport.import_hook, k; print(k.value())", stderr=theirs, env=environment)
    barrier.reached()
    assert bool(select.select([ours], [], [], 30 if shown else 2)[0]) == shown
    barrier.go()
    os.close(theirs)
    assert process.communicate(timeout=LIMIT)[0].strip() == "1"
    os.close(ours)


WARNED = "import rsimport, rsimport.import_hook, k; print(len(rsimport.info(k).warnings))"


def test_a_warning_is_shown_once_for_each_build_and_kept(kernel, run):
    """No logging is set up here, as in most scripts."""
    path = kernel("k", "fn unused() {}\n" + value(1))
    first, second, forced = (
        run(WARNED, env={"RSIMPORT_PROGRESS": "0", "RSIMPORT_FORCE_REBUILD": force}) for force in "001"
    )
    assert first.stderr.count("function `unused` is never used") == 1
    assert f"{path}:{line_of(path, 'unused')}" in first.stderr
    assert second.stderr == "" and forced.stderr == first.stderr
    assert first.out == second.out == forced.out == "1"


def test_a_warning_goes_to_the_logging_that_is_set_up(kernel, run):
    kernel("k", "fn unused() {}\n" + value(1))
    (level, *_), (second, name, message), *_ = records(run)
    assert (level, second, name) == ("INFO", "WARNING", "rsimport") and "`unused` is never used" in message


@pytest.mark.parametrize("edited", [False, True], ids=["first build", "an edit"])
def test_warnings_of_dependencies_are_not_shown(kernel, run, project, edited):
    write(project, {"helper/Cargo.toml": package("helper"), "helper/src/lib.rs": "fn unused() {}\n"})
    path = kernel("k", value(1), block=block("[dependencies]", 'helper = { path = "helper" }'))
    if edited:
        run(WARNED)
        path.write_text(path.read_text().replace("    1\n", "    2\n"))
    seen = run(WARNED, env={"RSIMPORT_PROGRESS": "0"})
    assert (seen.out, seen.stderr) == ("0", "")


def test_damage_is_a_warning_that_names_the_file(kernel, run):
    kernel("k", value(1))
    artifact = run("import rsimport.import_hook, k; print(k.__file__)").out
    os.truncate(artifact, 10)
    (level, _, message), build = records(run)
    assert level == "WARNING" and os.path.dirname(artifact) in message and build[0] == "INFO"
