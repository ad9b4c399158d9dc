"""Where the classes of a loaded kernel are found, and by which names types are called in its stubs."""

from __future__ import annotations

import ast
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from rsimport.toolbox.stubs._types import ANY, checked, name, read

if TYPE_CHECKING:
    from rsimport.toolbox.stubs._inspected import Inspected, Item


class Places:
    """The place of every class of a kernel, `@module:Class`, and what PyO3 says of it."""

    def __init__(self, root: ModuleType, inspected: Inspected) -> None:
        self.root, self.inspected = root, inspected
        self.of: dict[type, str] = {}
        self.ids: dict[str, str] = {}
        self.items: dict[type, Item] = {}
        self.hidden: dict[str, str] = {}
        self._visit(root, ())

    def members(self, module: ModuleType) -> list[str]:
        """The ids of what a declarative module says that it has."""
        for item in self.inspected.free[module.__name__.rpartition(".")[2]]:
            if item["type"] == "module":
                members: list[str] = item["members"]
                return members
        return []

    def read(self, text: str) -> ast.expr:
        return read(text, self.local)

    def local(self, found: str) -> str | None:
        """The place of a class of the kernel."""
        return next((place for place in self.of.values() if place.rpartition(":")[2] == found), None)

    def type_name(self, kind: type) -> ast.expr:
        if kind in self.of:
            return name(self.of[kind])
        if kind is type(None):
            return ast.Constant(None)
        return checked(name(f"{kind.__module__}.{kind.__qualname__}"))

    def resolved(self, found: ast.expr) -> ast.expr:
        return _Ids(self).visit(found)  # type: ignore[no-any-return]

    def _visit(self, module: ModuleType, path: tuple[str, ...]) -> None:
        """Notes where every class is found."""
        members = self.members(module)
        for found, value in vars(module).items():
            if isinstance(value, type) and value not in self.of and self._is_own(value):
                self._place(
                    value,
                    ".".join(path),
                    found,
                    self.inspected.find("class", value.__name__, value.__doc__, members),
                )
        for found, value in submodules(module):
            if found not in path:
                self._visit(value, (*path, found))

    def _place(self, kind: type, path: str, qualname: str, item: Item | None) -> None:
        self.of[kind] = f"@{path}:{qualname}"
        if item is not None:
            self.items[kind] = item
            self.ids.setdefault(item["id"], self.of[kind])
        for found, value in vars(kind).items():
            if isinstance(value, type) and not found.startswith("__") and value not in self.of:
                inner = self.inspected.member(item["id"], found) if item is not None else []
                self._place(
                    value,
                    path,
                    f"{qualname}.{found}",
                    next((one for one in inner if one["type"] == "class"), None),
                )

    def _is_own(self, kind: type) -> bool:
        """Is it defined by the kernel, and not something that it only shows?"""
        says = kind.__module__.partition(".")[0]
        tail = self.root.__name__.rpartition(".")[2]
        is_theirs = (
            vars(sys.modules.get(kind.__module__, object())).get(kind.__name__) is kind
            if kind.__module__ in sys.modules
            else False
        )
        return not is_theirs or says in (tail, self.root.__name__.partition(".")[0])


class _Ids(ast.NodeTransformer):
    """Puts the names of classes into the place of their ids."""

    def __init__(self, places: Places) -> None:
        self.places = places

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not node.id.startswith("#"):
            return node
        found, _, rest = node.id[1:].partition(".")
        place = self.places.ids.get(found)
        if place is None:
            item = self.places.inspected.by_id.get(found)
            if item is None:
                return name(ANY)
            self.places.hidden.setdefault(found, f"_{item['name']}")
            place = f"@:_{item['name']}"
        return name(f"{place}.{rest}" if rest else place)


def submodules(module: ModuleType) -> list[tuple[str, ModuleType]]:
    found = [(key, value) for key, value in vars(module).items() if isinstance(value, ModuleType)]
    return [
        (key, value)
        for key, value in found
        if sys.modules.get(value.__name__) is not value and value is not module
    ]
