"""What rsimport raises: ImportErrors, since what it does is a part of importing."""

from __future__ import annotations

import os
import sys
from functools import wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import ParamSpec, TypeVar

    from rsimport._engine import Diagnostic

    Parameters = ParamSpec("Parameters")
    Result = TypeVar("Result")


class RsimportError(ImportError):
    """A kernel cannot be found, built or loaded; the base class of all errors here.

    `message` says what is wrong in one sentence, `hint` what to do about it (or is None), `kernel` is the
    path of the kernel's source where one is concerned. `name` is the module's name if an import failed, as
    in any ImportError.
    """

    message: str
    hint: str | None
    kernel: str | None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        kernel: str | None = None,
        name: str | None = None,
        path: str | None = None,
    ) -> None:
        from rsimport._engine import shown

        # They name files, and quote manifests and compilers.
        message = shown(message, lines=True)
        super().__init__(message, name=name, path=path)
        self.message = message
        self.hint = hint if hint is None else shown(hint, lines=True)
        self.kernel = kernel

    def __str__(self) -> str:
        from rsimport._streams import is_coloured

        return self._text(coloured=is_coloured(sys.stderr))

    def _text(self, *, coloured: bool) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"

    def _render_traceback_(self) -> list[str]:
        # IPython shows these lines instead of a traceback, in which the user could change nothing anyway.
        from rsimport._streams import is_coloured

        coloured = is_coloured(sys.stderr, otherwise=True)
        return f"{type(self).__name__}: {self._text(coloured=coloured)}".splitlines()


class CompileError(RsimportError):
    """rustc or cargo rejects the kernel.

    `diagnostics` is what rustc said, as data; the text of the error holds it as rustc rendered it, in colour
    only if stderr is a terminal.
    """

    diagnostics: list[Diagnostic]

    def __init__(
        self,
        message: str,
        *,
        diagnostics: list[Diagnostic] | None = None,
        hint: str | None = None,
        kernel: str | None = None,
        name: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, kernel=kernel, name=name, path=path)
        self.diagnostics = list(diagnostics or ())

    def _text(self, *, coloured: bool) -> str:
        rendered = [(found.ansi if coloured else found.rendered).rstrip() for found in self.diagnostics]
        hint = [] if self.hint is None else [f"hint: {self.hint}"]
        return "\n".join([self.message, *rendered, *hint])


class ConfigError(RsimportError):
    """A setting, a manifest block, a name or a file is not as it has to be."""


class ToolchainError(RsimportError):
    """cargo, rustc, the linker or the registry cannot be used."""


class CacheError(RsimportError):
    """The cache folder cannot be used."""


class Panic(RuntimeError):
    """A panic of a kernel in a process that works for others, as in pools.

    In one's own process a panic is PyO3's PanicException, which is no Exception. Pools and futures do not
    expect such a one of a task, and wait for ever or give up the worker.
    """

    __slots__ = ()  # The class of PyO3's panics takes this one for its base, and must not become larger.


for _error in (RsimportError, CompileError, ConfigError, ToolchainError, CacheError, Panic):
    _error.__module__ = "rsimport"  # where everybody imports them from


def concise(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Keeps rsimport's frames out of the traceback of its errors, of Ctrl-C and of an exit in a kernel's
    initialisation: the user could change nothing there.
    """

    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except (RsimportError, KeyboardInterrupt, SystemExit) as exc:
            # A bare `raise` takes the traceback as it is and adds no frame, this one neither.
            exc.__traceback__ = _outside(exc.__traceback__)
            raise

    return call


def _outside(trace: TracebackType | None) -> TracebackType | None:
    """The frames that are neither rsimport's nor those of Python's import machinery."""
    if trace is None:
        return None
    file, rest = trace.tb_frame.f_code.co_filename, _outside(trace.tb_next)
    if file.startswith("<frozen importlib") or file.startswith(os.path.dirname(__file__) + os.sep):
        return rest
    trace.tb_next = rest
    return trace
