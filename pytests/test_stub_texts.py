"""How stubs are made of what PyO3, the Rust source and the loaded module say: types, names and texts."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import pytest

from rsimport.toolbox.stubs import _types
from rsimport.toolbox.stubs._inspected import Inspected
from rsimport.toolbox.stubs._loaded import model
from rsimport.toolbox.stubs._model import Class, Function, Kind, Module, Parameter, Variable
from rsimport.toolbox.stubs._text import docstring, text

Chunk = dict[str, Any]


def name(dotted: str) -> Chunk:
    """A name as PyO3 writes it."""
    head, _, last = dotted.rpartition(".")
    if not head:
        return {"type": "name", "id": last}
    return {"type": "attribute", "value": name(head), "attr": last}


def union(*parts: Chunk) -> Chunk:
    first, *rest = parts
    return {"type": "binop", "left": first, "op": "bitor", "right": union(*rest)} if rest else first


def of(generic: str, *parts: Chunk) -> Chunk:
    inner = parts[0] if len(parts) == 1 else {"type": "tuple", "elts": list(parts)}
    return {"type": "subscript", "value": name(generic), "slice": inner}


def quoted(text: str) -> Chunk:
    return {"type": "constant", "kind": "str", "value": text}


NONE: Chunk = {"type": "constant", "kind": "none"}
FLOAT = union(name("typing.SupportsFloat"), name("typing.SupportsIndex"))
INCOMPLETE = name("_typeshed.Incomplete")


@pytest.mark.parametrize(
    ("chunk", "source", "expected"),
    [
        (name("builtins.list"), None, "builtins.list[typing.Any]"),
        (name("builtins.dict"), None, "builtins.dict[typing.Any, typing.Any]"),
        (name("builtins.tuple"), None, "builtins.tuple[typing.Any, ...]"),
        (of("builtins.tuple", name("builtins.int"), NONE), None, "builtins.tuple[builtins.int, None]"),
        (name("types.CapsuleType"), None, "typing_extensions.CapsuleType"),
        (name("typing.Self"), None, "typing_extensions.Self"),
        (name("types.function"), None, "types.function"),
        (union(name("builtins.str"), union(NONE, name("builtins.str"))), None, "builtins.str | None"),
        (INCOMPLETE, None, "typing.Any"),
        (INCOMPLETE, "NDArray[np.float64]", "numpy.typing.NDArray[numpy.float64]"),
        (union(INCOMPLETE, NONE), "ArrayLike | None", "numpy.typing.ArrayLike | None"),
        (
            of("builtins.list", INCOMPLETE),
            "list[NDArray[Any]]",
            "builtins.list[numpy.typing.NDArray[typing.Any]]",
        ),
        (
            of("_typeshed.SupportsGetItem", name("int"), INCOMPLETE),
            "list[NDArray[np.int8]]",
            "_typeshed.SupportsGetItem[builtins.int, numpy.typing.NDArray[numpy.int8]]",
        ),
        (
            of("builtins.tuple", INCOMPLETE, name("builtins.int")),
            "object",
            "builtins.tuple[typing.Any, builtins.int]",
        ),
        (
            of(
                "builtins.dict",
                name("typing.SupportsIndex"),
                of("_typeshed.SupportsGetItem", name("int"), FLOAT),
            ),
            None,
            "builtins.dict[builtins.int, builtins.list[builtins.float]]",
        ),
        (of("builtins.set", union(FLOAT, NONE)), None, "builtins.set[builtins.float | None]"),
        (
            quoted("collections.abc.Callable[[float], 'Bag']"),
            None,
            "collections.abc.Callable[[builtins.float], @:Bag]",
        ),
        (
            quoted("Literal['a', 'b'] | np.ndarray"),
            None,
            "typing.Literal['a', 'b'] | numpy.ndarray[typing.Any, typing.Any]",
        ),
        (quoted("Sequence[Path]"), None, "collections.abc.Sequence[pathlib.Path]"),
        (quoted("Unheard | int"), None, "typing.Any | builtins.int"),
        (quoted("not a type("), None, "typing.Any"),
    ],
)
def test_a_type_is_one_that_every_checker_takes(chunk: Chunk, source: str | None, expected: str) -> None:
    local = {"Bag": "@:Bag"}.get
    other = _types.read(source, local) if source is not None else None
    found = _types.accepted(_types.checked(_types.filled(_types.of_chunk(chunk, local), other)))
    assert ast.unparse(found) == expected


@pytest.mark.parametrize(
    "doc",
    [
        "One line.",
        "Two.\n\n    An indented one.\nThe last.",
        'Quotes: "a" "" """ """" """"""',
        'ends with a quote"',
        "ends with a backslash \\",
        'ends with both \\"',
        "C:\\new\\table\\x41 \\N{BULLET}",
        "Ünïcödé ⚙ 🦀",
        "control \x07 and \u202e and \x7f",
        "x" * 200,
    ],
)
@pytest.mark.parametrize("indent", ["", "    "])
def test_a_docstring_says_what_was_written(doc: str, indent: str) -> None:
    lines = docstring(doc, indent)
    head = "class C:\n" if indent else ""
    tree = ast.parse(head + "\n".join(lines)).body
    shown = ast.get_docstring(tree[0]) if indent else ast.get_docstring(ast.Module(tree, []))
    assert shown is not None and shown.rstrip() == inspect.cleandoc(doc)


def test_names_in_a_stub_mean_what_they_should() -> None:
    integer = _types.name("builtins.int")
    any_type = _types.name("typing.Any")
    this, other = (
        Parameter("self", Kind.POSITIONAL_OR_KEYWORD),
        Parameter("lambda", Kind.KEYWORD_ONLY, any_type),
    )
    method = Function("int", [this, other], _types.name("@:Any"), is_async=True)
    members = [
        Class("Any", [], [], [method, Variable("Any", integer)]),
        Function("class", [], integer),
        Function(
            "f", [Parameter("x", Kind.POSITIONAL_ONLY, integer)], _types.name("@below:Any"), [], 'Says "so"'
        ),
    ]
    below = Module(("below",), [Class("Any", [_types.name("@:Any")], ["typing.final"], [])], [], None)
    assert text(Module((), members, [below], ["f", 'odd"name']), "# head") == HEAD
    assert text(below, "# head") == BELOW


HEAD = '''\
# head

from builtins import int as _int
from typing import Any as _Any, TypeAlias

from . import below as below
from .below import Any as ___Any

__all__ = ["f", 'odd"name']

class Any:
    async def int(self, *, lambda_: _Any) -> __Any: ...
    Any: _int

def f(x: _int, /) -> ___Any:
    """Says "so\\""""

__Any: TypeAlias = Any
'''

BELOW = """\
# head

from typing import final

from . import Any as _Any

@final
class Any(_Any): ...
"""


def test_without_a_word_of_pyo3_a_stub_says_what_python_knows() -> None:
    class Outline:
        owner, exported = None, True
        name, parameters, returns = "concat", {"a": "list[NDArray[np.float64]]", "b": "str"}, "bool"

    import operator
    from types import ModuleType

    module = ModuleType("k", "Doc.")
    module.concat, module.LIMIT, module.NOTHING = operator.concat, 3, float("nan")  # type: ignore[attr-defined]
    found = text(model(module, Inspected([]), [Outline()], []), "# head")  # type: ignore[list-item]
    assert "def concat(a: list[NDArray[np.float64]], b: str, /) -> bool:\n" in found
    assert "LIMIT: Final = 3\nNOTHING: Final[float]\n" in found and '"""Doc."""' in found
