"""The command `rsimport bench`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from rsimport._errors import ConfigError
from rsimport._writing import write
from rsimport.bench._crossing import crossing
from rsimport.bench._named import function_of, kernel_function, python_function
from rsimport.bench._plot import check
from rsimport.bench._race import Progress as Told


def measure(
    function: str,
    arguments: str,
    batch: str | None,
    sides: Mapping[str, str | None],
    *,
    plot: str | None,
    data: str | None,
    quick: bool,
    settings: dict[str, object],
) -> None:
    """Measures a crossing, prints it, and writes what is asked for.

    Raises what crossing() raises, and ConfigError for functions that cannot be found.
    """
    if plot is not None:
        check(Path(plot), batch)
    if data is not None and not Path(data).absolute().parent.is_dir():
        raise ConfigError(f"{data}: there is no such folder")
    # Where a function panics, its message has the place, and pages of frames would hide it.
    os.environ["RUST_BACKTRACE"] = "0"
    native, module = kernel_function(function, settings)
    python = python_function(sides["python"]) if sides["python"] else None
    released = function_of(module, sides["nogil"], function.rpartition("::")[0]) if sides["nogil"] else None
    with _progress() as told:
        result = crossing(native, arguments, batch, python=python, nogil=released, quick=quick, progress=told)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 10_000  # Whatever reads a pipe wants one line for each row, however long.
    for part in result.report():
        console.print(part)
    if data is not None:
        write(Path(data), result.to_json() + "\n")
    if plot is not None:
        result.plot(plot)


@contextmanager
def _progress() -> Iterator[Told]:
    """A line on a terminal that says how far it is; nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("measuring {task.description}"), BarColumn(), TimeRemainingColumn())
    shown = console.is_terminal
    # It is drawn between two rounds, as a thread that draws it would be measured as well.
    with Progress(
        *columns, console=console, transient=True, auto_refresh=False, disable=not shown
    ) as progress:
        task = progress.add_task("")

        def told(done: int, total: int, name: str) -> None:
            progress.update(task, completed=done, total=total, description=name, refresh=True)

        yield told
