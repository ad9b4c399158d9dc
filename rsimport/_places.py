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
from types import BuiltinFunctionType, ModuleType

from rsimport._loader import is_open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_functions: dict[int, tuple[BuiltinFunctionType, str]] = {}
"""Functions that are found elsewhere than their name says: where, as `pkgutil.resolve_name` takes it."""


def settle(module: ModuleType, names: dict[str, object]) -> None:
    """Gives the classes, exceptions and functions of a new module the names under which they are found."""
    _Kernel(module).visit(module, names, "")


class _Kernel:
    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.modules: list[object] = [None]
        self.classes: set[type] = set()

    def visit(self, owner: ModuleType, names: dict[str, object], prefix: str) -> None:
        self.modules.append(owner)
        below = [(name, value) for name, value in names.items() if _is_submodule(value)]
        for name, value in names.items():
            if isinstance(value, type):
                self.see_class(name, value, prefix)
        for name, module in below:
            if module not in self.modules:
                assert isinstance(module, ModuleType)
                self.visit(module, vars(module), f"{prefix}{name}.")
        for name, value in names.items():
            if isinstance(value, BuiltinFunctionType):
                self.see_function(name, value, names, prefix)

    def see_class(self, name: str, kind: type, prefix: str) -> None:
        if kind in self.classes:
            return
        self.classes.add(kind)
        if not self._is_found(kind) and not _is_foreign(kind, self.module.__name__):
            _name_class(kind, self.module.__name__, prefix + name)
        if kind.__module__ == self.module.__name__:
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
        fullname = self.module.__name__
        function.__module__ = fullname + f".{prefix}"[:-1]
        is_found = not prefix and names.get(function.__name__) is function
        if not is_found and id(function) not in _functions:
            copyreg.pickle(BuiltinFunctionType, _reduced)
            _functions[id(function)] = (function, f"{fullname}:{prefix}{name}")

    def _is_found(self, kind: type) -> bool:
        says = kind.__module__
        found: object = self.module if says == self.module.__name__ else sys.modules.get(says)
        for part in kind.__qualname__.split("."):
            found = getattr(found, part, None)
        return found is kind


def _is_submodule(value: object) -> bool:
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


def _name_class(kind: type, module: str, qualname: str) -> None:
    if is_open(kind):
        kind.__module__, kind.__qualname__ = module, qualname
        return
    # The class is closed to its users, not to the loader that completes it. PyO3 gave it its qualified name.
    if kind.__flags__ & 1 << 9:
        for attributes in gc.get_referents(vars(kind)):
            if isinstance(attributes, dict):
                attributes["__module__"] = module


def _reduced(function: BuiltinFunctionType) -> str | tuple[Any, ...]:
    """How a function of C is pickled."""
    known, place = _functions.get(id(function), (None, ""))
    if known is not function:
        reduced: str | tuple[Any, ...] = function.__reduce__()
        return reduced
    from pkgutil import resolve_name

    return resolve_name, (place,)
