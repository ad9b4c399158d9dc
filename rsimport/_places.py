"""Tells what a kernel defines where it is found, so that it pickles by reference.

PyO3 names the module of a class only where it is told to, and then as it was written in Rust: without the
package, and with submodules, which Python does not import. A class of a submodule is `sub.C` of the kernel's
module, as a class inside of another one is. Functions of C have no such name: those that are not simply names
of their module are found by what is noted here.
"""

from __future__ import annotations

import builtins
import copyreg
import gc
import sys
from functools import partial
from types import BuiltinFunctionType, ModuleType

from rsimport._loader import Home, complete, home_of, home_of_class, is_open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from rsimport._loader import KernelLoader

_functions: dict[int, tuple[BuiltinFunctionType, Home, str]] = {}
"""Functions that are found elsewhere than their name says: in which kernel, and where in it."""


def settle(module: ModuleType, names: dict[str, object], functions: Home, classes: Home) -> None:
    """Gives the classes, exceptions and functions of a new module the names under which they are found."""
    _Kernel(module, functions, classes).visit(module, names, "")


class _Kernel:
    def __init__(self, module: ModuleType, functions: Home, classes: Home) -> None:
        self.module = module
        self.home = functions
        self.home_of_classes = classes
        self.modules: list[object] = [None]
        self.classes: set[type] = set()

    def visit(self, owner: ModuleType, names: dict[str, object], prefix: str) -> None:
        self.modules.append(owner)
        below = [(name, value) for name, value in names.items() if is_submodule(value)]
        for name, value in names.items():
            if isinstance(value, type):
                self.see_class(name, value, prefix)
        for name, module in below:
            if module not in self.modules:
                assert isinstance(module, ModuleType)
                # Older protocols write a class down as the attribute of what it is in.
                vars(module)["__reduce_ex__"] = partial(self.home.member, prefix + name)
                self.visit(module, vars(module), f"{prefix}{name}.")
        for name, value in names.items():
            if isinstance(value, BuiltinFunctionType):
                self.see_function(name, value, names, prefix)

    def see_class(self, name: str, kind: type, prefix: str) -> None:
        if kind in self.classes:
            return
        self.classes.add(kind)
        if self._is_found(kind):
            if kind.__module__ == self.module.__name__:
                name_module(kind, self.home_of_classes)
        elif not _is_foreign(kind, self.module.__name__):
            if is_open(kind):
                kind.__qualname__ = prefix + name
            name_module(kind, self.home_of_classes)
        if kind.__module__ == self.module.__name__:
            if is_open(kind):
                complete(kind)
            for inner, value in list(vars(kind).items()):
                if isinstance(value, type) and not inner.startswith("__"):
                    self.see_class(inner, value, f"{prefix}{name}.")

    def see_function(
        self, name: str, function: BuiltinFunctionType, names: dict[str, object], prefix: str
    ) -> None:
        # What is handed on from elsewhere has another module, and bound methods have an object.
        owner = getattr(function, "__self__", None)
        if owner not in self.modules or (owner is None and function.__module__ is not None):
            return
        function.__module__ = f"{self.module.__name__}.{prefix}"[:-1] if prefix else self.home
        is_found = not prefix and names.get(function.__name__) is function
        if not is_found and id(function) not in _functions:
            pickle_by_object()
            _functions[id(function)] = (function, self.home, prefix + name)

    def _is_found(self, kind: type) -> bool:
        says = kind.__module__
        found: object = self.module if says == self.module.__name__ else sys.modules.get(says)
        for part in kind.__qualname__.split("."):
            found = getattr(found, part, None)
        return found is kind


def is_submodule(value: object) -> bool:
    """Is it a module that only the kernel leads to?"""
    # Others are imported, and can be imported again.
    return isinstance(value, ModuleType) and sys.modules.get(value.__name__) is not value


def _is_foreign(kind: type, fullname: str) -> bool:
    """Does a class that is not found where it says belong there all the same?"""
    says, tail = kind.__module__, fullname.rpartition(".")[2]
    if says == "builtins":
        return getattr(builtins, kind.__name__, None) is kind
    if any(says == own or says.startswith(f"{own}.") for own in (fullname, tail)):
        return False
    # A package that imports the kernel may be about to show the class as its own.
    return _can_be_imported(says.partition(".")[0])


def _can_be_imported(name: str) -> bool:
    from importlib.util import find_spec

    try:
        return name in sys.modules or find_spec(name) is not None
    except (ImportError, ValueError):
        return True


def move(loader: KernelLoader) -> None:
    """Has what a loader has loaded be found where it is, which is not under the kernel's own name."""
    rehome(loader)
    pickle_by_object()


def rehome(loader: KernelLoader) -> None:
    """Says of the classes of a kernel that they are where its loader has its place."""
    home = home_of(loader, loader.place, "class")
    seen: set[object] = set()

    def visit(names: Mapping[str, object]) -> None:
        for value in list(names.values()):
            if isinstance(value, type):
                module: object = value.__module__
                if value not in seen and type(module) is Home and module.loader.name == loader.name:
                    seen.add(value)
                    name_module(value, home)
                    visit(vars(value))
            elif is_submodule(value) and id(value) not in seen:
                seen.add(id(value))
                visit(vars(value))

    visit(loader.names)


def name_module(kind: type, home: Home) -> None:
    """Says of a class in which module it is."""
    module = home_of_class(kind, home)
    if is_open(kind):
        kind.__module__ = module
        return
    # The class is closed to its users, not to the loader that completes it. PyO3 gave it its qualified name.
    if kind.__flags__ & 1 << 9:
        for attributes in gc.get_referents(vars(kind)):
            if isinstance(attributes, dict):
                attributes["__module__"] = module


def pickle_by_object() -> None:
    """Pickles builtin functions by what they are and not by where they are found.

    That costs each pickle of any builtin function a call, so it is done where nothing else leads to one.
    """
    copyreg.pickle(BuiltinFunctionType, _reduced)


def _reduced(function: BuiltinFunctionType) -> str | tuple[Any, ...]:
    """How a function of C is pickled."""
    known, home, path = _functions.get(id(function), (None, function.__module__, function.__name__))
    if type(home) is Home and (known is function or known is None):
        # As without this, so that what is equal has equal pickles.
        found = getattr(sys.modules.get(home), "__dict__", {}).get(path)
        return path if found is function else home.member(path)
    reduced: str | tuple[Any, ...] = function.__reduce__()
    return reduced
