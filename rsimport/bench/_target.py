"""What is measured: a function, its arguments, and the one of them that says how much one call does."""

from __future__ import annotations

import copy
import inspect
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import BoundArguments, Parameter, Signature
from typing import Any

from rsimport._errors import ConfigError, RsimportError
from rsimport.bench._clock import Clock

Function = Callable[..., Any]


@dataclass(frozen=True)
class Target:
    """A function and the arguments of its calls."""

    function: Function
    name: str
    """What messages call it."""
    bound: BoundArguments
    batch: str | None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by the names of the parameters."""
        return dict(self.bound.arguments)

    @property
    def whole(self) -> int:
        """Steps of a call with the arguments as they were given; 1 where no argument says it."""
        if self.batch is None:
            return 1
        value = self.arguments[self.batch]
        return int(value) if _is_number(value) else len(value)

    def at(self, steps: int, *, own: bool = False) -> BoundArguments:
        """The arguments of a call of so many steps; with `own`, no other call can change the batch."""
        if self.batch is None:
            return self.bound
        value = self.arguments[self.batch]
        part = steps if _is_number(value) else value[:steps]
        return self._with(copy.copy(part) if own else part).bound

    def calling(self, function: Function, name: str) -> Target:
        """The same calls of another function."""
        return replace(self, function=function, name=name)

    def batching(self, value: Any) -> Target:
        """The same with other values as the batch."""
        return self._with(value)

    def call(self, steps: int) -> tuple[Any, Any]:
        """The result of one call, and the batch argument as the call has left it.

        Raises RsimportError, with the cause, for whatever the function raises, a panic included.
        """
        given = self.at(steps, own=True)
        with self.guarded():
            result = self.function(*given.args, **given.kwargs)
        return result, None if self.batch is None else given.arguments[self.batch]

    def clock(self, steps: int) -> Clock:
        """A clock for calls of so many steps. Raises what call() raises."""
        given = self.at(steps)
        with self.guarded():
            return Clock.of_call(self.function, given.args, given.kwargs)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Tells in one sentence what the function raises: an RsimportError with the cause."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit, RsimportError):
            raise
        except BaseException as exc:  # A panic of Rust is no Exception.
            raise _failure(self.name, exc) from exc

    def _with(self, value: Any) -> Target:
        assert self.batch is not None
        arguments = self.bound.arguments | {self.batch: value}
        return replace(self, bound=BoundArguments(self.bound.signature, OrderedDict(arguments)))


def target(function: Function, arguments: str | Mapping[str, Any], batch: str | None) -> Target:
    """Checks arguments and batch against the function's signature.

    Raises ConfigError where they do not fit.
    """
    if not callable(function):
        raise ConfigError(f"{function!r} cannot be called")
    name = getattr(function, "__name__", repr(function))
    given = evaluated(arguments, function) if isinstance(arguments, str) else dict(arguments)
    try:
        signature = inspect.signature(function)
        text = f"{name}{signature}"
    except (TypeError, ValueError):
        # Python knows nothing of its parameters; the call will tell.
        signature = Signature([Parameter(word, Parameter.POSITIONAL_OR_KEYWORD) for word in given])
        text = f"{name}(...)"
    if batch is not None and batch not in signature.parameters:
        hint = f"it is {text}; --batch names the argument that says how many steps a call makes"
        raise ConfigError(f"{name} has no argument `{batch}`", hint=hint)
    try:
        bound = signature.bind(**given)
    except TypeError as exc:
        # Where in `inspect` that was found out is of no use to anybody.
        cause = exc.with_traceback(None)
        raise ConfigError(f"{name} does not take these arguments: {exc}", hint=f"it is {text}") from cause
    if batch is not None:
        if batch not in bound.arguments:
            raise ConfigError(f"`{batch}` has no value", hint=f'--args "{batch}=1_000_000, ..."')
        _check_batch(batch, bound.arguments[batch])
    return Target(function, name, bound, batch)


def evaluated(text: str, function: Function | None = None) -> dict[str, Any]:
    """The arguments in a text like `steps=1_000, r=3.9`: Python expressions, with `np` and `math` at hand.

    Raises ConfigError if the text is something else; for arguments without names it gives them those of the
    function.
    """
    import numpy

    hint = 'write them as in a call, all by name: --args "steps=1_000, r=3.9"'
    names = {"np": numpy, "numpy": numpy, "math": math, "__call": lambda *values, **named: (values, named)}
    try:
        given: tuple[tuple[Any, ...], dict[str, Any]] = eval(f"__call({text})", names)
    except SyntaxError as exc:
        raise ConfigError(f"the arguments `{text}` cannot be read: {exc.msg}", hint=hint) from exc
    except Exception as exc:
        cause = exc.with_traceback(None)
        raise ConfigError(f"the arguments `{text}` cannot be read: {exc}", hint=hint) from cause
    values, named = given
    if values:
        hint = (function and _named(text, function)) or hint
        raise ConfigError(f"the arguments `{text}` have no names", hint=hint)
    return named


def _named(text: str, function: Function) -> str | None:
    """The same arguments with the names of the function's parameters; none where these are not known."""
    import ast

    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None
    call = ast.parse(f"f({text})", mode="eval").body
    assert isinstance(call, ast.Call)
    written = [ast.unparse(value) for value in call.args]
    if len(written) > len(parameters) or any(isinstance(value, ast.Starred) for value in call.args):
        return None
    pairs = [f"{name}={value}" for name, value in zip(parameters, written, strict=False)]
    pairs += [f"{word.arg}={ast.unparse(word.value)}" for word in call.keywords if word.arg]
    return f'--args "{", ".join(pairs)}"'


def _check_batch(batch: str, value: Any) -> None:
    if _is_number(value):
        size = int(value)
    elif not _is_row(value):
        message = f"`{batch}` is a {type(value).__name__}, of which nothing says how many steps it makes"
        raise ConfigError(message, hint="it has to be an int, a list or an array")
    else:
        size = len(value)
    if size < 2:
        is_what = size if _is_number(value) else "of one item" if size else "empty"
        raise ConfigError(f"`{batch}` is {is_what}, and a batch has at least 2 steps")


def _is_number(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and not hasattr(value, "__len__")


def _is_row(value: Any) -> bool:
    # An array of no dimensions has `__len__` too, and raises.
    array = hasattr(value, "__array__") and getattr(value, "ndim", 1) > 0
    return array or (isinstance(value, Sequence) and not isinstance(value, str))


def _failure(name: str, exc: BaseException) -> RsimportError:
    if type(exc).__name__ == "PanicException":
        return RsimportError(f"{name} panics: {exc}", hint="a kernel reports errors with `PyResult`")
    if isinstance(exc, TypeError):
        return ConfigError(f"{name} does not take these arguments: {exc}")
    return RsimportError(f"{name} raises {type(exc).__name__}: {exc}")
