"""`f?`, `f??`, `%psource` and the like for what is written in Rust: its source, and types in its signature.

`inspect.getsource` knows functions of Python only, and no modules whose file is a library. So the inspector
of IPython, which asks it, gets a subclass in the shell in which the extension is loaded.
"""

from __future__ import annotations

import inspect
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from IPython.core import page

from rsimport import _engine
from rsimport._autoreload import is_stale
from rsimport._format import called
from rsimport._rust_source import read, source_of, typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from rsimport._rust_source import Source


def inspect_rust(shell: InteractiveShell) -> Callable[[], None]:
    """Teaches the shell's inspector Rust; returns what undoes it."""
    own: Any = shell
    given, kind = own.inspector_class, type(own.inspector)
    own.inspector.__class__ = own.inspector_class = taught = _taught(kind, own)

    def undo() -> None:
        if type(own.inspector) is taught:
            own.inspector.__class__ = kind
        if own.inspector_class is taught:
            own.inspector_class = given

    return undo


class Rust(str):
    """A text in Rust, which is coloured as such."""


def _taught(kind: Any, shell: Any) -> Any:
    class RustInspector(kind):  # type: ignore[misc]
        """Looks for the Rust source first, and for that of Python where there is none."""

        def info(self, obj: object, *args: Any, **kwargs: Any) -> Any:
            found = super().info(obj, *args, **kwargs)
            source = _find(obj)
            if source is not None:
                found["file"] = _at(source)
                if kwargs.get("detail_level"):
                    found["source"] = Rust(_noted(source).rstrip())
            return found

        def psource(self, obj: object, oname: str = "") -> None:
            source = _find(obj)
            if source is None:
                super().psource(obj, oname)
            else:
                page.page(self.format(Rust(_noted(source))))

        def pfile(self, obj: object, oname: str = "") -> None:
            source = _find(obj)
            whole = None if source is None else read(source.loader, source.file)
            if source is None or whole is None:
                super().pfile(obj, oname)
            else:
                page.page(self.format(Rust(whole)), source.line - 1)

        def format(self, text: str, *args: Any, **kwargs: Any) -> Any:
            if isinstance(text, Rust):
                return _coloured(_engine.shown(text, lines=True), shell)
            return super().format(text, *args, **kwargs)

        def _getdef(self, obj: object, oname: str = "") -> Any:
            with suppress(Exception):
                if (signature := _signature(obj)) is not None:
                    return oname + str(signature)
            return super()._getdef(obj, oname)

    return RustInspector


def _find(obj: object) -> Source | None:
    # Whatever an object does when it is looked at, there is still the inspector of Python.
    with suppress(Exception):
        return source_of(obj)
    return None


class _Type:
    """A type in a signature, which is shown as it is written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _signature(obj: Any) -> inspect.Signature | None:
    """The signature that PyO3 gives to a function or class, with the types that it has in Rust."""
    if not callable(obj) or (source := source_of(obj)) is None:
        return None
    if isinstance(obj, type):
        source = source_of(getattr(obj, "__new__", None))
    elif not hasattr(obj, "__name__"):
        return None  # An object that can be called is not what its class's parts tell about.
    types = {name: text for part in source.parts for name, text in part.parameters.items()} if source else {}
    signature = inspect.signature(obj)
    single = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = [
        found.replace(annotation=_Type(types[name])) if name in types and found.kind not in single else found
        for name, found in signature.parameters.items()
    ]
    signature = signature.replace(parameters=parameters)
    if isinstance(obj, type) or source is None or source.parts[0].returns is None:
        return signature
    return signature.replace(return_annotation=_Type(source.parts[0].returns))


def _at(source: Source) -> str:
    name = called(source.file)
    return name if not source.parts else f"{name}:{source.line}"


def _noted(source: Source) -> str:
    """The source, with a word about it if it is not what the loaded kernel was built from."""
    with suppress(ImportError):
        if source.loader.source not in typed and is_stale(source.loader):
            return f"// {os.path.basename(source.file)} has changed since it was loaded.\n{source.text}"
    return source.text


def _coloured(text: str, shell: Any) -> str:
    if str(getattr(shell, "colors", "")).lower() == "nocolor" or "NO_COLOR" in os.environ:
        return str(text)
    from pygments import highlight
    from pygments.formatters import TerminalFormatter
    from pygments.lexers import RustLexer

    background = "light" if str(shell.colors).lower() == "lightbg" else "dark"
    coloured: str = highlight(text, RustLexer(), TerminalFormatter(bg=background))
    return coloured.rstrip("\n")
