"""Mistakes of beginners, as data: what they write, and the line that they need, wherever they read it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

MISTAKES = Path(__file__).parent / "mistakes"

TELL = """
import contextlib, importlib, io, json, os, pty, re, sys, traceback
import rsimport, rsimport.import_hook

escapes = re.compile(r"\\x1b\\[[0-9;]*m")
ours, theirs = pty.openpty()
terminal = os.fdopen(theirs, "w")

def notebook(error):
    render = getattr(error, "_render_traceback_", None)
    lines = render() if render else traceback.format_exception_only(type(error), error)
    return escapes.sub("", "\\n".join(lines))

told = {}
for name, statement in json.load(open("cases.json")).items():
    os.chdir(name)
    sys.path.insert(0, os.getcwd())
    importlib.invalidate_caches()
    sys.modules.pop("kern", None)
    scope, said = {}, io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            exec(statement, scope)
        except ImportError as error:
            texts = {"pipe": "".join(traceback.format_exception_only(type(error), error))}
            with contextlib.redirect_stderr(terminal):
                coloured = "".join(traceback.format_exception_only(type(error), error))
                texts["terminal"] = escapes.sub("", coloured)
            texts["notebook"] = notebook(error)
            kinds = [isinstance(error, rsimport.CompileError), "\\x1b[" in coloured]
            told[name] = {"texts": texts, "coloured": kinds}
        else:
            names = [n for n in dir(scope["kern"]) if not n.startswith("_")]
            warnings = [w.rendered for w in rsimport.info(scope["kern"]).warnings]
            told[name] = {"texts": {"pipe": "\\n".join([" ".join(["OK", *names]), *warnings])}}
    sys.path.pop(0)
    os.chdir("..")
print(json.dumps(told))
"""


@dataclass
class Mistake:
    """A kernel that somebody wrote, and what has to be said about it."""

    name: str
    file: str
    encoding: str
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def expected(self) -> list[str]:
        """Each line, except that the lines that are to be pasted belong to their hint."""
        lines = self.parts["says"].strip().splitlines()
        found: list[str] = []
        for line in lines:
            if line.startswith("//! ") and found and found[-1].startswith("hint: "):
                found[-1] += "\n" + line
            else:
                found.append(line)
        return found


def mistakes(name: str) -> list[Mistake]:
    """Reads a file of mistakes."""
    sections = re.split(r"^=== ", (MISTAKES / name).read_text(encoding="utf-8"), flags=re.M)[1:]
    found = []
    for section in sections:
        head, body = section.split("\n", 1)
        title, *options = head.split()
        settings = dict(option.split("=") for option in options)
        text, *parts = re.split(r"^--- (.*)\n", body, flags=re.M)
        mistake = Mistake(title, settings.get("file", title), settings.get("encoding", "utf-8"))
        mistake.parts = {"kernel": text, **dict(zip(parts[::2], parts[1::2], strict=True))}
        found.append(mistake)
    return found


def test_a_beginner_is_told_what_he_needs_in_pipe_terminal_and_notebook(run, project):
    cases = mistakes("errors.txt")
    for case in cases:
        folder = project / case.name
        folder.mkdir()
        (folder / case.file).write_bytes(case.parts["kernel"].encode(case.encoding))
        for part, text in case.parts.items():
            if part.startswith("file "):
                (folder / part.split()[1]).write_text(text)
    statements = {case.name: case.parts.get("runs", "import kern").strip() for case in cases}
    (project / "cases.json").write_text(json.dumps(statements))
    told = json.loads(run(TELL, env={"RSIMPORT_PROGRESS": "0"}, timeout=900).out.splitlines()[-1])
    wrong = []
    for case in cases:
        said = told[case.name]
        texts = said["texts"]
        if unreachable(texts["pipe"]):
            continue
        missing = [(form, line) for form, text in texts.items() for line in case.expected if line not in text]
        if missing:
            wrong.append(f"{case.name}: {missing}\n{texts['pipe']}")
        # A compile error is coloured for a terminal, and nothing is a traceback of ours.
        if "coloured" in said:
            assert said["coloured"][0] <= said["coloured"][1], case.name
    assert not wrong, "\n\n".join(wrong)


def unreachable(text: str) -> bool:
    """Whether the registry could not be asked, which some of the mistakes need."""
    return "the registry is not reachable" in text


@pytest.mark.parametrize("kernel_of", mistakes("calls.txt"), ids=lambda case: case.name.removesuffix(".rs"))
def test_calls_that_surprise_a_beginner_are_what_the_list_says(run, project, kernel_of):
    if "numpy" in kernel_of.parts["kernel"]:
        pytest.importorskip("numpy")
    (project / kernel_of.name).write_text(kernel_of.parts["kernel"])
    calls = [line.split(" -> ") for line in kernel_of.parts["calls"].strip().splitlines()]
    module = kernel_of.name.removesuffix(".rs")
    program = f"""
        import json, rsimport.import_hook, {module}
        scope = dict(vars({module}))
        if {"numpy" in kernel_of.parts["kernel"]}:
            import numpy
            scope["numpy"] = numpy
        for call in {[call for call, _ in calls]!r}:
            try:
                print(repr(eval(call, scope)))
            except BaseException as error:
                print(f"{{type(error).__name__}}: {{str(error).splitlines()[0]}}")
    """
    lines = [line for line in run(program, timeout=900).out.splitlines() if not line.startswith("from rust")]
    assert len(lines) == len(calls)
    for (call, result), line in zip(calls, lines, strict=True):
        expected, _ = result.split(" | ")
        assert line.startswith(expected), (call, expected, line)
