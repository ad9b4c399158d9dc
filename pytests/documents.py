"""Runs the code blocks of one document, in the order in which they stand. The program of test_documents.py.

    python documents.py DOCUMENT

The current folder is the reader's: what a block names by a title is written there, and commands run there.

- ```` ```rust title="step.rs" ```` is written, and compiled where it is marked.
- ```` ```python ```` is executed, in one namespace for the whole document. With a title it is written first
  and executed by itself.
- ```` ```ipython ```` is a cell of one session of IPython.
- ```` ```console ```` has commands after `$ `, each of which has to end with 0. What stands below them is
  compared with what they print.
- ```` ```text title="output" ```` is what the block before it prints.
- Any other block with a title (`toml`, `cython`, ...) is a file.

In an output, `...` stands for any text. A block after `<!-- skip: next "reason" -->` is not run.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import runpy
import subprocess
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from unittest import SkipTest

from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

import rsimport

INFO = re.compile(r"(?P<language>[\w-]*)(?:[ ]+title=\"(?P<title>[^\"]+)\")?[ ]*\n")
COMMAND = re.compile(r"^\$ (.*)\n?", re.MULTILINE)


class Reader:
    """Whoever follows the document: what was printed last, and the session of IPython."""

    def __init__(self) -> None:
        self.printed = ""
        self._shell = None

    def blocks(self, document: Document) -> Iterable[Region]:
        """Every fenced block, with what is to be done with it."""
        for region in RawFencedCodeBlockLexer(INFO)(document):
            language, title = region.lexemes["language"], region.lexemes["title"]
            kind = "output" if title == "output" else language
            evaluate = getattr(self, kind, self.written)
            yield Region(region.start, region.end, (title, region.lexemes["source"]), evaluate)

    def rust(self, example: Example) -> None:
        name = self.file(example)
        if Path(name).read_text(encoding="utf-8").startswith("// rsimport"):
            rsimport.build_filepath(Path(name).parent.parent if name.endswith("src/lib.rs") else name)

    def python(self, example: Example) -> None:
        title, source = example.parsed
        with self._noting():
            if title:
                runpy.run_path(self.file(example))
            else:
                padded = "\n" * (example.line + source.line_offset) + source
                exec(compile(padded, example.path, "exec"), example.namespace)

    def ipython(self, example: Example) -> None:
        with self._noting():
            self.shell.run_cell(example.parsed[1]).raise_error()

    def console(self, example: Example) -> str | None:
        # What precedes the first command is no output.
        _, *parts = COMMAND.split(example.parsed[1])
        assert parts, "no line begins with `$ `"
        for command, wanted in zip(parts[::2], parts[1::2], strict=True):
            # How much is told of a build that is long depends on how long it is.
            quiet = {"RSIMPORT_PROGRESS": "false"} if "rsimport: " not in wanted else {}
            done = subprocess.run(
                ["bash", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={
                    **os.environ,
                    **quiet,
                    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                },
            )
            self.printed = done.stdout
            if done.returncode:
                return f"$ {command}\nexit {done.returncode}\n{done.stdout}"
            if wanted.strip() and (difference := differs(wanted, done.stdout)):
                return f"$ {command}\n{difference}"
        return None

    def output(self, example: Example) -> str | None:
        return differs(example.parsed[1], self.printed) or None

    def written(self, example: Example) -> None:
        self.file(example)

    def file(self, example: Example) -> str:
        """Writes a block under its title."""
        title, source = example.parsed
        assert title, 'a block of this kind needs title="..." or a `skip` with the reason'
        path = Path(title)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return title

    @property
    def shell(self):
        if self._shell is None:
            from IPython.core.interactiveshell import InteractiveShell

            self._shell = InteractiveShell.instance(colors="nocolor", history_length=0)
            self._shell.history_manager.enabled = False
        return self._shell

    @contextlib.contextmanager
    def _noting(self):
        with contextlib.redirect_stdout(io.StringIO()) as stream:
            yield
        self.printed = stream.getvalue()


def differs(wanted: str, got: str) -> str:
    """How an output differs from the one that the document shows; nothing if it does not."""
    wanted, got = (
        "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n" for text in (wanted, got)
    )
    if doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS):
        return ""
    return f"the document says:\n{wanted}\nand this is printed:\n{got}"


def documents(reader: Reader, path: Path) -> Document:
    parsers = [reader.blocks, SkipParser()]
    return Sybil(parsers, path=str(path.parent), pattern=path.name).parse(path)


def main() -> int:
    """Runs everything up to the first failure, whose place is printed."""
    path = Path(sys.argv[1]).resolve()
    sys.path.insert(0, "")
    ran = 0
    for example in documents(Reader(), path).examples():
        try:
            example.evaluate()
        except SkipTest:
            continue
        except BaseException as error:
            print(f"{path.name}:{example.line}: this block fails", file=sys.stderr)
            traceback.print_exception(error)
            return 1
        ran += 1
    print(f"{ran} blocks ran")
    return 0


if __name__ == "__main__":
    sys.exit(main())
