"""`rsimport check`, and what `rsimport clippy` has in common with it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from rsimport import _engine
from rsimport._cli_options import given, setting_options
from rsimport._cli_output import complain
from rsimport._errors import CacheError, RsimportError
from rsimport._streams import is_coloured
from rsimport.toolbox._project import Kernel
from rsimport.toolbox._verb import Verb, kernels, near, plural, tell

FORMATS = ("human", "short", "json", "json-diagnostic-rendered-ansi")


def options(command: Any) -> Any:
    """The arguments and options of both commands."""
    decorators = [
        click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True)),
        click.option(
            "--message-format",
            "form",
            type=click.Choice(FORMATS),
            default="human",
            help="How to tell what is found; json is for editors.",
        ),
        click.option("--tests", is_flag=True, help="Also look at what is compiled for tests only."),
        click.option("--fix", is_flag=True, hidden=True),
        setting_options(),
    ]
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@click.command(
    cls=Verb,
    epilog="""\b
    Examples:
      rsimport check logistic.rs
      rsimport check . --tests
      rsimport check logistic.rs --message-format=json    what an editor reads
      rsimport check logistic.rs -- --keep-going          further arguments for cargo check

    \b
    Exit codes: 0 it compiles, 1 it does not, 2 wrong usage.
    """,
)
@options
def command(
    paths: Sequence[str], form: str, tests: bool, fix: bool, behind: list[str], **settings: Any
) -> int:
    """Check that kernels compile, without building them: `cargo check` on files, crates, or whole folders.

    What is said names your own files, and no line that rsimport has generated.
    """
    return examine("check", paths, form, [*(["--tests"] if tests else []), *behind], [], given(settings), fix)


def examine(
    verb: str,
    paths: Sequence[str],
    form: str,
    arguments: list[str],
    flags: list[str],
    settings: dict[str, Any],
    fix: bool,
) -> int:
    """Runs the verb on every kernel and tells what was said; the exit code."""
    if fix or "--fix" in (*arguments, *flags):
        raise click.UsageError(
            f"`{verb} --fix` is refused: cargo would change a copy, and rsimport never edits a kernel; "
            "each message shows what to write instead"
        )
    return max([_examine(verb, kernel, form, arguments, flags, settings) for kernel in kernels(paths)])


def _examine(
    verb: str, path: str, form: str, arguments: list[str], flags: list[str], settings: dict[str, Any]
) -> int:
    as_json = form.startswith("json")
    try:
        kernel = Kernel(path, {**settings, "progress": False} if as_json else settings)
        run = kernel.run(verb, arguments, flags)
    except CacheError:
        raise
    except RsimportError as error:
        if as_json:
            click.echo(_message(path, error))
        complain(error)
        return 1
    if as_json:
        lines = kernel.project.in_users_words(run.output, colours=form.endswith("ansi"))
        for line in lines:
            click.echo(line)
        told = any(found.level == "error" for found in run.diagnostics)
        if run.failure is not None and not told:
            click.echo(_message(path, run.failure))
        return 0 if run.success else 1
    return _told(path, run, short=form == "short")


def _told(path: str, run: _engine.ProjectRun, *, short: bool) -> int:
    # What the code and its tests have in common is checked twice.
    unique = list(
        {(found.file, found.line, found.column, found.rendered): found for found in run.diagnostics}.values()
    )
    others = [found for found in unique if found.level != "error"]
    for found in unique if short else others:
        click.echo(_short(found) if short else _rendered(found), err=True)
    if run.failure is not None:
        if not short or len(others) == len(unique):
            complain(run.failure)
        return 1
    tell(f"{near(path)}: {plural(sum(found.level == 'warning' for found in others), 'warning')}")
    return 0


def warnings(run: _engine.ProjectRun) -> None:
    """Prints what is no error; an error is raised or told by itself."""
    for found in run.diagnostics:
        if found.level != "error":
            click.echo(_rendered(found), err=True)


def _rendered(found: _engine.Diagnostic) -> str:
    return (found.ansi if is_coloured(sys.stderr) else found.rendered).rstrip()


def _short(found: _engine.Diagnostic) -> str:
    place = f"{found.file}:{found.line}:{found.column}: " if found.file else ""
    code = f"[{found.code}]" if found.code else ""
    return f"{place}{found.level}{code}: {found.message}"


def _message(path: str, error: RsimportError) -> str:
    """An error that is none of rustc's, as a message about the line that it names, for editors."""
    file = os.path.abspath(_engine.crate_source(path) or path)
    match = re.match(re.escape(file) + r":(\d+)", error.message)
    line = int(match[1]) if match else 1
    try:
        with open(file, "rb") as stream:
            before = stream.read().split(b"\n")[: line - 1]
    except OSError:
        before = []
    start = sum(len(text) + 1 for text in before)
    span = {
        "file_name": file,
        "byte_start": start,
        "byte_end": start + 1,
        "line_start": line,
        "line_end": line,
        "column_start": 1,
        "column_end": 2,
        "is_primary": True,
        "text": [],
        "label": None,
        "suggested_replacement": None,
        "suggestion_applicability": None,
        "expansion": None,
    }
    message = {
        "$message_type": "diagnostic",
        "message": str(error),
        "code": None,
        "level": "error",
        "spans": [span],
        "children": [],
        "rendered": f"error: {error}\n",
    }
    name = os.path.splitext(os.path.basename(path))[0]
    target = {
        "kind": ["cdylib"],
        "crate_types": ["cdylib"],
        "name": name,
        "src_path": file,
        "edition": "2024",
        "doc": True,
        "doctest": False,
        "test": True,
    }
    described = {
        "reason": "compiler-message",
        "package_id": f"path+file://{os.path.dirname(file)}#{name}@0.0.0",
        "manifest_path": file,
        "target": target,
        "message": message,
    }
    return json.dumps(described)
