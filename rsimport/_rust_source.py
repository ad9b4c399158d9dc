"""The Rust source of what a kernel gave to Python: where a function, class or module stands."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from textwrap import dedent
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rsimport import _engine
from rsimport._autoreload import kernels
from rsimport._format import called
from rsimport._loader import LOADED, loader_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsimport._engine import Named
    from rsimport._format import called
from rsimport._loader import KernelLoader

typed: dict[str, tuple[str, str]] = {}
"""By a cell's file, the artifact that is loaded and the text it was made from; the file has what ran last."""


@dataclass(frozen=True)
class Source:
    """A part of a kernel's text."""

    loader: KernelLoader
    file: str
    text: str
    """All blocks of a class, one after the other."""
    line: int
    """Where it starts, 1-based."""
    parts: list[Named]
    """What the engine found; nothing for a whole module."""


def source_of(value: object) -> Source | None:
    """Where a kernel's function, method, class, object or module stands in Rust; None if nowhere."""
    module, owner, name = _place(value)
    if module is None:
        return None
    loader = loader_of(module)
    if name is None:
        text = read(loader, loader.source)
        return None if text is None else Source(loader, loader.source, _shown(loader.source, text), 1, [])
    for file, text in texts(loader):
        parts = [part for part in _engine.outline(text) if (part.owner, part.name) == (owner, name)]
        # Python sees what is marked for it; what a macro or a #[pymodule] names has no mark.
        parts = [part for part in parts if part.exported] or parts
        if parts:
            blocks = [block(text, part) for part in parts]
            return Source(loader, file, "\n\n".join(blocks), parts[0].lines[0], parts)
    return None


def texts(loader: KernelLoader) -> Iterator[tuple[str, str]]:
    """The Rust files of a loaded kernel and what is in them, its own first."""
    inputs = loader.find_artifact().inputs
    for file in (loader.source, *(file for file in inputs if file.endswith(".rs"))):
        text = read(loader, file)
        if text is not None:
            yield file, text


def block(text: str, part: Named) -> str:
    """The lines of one part of a text."""
    first, last = part.lines
    return dedent("\n".join(text.split("\n")[first - 1 : last]))


def _place(value: Any) -> tuple[ModuleType | None, str | None, str | None]:
    """The kernel's module, the class that it is a member of, and the name; None for the module itself."""
    if isinstance(value, ModuleType):
        if LOADED in vars(value):
            return value, None, None
        return _around(value), None, value.__name__.rpartition(".")[2]
    if isinstance(value, type):
        return _kernel(value), None, value.__name__
    name, holder = getattr(value, "__name__", None), getattr(value, "__self__", None)
    holder = getattr(value, "__objclass__", holder)
    if isinstance(name, str) and holder is not None and not isinstance(holder, ModuleType):
        for kind in (holder if isinstance(holder, type) else type(holder)).__mro__:
            if name in vars(kind) and (module := _kernel(kind)) is not None:
                return module, kind.__name__, name
        return None, None, None
    if isinstance(name, str) and "." in getattr(value, "__qualname__", ""):
        # A static method knows nothing but its class's name.
        for module in kernels():
            for holder in loader_of(module).names.values():
                if isinstance(holder, type) and getattr(holder, name, None) is value:
                    return module, holder.__name__, name
        return None, None, None
    if isinstance(name, str) and callable(value):
        return _kernel(value, holder), None, name
    return _kernel(type(value)), None, type(value).__name__


def _kernel(value: Any, holder: object = None) -> ModuleType | None:
    """The kernel that a class or function belongs to."""
    name = getattr(value, "__module__", None)
    while isinstance(name, str) and name:
        module = sys.modules.get(name)
        if isinstance(module, ModuleType) and LOADED in vars(module):
            return module
        name = name.rpartition(".")[0]
    return _around(holder) if isinstance(holder, ModuleType) else None


def _around(inner: ModuleType) -> ModuleType | None:
    """The kernel that has this module in it, which Python may not find by its name."""
    for module in kernels():
        if any(found is inner for found in loader_of(module).names.values()):
            return module
    return None


def _shown(file: str, text: str) -> str:
    """A module's text; where a cell has its magic, its file has a line of ours."""
    return text.partition("\n")[2] if called(file) != file else text


def read(loader: KernelLoader, file: str) -> str | None:
    """The text of one of a kernel's files; None if it cannot be read any more."""
    artifact, text = typed.get(file, ("", ""))
    if artifact == loader.path:
        return text
    try:
        with open(file, encoding="utf-8-sig") as opened:
            return opened.read()
    except (OSError, UnicodeDecodeError):
        return None
