"""Whatever stands in the place of stderr, a good kernel is imported, and an error can be read."""

from __future__ import annotations

import os
import signal

import pytest
from helpers import shown, value

from rsimport._streams import is_coloured

LOOP = r"""
import io, logging, os, pathlib, sys, rsimport, rsimport.import_hook
from rsimport import _progress
_progress.PATIENCE = 0.0  # everything is shown
class Logger:
    def write(self, text):
        logging.getLogger("other").info(text)
class Raising:
    encoding = "utf-8"
    def __getattr__(self, name):
        raise RuntimeError(name)
closed = io.StringIO()
closed.close()
ascii = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
streams = {"none": None, "closed": closed, "logger": Logger(), "raising": Raising(), "ascii": ascii,
           "pipe": None}
import k
for number, (name, stream) in enumerate(streams.items(), 2):
    path = pathlib.Path("k.rs")
    path.write_text(path.read_text().replace(f"    {number - 1}\n", f"    {number}\n"))
    sys.stderr = stream
    if name == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
        sys.stderr = os.fdopen(writer, "wb", buffering=0)
    rsimport.reload(k)
    good = path.read_text()
    path.write_text(good + "\nfn broken( {")
    try:
        rsimport.reload(k)
    except rsimport.CompileError as error:
        print(name, k.value(), "error: " in str(error), "\x1b" in str(error))
    path.write_text(good)
"""


def test_a_stream_that_cannot_be_written_to_costs_nothing_but_the_lines(kernel, run):
    # `unused` is warned of at each build.
    kernel("k", "fn unused() {}\n" + value(1))
    names = ["none", "closed", "logger", "raising", "ascii", "pipe"]
    expected = [f"{name} {number} True False" for number, name in enumerate(names, 2)]
    said = [line for line in run(LOOP).out.splitlines() if line.split()[0] in names]
    assert said == expected


@pytest.mark.parametrize("gone", [True, False], ids=["a pipe whose reader is gone", "a full device"])
def test_a_process_whose_stderr_takes_nothing_ends_well(kernel, start, gone):
    kernel("k", "fn unused() {}\n" + value(1))
    reader, writer = os.pipe()
    os.close(reader)
    if not gone:
        os.close(writer)
        writer = os.open("/dev/full", os.O_WRONLY)
    code = """
    from rsimport import _progress
    _progress.PATIENCE = 0.0
    import rsimport.import_hook, k
    print(k.value())
    """
    process = start(code, stderr=writer)
    os.close(writer)
    assert process.communicate()[0] == "1\n" and process.returncode == 0


@pytest.mark.parametrize(
    ("variables", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"PYTHON_COLORS": "1", "NO_COLOR": "1"}, False, True),
        ({"PYTHON_COLORS": "0", "FORCE_COLOR": "1"}, True, False),
        ({"CARGO_TERM_COLOR": "always"}, False, True),
        ({"CARGO_TERM_COLOR": "never"}, True, False),
        ({"CARGO_TERM_COLOR": "auto"}, True, True),
        ({"CARGO_TERM_COLOR": "always", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)
def test_the_variables_for_colours_have_an_order(monkeypatch, variables, terminal, expected):
    for name in ("PYTHON_COLORS", "NO_COLOR", "FORCE_COLOR", "CARGO_TERM_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)

    class Stream:
        def isatty(self):
            return terminal

    assert is_coloured(Stream()) is expected


@pytest.mark.parametrize("colours", [{"FORCE_COLOR": "1"}, {"NO_COLOR": "1"}])
def test_errors_and_warnings_are_coloured_alike(kernel, run, colours):
    kernel("k", "fn unused() {}\n" + value(1))
    warned = run("import rsimport.import_hook, k", env=colours).stderr
    kernel("k", value("missing()"))
    failed = run("import rsimport.import_hook, k", env=colours, check=False).stderr
    assert "unused" in warned and "E0425" in failed
    assert ("\x1b[" in warned) == ("\x1b[" in failed) == ("FORCE_COLOR" in colours)


STOP = """
import traceback, rsimport, rsimport.import_hook
from rsimport import _progress
_progress.PATIENCE = 0.0
try:
    {statement}
except KeyboardInterrupt as error:
    print(*[frame.filename for frame in traceback.extract_tb(error.__traceback__)])
"""


@pytest.mark.parametrize("statement", ["import k", "rsimport.imp('k')", "rsimport.imp_from_filepath('k.rs')"])
def test_ctrl_c_shows_one_line_of_ours_and_no_frame(barrier, kernel, start, statement):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    process = start(STOP.format(statement=statement))
    barrier.reached()
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate()
    assert stdout.split() == ["<string>"]
    lines = [line for line in stderr.splitlines() if "stopped after" in line]
    assert len(lines) == 1 and lines[0].startswith("rsimport: k: stopped after ")
    assert lines[0].endswith("compiling kernel; the next run goes on from there")


def test_a_long_silent_build_says_that_it_goes_on(barrier, kernel, start):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    code = """
    from rsimport import _progress
    _progress.PATIENCE = _progress.SILENCE = 0.1
    import rsimport.import_hook, k
    """
    process = start(code)
    barrier.reached()
    lines = [process.stderr.readline() for _ in range(3)]
    barrier.go()
    rest = process.communicate()[1]
    assert lines[0] == "rsimport: k: compiling kernel\n"
    assert all(line.startswith("rsimport: k: compiling kernel, ") and "so far" in line for line in lines[1:])
    assert "rsimport: k: built in " in rest


def test_a_dumb_terminal_gets_plain_lines(kernel, start):
    if not hasattr(os, "openpty"):
        pytest.skip("there are no terminals to open here")
    kernel("k", value(1))
    ours, theirs = os.openpty()
    code = "from rsimport import _progress; _progress.PATIENCE = 0.0; import rsimport.import_hook, k"
    process = start(code, stderr=theirs, env={"TERM": "dumb"})
    process.wait()
    os.close(theirs)
    seen = shown(ours)
    assert "rsimport: k: compiling kernel" in seen and "built in" in seen and "\x1b" not in seen
