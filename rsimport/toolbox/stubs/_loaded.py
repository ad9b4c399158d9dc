"""The model of a loaded kernel: names, documentation, exceptions and constants are those that it really has,
and their types are what PyO3 says of them or, where it does not know, what the Rust source says.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from types import BuiltinFunctionType, GetSetDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any

from rsimport.toolbox.stubs._model import Alias, Class, Function, Kind, Member, Module, Parameter, Variable
from rsimport.toolbox.stubs._types import (
    ANY,
    SELF,
    accepted,
    checked,
    filled,
    name,
    of_chunk,
    of_value,
    read,
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

_OPERATORS = "add sub mul matmul truediv floordiv mod pow lshift rshift and xor or"
INPLACE = {f"__i{word}__" for word in _OPERATORS.split()}
REFLECTED = {f"__r{word}__": f"__{word}__" for word in (*_OPERATORS.split(), "divmod")}
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
        self.root, self.inspected = module, inspected
        self.named: dict[tuple[str | None, str], list[Named]] = {}
        self.order: dict[tuple[str | None, str], int] = {}
        for at, part in enumerate(outline):
            self.named.setdefault((part.owner, part.name), []).append(part)
            self.order.setdefault((part.owner, part.name), at)
        set_by_rust = re.compile(r'\bsetattr\(\s*(?:(?:\w+::)*intern!\(\s*[\w.()]+,\s*)?"(\w+)"')
        self.attributes = sorted({found for text in texts for found in set_by_rust.findall(text)})
        self.places: dict[type, str] = {}
        self.ids: dict[str, str] = {}
        self.items: dict[type, Item] = {}
        self.hidden: dict[str, str] = {}
        self._visit(module, ())

    def _visit(self, module: ModuleType, path: tuple[str, ...]) -> None:
        """Notes where every class is found."""
        members = self._members(module)
        for found, value in vars(module).items():
            if isinstance(value, type) and value not in self.places and self._is_own(value):
                self._place(
                    value,
                    ".".join(path),
                    found,
                    self.inspected.find("class", value.__name__, value.__doc__, members),
                )
        for found, value in _submodules(module):
            if found not in path:
                self._visit(value, (*path, found))

    def _place(self, kind: type, path: str, qualname: str, item: Item | None) -> None:
        self.places[kind] = f"@{path}:{qualname}"
        if item is not None:
            self.items[kind] = item
            self.ids.setdefault(item["id"], self.places[kind])
        for found, value in vars(kind).items():
            if isinstance(value, type) and not found.startswith("__") and value not in self.places:
                inner = self.inspected.member(item["id"], found) if item is not None else []
                self._place(
                    value,
                    path,
                    f"{qualname}.{found}",
                    next((one for one in inner if one["type"] == "class"), None),
                )

    def _members(self, module: ModuleType) -> list[str]:
        """The ids of what a declarative module says that it has."""
        for item in self.inspected.free[module.__name__.rpartition(".")[2]]:
            if item["type"] == "module":
                members: list[str] = item["members"]
                return members
        return []

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

    def module(self, module: ModuleType, path: tuple[str, ...]) -> Module:
        members: list[tuple[float, Member]] = []
        ids = self._members(module)
        here = f"@{'.'.join(path)}:"
        submodules = _submodules(module)
        below = [found for found, _ in submodules]
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
        modules = [self.module(value, (*path, found)) for found, value in submodules if found not in path]
        exported = getattr(module, "__all__", None)
        made = [member for _, member in members]
        if not path:
            made += list(self._unseen())
        return Module(
            path, made, modules, list(exported) if exported is not None else None, _doc(module.__doc__)
        )

    def _member(self, found: str, value: Any, here: str, ids: list[str]) -> Iterator[Member]:
        if isinstance(value, type):
            if self.places.get(value) == here + found:
                yield self.cls(value, found)
            else:
                yield Alias(found, self._type_name(value))
        elif isinstance(value, BuiltinFunctionType):
            item = self.inspected.find("function", value.__name__, value.__doc__ or None, ids)
            yield self.function(found, value, item, None)
        else:
            item = self.inspected.find("attribute", found, None, [])
            yield self.variable(found, value, item)

    def cls(self, kind: type, called: str) -> Class:
        item = self.items.get(kind)
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
        # Of this one Python shows another one.
        for one in self.inspected.member(item["id"], "__getattr__") if item is not None else []:
            members.append((3e6, self.function("__getattr__", None, one, kind)))
        members.sort(key=lambda pair: pair[0])
        made = [member for _, member in members]
        if issubclass(kind, BaseException) and item is None and kind.__base__ not in self.places:
            made += [Variable(found, name(ANY)) for found in self.attributes if not hasattr(kind, found)]
        bases = [self._type_name(base) for base in kind.__bases__ if base is not object]
        return Class(called, bases, self._decorators(kind, item), made, _doc(kind.__doc__))

    def _decorators(self, kind: type, item: Item | None) -> list[str]:
        if item is not None:
            found = [of_chunk(chunk, self._local) for chunk in item.get("decorators", [])]
            return [part.id for part in (checked(one) for one in found) if isinstance(part, ast.Name)]
        return [] if kind.__flags__ & 1 << 10 else ["typing.final"]

    def _class_member(self, kind: type, found: str, value: Any, item: Item | None) -> Iterator[Member]:
        if isinstance(value, type):
            if value in self.places and self.places[value].endswith(f".{found}"):
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
                yield self.function(found, value, one, kind)
        elif isinstance(value, GetSetDescriptorType):
            yield Function(
                found,
                [_self()],
                self._returned(kind.__name__, found),
                ["builtins.property"],
                _doc(value.__doc__),
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
            yield self.function(found, value, None, kind)

    def variable(self, found: str, value: Any, item: Item | None) -> Variable:
        if item is not None:
            annotation = checked(self._resolved(filled(of_chunk(item["annotation"], self._local), None)))
            content = value_of_chunk(item["value"]) if "value" in item else None
            return Variable(found, annotation, content)
        content = written(value)
        if not isinstance(content, ast.Constant) or content.value is not ...:
            return Variable(found, name("typing.Final"), content)
        known = of_value(value) or checked(self._type_name(type(value)))
        return Variable(found, _subscript("typing.Final", known))

    def function(self, found: str, value: Any, item: Item | None, owner: type | None) -> Function:
        class_name = owner.__name__ if owner is not None else None
        named = self._named(class_name, getattr(value, "__name__", found) if owner is None else found)
        if item is None:
            return self._by_signature(found, value, named, owner)
        doc = _doc(value.__doc__) if owner is None else _doc(item.get("doc"))
        told = self.described(found, item, named, owner is not None, doc)
        says = _signature(found, value, owner)
        if says is not None and not any("property" in one or one.endswith("er") for one in told.decorators):
            told.parameters = _as_said(
                told.parameters, says, owner is not None and "builtins.staticmethod" not in told.decorators
            )
        return told

    def described(
        self, found: str, item: Item, named: Named | None, is_method: bool, doc: str | None
    ) -> Function:
        """A function as PyO3 describes it, and mended where it does not know enough."""
        types = self._read_all(named)
        decorators = [_decorator(chunk) for chunk in item.get("decorators", [])]
        parameters = list(
            self._parameters(
                item["arguments"], types, is_method and "builtins.staticmethod" not in decorators, found
            )
        )
        source = self._read(named.returns) if named is not None and named.returns else None
        if source is not None and found in ("__next__", "__anext__"):
            source = _without_none(source)
        if is_method and (found in INPLACE or found == "__new__"):
            returns = name(SELF)
        else:
            returns = checked(self._resolved(filled(of_chunk(item["returns"], self._local), source)))
        is_async = bool(item.get("async"))
        if any(decorator.endswith((".setter", ".deleter")) for decorator in decorators):
            doc = None  # A property has one documentation.
        return Function(found, parameters, returns, decorators, doc, is_async)

    def _parameters(
        self, arguments: Item, types: dict[str, ast.expr], bound: bool, found: str
    ) -> Iterator[Parameter]:
        lists = (
            ("posonlyargs", Kind.POSITIONAL_ONLY),
            ("args", Kind.POSITIONAL_OR_KEYWORD),
            ("vararg", Kind.VAR_POSITIONAL),
            ("kwonlyargs", Kind.KEYWORD_ONLY),
            ("kwarg", Kind.VAR_KEYWORD),
        )
        for key, kind in lists:
            given = arguments.get(key) or []
            for chunk in given if isinstance(given, list) else [given]:
                if bound:
                    bound = False
                    only_self = kind is Kind.POSITIONAL_ONLY and len(given) == 1
                    yield Parameter(chunk["name"], Kind.POSITIONAL_OR_KEYWORD if only_self else kind)
                    continue
                annotation: ast.expr = name(ANY)
                if "annotation" in chunk:
                    annotation = of_chunk(chunk["annotation"], self._local)
                    source = types.get(chunk["name"])
                    is_anything = isinstance(annotation, ast.Name) and annotation.id == "builtins.object"
                    # To what it does not take, an operator answers NotImplemented: it takes no more.
                    if is_anything and source is not None and found not in ("__eq__", "__ne__"):
                        annotation = source
                    annotation = accepted(checked(self._resolved(filled(annotation, source))))
                default = value_of_chunk(chunk["default"]) if "default" in chunk else None
                yield Parameter(chunk["name"], kind, annotation, default)

    def _by_signature(self, found: str, value: Any, named: Named | None, owner: type | None) -> Function:
        """A function as Python describes it, with the types that it has in Rust."""
        plain = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        decorators = [
            f"builtins.{kind.__name__}" for kind in (classmethod, staticmethod) if isinstance(value, kind)
        ]
        if type(value).__name__ == "classmethod_descriptor":
            decorators = ["builtins.classmethod"]
        types = self._read_all(named)
        try:
            signature = inspect.signature(owner if found == "__new__" and owner is not None else plain)
            given = list(signature.parameters.values())
        except (TypeError, ValueError):
            given = [
                inspect.Parameter("args", Kind.VAR_POSITIONAL),
                inspect.Parameter("kwargs", Kind.VAR_KEYWORD),
            ]
            if owner is not None and found != "__new__" and "builtins.staticmethod" not in decorators:
                given.insert(0, inspect.Parameter("self", Kind.POSITIONAL_ONLY))
        parameters = []
        bound = [parameter.name for parameter in given[:1]] in (["cls"], ["type"])
        if found == "__new__" or (decorators == ["builtins.classmethod"] and not bound):
            parameters.append(Parameter("cls", Kind.POSITIONAL_OR_KEYWORD))
        for parameter in given:
            is_self = owner is not None and not parameters and "builtins.staticmethod" not in decorators
            if is_self:
                rest = [other for other in given if other.kind is Kind.POSITIONAL_ONLY]
                kind = Kind.POSITIONAL_OR_KEYWORD if len(rest) == 1 else parameter.kind
                parameters.append(Parameter(parameter.name, kind))
                continue
            single = parameter.kind not in (Kind.VAR_POSITIONAL, Kind.VAR_KEYWORD)
            annotation = checked(types.get(parameter.name, name(ANY)) if single else name(ANY))
            default = None if parameter.default is parameter.empty else written(parameter.default)
            parameters.append(Parameter(parameter.name, parameter.kind, annotation, default))
        returns = (
            name(SELF)
            if found == "__new__" or found in INPLACE
            else self._returned(owner.__name__ if owner is not None else None, found, named)
        )
        return Function(
            found, parameters, returns, decorators, _doc(value.__doc__) if owner is None else None
        )

    def _returned(self, owner: str | None, found: str, named: Named | None = None) -> ast.expr:
        named = named or self._named(owner, found)
        source = self._read(named.returns) if named is not None and named.returns else name(ANY)
        if found in ("__next__", "__anext__"):
            source = _without_none(source)
        return checked(source)

    def _unseen(self) -> Iterator[Class]:
        """Classes that no name leads to, and that are given back all the same."""
        done: set[str] = set()
        while todo := [found for found in self.hidden if found not in done]:
            for found in todo:
                done.add(found)
                item = self.inspected.by_id[found]
                members: list[Member] = []
                for part in sorted(
                    self.inspected.below.get(found, []), key=lambda part: (part["name"], _is_setter(part))
                ):
                    named = self._named(item["name"], part["name"])
                    if part["type"] == "function":
                        members.append(self.described(part["name"], part, named, True, _doc(part.get("doc"))))
                    elif part["type"] == "attribute":
                        members.append(self.variable(part["name"], None, part))
                decorators = [*self._decorators(object, item), "typing.type_check_only"]
                yield Class(self.hidden[found], [], decorators, members, _doc(item.get("doc")))

    def _named(self, owner: str | None, found: str) -> Named | None:
        parts = self.named.get((owner, found), [])
        return next((part for part in parts if part.exported), parts[0] if parts else None)

    def _read_all(self, named: Named | None) -> dict[str, ast.expr]:
        return {key: self._read(text) for key, text in named.parameters.items()} if named is not None else {}

    def _read(self, text: str) -> ast.expr:
        return read(text, self._local)

    def _local(self, found: str) -> str | None:
        """The place of a class of the kernel."""
        return next((place for place in self.places.values() if place.rpartition(":")[2] == found), None)

    def _type_name(self, kind: type) -> ast.expr:
        if kind in self.places:
            return name(self.places[kind])
        if kind is type(None):
            return ast.Constant(None)
        return checked(name(f"{kind.__module__}.{kind.__qualname__}"))

    def _resolved(self, found: ast.expr) -> ast.expr:
        return _Ids(self).visit(found)  # type: ignore[no-any-return]


class _Ids(ast.NodeTransformer):
    """Puts the names of classes into the place of their ids."""

    def __init__(self, kernel: _Kernel) -> None:
        self.kernel = kernel

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not node.id.startswith("#"):
            return node
        found, _, rest = node.id[1:].partition(".")
        place = self.kernel.ids.get(found)
        if place is None:
            item = self.kernel.inspected.by_id.get(found)
            if item is None:
                return name(ANY)
            self.kernel.hidden.setdefault(found, f"_{item['name']}")
            place = f"@:_{item['name']}"
        return name(f"{place}.{rest}" if rest else place)


def _signature(found: str, value: Any, owner: type | None) -> list[inspect.Parameter] | None:
    """The parameters that Python tells of a function, if it was told of them."""
    if type(value).__name__ == "wrapper_descriptor" and found != "__init__":
        return None  # Their names are Python's own.
    plain = owner if found in ("__new__", "__init__") else value
    plain = getattr(plain, "__func__", plain)
    if plain is None or getattr(plain, "__text_signature__", None) is None:
        return None
    try:
        return list(inspect.signature(plain).parameters.values())
    except (TypeError, ValueError):
        return None


def _as_said(parameters: list[Parameter], says: list[inspect.Parameter], bound: bool) -> list[Parameter]:
    """Parameters as the kernel's author has described them by `text_signature`, where PyO3 parses others."""
    first = parameters[:1] if bound else []
    if first and says and says[0].name in ("self", "cls", "type") and says[0].name == first[0].name:
        says = says[1:]
    ours = [(one.name, one.kind) for one in parameters[len(first) :]]
    if ours == [(one.name, one.kind) for one in says]:
        return parameters
    known = {one.name: one for one in parameters if one.kind not in (Kind.VAR_POSITIONAL, Kind.VAR_KEYWORD)}
    out = []
    for one in says:
        default = None if one.default is one.empty else written(one.default)
        annotation = known[one.name].annotation if one.name in known else None
        if annotation is not None and one.default is None:
            annotation = checked(ast.BinOp(annotation, ast.BitOr(), ast.Constant(None)))
        out.append(Parameter(one.name, one.kind, annotation or name(ANY), default))
    if first and any(one.kind is Kind.POSITIONAL_ONLY for one in says):
        first[0].kind = Kind.POSITIONAL_ONLY
    return [*first, *out]


def _submodules(module: ModuleType) -> list[tuple[str, ModuleType]]:
    found = [(key, value) for key, value in vars(module).items() if isinstance(value, ModuleType)]
    return [
        (key, value)
        for key, value in found
        if sys.modules.get(value.__name__) is not value and value is not module
    ]


def _self() -> Parameter:
    return Parameter("self", Kind.POSITIONAL_OR_KEYWORD)


def _subscript(of: str, inner: ast.expr) -> ast.expr:
    return ast.Subscript(name(of), inner)


def _is_setter(item: Item) -> bool:
    return any(chunk.get("attr") in ("setter", "deleter") for chunk in item.get("decorators", []))


def _decorator(chunk: Item) -> str:
    if chunk["type"] == "name":
        return f"builtins.{chunk['id']}"
    # `@Class.name.setter`
    owner = chunk["value"]
    return f"{owner.get('attr') or owner.get('id')}.{chunk['attr']}"


def _without_none(found: ast.expr) -> ast.expr:
    if isinstance(found, ast.BinOp) and isinstance(found.right, ast.Constant) and found.right.value is None:
        return found.left
    return found


def _doc(text: str | None) -> str | None:
    return (inspect.cleandoc(text) or None) if text else None
