"""The text of a stub: imports for whatever its types name, and what the model says, in the form in which
`ruff format` leaves it.
"""

from __future__ import annotations

import ast
import copy
import keyword
import re
import sys
from typing import TYPE_CHECKING

from rsimport.toolbox.stubs._model import Alias, Class, Function, Kind, Member, Module, Variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WIDTH = 110
INDENT = "    "

_ALIKE = "__doc__ __eq__ __hash__ __init__ __module__ __ne__ __new__ __repr__ __str__"
OF_OBJECT = set(dir(object)) - set(_ALIKE.split())
"""What a class may have otherwise than `object` has it."""


def text(module: Module, head: str) -> str:
    """The text of one module's stub, below a first line."""
    return _Writer(module).text(head)


class _Writer:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.inside = {
            found for member in module.members if isinstance(member, Class) for found in _inside(member)
        }
        self.taken = (
            self.inside
            | {member.name for member in module.members}
            | {below.path[-1] for below in module.modules}
        )
        self.imports: dict[str, dict[str, str]] = {}
        """By module, the names that are imported from it and what they are called here."""
        self.again: dict[str, str] = {}
        """Classes under another name, where a member of a class has theirs."""

    def text(self, head: str) -> str:
        body = list(self.members(self.module.members, ""))
        again = [
            f"{alias}: {self.name('typing.TypeAlias')} = {called}" for called, alias in self.again.items()
        ]
        body += ["", *again] if again else []
        lines = [head, *_directives(self.module.members)]
        if self.module.doc:
            lines += docstring(self.module.doc, "")
        imports = list(self._imported())
        lines += ["", *imports] if imports else []
        if self.module.exported is not None:
            lines += ["", *_listed("__all__ = ", self.module.exported)]
        lines += ["", *body] if body else []
        return "\n".join(lines) + "\n"

    def _imported(self) -> Iterator[str]:
        """The lines in the order in which `ruff` leaves them."""
        sections: dict[int, list[str]] = {}
        if self.module.modules:
            # What is imported as what it is called belongs to the module.
            below = ", ".join(f"{part.path[-1]} as {part.path[-1]}" for part in self.module.modules)
            sections[3] = [f"from . import {below}"]
        for module, names in sorted(self.imports.items()):
            top = module.lstrip("=").partition(".")[0]
            section = 3 if not top else 1 if top in sys.stdlib_module_names or top == "_typeshed" else 2
            sections.setdefault(section, []).extend(_import_lines(module, names))
        for at, section in enumerate(sorted(sections)):
            if at:
                yield ""
            yield from sections[section]

    def members(self, members: list[Member], indent: str) -> Iterator[str]:
        before, had_body = "", False
        for member in members:
            if keyword.iskeyword(member.name):
                continue  # Only getattr() can ask for it.
            lines = list(self.member(member, indent))
            kind = "variable" if isinstance(member, (Variable, Alias)) else "function"
            if isinstance(member, Class) and len(lines) > 1:
                kind = "class"
            apart = "class" in (before, kind) or (not indent and (before != kind or had_body))
            if before and apart:
                yield ""
            yield from lines
            before, had_body = kind, isinstance(member, Function) and member.doc is not None

    def member(self, member: Member, indent: str) -> Iterator[str]:
        if isinstance(member, Function):
            yield from self.function(member, indent)
        elif isinstance(member, Class):
            yield from self.cls(member, indent)
        elif isinstance(member, Alias):
            yield f"{indent}{member.name} = {self.type(member.target)}"
        else:
            yield self.variable(member, indent)

    def variable(self, found: Variable, indent: str) -> str:
        value = f" = {self.type(found.value)}" if found.value is not None else ""
        remark = f"  # {found.remark}" if found.remark else ""
        return f"{indent}{found.name}: {self.type(found.annotation)}{value}{remark}"

    def cls(self, found: Class, indent: str) -> Iterator[str]:
        for decorator in found.decorators:
            yield f"{indent}@{self.name(decorator)}"
        bases = f"({', '.join(map(self.type, found.bases))})" if found.bases else ""
        members = list(self.members(found.members, indent + INDENT))
        if not members and not found.doc:
            yield f"{indent}class {found.name}{bases}: ..."
            return
        yield f"{indent}class {found.name}{bases}:"
        if found.doc:
            yield from docstring(found.doc, indent + INDENT)
            if members:
                yield ""
        yield from members

    def function(self, found: Function, indent: str) -> Iterator[str]:
        for decorator in found.decorators:
            own = decorator.endswith((".setter", ".deleter"))
            yield f"{indent}@{decorator if own else self.name(decorator)}"
        parameters = self.parameters(found)
        start = f"{indent}{'async ' if found.is_async else ''}def {found.name}("
        end = f") -> {self.type(found.returns)}:"
        tail = "" if found.doc else " ..."
        line = f"{start}{', '.join(parameters)}{end}{tail}"
        if len(line) <= WIDTH or not parameters:
            yield line
        else:
            yield start
            inner = f"{indent}{INDENT}{', '.join(parameters)}"
            if len(inner) <= WIDTH:
                yield inner
            else:
                yield from (f"{indent}{INDENT}{part}," for part in parameters)
            yield f"{indent}{end}{tail}"
        if found.doc:
            yield from docstring(found.doc, indent + INDENT)

    def parameters(self, found: Function) -> list[str]:
        out: list[str] = []
        positional = starred = False
        for parameter in found.parameters:
            if positional and parameter.kind is not Kind.POSITIONAL_ONLY:
                out.append("/")
            positional = parameter.kind is Kind.POSITIONAL_ONLY
            if parameter.kind is Kind.KEYWORD_ONLY and not starred:
                out.append("*")
            starred |= parameter.kind in (Kind.VAR_POSITIONAL, Kind.KEYWORD_ONLY)
            mark = {Kind.VAR_POSITIONAL: "*", Kind.VAR_KEYWORD: "**"}.get(parameter.kind, "")
            # Python's own words can only be given by position.
            called = mark + parameter.name + ("_" if keyword.iskeyword(parameter.name) else "")
            annotation = f": {self.type(parameter.annotation)}" if parameter.annotation is not None else ""
            equals = " = " if annotation else "="
            default = f"{equals}{self.type(parameter.default)}" if parameter.default is not None else ""
            out.append(f"{called}{annotation}{default}")
        if positional:
            out.append("/")
        return out

    def type(self, found: ast.expr) -> str:
        return ast.unparse(_Spelled(self).visit(copy.deepcopy(found)))

    def name(self, dotted: str) -> str:
        """What a name is called in this file, which then imports it."""
        if dotted.startswith("@"):
            return self._own(dotted)
        module, _, rest = dotted.partition(".")
        if not rest:
            return dotted
        while rest and "." in rest and not rest.partition(".")[0][:1].isupper():
            head, _, rest = rest.partition(".")
            module = f"{module}.{head}"
        first, _, inner = rest.partition(".")
        if module == "numpy" and "np" not in self.taken:
            self.imports.setdefault("=numpy", {})["numpy"] = "np"
            return f"np.{rest}"
        if module == "builtins" and first not in self.taken:
            return rest
        alias = self._called(module, first)
        return f"{alias}.{inner}" if inner else alias

    def _called(self, module: str, found: str) -> str:
        """The name under which something is imported: its own, unless that is somebody else's."""
        known = self.imports.setdefault(module, {})
        if found not in known:
            known[found] = self._free(found)
        return known[found]

    def _free(self, found: str) -> str:
        """A name like this one that nothing else has here."""
        others = {alias for names in self.imports.values() for alias in names.values()}
        while found in self.taken or found in others or found in self.again.values():
            found = f"_{found}"
        return found

    def _own(self, place: str) -> str:
        """The name of a class of the kernel."""
        path, _, qualname = place[1:].partition(":")
        first, _, inner = qualname.partition(".")
        theirs = tuple(path.split(".")) if path else ()
        if theirs == self.module.path:
            if first in self.inside:
                if first not in self.again:
                    self.again[first] = self._free(first)
                first = self.again[first]
        else:
            # From the package that the module itself is, or that it is in.
            package = (
                self.module.path if self.module.modules or not self.module.path else self.module.path[:-1]
            )
            common = 0
            while common < min(len(package), len(theirs)) and package[common] == theirs[common]:
                common += 1
            dots = "." * (1 + len(package) - common)
            first = self._called(dots + ".".join(theirs[common:]), first)
        return f"{first}.{inner}" if inner else first


