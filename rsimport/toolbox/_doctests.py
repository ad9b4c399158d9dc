"""The Python examples in the documentation of a kernel, run as doctests against what is imported."""

from __future__ import annotations

import doctest
import inspect
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from rsimport import _api, _engine
from rsimport._cli_output import complain
from rsimport._errors import RsimportError
from rsimport.toolbox._harness import waited
from rsimport.toolbox._verb import near

STARTED = "from rsimport.toolbox._doctests import main; main()"


def run(path: str, filters: Sequence[str], settings: dict[str, Any]) -> int:
    """Runs the examples of one kernel in a child of this Python; the exit code."""
    try:
        loader = _api.at(path, None, settings)
        loader.find_artifact()
    except RsimportError as error:
        complain(error)
        return 1
    command = [sys.executable, "-c", STARTED, loader.kernel, json.dumps(settings), *filters]
    sys.stdout.flush()
    with subprocess.Popen(command, text=True) as child:
        code = waited(child)
    if code == -signal.SIGINT:
        raise KeyboardInterrupt
    if code not in (0, 1):
        complain(f"the examples of {near(path)} ended with exit code {code}")
    return 0 if code == 0 else 1


def main() -> None:
    """In the child: runs the examples of the kernel that the first argument names."""
    path, settings, *filters = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    module = _api.imp_from_filepath(path, **json.loads(settings))
    comments = _Comments(_api.info(module))
    runner = doctest.DocTestRunner(verbose=False)
    failed = count = 0
    names = {**vars(module), module.__name__: module}
    for name, text in _documented(module):
        file, line = comments.place(text)
        test = doctest.DocTestParser().get_doctest(text, dict(names), name, file, line)
        if not test.examples or (filters and not any(part in name for part in filters)):
            continue
        count += 1
        said: list[str] = []
        result = runner.run(test, out=said.append)
        place = f"{_engine.shown(near(file))}:{line + 1}"
        print(f"example {name} ({place}) ... {'FAILED' if result.failed else 'ok'}")
        print("".join(said), end="")
        failed += bool(result.failed)
    if count:
        print(f"\nexamples: {count - failed} passed, {failed} failed")
    else:
        click.echo(f"no examples in {_engine.shown(near(path))}: they begin with >>> in its documentation")
    sys.exit(1 if failed else 0)


def _documented(module: ModuleType) -> Iterator[tuple[str, str]]:
    """The documentation of everything in a module, with the names of what it belongs to."""
    seen = set()

    def visit(name: str, value: object) -> Iterator[tuple[str, str]]:
        text = getattr(value, "__doc__", None)
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(text, str) and ">>>" in text:
            yield name, text
        if isinstance(value, (ModuleType, type)):
            for part, inner in list(vars(value).items()):
                own = getattr(inner, "__module__", module.__name__) in (None, "builtins", module.__name__)
                documented = isinstance(inner, (ModuleType, type)) or inspect.isroutine(inner)
                if (documented or inspect.isdatadescriptor(inner)) and (own or isinstance(value, type)):
                    yield from visit(f"{name}.{part}", inner)

    yield from visit(module.__name__, module)


class _Comments:
    """The lines of documentation in a kernel's files."""

    def __init__(self, artifact: _engine.Artifact) -> None:
        self.root = artifact.source
        files = [artifact.source, *(file for file in artifact.inputs if file.endswith(".rs"))]
        self.lines: list[tuple[str, int, str]] = []
        for file in files:
            try:
                text = Path(file).read_text(encoding="utf-8")
            except OSError:
                continue
            for number, line in enumerate(text.splitlines()):
                self.lines.append(
                    (file, number, re.sub(r"^\s*(//[/!]|/\*[*!]|\*(?!/))?\s*", "", line).rstrip())
                )

    def place(self, text: str) -> tuple[str, int]:
        """The file, and the 0-based line, in which a text begins that PyO3 has taken from comments."""
        wanted = [line.strip() for line in text.strip("\n").splitlines()]
        for at in range(len(self.lines)):
            if [line for _, _, line in self.lines[at : at + len(wanted)]] == wanted:
                file, number, _ = self.lines[at]
                return file, number
        return self.root, 0
