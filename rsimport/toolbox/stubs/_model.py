"""What a stub says: modules, classes, functions and variables. Their types are trees (see `_types`)."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from inspect import _ParameterKind as Kind
from typing import TypeAlias

__all__ = ["Alias", "Class", "Function", "Kind", "Member", "Module", "Parameter", "Variable"]


@dataclass
class Parameter:
    name: str
    kind: Kind
    annotation: ast.expr | None = None
    default: ast.expr | None = None


@dataclass
class Function:
    name: str
    parameters: list[Parameter]
    returns: ast.expr
    decorators: list[str] = field(default_factory=list)
    doc: str | None = None
    is_async: bool = False


@dataclass
class Variable:
    name: str
    annotation: ast.expr
    value: ast.expr | None = None
    remark: str = ""
    """A comment for the type checker."""


@dataclass
class Alias:
    """Another name of a class."""

    name: str
    target: ast.expr


@dataclass
class Class:
    name: str
    bases: list[ast.expr]
    decorators: list[str]
    members: list[Member]
    doc: str | None = None


@dataclass
class Module:
    path: tuple[str, ...]
    """The way from the kernel's own module, which has none."""
    members: list[Member]
    modules: list[Module]
    exported: list[str] | None
    """`__all__`."""
    doc: str | None = None


Member: TypeAlias = Function | Variable | Alias | Class
