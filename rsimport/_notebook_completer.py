"""What the Tab key offers after `%rsimport` and `%%rsimport`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rsimport._autoreload import kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from IPython.core.interactiveshell import InteractiveShell


def complete(shell: InteractiveShell) -> Callable[[], None]:
    """Offers words from now on; returns what undoes it."""
    own: Any = shell
    offers = {"%rsimport": _after_line_magic, "%%rsimport": _after_cell_magic}
    for magic, offer in offers.items():
        own.set_hook("complete_command", offer, str_key=magic)

    def undo() -> None:
        for magic in offers:
            own.strdispatchers["complete_command"].strs.pop(magic, None)

    return undo


def _after_line_magic(_shell: object, event: Any) -> list[str]:
    match event.text_until_cursor.split(" ")[1:]:
        case [_]:
            return ["auto", "off", "info", "doctor", "--help"]
        case ["info", _]:
            return sorted(module.__name__ for module in kernels())
        case ["doctor", _]:
            return _files(event.symbol)
    return []


def _after_cell_magic(_shell: object, event: Any) -> list[str]:
    words: list[str] = event.text_until_cursor.split(" ")
    match words[-2] if len(words) > 1 else "":
        case "-n" | "--name":
            return sorted(module.__name__ for module in kernels() if "." not in module.__name__)
        case "--profile":
            return ["release", "dev"]
    return ["--name", "--profile", "--force", "--deps", "--help"]


def _files(begin: str) -> list[str]:
    """Kernels' files and the folders that lead to them."""
    folder, _, _ = begin.rpartition("/")
    found: Iterable[os.DirEntry[str]] = ()
    try:
        found = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    names = (entry.name + "/" * entry.is_dir() for entry in found if not entry.name.startswith("."))
    return [f"{folder}/{name}" if folder else name for name in names if name.endswith(("/", ".rs"))]