class _Spelled(ast.NodeTransformer):
    """Names as this file has them."""

    def __init__(self, writer: _Writer) -> None:
        self.writer = writer

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(self.writer.name(node.id))

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Name(_quoted(node.value)) if isinstance(node.value, str) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        inner = self.visit(node.slice)
        if isinstance(inner, ast.Tuple) and len(inner.elts) == 1:
            inner = inner.elts[0]
        return ast.Subscript(self.visit(node.value), inner)


def _import_lines(module: str, names: dict[str, str]) -> list[str]:
    if module.startswith("="):
        return [f"import {module[1:]} as {alias}" for alias in names.values()]
    parts = [found if found == alias else f"{found} as {alias}" for found, alias in sorted(names.items())]
    line = f"from {module} import {', '.join(parts)}"
    return (
        [line]
        if len(line) <= WIDTH
        else [f"from {module} import (", *(f"{INDENT}{part}," for part in parts), ")"]
    )


def _directives(members: list[Member]) -> Iterator[str]:
    """What type checkers are not to say of classes, whose methods are what they are."""
    classes = list(_classes(members))
    names = [(found, {member.name for member in found.members}) for found in classes]
    mypy = []
    if any(f"__i{name[2:]}" in inner for _, inner in names for name in inner):
        mypy.append("misc")
    if any((found.bases and inner) or inner & OF_OBJECT for found, inner in names):
        mypy.append("override")
    if mypy:
        yield f'# mypy: disable-error-code="{", ".join(mypy)}"'
    if "override" in mypy:
        yield "# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false"


