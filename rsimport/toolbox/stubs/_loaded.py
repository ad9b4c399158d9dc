"""The model of a loaded kernel: names, documentation, exceptions and constants are those that it really has,
and their types are what PyO3 says of them or, where it does not know, what the Rust source says.
"""

from __future__ import annotations

import ast
import re
from types import BuiltinFunctionType, GetSetDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any

from rsimport.toolbox.stubs._functions import REFLECTED, Functions, doc_of
from rsimport.toolbox.stubs._model import Alias, Class, Function, Kind, Member, Module, Parameter, Variable
from rsimport.toolbox.stubs._places import Places, submodules
from rsimport.toolbox.stubs._types import (
    ANY,
    checked,
    filled,
    name,
    of_chunk,
    of_value,
    value_of_chunk,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rsimport._engine import Named
    from rsimport.toolbox.stubs._inspected import Inspected, Item

SKIPPED = {
    "__module__",
    "__doc__",
    "__dict__",
    "__weakref__",
    "__qualname__",
    "__firstlineno__",
    "__static_attributes__",
}
"""What every class has."""

COMPARED = {f"__{word}__" for word in ["lt", "le", "gt", "ge", "eq", "ne"]}
BOTH = {"__delitem__", "__delattr__", "__delete__", "__setitem__", "__setattr__", "__set__"}
"""Python has two methods where Rust has one."""


def model(module: ModuleType, inspected: Inspected, outline: Sequence[Named], texts: Iterable[str]) -> Module:
    """The model of a kernel. `outline` is what stands where in its Rust files, whose texts are also given."""
    return _Kernel(module, inspected, outline, texts).module(module, ())


class _Kernel:
    def __init__(
        self, module: ModuleType, inspected: Inspected, outline: Sequence[Named], texts: Iterable[str]
    ) -> None:
        self.inspected = inspected
        self.places = Places(module, inspected)
        self.functions = Functions(self.places, outline)
        self.order: dict[tuple[str | None, str], int] = {}
        for at, part in enumerate(outline):
            self.order.setdefault((part.owner, part.name), at)
        set_by_rust = re.compile(r'\bsetattr\(\s*(?:(?:\w+::)*intern!\(\s*[\w.()]+,\s*)?"(\w+)"')
        self.attributes = sorted({found for text in texts for found in set_by_rust.findall(text)})

    def module(self, module: ModuleType, path: tuple[str, ...]) -> Module:
        members: list[tuple[float, Member]] = []
        ids = self.places.members(module)
        here = f"@{'.'.join(path)}:"
        below_here = submodules(module)
        below = [found for found, _ in below_here]
        for at, (found, value) in enumerate(list(vars(module).items())):
            special = (
                found.startswith("__") and found.endswith("__") and found not in ("__version__", "__author__")
            )
            if special or found in below or not found.isidentifier():
                continue
            order = float(self.order.get((None, getattr(value, "__name__", found)), 1e6 + at))
            for member in self._member(found, value, here, ids):
                members.append((order, member))
        members.sort(key=lambda pair: pair[0])
        modules = [self.module(value, (*path, found)) for found, value in below_here if found not in path]
        exported = getattr(module, "__all__", None)
        made = [member for _, member in members]
        if not path:
            made += list(self._unseen())
        return Module(
            path,
            made,
            modules,
            list(exported) if exported is not None else None,
            doc_of(module.__doc__),
        )

    def _member(self, found: str, value: Any, here: str, ids: list[str]) -> Iterator[Member]:
        if isinstance(value, type):
            if self.places.of.get(value) == here + found:
                yield self.cls(value, found)
            else:
                yield Alias(found, self.places.type_name(value))
        elif isinstance(value, BuiltinFunctionType):
            item = self.inspected.find("function", value.__name__, value.__doc__ or None, ids)
            yield self.functions.of(found, value, item, None)
        else:
            item = self.inspected.find("attribute", found, None, [])
            yield self.variable(found, value, item)

    def cls(self, kind: type, called: str) -> Class:
        item = self.places.items.get(kind)
        members: list[tuple[float, Member]] = []
        for at, (found, value) in enumerate(list(vars(kind).items())):
            if found in SKIPPED or not found.isidentifier():
                continue
            order = self.order.get(
                (kind.__name__, found), None if found.startswith("__") and found != "__new__" else 1e6
            )
            order = 2e6 + at if order is None else order + at / 1e6
            for member in self._class_member(kind, found, value, item):
                members.append((order, member))
        # Of this one Python shows another one, which type checkers read in the same way.
        for one in self.inspected.member(item["id"], "__getattr__") if item is not None else []:
            asked = self.functions.of("__getattr__", None, one, kind)
            if "__getattribute__" in vars(kind):
                asked.name = "__getattribute__"
            members.append((3e6, asked))
        members.sort(key=lambda pair: pair[0])
        made = [member for _, member in members]
        if issubclass(kind, BaseException) and item is None and kind.__base__ not in self.places.of:
            made += [Variable(found, name(ANY)) for found in self.attributes if not hasattr(kind, found)]
        bases = [self.places.type_name(base) for base in kind.__bases__ if base is not object]
        return Class(called, bases, self._decorators(kind, item), made, doc_of(kind.__doc__))

    def _decorators(self, kind: type, item: Item | None) -> list[str]:
        if item is not None:
            found = [of_chunk(chunk, self.places.local) for chunk in item.get("decorators", [])]
            return [part.id for part in (checked(one) for one in found) if isinstance(part, ast.Name)]
        return [] if kind.__flags__ & 1 << 10 else ["typing.final"]

    def _class_member(self, kind: type, found: str, value: Any, item: Item | None) -> Iterator[Member]:
        if isinstance(value, type):
            if value in self.places.of and self.places.of[value].endswith(f".{found}"):
                yield self.cls(value, found)
            return
        items = self.inspected.member(item["id"], found) if item is not None else []
        if value is None:
            yield Variable(
                found, _subscript("typing.ClassVar", ast.Constant(None)), remark="type: ignore[assignment]"
            )
        elif any(one["type"] == "attribute" for one in items):
            yield self.variable(found, value, items[0])
        elif items:
            own = [one for one in items if not _is_setter(one)]
            for one in [*own, *(one for one in items if _is_setter(one))]:
                yield self.functions.of(found, value, one, kind)
        elif isinstance(value, GetSetDescriptorType):
            yield Function(
                found,
                [_self()],
                self.functions.returned(kind.__name__, found),
                ["builtins.property"],
                doc_of(value.__doc__),
            )
        elif callable(value) or isinstance(value, (classmethod, staticmethod)):
            yield from self._untold(kind, found, value, item)
        else:
            yield self.variable(found, value, None)

    def _untold(self, kind: type, found: str, value: Any, item: Item | None) -> Iterator[Member]:
        """A method of which PyO3 says nothing: Python made it of another one, or PyO3 says nothing at all."""
        operator = REFLECTED.get(found) or next((own for own, of in REFLECTED.items() if of == found), None)
        told = item is not None and self.inspected.below.get(item["id"])
        if told and operator is not None:
            # Both come from one slot, and this one never has an answer.
            nobody = Parameter("other", Kind.POSITIONAL_ONLY, name("typing_extensions.Never"))
            modulus = (
                [Parameter("mod", Kind.POSITIONAL_ONLY, ast.Constant(None), ast.Constant(None))]
                if "pow" in found
                else []
            )
            yield Function(found, [_self(), nobody, *modulus], name(ANY), [], None)
        elif told and found in COMPARED | BOTH:
            if found in COMPARED and found not in ("__eq__", "__ne__"):
                nobody = Parameter("other", Kind.POSITIONAL_ONLY, name("typing_extensions.Never"))
                yield Function(found, [_self(), nobody], name("builtins.bool"), [], None)
        elif not hasattr(object, found) or found == "__new__" or not told:
            yield self.functions.of(found, value, None, kind)

    def variable(self, found: str, value: Any, item: Item | None) -> Variable:
        if item is not None:
            annotation = checked(
                self.places.resolved(filled(of_chunk(item["annotation"], self.places.local), None))
            )
            content = value_of_chunk(item["value"]) if "value" in item else None
            return Variable(found, annotation, content)
        content = written(value)
        if not isinstance(content, ast.Constant) or content.value is not ...:
            return Variable(found, name("typing.Final"), content)
        known = of_value(value) or checked(self.places.type_name(type(value)))
        return Variable(found, _subscript("typing.Final", known))

    def _unseen(self) -> Iterator[Class]:
        """Classes that no name leads to, and that are given back all the same."""
        done: set[str] = set()
        while todo := [found for found in self.places.hidden if found not in done]:
            for found in todo:
                done.add(found)
                item = self.inspected.by_id[found]
                members: list[Member] = []
                for part in sorted(
                    self.inspected.below.get(found, []), key=lambda part: (part["name"], _is_setter(part))
                ):
                    named = self.functions.named_at(item["name"], part["name"])
                    if part["type"] == "function":
                        members.append(
                            self.functions.described(part["name"], part, named, True, doc_of(part.get("doc")))
                        )
                    elif part["type"] == "attribute":
                        members.append(self.variable(part["name"], None, part))
                decorators = [*self._decorators(object, item), "typing.type_check_only"]
                yield Class(self.places.hidden[found], [], decorators, members, doc_of(item.get("doc")))


def _self() -> Parameter:
    return Parameter("self", Kind.POSITIONAL_OR_KEYWORD)


def _subscript(of: str, inner: ast.expr) -> ast.expr:
    return ast.Subscript(name(of), inner)


def _is_setter(item: Item) -> bool:
    return any(chunk.get("attr") in ("setter", "deleter") for chunk in item.get("decorators", []))
