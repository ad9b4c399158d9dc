"""What holds of the package's own files, checked by reading them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import rsimport

PACKAGE = Path(rsimport.__file__).parent


def imported(tree: ast.AST, modules: set[str]) -> Iterator[str]:
    """The package's modules that a file imports, wherever it does, but for what only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "rsimport":
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rsimport."):
            package = node.module.removeprefix("rsimport.")
            below = {f"{package}.{name.name}" for name in node.names}
            yield from below & modules or {package}
        yield from imported(node, modules)


def graph(folder: Path) -> dict[str, set[str]]:
    """Who imports whom, by the names below `rsimport`."""
    texts = {}
    for path in folder.rglob("*.py"):
        if "kernels" not in path.parts:
            name = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
            texts[name] = path.read_text(encoding="utf-8")
    return {name: set(imported(ast.parse(text), set(texts))) for name, text in texts.items()}


def test_no_two_modules_need_one_another():
    found = graph(PACKAGE)
    assert "_loader" in found["_finder"], "imports are seen"
    TopologicalSorter(found).prepare()


def test_what_is_imported_inside_a_function_counts(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    from rsimport.b import g\n")
    (tmp_path / "b.py").write_text("if TYPE_CHECKING:\n    from rsimport.a import f\n")
    assert graph(tmp_path) == {"a": {"b"}, "b": set()}