def _classes(members: Iterable[Member]) -> Iterator[Class]:
    for member in members:
        if isinstance(member, Class):
            yield member
            yield from _classes(member.members)


def _inside(found: Class) -> Iterator[str]:
    for member in found.members:
        yield member.name
        if isinstance(member, Class):
            yield from _inside(member)


def _listed(start: str, names: list[str]) -> list[str]:
    line = f"{start}[{', '.join(map(_quoted, names))}]"
    if len(line) <= WIDTH:
        return [line]
    return [f"{start}[", *(f"{INDENT}{_quoted(found)}," for found in names), "]"]


def _quoted(found: str) -> str:
    quote = "'" if '"' in found and "'" not in found else '"'
    return quote + "".join(map(_escaped, found)).replace(quote, f"\\{quote}") + quote


def docstring(found: str, indent: str) -> list[str]:
    """The lines of a text in triple quotes."""
    lines = ["".join(map(_escaped, line)).rstrip() for line in found.split("\n")]
    lines = [re.sub('"{3,}', _escaped_quotes, line) for line in lines[:-1]] + [
        # Behind the last line stand three more.
        re.sub('"{3,}|"+$', _escaped_quotes, lines[-1])
    ]
    if len(lines) == 1 and len(indent + lines[0]) + 6 <= WIDTH:
        return [f'{indent}"""{lines[0]}"""']
    return [f'{indent}"""{lines[0]}', *(indent + line if line else "" for line in lines[1:]), f'{indent}"""']


def _escaped_quotes(found: re.Match[str]) -> str:
    return '\\"' * len(found[0])


def _escaped(letter: str) -> str:
    if letter == "\\":
        return "\\\\"
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
