"""The kernel that is measured: the logistic map that comes with rsimport, and edits of it."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
NAME = "logistic"
OTHER = "increment"
"""A second kernel of about the same size."""

_STEP = "x = r * x * (1.0 - x);"


def text(name: str = NAME) -> str:
    """A shipped kernel."""
    return (REPOSITORY / "kernels" / f"{name}.rs").read_text(encoding="utf-8")


def edited(number: int) -> str:
    """The kernel with another loop body for every number: one step from x = 0 gives the number.

    The edit reaches the machine code, as that of a person at work does, and the result tells which text was
    compiled.
    """
    original = text()
    if original.count(_STEP) != 1:
        raise ValueError(f"kernels/{NAME}.rs no longer has the line {_STEP!r} that is to be edited")
    return original.replace(_STEP, f"{_STEP.removesuffix(';')} + {number}.0;")


def with_module(kernel: str, name: str) -> str:
    """A kernel with the `#[pymodule]` that one has to write where rsimport does not make it."""
    if re.search(r"^#\[pymodule\]", kernel, re.M):
        return kernel
    functions = re.findall(r"#\[pyfunction\](?:\s*#\[.*\])*\s+fn (\w+)", kernel)
    classes = re.findall(r"#\[pyclass.*\]\s+(?:pub )?struct (\w+)", kernel)
    calls = "".join(
        (
            *(f"    m.add_function(wrap_pyfunction!({function}, m)?)?;\n" for function in functions),
            *(f"    m.add_class::<{name}>()?;\n" for name in classes),
        )
    )
    signature = "fn python_module(m: &Bound<'_, PyModule>) -> PyResult<()>"
    return f'{kernel}\n#[pymodule]\n#[pyo3(name = "{name}")]\n{signature} {{\n{calls}    Ok(())\n}}\n'
