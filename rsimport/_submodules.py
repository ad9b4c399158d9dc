"""Functions that pickle does not find by their names: those of submodules, and those that a reload has replaced."""

from __future__ import annotations

import copyreg
import sys
from types import BuiltinFunctionType, ModuleType

from rsimport._loader import Home, settle_class


def settle_submodule(submodule: ModuleType, path: str, home: Home) -> None:
    """Tells what is in a submodule where it is: no entry of sys.modules leads there, only the kernel does."""
    own = (submodule.__name__, "builtins")
    functions = Home(submodule.__name__, home.loader, "function")
    for name, value in vars(submodule).items():
        if type(value) is BuiltinFunctionType and value.__module__ == submodule.__name__:
            value.__module__ = functions
            _paths[value] = f"{path}.{value.__name__}"
            pickle_by_object()
        elif isinstance(value, type):
            if type(value.__module__) is str and value.__module__ in own:
                value.__qualname__ = f"{path}.{value.__qualname__}"
            settle_class(value, home, own)
        elif type(value) is ModuleType and sys.modules.get(value.__name__) is not value:
            settle_submodule(value, f"{path}.{name}", home)


def path_of(function: BuiltinFunctionType) -> str:
    """How a function is reached from the kernel's module."""
    return _paths.get(function, function.__name__)


_paths: dict[object, str] = {}
"""Where functions are that are not in the kernel's module itself."""


def pickle_by_object() -> None:
    """Pickles builtin functions by what they are and not by where they are found.

    That costs each pickle of any builtin function a call, so it is done where nothing else leads to one.
    """
    copyreg.pickle(BuiltinFunctionType, _reduced)  # type: ignore[arg-type]


def _reduced(function: BuiltinFunctionType) -> object:
    home = function.__module__
    if type(home) is not Home:
        return function.__reduce__()
    from rsimport._departure import reduced_function

    return reduced_function(function, home)
