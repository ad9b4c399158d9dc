"""`rsimport clippy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from rsimport._cli_options import given
from rsimport.toolbox._check import examine, options
from rsimport.toolbox._verb import Verb


@click.command(
    cls=Verb,
    epilog="""\b
    Examples:
      rsimport clippy logistic.rs
      rsimport clippy . -- -D warnings                warnings fail, for a continuous integration
      rsimport clippy logistic.rs -- -W clippy::pedantic

    \b
    Exit codes: 0 nothing is forbidden, 1 something is or the kernel does not compile, 2 wrong usage.
    """,
)
@options
def command(
    paths: Sequence[str], form: str, tests: bool, fix: bool, behind: list[str], **settings: Any
) -> int:
    """Look for what is better written in another way: `cargo clippy` on files, crates, or whole folders.

    A `clippy.toml` beside a kernel or above it counts, and so do `[lints]` in its manifest block.
    """
    return examine("clippy", paths, form, ["--tests"] if tests else [], behind, given(settings), fix)
