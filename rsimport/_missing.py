"""A last look for modules that nobody has found: kernels that another import hook hides, and a hint where a
Rust file of the name lies there that is no kernel.

Imported when the first import fails. Most imports that fail are meant to, so a folder is listed once.
"""

from __future__ import annotations

import os
import shlex
import sys
from importlib.machinery import FileFinder

from rsimport import _engine
from rsimport._finder import KernelFinder, is_installed, path_hook
from rsimport._loader import KernelLoader, hidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from typing import Any

_own: dict[str, KernelFinder] = {}
"""Finders for folders in which another hook's finder looks."""

_listed: dict[str, tuple[float, dict[str, str]]] = {}
"""What `_sources` has found."""


@hidden
def find(fullname: str, path: Sequence[str] | None, last: Any) -> ModuleSpec | None:
    """The kernel of this name, if there is one after all; `last` is the finder that asks.

    Raises the ImportError that Python is about to raise, where a hint can be given with it.
    """
    parent, _, tail = fullname.rpartition(".")
    near = name = None
    for folder, finder in _folders(path):
        if is_installed() and type(finder) is not KernelFinder:
            spec = _finder(folder).find_spec(fullname)
            if spec is not None and isinstance(spec.loader, KernelLoader):
                return spec
        if near is None and (near := _sources(folder, finder).get(_plain(tail))) is not None:
            name = tail if _stem(os.path.basename(near)) == _plain(tail) or _crate(near) else None
        elif near is None and parent in sys.modules and _file_of(parent) is None:
            near = _crate(folder)  # Its folder is a namespace, in which nothing is.
    # A pipe or a device is no file that somebody has forgotten to mark, and reading it might not end.
    is_readable = near is not None and (os.path.isfile(near) or _crate(near) is not None)
    leads_nowhere = near is not None and os.path.islink(near) and not os.path.exists(near)
    archived = _archived(path, tail) if near is None else None
    if (is_readable or leads_nowhere or archived) and (failure := _failure()) is not None:
        from rsimport._marker import advice

        found = archived
        if near is not None and leads_nowhere:
            found = f"{near} is a link that leads nowhere: {os.readlink(near)}", "link it to a kernel"
        elif near is not None:
            found = advice(near, name)
        if near is not None and found is None and not is_installed():
            why = f"{near} is a kernel, and the import hook is not on"
            found = why, "call rsimport.install() before the import"
        if found is not None and not _is_known_to_others(fullname, path, last):
            raise failure(fullname, "\n{}\nhint: {}".format(*map(_engine.shown, found)))
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


def _archived(path: Sequence[str] | None, name: str) -> tuple[str, str] | None:
    """What to say of a kernel in an archive that Python imports from, where nothing can be compiled."""
    for entry in sys.path if path is None else path:
        finder: Any = sys.path_importer_cache.get(entry) if isinstance(entry, str) else None
        if not hasattr(finder, "archive"):
            continue
        file = f"{finder.prefix}{name}.rs"
        if file in getattr(finder, "_files", ()):
            archive = finder.archive
            why = f"{os.path.join(archive, file)} is in an archive, where no kernel can be compiled"
            return why, f"unpack it: python -m zipfile -e {shlex.quote(archive)} FOLDER"
    return None


def _finder(folder: str) -> KernelFinder:
    if folder not in _own:
        _own[folder] = path_hook(folder)  # type: ignore[assignment]
    return _own[folder]


def _sources(folder: str, finder: object) -> dict[str, str]:
    """Rust files and crates in a folder, by the names by which one might ask for them."""
    try:
        date = os.stat(folder).st_mtime
        before = _listed.get(folder)
        if before is None or before[0] != date:
            names = finder._path_cache if isinstance(finder, FileFinder) else os.listdir(folder)  # type: ignore[attr-defined]
            found = {
                _plain(name): os.path.join(folder, name) for name in names if _may_be_a_crate(folder, name)
            }
            # Of several files, the one that is called exactly so.
            rust = sorted((name for name in names if name.endswith(_SUFFIXES)), key=_oddity)
            # A point in its name parts it from its package for Python.
            found.update((_plain(name.partition(".")[0]), os.path.join(folder, name)) for name in rust)
            found.update((_stem(name), os.path.join(folder, name)) for name in rust)
            before = _listed[folder] = date, found
    except OSError:
        return {}
    return before[1]


_SUFFIXES = (".rs", ".RS", ".Rs", ".rs.txt")


def _may_be_a_crate(folder: str, name: str) -> bool:
    # One that is called as a module is would have been found, if only as a namespace.
    return ("-" in name or " " in name) and "." not in name and _crate(os.path.join(folder, name)) is not None


def _crate(folder: str) -> str | None:
    """The folder, if there is a crate in it."""
    return folder if os.path.isfile(os.path.join(folder, "Cargo.toml")) else None


def _plain(name: str) -> str:
    from rsimport._marker import plain

    return plain(name).lower()


def _stem(name: str) -> str:
    return _plain(os.path.splitext(name.removesuffix(".txt"))[0])


def _oddity(name: str) -> tuple[bool, str]:
    return name == _stem(name) + ".rs", name


def _file_of(module: str) -> str | None:
    return getattr(sys.modules.get(module), "__file__", None)


def _failure() -> Callable[[str, str], ImportError] | None:
    """What the import that asks is about to raise, to which something can be added.

    Whoever only asks whether there is such a module, with importlib.util.find_spec or by a list of names for
    __import__(), is to be told that there is none, without an exception.
    """
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_name != "_find_spec":
        frame = frame.f_back  # type: ignore[assignment]
    for name in ("_find_spec", "_find_and_load_unlocked", "_find_and_load"):
        if frame is None or frame.f_code.co_name != name:
            return None
        frame = frame.f_back  # type: ignore[assignment]
    asking = (
        frame.f_back if frame is not None and frame.f_code.co_name == "_call_with_frames_removed" else None
    )
    if asking is None or asking.f_code.co_name != "_handle_fromlist":
        return _no_module
    # `from package import name`, where Python ignores that there is no module, and then finds no such name.
    from opcode import opmap

    statement = asking.f_back
    if statement is None or asking.f_locals.get("recursive"):
        return None
    return _no_name if statement.f_code.co_code[statement.f_lasti] == opmap["IMPORT_NAME"] else None


def _no_module(fullname: str, more: str) -> ImportError:
    return ModuleNotFoundError(f"No module named {fullname!r}{more}", name=fullname)


def _no_name(fullname: str, more: str) -> ImportError:
    parent, _, tail = fullname.rpartition(".")
    file = _file_of(parent)
    text = f"cannot import name {tail!r} from {parent!r} ({file or 'unknown location'}){more}"
    return ImportError(text, name=parent, path=file)
