"""What a pickle says of a kernel's functions, classes and modules: name and content, about ninety bytes."""

from __future__ import annotations

import os
import sys
from time import monotonic
from types import ModuleType

from rsimport import _engine
from rsimport._arrival import (
    Kernel,
    class_home,
    exception_home,
    function_home,
    kept,
    member,
    module,
    module_home,
)
from rsimport._loader import Home, KernelLoader, shippers
from rsimport._places import move

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rsimport._serving import Address

_ARRIVALS = {"function": function_home, "class": class_home, "module": module_home}


def reduced(home: Home) -> tuple[object, ...]:
    """A module's name, where it is written down by which module something is in."""
    if home.kind in _ARRIVALS:
        return _ARRIVALS[home.kind], address(home.loader)
    return exception_home, (home.kind, *address(home.loader))


def reduced_module(home: Home) -> tuple[object, ...]:
    """The module itself."""
    return module, address(home.loader)


def reduced_member(home: Home, path: str) -> tuple[object, ...]:
    """What only its path leads to."""
    name, content, *root = address(home.loader)
    return member, (name, content, path, *root)


def address(loader: KernelLoader | Kernel) -> Address:
    """What leads other processes to the content that a loader has loaded.

    The cache's folder is a part of it only where they would not look there by themselves.
    """
    if isinstance(loader, Kernel):
        return loader.address()
    for ship in shippers:
        ship(loader, False)
    content = loader.find_artifact().content
    noted = _noted.get(content)
    now = monotonic()
    if noted is None or (noted.seen < now - 1 and not os.path.exists(noted.file)):
        file, root = _engine.note(loader.find_artifact(), loader.kernel, loader.settings)
        if not os.path.exists(file):
            file = os.devnull  # The cache cannot be written to, so it is not tried again.
        noted = _noted[content] = _Note(file, root, now)
    noted.seen = now
    name, digest = str.__str__(loader.name), bytes.fromhex(content)
    return (name, digest) if noted.root is None else (name, digest, noted.root)


class _Note:
    """Where it is written down what a content came from, when that was seen last, and in which cache it is if
    that is not the usual one.
    """

    __slots__ = ("file", "root", "seen")

    def __init__(self, file: str, root: str | None, seen: float) -> None:
        self.file, self.root, self.seen = file, root, seen


_noted: dict[str, _Note] = {}


def retire(loader: KernelLoader) -> None:
    """Gives what a reload replaces a place of its own, since its name is now another content's."""
    artifact = loader.find_artifact()
    old = kept(loader.name, bytes.fromhex(artifact.content))
    loader.place = old.place = old.spare
    old.shown = sys.modules[old.place] = ModuleType(old.place)
    vars(old.shown).update(loader.names)
    old.names = loader.names
    move(loader)


def reduced_instance(self: object) -> tuple[object, ...]:
    """An enum's variant, of which is known how to make it again. Anything else is said to need a method."""
    kind = type(self)
    fields = vars(kind).get("__match_args__")
    if fields is not None and "." in kind.__qualname__:
        return kind, tuple(getattr(self, name) for name in fields)
    if hasattr(kind, "__int__"):
        for name, value in vars(kind).items():
            if type(value) is kind and int(value) == int(self):  # type: ignore[call-overload]
                return getattr, (kind, name)
    name = f"{kind.__module__}.{kind.__qualname__}"
    raise TypeError(
        f"cannot pickle {name!r} object: the class does not say what it is made of\n"
        f"hint: add to `#[pymethods] impl {kind.__name__}` what its `#[new]` takes, as "
        "`fn __getnewargs__(&self) -> (i64,) { (self.n,) }`"
    )
