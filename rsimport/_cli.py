"""The command `rsimport`. Its options come from the engine's table, as everything about settings does."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rsimport import _api, _engine, _new
from rsimport._cli_options import given, option_of, setting_options
from rsimport._cli_output import complain, show
from rsimport._errors import ConfigError, RsimportError
from rsimport._marker import advice, is_crate
from rsimport._python import ABI

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rsimport._api import Report


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    with _ended_by_signals():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return cli.main(arguments, prog_name="rsimport", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        return exc.exit_code
    except click.UsageError as exc:
        if exc.ctx is not None:
            click.echo(exc.ctx.get_usage(), err=True)
        command = exc.ctx.command_path if exc.ctx else "rsimport"
        complain(f"{exc.format_message()}\nhint: {command} --help")
        return exc.exit_code
    except (RsimportError, OSError) as exc:
        complain(exc)
    except (click.Abort, KeyboardInterrupt):
        if sys.stderr.isatty():
            click.echo(err=True)  # The terminal has written ^C where the line is to stand.
        complain("interrupted")
        return 128 + signal.SIGINT
    except Ended as exc:
        complain("terminated")
        return 128 + exc.signal
    return 1


class Ended(SystemExit):
    """A signal by which somebody asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = number


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Has a request to end, and a terminal that closes, clean up as Ctrl-C does.

    Afterwards all is as it was: a notebook that asked for one command is still to be ended by them.
    """

    def end(number: int, _frame: object) -> None:
        raise Ended(number)

    taken = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            # What nohup ignores stays ignored.
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)
                taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


class Commands(click.Group):
    """The commands of this module, and those of the toolbox, which are imported when they are asked for."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None  # Click itself would write an empty line first.

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *TOOLBOX})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = TOOLBOX.get(cmd_name)
        if module is None:
            return super().get_command(ctx, cmd_name)
        command: click.Command = import_module(f"rsimport.toolbox.{module}").command
        return command


TOOLBOX: dict[str, str] = {
    "asm": "_asm",
    "cache": "_cache",
    "check": "_check",
    "clippy": "_clippy",
    "doc": "_doc",
    "expand": "_expand",
    "export": "export",
    "fmt": "_fmt",
    "ide": "_ide",
    "stubs": "stubs",
    "test": "_test",
    "wheel": "wheel",
}
"""The commands that come from `rsimport.toolbox`: the module of each, which calls it `command`."""


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
    Examples:
      rsimport new step           write a kernel and its test
      rsimport build .            compile every marked kernel in this folder and below
      rsimport watch .            the same, and again whenever one is saved
      rsimport test step.rs       run its Rust tests; also check, clippy, fmt, doc, expand, asm
      rsimport bench step.rs::f   say whether a kernel pays, and from which batch size on
      rsimport doctor             say what is missing, and how to get it

    \b
    Completion in your shell (bash, zsh or fish):
      eval "$(_RSIMPORT_COMPLETE=bash_source rsimport)"
    """,
)
@click.version_option(_engine.__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Import Rust kernels: a .rs file whose first line is `// rsimport` becomes a Python module."""
    # `doctor` has that among its findings.
    for problem in _engine.misspelled() if ctx.invoked_subcommand != "doctor" else ():
        click.echo(_engine.shown(f"warning: {problem}", lines=True), err=True)


