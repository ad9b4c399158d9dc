"""`rsimport fmt`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from rsimport import _engine
from rsimport._api import at
from rsimport._cli_options import given, setting_options
from rsimport._cli_output import complain
from rsimport._errors import RsimportError
from rsimport._python import ABI
from rsimport._streams import is_coloured
from rsimport.toolbox._verb import Verb, kernels, near, pasted, tell


@click.command(
    cls=Verb,
    epilog="""\b
    Examples:
      rsimport fmt logistic.rs
      rsimport fmt . --check                        for a continuous integration
      rsimport fmt logistic.rs -- --config max_width=100

    \b
    Exit codes: 0 done (with --check: all is in order), 1 it is not, or rustfmt cannot read it, 2 wrong usage.
    """,
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--check", is_flag=True, help="Change nothing, and show what would be changed.")
@setting_options("toolchain")
def command(paths: Sequence[str], check: bool, behind: list[str], **options: Any) -> int:
    """Format kernels in their places, with the files of their modules: `rustfmt` in each kernel's edition.

    A `rustfmt.toml` beside a kernel or above it counts.
    """
    return max([_format(kernel, check, behind, given(options)) for kernel in kernels(paths)])


def _format(path: str, check: bool, behind: list[str], settings: dict[str, Any]) -> int:
    colour = "always" if is_coloured(sys.stdout) else "never"
    arguments = [*(["--check"] if check else []), "--color", colour, *behind]
    try:
        loader = at(path, None, settings)
        before = _text(loader.kernel)
        success, output, errors = _engine.format(loader.kernel, loader.name, ABI, settings, arguments)
    except RsimportError as error:
        complain(error)
        return 1
    for line in output:
        click.echo(line)
    for line in errors:
        click.echo(line, err=True)
    if success:
        changed = not check and _text(loader.kernel) != before
        tell(f"{near(path)}: {'formatted' if changed else 'in order'}")
    elif check and not errors:
        complain(f"{near(path)} is not formatted\nhint: rsimport fmt {pasted(path)}")
    else:
        complain(f"rustfmt has not formatted {near(path)}")
    return 0 if success else 1


def _text(path: str) -> bytes:
    if os.path.isdir(path):
        path = _engine.crate_source(path) or path
    with open(path, "rb") as file:
        return file.read()
