"""Types in stubs: trees of Python's own `ast`, in which names have their module until a file is written."""

from __future__ import annotations

import ast
import builtins
import types
import typing
from collections import abc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ANY = "typing.Any"
INCOMPLETE = "_typeshed.Incomplete"
SELF = "typing_extensions.Self"

_NEWER = (
    "LiteralString Never NotRequired ReadOnly Required Self TypeIs TypeVarTuple Unpack disjoint_base override"
)
NEWER = {
    "types.CapsuleType",
    "collections.abc.Buffer",
    "warnings.deprecated",
    *(f"typing.{found}" for found in _NEWER.split()),
}
"""What the oldest Python that is supported has not: every type checker knows it of typing_extensions."""

_WITH_ONE = (
    "list set frozenset type AsyncIterable AsyncIterator Awaitable Collection Container Iterable Iterator "
    "KeysView MutableSequence MutableSet Reversible Sequence Set ValuesView deque Counter PathLike Pattern "
    "Match ReferenceType ProxyType ref Future dtype partial"
)
_WITH_TWO = (
    "dict ItemsView Mapping MutableMapping OrderedDict defaultdict ChainMap CallableProxyType ndarray "
    "SupportsGetItem SupportsLenAndGetItem"
)
PARAMETERS = {
    **dict.fromkeys(_WITH_ONE.split(), 1),
    **dict.fromkeys(_WITH_TWO.split(), 2),
    **dict.fromkeys(("Coroutine", "Generator"), 3),
    "tuple": -1,
}
"""The number of type parameters that a class is to be given; -1 for any number of them."""

_PLACES = {
    "np": "numpy",
    "npt": "numpy.typing",
    "NDArray": "numpy.typing.NDArray",
    "ArrayLike": "numpy.typing.ArrayLike",
    "Path": "pathlib.Path",
    "PathLike": "os.PathLike",
    "Decimal": "decimal.Decimal",
    "Fraction": "fractions.Fraction",
    "UUID": "uuid.UUID",
    "timedelta": "datetime.timedelta",
    "CapsuleType": "types.CapsuleType",
    "ModuleType": "types.ModuleType",
    "Incomplete": INCOMPLETE,
    **{name: f"typing.{name}" for name in (*typing.__all__, "Self", "Never", "LiteralString")},
    **{name: f"collections.abc.{name}" for name in abc.__all__},
    **{name: f"builtins.{name}" for name in vars(builtins)},
}
"""What a name without a module means in a type that somebody wrote down."""


_OF_TYPES = {
    value.__name__: f"types.{key}"
    for key, value in sorted(vars(types).items())
    if isinstance(value, type) and value.__module__ == "builtins" and not hasattr(builtins, value.__name__)
}
"""Classes of Python's own that are found in `types`, by the name that they give themselves."""


def name(dotted: str) -> ast.expr:
    """A name with its module."""
    return ast.Name(dotted)


