"""`rsimport stubs`: what a kernel holds, for Python's type checkers and editors."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rsimport import _engine
from rsimport._cli_options import given, setting_options
from rsimport._errors import ConfigError, RsimportError
from rsimport._format import called

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rsimport.toolbox.stubs._files import Place


@click.command(
    "stubs",
    epilog="""\b
    Examples:
      rsimport stubs logistic.rs            writes logistic.pyi beside it
      rsimport stubs .                      for every marked kernel in this folder and below
      rsimport stubs src --out typings      into another folder, in packages as they are in src
      rsimport stubs --check .              in CI: exits with 1 if one is stale or missing
    """,
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
@click.option(
    "--out", type=click.Path(file_okay=False), help="Write into this folder instead of beside the kernels."
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a stub is stale or missing.")
@setting_options()
def command(paths: Sequence[str], out: str | None, check: bool, **options: Any) -> int:
    """Write .pyi files for kernels: files, crates, or all that are marked in a folder and below.

    A file whose first line does not say that rsimport wrote it is never overwritten. With `stubs = true` in
    [tool.rsimport] those beside the kernels are kept current after every build.
    """
    from rsimport.toolbox.stubs._files import Place

    settings = given(options)
    results = [_update(Place.of(kernel, root, out), settings, check, out) for root, kernel in _kernels(paths)]
    return 0 if all(results) else 1


def _update(place: Place, settings: dict[str, Any], check: bool, out: str | None) -> bool:
    """Writes or checks the stubs of a kernel, and says what was done; False where something is wrong."""
    from rsimport._cli_output import complain
    from rsimport.toolbox.stubs._files import written_by_others
    from rsimport.toolbox.stubs._making import stubs_of

    kernel = shlex.quote(os.path.relpath(place.kernel))
    others = written_by_others(place)
    try:
        # What is there already needs no build.
        stubs = None if others else stubs_of(place, settings)
        written = [] if check or stubs is None else stubs.write()
    except (RsimportError, OSError) as exc:
        complain(exc)
        return False
    if stubs is not None:
        others = stubs.foreign
    for path in others:
        if check:
            click.echo(f"kept      {_shown(path)}, which was written by hand")
        else:
            what = f"{_shown(path)} is left alone: its first line does not say that rsimport wrote it"
            complain(f"{what}\nhint: rsimport stubs {kernel} --out typings")
    if stubs is None:
        return check
    wrong = [(path, "missing") for path in stubs.missing] + [(path, "stale") for path in stubs.stale]
    wrong += [(path, "of something that the kernel has no more") for path in stubs.obsolete]
    if check:
        where = f" --out {shlex.quote(out)}" if out is not None else ""
        for path, what in wrong:
            complain(f"{_shown(path)} is {what}\nhint: rsimport stubs {kernel}{where}")
    else:
        for path in written:
            click.echo(f"wrote     {_shown(path)}")
        for path in stubs.obsolete:
            click.echo(f"removed   {_shown(path)}")
    for path in stubs.current:
        click.echo(f"current   {_shown(path)}")
    return not wrong if check else not others


def keep_current(kernel: str, settings: dict[str, object]) -> None:
    """Brings the stubs beside a kernel up to date after a build, unless they are written by hand."""
    from rsimport.toolbox.stubs._files import Place, written_by_others
    from rsimport.toolbox.stubs._making import stubs_of

    place = Place.of(kernel, kernel, None)
    if not written_by_others(place):
        stubs_of(place, settings).write()


def texts(kernel: Path, module: str, settings: dict[str, object]) -> dict[str, str]:
    """The stubs of a kernel for a package of its name, by their place in that.

    Raises RsimportError if the kernel does not compile or does not load.
    """
    from rsimport.toolbox.stubs._files import Place
    from rsimport.toolbox.stubs._making import stubs_of

    place = Place(kernel, Path("nowhere"), module)
    found = {path.relative_to(place.folder): text for path, text in stubs_of(place, settings).texts.items()}
    below = {path: path.relative_to(module) for path in found if path.parts[0] == module}
    return {str(below.get(path, Path("__init__.pyi"))): text for path, text in found.items()}


def _kernels(paths: Sequence[str]) -> list[tuple[str, str]]:
    """The kernels, each with the path for which it was found."""
    found: dict[str, str] = {}
    for path in paths:
        root = os.path.abspath(path)
        if not os.path.isdir(root) or _engine.crate_source(root):
            if called(root) != root:
                hint = "put its text into a .rs file, which type checkers can find"
                raise ConfigError(f"{called(root)} has no stub: it is a cell of a notebook", hint=hint)
            found.setdefault(root, root)
            continue
        kernels = _engine.kernels(root)
        if not kernels:
            hint = (
                "the first line of a kernel is `// rsimport`; a kernel that is named itself needs no marker"
            )
            raise ConfigError(f"there is no marked kernel in {path}", hint=hint)
        for kernel in kernels:
            found.setdefault(kernel, root)
    return [(root, kernel) for kernel, root in found.items()]


def _shown(path: Path) -> str:
    return _engine.shown(os.path.relpath(path))
