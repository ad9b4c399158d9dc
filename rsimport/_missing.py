"""A last look for modules that nobody has found: kernels that another import hook hides, and a hint where a
Rust file of the name lies there that is no kernel.

Imported when the first import fails. Most imports that fail are meant to, so a folder is listed once.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import FileFinder

from rsimport import _engine
from rsimport._finder import KernelFinder, is_installed, path_hook
from rsimport._loader import KernelLoader, hidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from typing import Any

_own: dict[str, KernelFinder] = {}
"""Finders for folders in which another hook's finder looks."""

_listed: dict[str, tuple[float, dict[str, str]]] = {}
"""The Rust files of folders, by the names by which one might ask for them."""


@hidden
def find(fullname: str, path: Sequence[str] | None, last: Any) -> ModuleSpec | None:
    """The kernel of this name, if there is one after all; `last` is the finder that asks.

    Raises ModuleNotFoundError, as the import is about to, where a hint can be given with it.
    """
    tail = fullname.rpartition(".")[2]
    near = None
    for folder, finder in _folders(path):
        if is_installed() and type(finder) is not KernelFinder:
            spec = _finder(folder).find_spec(fullname)
            if spec is not None and isinstance(spec.loader, KernelLoader):
                return spec
        near = near or _rust_files(folder, finder).get(_plain(tail))
    # A pipe or a device is no file that somebody has forgotten to mark, and reading it might not end.
    if near is not None and os.path.isfile(near) and _is_asked_by_an_import():
        from rsimport._marker import advice

        found = advice(near, tail)
        if found is None and not is_installed():
            why = f"{near} is a kernel, and the import hook is not on"
            found = why, "call rsimport.install() before the import"
        if found is not None and not _is_known_to_others(fullname, path, last):
            # Nothing but the text differs from what Python raises next.
            text = "No module named {!r}\n{}\nhint: {}".format(fullname, *map(_engine.shown, found))
            raise ModuleNotFoundError(text, name=fullname)
    return None


def _is_known_to_others(fullname: str, path: Sequence[str] | None, last: Any) -> bool:
    """Finders that came after ours are asked before a word is said."""
    finders = sys.meta_path[sys.meta_path.index(last) + 1 :]
    return any(finder.find_spec(fullname, path) is not None for finder in finders)


def _folders(path: Sequence[str] | None) -> Iterator[tuple[str, object]]:
    """The folders in which Python has looked, and what has looked there."""
    for entry in sys.path if path is None else path:
        if isinstance(entry, str):
            try:
                folder = entry or os.getcwd()
            except OSError:  # The working folder is gone.
                continue
            finder = sys.path_importer_cache.get(folder)
            if isinstance(finder, FileFinder) or os.path.isdir(folder):
                yield folder, finder


def _finder(folder: str) -> KernelFinder:
    if folder not in _own:
        _own[folder] = path_hook(folder)  # type: ignore[assignment]
    return _own[folder]


def _rust_files(folder: str, finder: object) -> dict[str, str]:
    try:
        date = os.stat(folder).st_mtime
        before = _listed.get(folder)
        if before is None or before[0] != date:
            names = finder._path_cache if isinstance(finder, FileFinder) else os.listdir(folder)  # type: ignore[attr-defined]
            rust = [name for name in names if name[-3:] in (".rs", ".RS", ".Rs")]
            # Of several, the one that is called exactly so.
            found = {_plain(name[:-3]): os.path.join(folder, name) for name in sorted(rust, key=_oddity)}
            before = _listed[folder] = date, found
    except OSError:
        return {}
    return before[1]


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()


def _oddity(name: str) -> tuple[bool, str]:
    return name == _plain(name[:-3]) + ".rs", name


def _is_asked_by_an_import() -> bool:
    """Whoever only asks whether there is such a module, with importlib.util.find_spec, is to be told that
    there is none, without an exception.
    """
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_name != "_find_spec":
        frame = frame.f_back  # type: ignore[assignment]
    asking = frame.f_back if frame is not None else None
    return asking is not None and asking.f_code.co_name == "_find_and_load_unlocked"
