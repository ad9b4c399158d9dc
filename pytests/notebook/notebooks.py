"""Shells for the tests of the notebook magics, and what is typed into them."""

from __future__ import annotations

import uuid
from typing import Any

from helpers import package
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

CONFIG = Config({"HistoryManager": {"enabled": False, "hist_file": ":memory:"}})
USE = "use pyo3::prelude::*;\n"
MODULE = """#[pymodule]
fn {0}(m: &Bound<'_, PyModule>) -> PyResult<()> {{
    m.add_function(wrap_pyfunction!(value, m)?)
}}
"""
HELPER = {
    "helper/Cargo.toml": package("helper"),
    "helper/src/lib.rs": "fn unused() {}\npub fn number() -> i64 {\n    5\n}\n",
}


def fresh() -> int:
    """A number that no text in any cache has."""
    return uuid.uuid4().int >> 70


class Shell:
    """An IPython shell in which the extension is loaded."""

    def __init__(self) -> None:
        self.ip: Any = InteractiveShell(config=CONFIG)
        self.run("%load_ext rsimport")

    def run(self, cell: str) -> Any:
        """What the cell's last line gives; an error in it is raised."""
        result = self.ip.run_cell(cell)
        result.raise_error()
        return result.result

    def fails(self, cell: str) -> Any:
        """The error that the cell ends with."""
        result = self.ip.run_cell(cell)
        error = result.error_before_exec or result.error_in_exec
        assert error is not None, "no error"
        return error
