"""The example with the calls that skip Python."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import REPOSITORY, Result

EXAMPLE = str(REPOSITORY / "examples" / "skip_python.py")
MODULES = ("scipy", "numba", "Cython")


def test_native_callers_get_the_same_as_python_in_every_part_that_is_installed(
    run: Callable[..., Result],
) -> None:
    text = run([EXAMPLE], env={"RSIMPORT_TIER": "optimized"}).stdout
    assert "callbacks.rs exports absorbed, bell, contrast, id_name" in text
    parts = re.findall(r"^(\d)\. (.*)$", text, re.M)
    assert [number for number, _ in parts] == list("123456")
    for number, what in parts:
        assert what.startswith("skipped: ") or what.endswith(" both ways"), what
        if what.endswith(" both ways"):
            native, other, ratio = times(text, number)
            assert ratio == pytest.approx(other / native, rel=0.02)
    for name, value in {"1 + x": "3.14159265359", "logistic_step": "0.133201184569"}.items():
        assert all(what.endswith(f"{value} both ways") for _, what in parts if name in what)


def times(text: str, number: str) -> tuple[float, float, float]:
    part = text.split(f"\n{number}. ")[1]
    found = re.match(r".*\n   native +([\d.,]+) ms\n   against +([\d.,]+) ms by .*: ([\d.]+) x\n", part)
    assert found, part
    native, other, ratio = (float(digits.replace(",", "")) for digits in found.groups())
    return native, other, ratio


def test_what_is_not_installed_is_skipped_with_a_line_that_says_so(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('none', name={name!r})")
    rust_only = tmp_path / "bin"
    rust_only.mkdir()
    for tool in ("cargo", "rustc", "rustup"):
        if found := shutil.which(tool):
            (rust_only / tool).symlink_to(found)
    python_path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    # The kernels are in the cache from here on, so that the last part alone misses the C compiler.
    run(["-c", f"import rsimport; rsimport.imp_from_filepath({str(REPOSITORY / 'examples/callbacks.rs')!r})"])
    run(["-c", "from rsimport.kernels import logistic"])
    text = run([EXAMPLE], env={"PYTHONPATH": python_path, "PATH": str(rust_only)}).stdout
    assert re.findall(r"^\d\. skipped: (.*)$", text, re.M) == [
        "scipy is not installed",
        "scipy is not installed",
        "scipy is not installed",
        "numba is not installed",
        "Cython is not installed",
        "there is no C compiler (cc, gcc or clang)",
    ]


def test_cython_finds_a_function_of_another_type_by_no_cimport(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    pytest.importorskip("Cython")
    pytest.importorskip("setuptools")
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    (tmp_path / "wrong.pyx").write_text("from callbacks cimport id_name\n\nhash = <size_t>id_name\n")
    (tmp_path / "callbacks.pxd").write_text("cdef char *id_name(double id) noexcept nogil\n")
    run(["-m", "Cython.Build.Cythonize", "-3", "-i", "-q", "wrong.pyx"], cwd=tmp_path)
    program = f"""
        import rsimport
        rsimport.imp_from_filepath({str(REPOSITORY / "examples/callbacks.rs")!r})
        try:
            import wrong
        except TypeError as error:
            print(error)
    """
    said = run(program, cwd=tmp_path).out
    assert "id_name has wrong signature" in said
    assert "expected char *(double), got char *(int)" in said