def read(text: str, local: Callable[[str], str | None]) -> ast.expr:
    """A type as it is written in Python. `local` knows the names that the kernel itself has."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return name(ANY)
    return _Reader(local).visit(tree)  # type: ignore[no-any-return]


class _Reader(ast.NodeTransformer):
    def __init__(self, local: Callable[[str], str | None]) -> None:
        self.local = local

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return name(self.local(node.id) or _PLACES.get(node.id, ANY))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        dotted = ast.unparse(node)
        first, _, rest = dotted.partition(".")
        if (found := self.local(first)) is not None:
            return name(f"{found}.{rest}")
        place = _PLACES.get(first, first)
        return name(f"{first if place.startswith(('builtins.', 'typing.')) else place}.{rest}")

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        value = self.visit(node.value)
        is_literal = isinstance(value, ast.Name) and value.id == "typing.Literal"
        return ast.Subscript(value, node.slice if is_literal else self.visit(node.slice))

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return read(node.value, self.local) if isinstance(node.value, str) else node


def of_chunk(chunk: Mapping[str, Any], local: Callable[[str], str | None]) -> ast.expr:
    """A type as PyO3 leaves it in a library. What a user has written down as text is read as such."""
    kind = chunk["type"]
    if kind == "name":
        return name(_PLACES.get(chunk["id"], chunk["id"]))
    if kind == "id":
        return name(f"#{chunk['id']}")
    if kind == "attribute":
        value = of_chunk(chunk["value"], local)
        return name(f"{value.id if isinstance(value, ast.Name) else ast.unparse(value)}.{chunk['attr']}")
    if kind == "binop":
        return ast.BinOp(of_chunk(chunk["left"], local), ast.BitOr(), of_chunk(chunk["right"], local))
    if kind == "subscript":
        value = of_chunk(chunk["value"], local)
        is_literal = isinstance(value, ast.Name) and value.id == "typing.Literal"
        return ast.Subscript(
            value, value_of_chunk(chunk["slice"]) if is_literal else of_chunk(chunk["slice"], local)
        )
    if kind in ("tuple", "list"):
        items = [of_chunk(item, local) for item in chunk["elts"]]
        return ast.Tuple(items) if kind == "tuple" else ast.List(items)
    if chunk["kind"] == "str":
        return read(chunk["value"], local)
    return value_of_chunk(chunk)


def value_of_chunk(chunk: Mapping[str, Any]) -> ast.expr:
    """A value as PyO3 leaves it in a library, such as a default."""
    kind = chunk["type"]
    if kind in ("tuple", "list"):
        items = [value_of_chunk(item) for item in chunk["elts"]]
        return ast.Tuple(items) if kind == "tuple" else ast.List(items)
    if kind != "constant":
        return ast.Constant(...)
    value = chunk.get("value")
    read_as: dict[str, Callable[[Any], object]] = {"bool": bool, "int": int, "float": float, "str": str}
    if chunk["kind"] in read_as:
        return written(read_as[chunk["kind"]](value))
    return ast.Constant(None if chunk["kind"] == "none" else ...)


def written(value: object) -> ast.expr:
    """A value as a stub can have it: `...` where it is none of the few that it may be."""
    plain = type(value) in (bool, int, str, bytes, float, type(None))
    if plain and len(repr(value)) <= 80 and repr(value) not in ("inf", "-inf", "nan"):
        return ast.parse(repr(value), mode="eval").body
    return ast.Constant(...)


def of_value(value: object) -> ast.expr | None:
    """The type of what containers of Python's own hold, if they are such."""
    kind = type(value)
    if kind in (bool, int, float, complex, str, bytes):
        return name(f"builtins.{kind.__name__}")
    if value is None:
        return ast.Constant(None)
    if isinstance(value, tuple) and kind is tuple and len(value) <= 8:
        return ast.Subscript(
            name("builtins.tuple"), ast.Tuple([of_value(item) or name(ANY) for item in value])
        )
    if isinstance(value, (list, set, frozenset)) and kind in (list, set, frozenset):
        return ast.Subscript(name(f"builtins.{kind.__name__}"), _common(value))
    if isinstance(value, dict) and kind is dict:
        return ast.Subscript(name("builtins.dict"), ast.Tuple([_common(value), _common(value.values())]))
    return None


def _common(values: Iterable[object]) -> ast.expr:
    """The type of all of these, if they have one."""
    found = {ast.unparse(known) if (known := of_value(value)) is not None else ANY for value in values}
    return (
        ast.parse(found.pop(), mode="eval").body if len(found) == 1 and "." not in str(found) else name(ANY)
    )


