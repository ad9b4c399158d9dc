"""The functions of a loaded kernel, as PyO3, Python and the Rust source describe them together."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from rsimport.toolbox.stubs._model import Function, Kind, Parameter
from rsimport.toolbox.stubs._types import (
    ANY,
    SELF,
    accepted,
    checked,
    filled,
    name,
    of_chunk,
    value_of_chunk,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rsimport._engine import Named
    from rsimport.toolbox.stubs._inspected import Item
    from rsimport.toolbox.stubs._places import Places

_OPERATORS = "add sub mul matmul truediv floordiv mod pow lshift rshift and xor or"
INPLACE = {f"__i{word}__" for word in _OPERATORS.split()}
REFLECTED = {f"__r{word}__": f"__{word}__" for word in (*_OPERATORS.split(), "divmod")}


class Functions:
    """Makes functions of what is known of them. `outline` is what stands where in the kernel's Rust files."""

    def __init__(self, places: Places, outline: Sequence[Named]) -> None:
        self.places = places
        self.named: dict[tuple[str | None, str], list[Named]] = {}
        for part in outline:
            self.named.setdefault((part.owner, part.name), []).append(part)

    def of(self, found: str, value: Any, item: Item | None, owner: type | None) -> Function:
        class_name = owner.__name__ if owner is not None else None
        named = self.named_at(class_name, getattr(value, "__name__", found) if owner is None else found)
        if item is None:
            return self._by_signature(found, value, named, owner)
        doc = doc_of(value.__doc__) if owner is None else doc_of(item.get("doc"))
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
        source = self.places.read(named.returns) if named is not None and named.returns else None
        if source is not None and found in ("__next__", "__anext__"):
            source = _without_none(source)
        if is_method and (found in INPLACE or found == "__new__"):
            returns = name(SELF)
        else:
            returns = checked(
                self.places.resolved(filled(of_chunk(item["returns"], self.places.local), source))
            )
        is_async = bool(item.get("async"))
        if any(decorator.endswith((".setter", ".deleter")) for decorator in decorators):
            doc = None  # A property has one documentation.
        return Function(found, parameters, returns, decorators, doc, is_async)

    def returned(self, owner: str | None, found: str, named: Named | None = None) -> ast.expr:
        named = named or self.named_at(owner, found)
        source = self.places.read(named.returns) if named is not None and named.returns else name(ANY)
        if found in ("__next__", "__anext__"):
            source = _without_none(source)
        return checked(source)

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
                    annotation = of_chunk(chunk["annotation"], self.places.local)
                    source = types.get(chunk["name"])
                    is_anything = isinstance(annotation, ast.Name) and annotation.id == "builtins.object"
                    # To what it does not take, an operator answers NotImplemented: it takes no more.
                    if is_anything and source is not None and found not in ("__eq__", "__ne__"):
                        annotation = source
                    annotation = accepted(checked(self.places.resolved(filled(annotation, source))))
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
            else self.returned(owner.__name__ if owner is not None else None, found, named)
        )
        return Function(
            found, parameters, returns, decorators, doc_of(value.__doc__) if owner is None else None
        )

    def named_at(self, owner: str | None, found: str) -> Named | None:
        parts = self.named.get((owner, found), [])
        return next((part for part in parts if part.exported), parts[0] if parts else None)

    def _read_all(self, named: Named | None) -> dict[str, ast.expr]:
        return (
            {key: self.places.read(text) for key, text in named.parameters.items()}
            if named is not None
            else {}
        )


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


def doc_of(text: str | None) -> str | None:
    return (inspect.cleandoc(text) or None) if text else None
