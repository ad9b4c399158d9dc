"""Where the stubs of a kernel lie, which of the files there are ours, and how they are written."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rsimport._writing import write
from rsimport.toolbox.stubs._text import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsimport.toolbox.stubs._model import Module

OURS = "# Written by `rsimport stubs`"
"""What the first line of a file begins with that may be overwritten."""


@dataclass(frozen=True)
class Place:
    """The folder and the name under which Python finds a kernel, and where its stubs go."""

    kernel: Path
    folder: Path
    name: str

    @classmethod
    def of(cls, kernel: str, root: str, out: str | None) -> Place:
        """Of a kernel that was found for `root`, a file or folder. A folder `out` has packages as at home."""
        path = Path(os.path.abspath(kernel))
        home, name = path.parent, path.name if path.is_dir() else path.stem
        if out is None:
            return cls(path, home, name)
        top = Path(os.path.abspath(root))
        if path == top:
            top = top.parent
        while (top / "__init__.py").exists() and top != top.parent:
            top = top.parent
        return cls(path, Path(os.path.abspath(out), os.path.relpath(home, top)), name)

    @property
    def is_crate(self) -> bool:
        return self.kernel.is_dir()

    @property
    def head(self) -> str:
        return f"{OURS} from {self.kernel.name}; without this line it is never overwritten."


@dataclass
class Stubs:
    """The stubs of a kernel as they are to be, and how the files that are there differ from that."""

    place: Place
    texts: dict[Path, str]
    foreign: list[Path] = field(default_factory=list)
    """Files that somebody else has written."""
    missing: list[Path] = field(default_factory=list)
    stale: list[Path] = field(default_factory=list)
    """Ours, but not as they are to be."""
    obsolete: list[Path] = field(default_factory=list)
    """Ours, of what the kernel has no more."""
    current: list[Path] = field(default_factory=list)

    def write(self) -> list[Path]:
        """Brings the files up to date; tells which were written."""
        written = [*self.missing, *self.stale]
        for path in written:
            write(path, self.texts[path])
        for path in self.obsolete:
            path.unlink(missing_ok=True)
        return written


def compared(place: Place, module: Module) -> Stubs:
    """Compares what a kernel's stubs are to be with the files."""
    stubs = Stubs(place, dict(_texts(place, module)))
    for path, wanted in stubs.texts.items():
        found = _read(path)
        if found is None:
            stubs.missing.append(path)
        elif not found.startswith(OURS.encode()):
            stubs.foreign.append(path)
        else:
            (stubs.current if found == wanted.encode() else stubs.stale).append(path)
    head = place.head.encode()
    inside = place.folder / place.name
    for path in [
        place.folder / f"{place.name}.pyi",
        *sorted(inside.rglob("*.pyi") if inside.is_dir() else []),
    ]:
        if path not in stubs.texts and (_read(path) or b"").split(b"\n")[0] == head:
            stubs.obsolete.append(path)
    return stubs


def written_by_others(place: Place) -> list[Path]:
    """The stubs of a kernel that others have written, as far as is known without a look at the kernel."""
    both = [place.folder / f"{place.name}.pyi", place.folder / place.name / "__init__.pyi"]
    return [
        path for path in both if (found := _read(path)) is not None and not found.startswith(OURS.encode())
    ]


def _texts(place: Place, module: Module) -> Iterator[tuple[Path, str]]:
    if place.is_crate or module.modules:
        yield from _package(place, module, place.folder / place.name)
    else:
        yield place.folder / f"{place.name}.pyi", text(module, place.head)


def _package(place: Place, module: Module, folder: Path) -> Iterator[tuple[Path, str]]:
    yield folder / "__init__.pyi", text(module, place.head)
    for below in module.modules:
        if below.modules:
            yield from _package(place, below, folder / below.path[-1])
        else:
            yield folder / f"{below.path[-1]}.pyi", text(below, place.head)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
