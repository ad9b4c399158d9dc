"""What a pickle says of a kernel's functions, classes and modules: name and content, about ninety bytes."""

from __future__ import annotations

import os
import sys
from functools import cache
from types import BuiltinFunctionType, ModuleType

from rsimport import _engine
from rsimport._arrival import Kernel, class_home, function_home, kept, member, module, module_home, place_of
from rsimport._loader import Home, KernelLoader, settle, settle_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rsimport._arrival import Address

_ARRIVALS = {"function": function_home, "class": class_home, "module": module_home}


def reduced(home: Home) -> tuple[object, ...]:
    """A module's name, where it is written down by which module something is in."""
    return _ARRIVALS[home.kind], address(home.loader)


def reduced_module(home: Home) -> tuple[object, ...]:
    """The module itself."""
    return module, address(home.loader)


def address(loader: KernelLoader | Kernel) -> Address:
    """What leads other processes to the content that a loader has loaded.

    The cache's folder is a part of it only where they would not look there by themselves.
    """
    if isinstance(loader, Kernel):
        return loader.address()
    content = loader.find_artifact().content
    file, root = _noted.get(content) or ("", None)
    if not file or not os.path.exists(file):
        file, root = _engine.note(loader.find_artifact(), loader.kernel, loader.settings)
        if not os.path.exists(file):
            file = os.devnull  # The cache cannot be written to, so it is not tried again.
        _noted[content] = file, root
    name = str.__str__(loader.name)
    return (name, bytes.fromhex(content)) if root is None else (name, bytes.fromhex(content), root)


_noted: dict[str, tuple[str, str | None]] = {}
"""Where it is written down what a content came from, and in which cache if that is not the usual one."""


def retire(loader: KernelLoader) -> None:
    """Gives what a reload replaces a place of its own, since its name is now another content's."""
    artifact = loader.find_artifact()
    old = kept(loader.name, bytes.fromhex(artifact.content))
    loader.place = old.place = place_of(old.name, old.content)
    old.shown = sys.modules[old.place] = ModuleType(old.place)
    vars(old.shown).update(loader.names)
    old.names = loader.names
    settle(loader.names, loader)
    _by_object()


def settle_submodule(submodule: ModuleType, path: str, home: Home) -> None:
    """Tells what is in a submodule where it is: no entry of sys.modules leads there, only the kernel does."""
    own = (submodule.__name__, "builtins")
    functions = Home(submodule.__name__, home.loader, "function")
    for name, value in vars(submodule).items():
        if type(value) is BuiltinFunctionType and value.__module__ == submodule.__name__:
            value.__module__ = functions
            _paths[value] = f"{path}.{value.__name__}"
            _by_object()
        elif isinstance(value, type):
            if type(value.__module__) is str and value.__module__ in own:
                value.__qualname__ = f"{path}.{value.__qualname__}"
            settle_class(value, home, own)
        elif type(value) is ModuleType and sys.modules.get(value.__name__) is not value:
            settle_submodule(value, f"{path}.{name}", home)


@cache
def _by_object() -> None:
    """Pickles builtin functions by what they are and not by where they are found.

    That costs each pickle of any builtin function a call, so it is done where nothing else leads to one.
    """
    import copyreg

    copyreg.pickle(BuiltinFunctionType, _reduced_function)  # type: ignore[arg-type]


def _reduced_function(function: BuiltinFunctionType) -> object:
    home = function.__module__
    if type(home) is not Home:
        return function.__reduce__()
    name, content, *root = address(home.loader)
    return member, (name, content, _paths.get(function, function.__name__), *root)


_paths: dict[object, str] = {}
"""Where functions are that are not in the kernel's module itself."""


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
