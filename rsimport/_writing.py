"""Files that are written whole or not at all, wherever a command is asked to write beside its user's own."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def write(path: Path, text: str) -> None:
    """Writes a file in one step, so that nobody ever reads a part of it. A link keeps leading to it."""
    with _in_one_step(path) as part:
        part.write_bytes(text.encode())


def place(source: Path, path: Path) -> None:
    """Copies a file in one step."""
    with _in_one_step(path) as part:
        shutil.copyfile(source, part)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """An error of the system that names no file, as that of a full disk, or two of them, names this one."""
    try:
        yield
    except OSError as exc:
        if exc.errno is not None and (exc.filename is None or exc.filename2 is not None):
            raise OSError(exc.errno, exc.strerror, str(path)) from exc
        raise


@contextmanager
def _in_one_step(path: Path) -> Iterator[Path]:
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with named(path):
            # In the background this may be interrupted anywhere.
            yield part
            os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink()
