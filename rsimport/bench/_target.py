"""What is measured: a function, its arguments, and the one of them that says how much one call does."""

from __future__ import annotations

import importlib
import inspect
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsimport._errors import ConfigError, RsimportError

Function = Callable[..., Any]


@dataclass(frozen=True)
class Target:
    """A function with its arguments in the order of its parameters."""

    function: Function
    name: str
    arguments: dict[str, Any]
    batch: str | None

    @property
    def whole(self) -> int:
        """Steps of a call with the arguments as they were given; 1 where no argument says it."""
        if self.batch is None:
            return 1
        value = self.arguments[self.batch]
        return int(value) if _is_number(value) else len(value)

    def sized(self, steps: int) -> list[Any]:
        """The arguments for a call of so many steps, by position."""
        if self.batch is None:
            return list(self.arguments.values())
        value = self.arguments[self.batch]
        part = steps if _is_number(value) else value[:steps]
        return [part if name == self.batch else other for name, other in self.arguments.items()]

    def call(self, steps: int, function: Function | None = None) -> Any:
        """The result of one call, of the function or of another in its place.

        Raises RsimportError, with the cause, for whatever the function raises, a panic included.
        """
        try:
            return (function or self.function)(*self.sized(steps))
        except (KeyboardInterrupt, SystemExit, RsimportError):
            raise
        except BaseException as exc:  # A panic of Rust is no Exception.
            raise _failure(self, function, exc) from exc


def target(function: Function, arguments: str | Mapping[str, Any], batch: str | None) -> Target:
    """Checks arguments and batch against the function's signature.

    Raises ConfigError where they do not fit.
    """
    if not callable(function):
        raise ConfigError(f"{function!r} cannot be called")
    name = getattr(function, "__name__", repr(function))
    given = evaluated(arguments) if isinstance(arguments, str) else dict(arguments)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        bound = given  # Python knows nothing of its parameters; the call will tell.
        text = f"{name}(...)"
    else:
        text = f"{name}{signature}"
        if batch is not None and batch not in signature.parameters:
            hint = f"it is {text}; --batch names the argument that says how many steps a call makes"
            raise ConfigError(f"{name} has no argument `{batch}`", hint=hint)
        try:
            bound = dict(signature.bind(**given).arguments)
        except TypeError as exc:
            raise ConfigError(f"{name} does not take these arguments: {exc}", hint=f"it is {text}") from exc
    if batch is not None:
        if batch not in bound:
            raise ConfigError(f"`{batch}` has no value", hint=f'--args "{batch}=1_000_000, ..."')
        _check_batch(batch, bound[batch])
    return Target(function, name, bound, batch)


def evaluated(text: str) -> dict[str, Any]:
    """The arguments in a text like `steps=1_000, r=3.9`: Python expressions, with `np` and `math` at hand.

    Raises ConfigError if the text is something else.
    """
    import numpy

    hint = 'write them as in a call, all by name: --args "steps=1_000, r=3.9"'
    try:
        values = eval(f"dict({text})", {"np": numpy, "numpy": numpy, "math": math})
    except Exception as exc:
        raise ConfigError(f"the arguments `{text}` cannot be read: {exc}", hint=hint) from exc
    if not isinstance(values, dict):
        raise ConfigError(f"the arguments `{text}` cannot be read", hint=hint)
    return values


def kernel_function(spec: str, settings: dict[str, object]) -> tuple[Function, Any]:
    """The function of `PATH::NAME` and its module, compiled as thoroughly as can be.

    Raises ConfigError if there is no such file or function, and what imp_from_filepath() raises.
    """
    from rsimport._api import imp_from_filepath

    path, separator, name = spec.rpartition("::")
    if not separator or not path or not name:
        raise ConfigError(f"`{spec}` names no function", hint="write PATH::FUNCTION, as in step.rs::logistic")
    if not os.path.exists(path):
        raise ConfigError(f"{path}: there is no such kernel")
    module = imp_from_filepath(path, **{"tier": "optimized", **settings})  # type: ignore[arg-type]
    function = getattr(module, name, None)
    if not callable(function):
        functions = sorted(key for key, value in vars(module).items() if key[0] != "_" and callable(value))
        hint = f"it has {', '.join(functions)}" if functions else "it has none"
        raise ConfigError(f"{path}: the kernel has no function `{name}`", hint=hint, kernel=path)
    return function, module


def python_function(spec: str) -> Function:
    """The function of `module:name`, with the current folder on the path as `python -m` has it.

    Raises ConfigError if it cannot be imported.
    """
    home, separator, name = spec.partition(":")
    if not separator or not home or not name:
        raise ConfigError(
            f"`{spec}` names no function", hint="write MODULE:FUNCTION, as in baseline:logistic"
        )
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        function = getattr(importlib.import_module(home), name)
    except Exception as exc:
        what = f"{type(exc).__name__}: {exc}"
        raise ConfigError(f"the Python function {spec} cannot be imported: {what}") from exc
    if not callable(function):
        raise ConfigError(f"{spec} is no function")
    return function  # type: ignore[no-any-return]


def _check_batch(batch: str, value: Any) -> None:
    if _is_number(value):
        if value < 1:
            raise ConfigError(f"`{batch}` is {value}, and a batch has at least 1 step")
    elif isinstance(value, (str, bytes)) or not (isinstance(value, Sequence) or hasattr(value, "__array__")):
        message = f"`{batch}` is a {type(value).__name__}, of which nothing says how many steps it makes"
        raise ConfigError(message, hint="it has to be an int, a list or an array")
    elif len(value) < 1:
        raise ConfigError(f"`{batch}` is empty, and a batch has at least 1 step")


def _is_number(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and not hasattr(value, "__len__")


def _failure(target: Target, function: Function | None, exc: BaseException) -> RsimportError:
    who = (
        target.name if function is None else f"the Python function {getattr(function, '__name__', function)}"
    )
    if type(exc).__name__ == "PanicException":
        return RsimportError(f"{who} panics: {exc}", hint="a kernel reports errors with `PyResult`")
    if isinstance(exc, TypeError):
        return ConfigError(f"{who} does not take these arguments: {exc}")
    return RsimportError(f"{who} raises {type(exc).__name__}: {exc}")
