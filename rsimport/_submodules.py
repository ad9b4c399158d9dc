"""Functions that pickle does not find by their names: those of submodules, and those from before a reload."""

from __future__ import annotations

import copyreg
import sys
from functools import partial
from types import BuiltinFunctionType, ModuleType

from rsimport._loader import Home, settle_class


def settle_submodule(submodule: ModuleType, path: str, home: Home) -> None:
    """Tells what is in a submodule where it is: no entry of sys.modules leads there, only the kernel does."""
    # Older protocols write a class down as the attribute of what it is in.
    vars(submodule)["__reduce_ex__"] = partial(_reduced_member, home, path)
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
    return _reduced_member(home, _paths.get(function, function.__name__))


def _reduced_member(home: Home, path: str, _protocol: object = None) -> tuple[object, ...]:
    from rsimport._departure import reduced_member

    return reduced_member(home, path)
