"""Functions by their names: PATH::FUNCTION for a kernel's, MODULE:FUNCTION for one of Python."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

from rsimport._errors import ConfigError
from rsimport.bench._target import Function


def kernel_function(spec: str, settings: dict[str, object]) -> tuple[Function, ModuleType]:
    """The function of `PATH::NAME` and its module, compiled as thoroughly as can be.

    Raises ConfigError if there is no such file or function, and what imp_from_filepath() raises.
    """
    from rsimport._api import imp_from_filepath

    path, separator, name = spec.rpartition("::")
    if not separator or not path or not name:
        hint = "write PATH::FUNCTION, as in step.rs::logistic"
        raise ConfigError(f"`{spec}` names no function of a kernel", hint=hint)
    if not os.path.exists(path):
        raise ConfigError(f"{path}: there is no such kernel", hint=_beside(path))
    module = imp_from_filepath(path, **{"tier": "optimized", **settings})  # type: ignore[arg-type]
    return function_of(module, name, path), module


def function_of(module: ModuleType, name: str, path: str) -> Function:
    """The function of a kernel. Raises ConfigError, with those that it has, if there is none."""
    function = getattr(module, name, None)
    if not callable(function):
        functions = sorted(key for key, value in vars(module).items() if key[0] != "_" and callable(value))
        hint = f"it has {', '.join(functions)}" if functions else "it has none"
        raise ConfigError(f"{path}: the kernel has no function `{name}`", hint=hint, kernel=path)
    return function  # type: ignore[no-any-return]


def python_function(spec: str) -> Function:
    """The function of `module:name`, with the current folder on the path as `python -m` has it.

    Raises ConfigError if it cannot be imported.
    """
    home, separator, name = spec.partition(":")
    if not separator or not home or not name:
        hint = "write MODULE:FUNCTION, as in baseline:logistic"
        raise ConfigError(f"`{spec}` names no function in Python", hint=hint)
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        function = getattr(importlib.import_module(home), name)
    except Exception as exc:
        what = f"{type(exc).__name__}: {exc}"
        hint = "modules are searched for in the current folder, and where Python finds its own"
        raise ConfigError(f"the Python function {spec} cannot be imported: {what}", hint=hint) from exc
    if not callable(function):
        raise ConfigError(f"{spec} is no function")
    return function  # type: ignore[no-any-return]


def _beside(path: str) -> str:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f"there is no folder {folder} either"
    names = sorted(name for name in os.listdir(folder) if name.endswith(".rs"))
    return f"in its folder are {', '.join(names)}" if names else "there are no Rust files in its folder"