@cli.command(
    epilog="""\b
    Examples:
      rsimport build logistic.rs
      rsimport build . --profile dev
      rsimport build logistic.rs --target-cpu generic --inplace
    """
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
@click.option(
    "--inplace", is_flag=True, help="Copy the library beside its source, to be imported without rsimport."
)
@setting_options()
def build(paths: Sequence[str], inplace: bool, **options: Any) -> int:
    """Compile kernels: files, crates, or all that are marked in a folder and below."""
    settings = given(options)
    if inplace:
        settings["tier"] = "optimized"  # A fast build shares libraries with others in the cache.
    reports = [report for path in paths for report in _build(path, settings)]
    rows = []
    for report in reports:
        library = report.artifact.path if report.artifact else ""
        if report.artifact is not None and inplace:
            beside = report.path.removesuffix(".rs") + ABI
            _engine.inplace(report.artifact, report.path, settings, beside)
            library = beside
        rows.append([os.path.relpath(report.path), *_result(report), library])
    show(["kernel", "result", "seconds", "why", "library"], rows)
    failures = [report.error for report in reports if report.error]
    for error in failures:
        complain(error)
    for note in _notes(paths):
        click.echo(_engine.shown(note, lines=True), err=True)
    return 1 if failures else 0


@cli.command(
    epilog="""\b
    Examples:
      rsimport watch .
      rsimport watch logistic.rs kernels/ --profile dev
    """
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
@setting_options()
def watch(paths: Sequence[str], **options: Any) -> None:
    """Compile kernels whenever they are saved, so that the next import finds them ready.

    A folder stands for all marked kernels in it and below, also for those that are new there. Whatever else a
    kernel is made of is watched too: `mod` files, included files, path dependencies. Nothing is loaded.
    Ctrl-C ends it, with exit code 0.
    """
    from rsimport._watch import watch as follow

    with suppress(KeyboardInterrupt):
        for note in _notes(paths):
            click.echo(_engine.shown(note, lines=True))
        follow(paths, given(options), _report)


@cli.command(
    epilog="""\b
    Examples:
      rsimport new step
      rsimport new histogram --template numpy
      rsimport new sketch --from count_min_sketch
    """
)
@click.argument("name")
@click.option(
    "--template",
    "--from",
    "origin",
    type=click.Choice(_new.origins()),
    default="function",
    help="What to start from: a template, or a kernel that comes with rsimport.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
def new(name: str, origin: str, force: bool) -> None:
    """Write a kernel NAME.rs and its test into this folder, or into the one that NAME begins with."""
    wanted = Path(name)
    if not wanted.parent.is_dir():
        raise ConfigError(
            f"{name}: there is no folder {wanted.parent}", hint=f"mkdir -p {shlex.quote(str(wanted.parent))}"
        )
    module = wanted.name.removesuffix(".rs")
    files = _new.new(module, origin, wanted.parent.resolve(), overwrite=force)
    for file in files:
        click.echo(f"wrote {_engine.shown(os.path.relpath(file))}")
    inside = "" if wanted.parent == Path() else f"cd {shlex.quote(str(wanted.parent))} && "
    click.echo(f'next: {inside}python -c "import rsimport.import_hook, {module}; help({module})"')
    click.echo(f"      {inside}pytest test_{module}.py")


@cli.command(
    epilog="""\b
    Examples:
      rsimport settings
      RSIMPORT_PROFILE=dev rsimport settings
    """
)
def settings() -> None:
    """List all settings: what they are here, and how each is set.

    Most are also options of the commands that build, and keys of [tool.rsimport] in pyproject.toml and of
    [package.metadata.rsimport] in a kernel's manifest block: docs/reference/settings.md says which.
    """
    here = _engine.settings(None, {})
    rows = [
        [setting.name, _written(here[setting.name]), option_of(setting), setting.env, setting.help]
        for setting in _engine.settings_table()
    ]
    show(["setting", "here", "option", "variable", "what it does"], rows)


@cli.command(
    epilog="""\b
    Examples:
      rsimport doctor
      rsimport doctor step.rs    also: would `import step` find this file?
    """
)
@click.argument("files", nargs=-1, type=click.Path(exists=True))
@setting_options("cache_dir", "toolchain")
def doctor(files: Sequence[str], **options: Any) -> int:
    """Check everything that a build or an import needs, and say what to do about what is missing.

    With files, also whether an import finds them.
    """
    from rsimport._doctor import examine

    findings = examine(given(options), files)
    show(
        ["", "what", "found"],
        [["ok" if found.ok else "FAILED", found.name, found.detail] for found in findings],
    )
    for found in findings:
        if not found.ok:
            complain(f"{found.name}: {found.detail}" + (f"\nhint: {found.hint}" if found.hint else ""))
    return 0 if all(found.ok for found in findings) else 1


@cli.command(
    epilog="""\b
    Examples:
      rsimport warm
      rsimport warm --deps numpy=0.30 rayon=1
    """
)
@click.argument("more", nargs=-1, metavar="[SPEC...]")
@click.option(
    "--deps", multiple=True, metavar="SPEC...", help="Crates to compile besides pyo3, as NAME=VERSION."
)
@setting_options()
def warm(more: Sequence[str], deps: Sequence[str], **options: Any) -> None:
    """Compile shared dependencies ahead, so that the first kernel that needs them builds at once."""
    from rsimport._build import warm as compile_ahead

    seconds = compile_ahead([*deps, *more], given(options))
    click.echo(f"ready after {seconds:.1f} s")


@cli.command(
    epilog="""\b
    Examples:
      rsimport bench step.rs::logistic --args "steps=10_000_000, r=3.9, x=0.5" --batch steps
      rsimport bench step.rs::logistic --args "steps=1_000_000, r=3.9, x=0.5" --batch steps \\
          --python baseline:logistic --plot step.svg --json step.json
      rsimport bench sums.rs::total --args "values=np.ones(100_000)" --batch values
      rsimport bench increment.rs::increment --args "i=1_000_000"
    """
)
@click.argument("function", metavar="KERNEL::FUNCTION")
@click.option("--args", "arguments", default="", help="The arguments by name, as Python expressions.")
@click.option("--batch", metavar="ARGUMENT", help="The argument that says how many steps a call makes.")
@click.option("--python", metavar="MODULE:FUNCTION", help="The same function in Python.")
@click.option("--nogil", metavar="FUNCTION", help="The same, the GIL released. [default: FUNCTION_nogil]")
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw it into this file (svg, png, pdf).")
@click.option("--json", "data", type=click.Path(dir_okay=False), help="Write the figures to this file.")
@click.option("--quick", is_flag=True, help="Fewer samples, for a first look.")
@setting_options()
def bench(
    function: str,
    arguments: str,
    batch: str | None,
    python: str | None,
    nogil: str | None,
    plot: str | None,
    data: str | None,
    quick: bool,
    **options: Any,
) -> None:
    """Measure whether a kernel pays: what a call costs, and how large a batch has to be.

    The results of Python and Rust are compared first; then both are measured, in batches of 1, 10, ... steps.
    """
    from rsimport.bench._command import measure

    sides = {"python": python, "nogil": nogil}
    measure(function, arguments, batch, sides, plot=plot, data=data, quick=quick, settings=given(options))


def _build(path: str, settings: dict[str, Any]) -> list[Report]:
    # A crate that is named itself needs no marker, as a file does not.
    if not os.path.isdir(path) or is_crate(path):
        return [_api.report(path, settings)]
    reports = _api.build_all(path, **settings)
    if not reports:
        hint = "the first line of a kernel is `// rsimport`; a kernel that is named itself needs no marker"
        raise ConfigError(f"there is no marked kernel in {path}", hint=hint)
    return reports


def _notes(paths: Sequence[str]) -> list[str]:
    """What keeps files that were named from being imported; they are built all the same."""
    found = [
        advice(path) for path in paths if (path.endswith(".rs") and os.path.isfile(path)) or is_crate(path)
    ]
    return [f"note: no import finds it: {problem}\nhint: {hint}" for problem, hint in filter(None, found)]


def _result(report: Report) -> list[str]:
    if report.artifact is None:
        return ["failed", f"{report.seconds:.2f}", ""]
    why = report.artifact.reason if report.built else None
    return ["built" if report.built else "cached", f"{report.seconds:.2f}", why or ""]


def _report(line: str, error: object) -> None:
    click.echo(_engine.shown(line))
    if error is not None:
        complain(error)


def _written(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    return str(value).lower() if isinstance(value, bool) else str(value) or "-"
