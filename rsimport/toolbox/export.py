"""`rsimport export`: a kernel as a project for maturin."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import click

from rsimport import _engine
from rsimport._cli_options import given, setting_options
from rsimport.toolbox._exported import Project, new_folder


@click.command(
    epilog="""\b
    Examples:
      rsimport export logistic.rs ../logistic
      rsimport export step/ step-project     a crate
      cd ../logistic && pip install . pytest && pytest
    """
)
@click.argument("path", type=click.Path(exists=True))
@click.argument("folder", metavar="DIR")
@setting_options("cache_dir", "toolchain", "offline")
def command(path: str, folder: str, **options: Any) -> None:
    """Write a kernel as a project of its own, which needs no rsimport.

    DIR becomes a complete project for maturin: the kernel's text with its module written out, its `mod`
    files and what they include, Cargo.toml and Cargo.lock with the versions that the kernel was built with, a
    Python package with types if a stub lies beside the kernel, a test, and a workflow that builds wheels.
    Crates in folders are copied. PATH is a kernel's file or a crate's folder.
    """
    target = Path(os.path.abspath(folder))
    with new_folder(target) as made:
        project = Project(path, given(options))
        project.write(made)
        files = sorted(str(file.relative_to(made)) for file in made.rglob("*") if file.is_file())
    for file in files:
        click.echo(f"wrote {_engine.shown(os.path.join(folder, file))}")
    for note in project.notes():
        click.echo(f"note: {_engine.shown(note, lines=True)}", err=True)
    click.echo(f"next: cd {shlex.quote(folder)} && pip install . pytest && pytest")
