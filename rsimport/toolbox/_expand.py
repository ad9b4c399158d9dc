"""`rsimport expand`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rsimport import _engine
from rsimport._cli_options import given, setting_options
from rsimport._streams import is_coloured
from rsimport.toolbox._project import Kernel
from rsimport.toolbox._verb import Verb, kernel


@click.command(
    cls=Verb,
    epilog="""\b
    Examples:
      rsimport expand logistic.rs
      rsimport expand logistic.rs::logistic      one item: a function, a type, or a module
      rsimport expand logistic.rs --staged       only what rsimport adds, before any macro
      rsimport expand logistic.rs | less

    \b
    Exit codes: 0 done, 1 the kernel cannot be expanded or has no such item, 2 wrong usage.
    """,
)
@click.argument("target", metavar="PATH[::ITEM]")
@click.option("--staged", is_flag=True, help="Show the file that the compiler is given, macros as they are.")
@setting_options()
def command(target: str, staged: bool, behind: list[str], **options: Any) -> int:
    """Show what rsimport and PyO3 make of a kernel: its code with every macro expanded.

    What stands behind `--` are flags for rustc.
    """
    path, _, item = target.partition("::")
    if not Path(path).exists():
        raise click.BadParameter(f"Path {path!r} does not exist.", param_hint="'PATH[::ITEM]'")
    opened = Kernel(kernel(path), given(options))
    text = Path(opened.project.root).read_text(encoding="utf-8") if staged else _expanded(opened, behind)
    if item:
        text = opened.project.item(text, item)
    _show(text)
    return 0


def _expanded(opened: Kernel, flags: list[str]) -> str:
    file = Path(opened.project.work, "expanded.rs")
    file.unlink(missing_ok=True)
    run = opened.run("rustc", flags=["-Zunpretty=expanded", "-o", str(file), *flags], unstable=True)
    if run.failure is not None:
        raise run.failure
    opened.project.format(str(file))
    return file.read_text(encoding="utf-8")


def _show(text: str) -> None:
    if not is_coloured(sys.stdout):
        click.echo(_engine.shown(text, lines=True), nl=not text.endswith("\n"))
        return
    from rich.console import Console
    from rich.syntax import Syntax

    console = Console(force_terminal=True)
    console.print(
        Syntax(_engine.shown(text, lines=True), "rust", background_color="default", word_wrap=False)
    )
