"""Ray makes remote functions of functions that are written in Python only: a kernel's are put into one."""

from __future__ import annotations

import inspect
import sys
from functools import wraps

from rsimport._loader import Home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def adopt() -> None:
    """Has `ray.remote` take functions of kernels, if Ray is there and is as it is known."""
    worker: Any = sys.modules.get("ray._private.worker")
    make = getattr(worker, "_make_remote", None)
    if make is None or hasattr(make, "__wrapped__"):
        return

    @wraps(make)
    def make_remote(function_or_class: Any, options: Any) -> Any:
        if inspect.isbuiltin(function_or_class) and isinstance(function_or_class.__module__, Home):
            function_or_class = _in_python(function_or_class)
        return make(function_or_class, options)

    worker._make_remote = make_remote


def _in_python(function: Callable[..., object]) -> Callable[..., object]:
    @wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        return function(*args, **kwargs)

    try:
        inspect.signature(function)
    except ValueError:
        del call.__wrapped__
    return call
