"""`rsimport doc`."""

from __future__ import annotations

import os
import shutil
import webbrowser
from pathlib import Path
from typing import Any

import click

from rsimport._cli_options import given, setting_options
from rsimport._errors import ConfigError
from rsimport.toolbox._check import warnings
from rsimport.toolbox._project import Kernel
from rsimport.toolbox._verb import Verb, kernel


@click.command(
    cls=Verb,
    epilog="""\b
    Examples:
      rsimport doc logistic.rs --open
      rsimport doc logistic.rs --out docs/rust
      rsimport doc logistic.rs -- --document-hidden-items    further arguments for cargo doc

    \b
    Exit codes: 0 done, 1 the kernel has no documentation that could be made, 2 wrong usage.
    """,
)
@click.argument("path", type=click.Path(exists=True))
@click.option("--open", "show", is_flag=True, help="Open it in a browser.")
@click.option("--out", type=click.Path(file_okay=False), help="Also copy it into this folder.")
@setting_options()
def command(path: str, show: bool, out: str | None, behind: list[str], **options: Any) -> int:
    """Make the documentation of a kernel for readers of its Rust: `cargo doc`, private functions included.

    It lies in the cache, and the command prints where. What Python's help() shows comes from the same
    comments.
    """
    if out is not None and os.path.isdir(out) and not os.path.isfile(os.path.join(out, "crates.js")):
        raise ConfigError(f"{out} is there, and no documentation of Rust", hint="name a new folder")
    opened = Kernel(kernel(path), given(options))
    run = opened.run("doc", ["--no-deps", "--document-private-items", *behind])
    warnings(run)
    if run.failure is not None:
        raise run.failure
    folder = Path(opened.project.work, "target/doc")
    if out is not None:
        _copied(folder, Path(out))
        folder = Path(out).absolute()
    page = folder / opened.project.crate_name / "index.html"
    click.echo(str(page))
    if show:
        webbrowser.open(page.as_uri())
    return 0


def _copied(folder: Path, out: Path) -> None:
    """Copies the pages; what was not there before is not there either when that fails."""

    def copy(source: str, target: str) -> None:
        try:
            shutil.copyfile(source, target)
        except OSError as exc:  # One is enough: copytree collects those of all files.
            raise ConfigError(f"{out} cannot be written to: {exc.strerror}") from exc

    was_there = out.exists()
    try:
        shutil.copytree(folder, out, dirs_exist_ok=True, copy_function=copy)
    except BaseException:
        if not was_there:
            shutil.rmtree(out, ignore_errors=True)
        raise
