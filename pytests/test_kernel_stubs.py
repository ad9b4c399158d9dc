"""The stub beside each shipped kernel names what the built module holds, with the same parameters."""

from __future__ import annotations

import ast
import importlib
import inspect
from types import ModuleType

import pytest
from helpers import REPOSITORY

KERNELS = sorted(path.stem for path in (REPOSITORY / "kernels").glob("*.rs"))


@pytest.fixture(params=KERNELS)
def kernel_module(request: pytest.FixtureRequest, shared_cache: object) -> ModuleType:
    return importlib.import_module(f"rsimport.kernels.{request.param}")


def test_the_stub_fits_the_module(kernel_module: ModuleType) -> None:
    name = kernel_module.__name__.rpartition(".")[2]
    stub = ast.parse((REPOSITORY / "kernels" / f"{name}.pyi").read_text(encoding="utf-8"))
    assert in_stub(stub) == in_module(kernel_module)


def test_everything_in_it_has_a_docstring(kernel_module: ModuleType) -> None:
    for name in kernel_module.__all__:
        member = getattr(kernel_module, name)
        assert member.__doc__, name
        if inspect.isclass(member):
            assert not [key for key, value in vars(member).items() if is_public(key) and not value.__doc__]


def in_stub(body: ast.Module | ast.ClassDef) -> dict[str, object]:
    """Public functions with their parameters, public classes with what is in them, properties as None."""
    found: dict[str, object] = {}
    for node in body.body:
        if isinstance(node, ast.FunctionDef) and is_public(node.name):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if decorators == ["overload"]:
                # The first of the forms is the one that the module shows.
                found.setdefault(node.name, parameters(node.args))
            else:
                found[node.name] = parameters(node.args) if decorators in ([], ["classmethod"]) else None
        elif isinstance(node, ast.ClassDef):
            found[node.name] = in_stub(node)
    return found


def parameters(given: ast.arguments) -> list[str]:
    """Their names in the order in which inspect.signature has them."""
    found = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [argument.arg for argument in found if argument is not None]


def in_module(holder: ModuleType | type) -> dict[str, object]:
    """The same of a module or class, without methods of a class that are those of the one above it again."""
    found: dict[str, object] = {}
    for name in filter(is_public, getattr(holder, "__all__", vars(holder))):
        member = vars(holder)[name]
        if inspect.isclass(member):
            found[name] = in_module(member)
        elif not callable(member):
            found[name] = None
        elif signature(member) != signature(getattr(getattr(holder, "__base__", None), name, None)):
            found[name] = signature(member)
    return found


def signature(function: object) -> list[str] | None:
    return list(inspect.signature(function).parameters) if callable(function) else None


def is_public(name: str) -> bool:
    return not name.startswith("_")
