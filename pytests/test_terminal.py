"""Text from outside cannot drive a terminal.

What names, manifests, compilers and build scripts say is shown, not obeyed.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers import package, value, write

from rsimport import _engine
from rsimport._errors import CompileError, ConfigError

EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e"
"""A new title, an empty screen, red letters, and writing from right to left."""

ODD = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Whatever a terminal obeys, but for colours."""

IMPORT = """
import sys, rsimport, rsimport.import_hook
import k
"""


@pytest.fixture
def odd(project: Path) -> Path:
    """A folder whose name is no name, with a kernel in it."""
    folder = project / f"a{EVIL}\nhint: run this"
    folder.mkdir()
    return folder


def check(text: str) -> None:
    found = ODD.search(text)
    assert found is None, (found, text)
    assert "\\u{1b}" in text, text


def test_the_error_of_a_kernel_in_such_a_folder(kernel, run, odd):
    kernel("k", value("x"), folder=odd)
    seen = run(IMPORT, cwd=odd, check=False, env={"FORCE_COLOR": "1"})
    told = seen.stderr[seen.stderr.index("CompileError") :]
    check(told)
    assert "\x1b[1m" in told and "\nhint: run" not in told, told


@pytest.mark.parametrize(
    "text",
    [
        '[tool.rsimport]\n"pro\\u001b[2Jfile" = 1\n',
        '[tool.rsimport]\nprofile = "\\u001b[2J"\n',
        '[tool.rsimport]\ntoolchain = "\\u001b[2J"\n',
        "[tool.rsimport]\nprofile = \x1b[2J\n",
    ],
)
def test_what_a_project_file_says(kernel, run, project, text):
    kernel("k", value(1))
    write(project, {"pyproject.toml": text})
    seen = run(IMPORT, check=False)
    told = seen.stderr[seen.stderr.index("rsimport.") :]
    assert ODD.search(told) is None, told


def test_what_the_compiler_quotes(stub_kernel, run, project):
    path = stub_kernel(1)
    warning = '#[deprecated(note = "\\u{1b}[2J\\u{9b}31m")] fn g() {}\nfn h() { g() }\n'
    path.write_text(path.read_text() + warning)
    for coloured in ("0", "1"):
        program = (
            IMPORT + "for w in rsimport.info(k).warnings: sys.stderr.write(w.message + w.ansi + w.rendered)"
        )
        check(run(program, env={"FORCE_COLOR": coloured, "NO_COLOR": "1" if coloured == "0" else ""}).stderr)
    path.write_text(path.read_text() + 'compile_error!("\\u{1b}[2J\\u{9b}31m");\n')
    seen = run(IMPORT, check=False, env={"FORCE_COLOR": "1"}).stderr
    check(seen[seen.index("CompileError") :])


def test_what_a_build_script_says(stub_kernel, run, project):
    path = stub_kernel(1, 'scripted = { path = "scripted" }')
    script = 'fn main() { eprintln!("\\u{1b}[2J\\u{9b}31m"); std::process::exit(1) }'
    manifest = package("scripted")
    write(project / "scripted", {"Cargo.toml": manifest, "src/lib.rs": "", "build.rs": script})
    seen = run(IMPORT, check=False).stderr
    assert (ODD.search(seen) is None and "build.rs" in seen) or "custom build" in seen, seen
    assert path.exists()


def test_the_tables_of_the_command_line(stub_kernel, cli, odd):
    stub_kernel(1).rename(odd / "k.rs")
    for arguments in (("build", str(odd)), ("cache", "list"), ("doctor", str(odd / "k.rs"))):
        seen = cli(*arguments)
        assert seen.returncode == 0, seen.text
        check(seen.text)
        assert len([line for line in seen.out.splitlines() if "hint: run this" in line]) <= 1
        assert not any(line.startswith("hint: run") for line in seen.text.splitlines()), seen.text


def test_a_file_that_is_no_kernel(run, odd):
    (odd / "k.rs").write_text(f"{EVIL}\n")
    seen = run("import rsimport.import_hook, k", cwd=odd, check=False, env={"PYTHONPATH": str(odd)}).stderr
    told = seen[seen.index("ModuleNotFoundError") :]
    assert ODD.search(told) is None and "\nhint: run" not in told, told


def test_errors_that_are_raised_in_python():
    check(str(ConfigError(f"{EVIL} is wrong", hint=f"look at {EVIL}")))
    assert str(ConfigError("two\nlines", hint="a\tb")) == "two\nlines\nhint: a\tb"
    check(str(CompileError(EVIL)))


def test_progress_is_text_and_no_markup(run):
    program = """
        from rsimport import _progress
        _progress.PATIENCE = 0.0
        import io, sys, time
        from rich.console import Console
        class Terminal(io.StringIO):
            def isatty(self): return True
        sys.stderr = terminal = Terminal()
        with _progress.showing("k", True) as report:
            report("dependencies", 0, 0, "Updating git repository `[blink]x[/blink]`")
            time.sleep(0.5)
        print(ascii(terminal.getvalue()))
    """
    assert "[blink]x[/blink]" in run(program, env={"TERM": "xterm", "NO_COLOR": None}).out


def test_what_is_shown_of_a_text():
    assert _engine.shown("a\nb") == "a\\nb" and _engine.shown("a\nb\x1b", lines=True) == "a\nb\\u{1b}"
