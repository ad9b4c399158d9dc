"""Ray makes remote functions and actors of what is written in Python only: a kernel's are put into that."""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from functools import wraps

from rsimport._loader import Home
from rsimport._python import is_special

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def adopt() -> None:
    """Has `ray.remote` take functions and classes of kernels, if Ray is there and is as it is known."""
    worker: Any = sys.modules.get("ray._private.worker")
    make = getattr(worker, "_make_remote", None)
    if make is None or hasattr(make, "__wrapped__"):
        return

    @wraps(make)
    def make_remote(function_or_class: Any, options: Any) -> Any:
        if isinstance(getattr(function_or_class, "__module__", None), Home):
            if inspect.isbuiltin(function_or_class):
                function_or_class = _function(function_or_class)
            elif inspect.isclass(function_or_class):
                function_or_class = _actor(function_or_class)
        return make(function_or_class, options)

    worker._make_remote = make_remote


def _function(function: Callable[..., object]) -> Callable[..., object]:
    @wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        return function(*args, **kwargs)

    del call.__wrapped__
    return _signed(call, function)


def _actor(kind: type) -> type:
    """A class whose objects hold one of the kernel's. Ray calls `__new__` without arguments, which those of a
    kernel need, and finds methods only where they are written in Python.
    """

    def __init__(self: Any, *args: object, **kwargs: object) -> None:
        self.it = kind(*args, **kwargs)

    def __getattr__(self: Any, name: str) -> object:
        if is_special(name) or name == "it":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.it, name)

    names: dict[str, object] = {"__doc__": kind.__doc__, "__getattr__": __getattr__}
    names["__init__"] = _signed(__init__, kind, "self")
    for name in dir(kind):
        method = inspect.getattr_static(kind, name)
        is_static = isinstance(method, staticmethod)
        if name not in _OF_OBJECTS and (is_static or inspect.isroutine(method)):
            names[name] = _method(name, method, *["self"] * is_static)
    made = type(kind.__name__, (), names)
    made.__module__, made.__qualname__ = kind.__module__, kind.__qualname__
    return made


def _method(name: str, method: Any, *first: str) -> Callable[..., object]:
    def call(self: Any, /, *args: object, **kwargs: object) -> object:
        return getattr(self.it, name)(*args, **kwargs)

    call.__name__, call.__doc__ = name, method.__doc__
    return _signed(call, method, *first)


def _signed(call: Any, of: Any, *first: str) -> Callable[..., object]:
    """Says what a function takes, so that a wrong argument is told where it is written."""
    with suppress(TypeError, ValueError):
        signature = inspect.signature(of)
        leading = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in first]
        call.__signature__ = signature.replace(parameters=[*leading, *signature.parameters.values()])
    made: Callable[..., object] = call
    return made


_OF_OBJECTS = frozenset([*dir(object), "__getnewargs__", "__getnewargs_ex__", "__setstate__", "__del__"])
"""What stays the holder's own."""
