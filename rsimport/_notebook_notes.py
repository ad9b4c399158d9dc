"""What a notebook is told besides errors: what is in another cell, and which objects have a former class."""

from __future__ import annotations

import gc
import re
import sys
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from rsimport import _engine
from rsimport._autoreload import kernels
from rsimport._format import called
from rsimport._loader import loader_of
from rsimport._rust_source import block, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsimport._errors import CompileError

LONG = 15
"""Lines of a function that a hint still shows."""

ENOUGH = 2_000
"""Objects that are looked at for instances of a class."""


def say(text: str) -> None:
    """Tells something that is no error."""
    print(f"rsimport: {_engine.shown(text, lines=True)}", file=sys.stderr)


_UNKNOWN = re.compile(
    r"cannot find [\w, ]+ `(\w+)`|unresolved import `(?:\w+::)*(\w+)`|unlinked crate `(\w+)`"
)


def elsewhere(error: CompileError, own: str) -> str | None:
    """A hint, if what rustc does not find stands in another cell or kernel of this session.

    What the error's own hint says of something else stays.
    """
    messages = (found.message for found in error.diagnostics if found.level == "error")
    missing = [name for message in messages for found in _UNKNOWN.findall(message) for name in found if name]
    hints, known = [], set()
    for name in dict.fromkeys(missing):
        for module in kernels():
            if module.__name__ != own and (hint := _found_in(module, name)):
                hints.append(hint)
                known.add(name)
                break
    if hints and error.hint and not any(name in error.hint for name in known):
        hints.append(error.hint)
    return "\n".join(hints) or None


_FOR_IPYTHON = re.compile(r"\s*(%%?[a-z]|![^\[(])")

_PYTHON = re.compile(r"(import|from) \w|(?!pub\b)[a-zA-Z_][\w.]*(\(| = )")
"""What no item of Rust begins with: an import, a call, an assignment."""


def no_rust(error: CompileError, text: str) -> str | None:
    """A hint, if rustc does not understand a line that is written for IPython or for Python."""
    for found in error.diagnostics:
        line = text.splitlines()[found.line - 2 : found.line - 1] if found.line else []
        if found.code is None and line and (_FOR_IPYTHON.match(line[0]) or _PYTHON.match(line[0])):
            return f"all below %%rsimport is Rust; move `{line[0].strip()}` into a cell of its own"
    return None


def _found_in(module: ModuleType, name: str) -> str | None:
    loader = loader_of(module)
    where = called(loader.source)
    rule = f"every cell is a crate of its own and {where} another one"
    if module.__name__ == name:
        return f"{rule}; put what you need of it into this cell"
    for _, text in texts(loader):
        parts = [part for part in _engine.outline(text) if part.name == name and part.owner is None]
        if parts:
            copy = "\n\n".join(block(text, part) for part in parts)
            if copy.count("\n") < LONG:
                return f"{rule}; to use its `{name}` here, put it into this cell too:\n{copy}"
            return f"{rule}; to use its `{name}` here, put both into one cell"
    return None


class Strangers:
    """Tells once of each class that objects of its former version are still in use."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.told: set[tuple[str, str]] = set()

    def look(self, module: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Compares the names of a kernel's module before and after it was loaded again."""
        for name, old in before.items():
            new = after.get(name)
            if not isinstance(old, type) or not isinstance(new, type) or old is new:
                continue
            if (module, name) in self.told:
                continue
            names = list(self._names_of(old))
            if names:
                self.told.add((module, name))
                shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
                are, them = ("is", "it") if len(names) == 1 else ("are", "them")
                say(
                    f"{shown} {are} of the {name} that was compiled before: isinstance(..., {name}) is False "
                    f"for {them} now, and what was compiled anew does not take {them}; make {them} again"
                )

    def _names_of(self, kind: type) -> Iterator[str]:
        """The user's names of instances, then of what holds some."""
        hidden = self.shell.user_ns_hidden
        mine = {
            name: value
            for name, value in reversed(list(self.shell.user_ns.items()))
            if not name.startswith("_") and name not in hidden
        }
        yield from (name for name, value in mine.items() if type(value) is kind)
        seen = {id(self.shell), id(self.shell.user_ns)}
        for name, value in mine.items():
            if type(value) is not kind and _holds(value, kind, seen):
                yield f"what {name} holds"


def _holds(value: object, kind: type, seen: set[int]) -> bool:
    queue = [value]
    while queue and len(seen) < ENOUGH:
        found = queue.pop()
        if type(found) is kind:
            return True
        if id(found) not in seen and not isinstance(found, _CLOSED):
            seen.add(id(found))
            queue.extend(_inside(found))
    return False


_CLOSED = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


def _inside(value: object) -> list[object]:
    """What an object refers to, found without running any code of its own."""
    if isinstance(value, (list, tuple, set, frozenset, dict)) and len(value) > ENOUGH:
        return []
    return gc.get_referents(value)
