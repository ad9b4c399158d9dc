"""A shell of this process with the magics, and notebooks run by a real kernel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from notebooks import Shell

import rsimport


@pytest.fixture
def project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the notebook runs."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("IPYTHONDIR", str(project.parent / "ipython"))
    monkeypatch.setenv("JPY_SESSION_NAME", str(project / "a.ipynb"))
    return project


@pytest.fixture
def shell(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell of this process; what is imported in it is forgotten afterwards."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.syspath_prepend(str(project))
    # On a busy machine any build may take long enough for its progress to be shown.
    monkeypatch.setenv("RSIMPORT_PROGRESS", "false")
    known = set(sys.modules)
    with rsimport.install():
        started = Shell()
        yield started
        started.run("%unload_ext rsimport")
    for name in set(sys.modules) - known:
        if "_rsimport_spec" in vars(sys.modules[name]) or (project / f"{name}.py").exists():
            del sys.modules[name]


@pytest.fixture
def notebook(project: Path) -> Callable[..., list[list[Any]]]:
    """Runs cells in a real kernel, and tells what outputs each of them is left with."""
    # It takes seconds to import, which most workers never need.
    import nbformat
    from nbclient import NotebookClient

    def run_cells(*cells: str) -> list[list[Any]]:
        sheet = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        resources = {"metadata": {"path": str(project)}}
        client = NotebookClient(
            sheet, timeout=300, allow_errors=True, kernel_name="python3", resources=resources
        )
        client.execute()
        return [cell.outputs for cell in sheet.cells]

    return run_cells