def filled(found: ast.expr, source: ast.expr | None) -> ast.expr:
    """A type of which PyO3 knows not every part: those are taken from another reading."""
    if isinstance(found, ast.Name) and found.id == INCOMPLETE:
        return source or name(ANY)
    if isinstance(found, ast.Subscript):
        inner = source.slice if isinstance(source, ast.Subscript) else None
        if (
            isinstance(found.value, ast.Name)
            and found.value.id == "_typeshed.SupportsGetItem"
            and inner is not None
        ):
            inner = ast.Tuple([name("builtins.int"), inner])
        return ast.Subscript(found.value, filled(found.slice, inner))
    if isinstance(found, ast.BinOp):
        if isinstance(source, ast.BinOp):
            return ast.BinOp(filled(found.left, source.left), found.op, filled(found.right, source.right))
        return ast.BinOp(filled(found.left, None), found.op, filled(found.right, None))
    if isinstance(found, (ast.Tuple, ast.List)):
        theirs = source.elts if isinstance(source, (ast.Tuple, ast.List)) else []
        pairs = [*theirs, *[None] * len(found.elts)]
        return type(found)([filled(item, other) for item, other in zip(found.elts, pairs, strict=False)])
    return found


def accepted(found: ast.expr) -> ast.expr:
    """The type of a parameter: a `dict[str, int]` is no `dict[str, SupportsIndex]`, and so on for what can
    be changed.
    """
    return _Accepted().visit(found)  # type: ignore[no-any-return]


class _Accepted(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id in (
            "builtins.dict",
            "builtins.set",
            "builtins.list",
        ):
            return ast.Subscript(node.value, _Plain().visit(node.slice))
        return self.generic_visit(node)  # type: ignore[return-value]


class _Plain(ast.NodeTransformer):
    """What PyO3 takes for a number or a list, as what it nearly always is."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return name(
            {"typing.SupportsIndex": "builtins.int", "typing.SupportsFloat": "builtins.float"}.get(
                node.id, node.id
            )
        )

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        parts = [part.id if isinstance(part, ast.Name) else "" for part in _operands(node)]
        if "typing.SupportsFloat" in parts:
            rest = [
                part
                for part in _operands(node)
                if not (isinstance(part, ast.Name) and part.id.startswith("typing.Supp"))
            ]
            made = name("builtins.float")
            for part in rest:
                made = ast.BinOp(made, ast.BitOr(), self.visit(part))
            return made
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        of = node.value.id if isinstance(node.value, ast.Name) else ""
        if of == "_typeshed.SupportsGetItem" and isinstance(node.slice, ast.Tuple):
            return ast.Subscript(name("builtins.list"), self.visit(node.slice.elts[1]))
        if of == "_typeshed.SupportsLenAndGetItem":
            return ast.Subscript(name("builtins.list"), self.visit(node.slice))
        return self.generic_visit(node)  # type: ignore[return-value]


def checked(found: ast.expr) -> ast.expr:
    """The type as every checker takes it: no bare generics, nothing that only newer Pythons have."""
    return _Checked().visit(found)  # type: ignore[no-any-return]


class _Checked(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        number = PARAMETERS.get(node.id.rpartition(".")[2], 0) if not node.id.startswith(("#", "@")) else 0
        if node.id in ("typing.Callable", "collections.abc.Callable"):
            return ast.Subscript(_older(node), ast.Tuple([ast.Constant(...), name(ANY)]))
        if number == 0:
            return _older(node)
        anything: list[ast.expr] = [name(ANY)] * abs(number)
        if number == -1:
            anything.append(ast.Constant(...))
        return ast.Subscript(_older(node), anything[0] if len(anything) == 1 else ast.Tuple(anything))

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        value = _older(node.value) if isinstance(node.value, ast.Name) else self.visit(node.value)
        is_literal = isinstance(value, ast.Name) and value.id == "typing.Literal"
        return ast.Subscript(value, node.slice if is_literal else self.visit(node.slice))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        parts: dict[str, ast.expr] = {}
        for part in _operands(node):
            seen = self.visit(part)
            parts.setdefault(ast.unparse(seen), seen)
        first, *rest = parts.values()
        for part in rest:
            first = ast.BinOp(first, ast.BitOr(), part)
        return first


def _operands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [*_operands(node.left), *_operands(node.right)]
    return [node]


def _older(node: ast.Name) -> ast.Name:
    if node.id in NEWER:
        return ast.Name("typing_extensions." + node.id.rpartition(".")[2])
    return ast.Name(_OF_TYPES.get(node.id.removeprefix("builtins."), node.id))
