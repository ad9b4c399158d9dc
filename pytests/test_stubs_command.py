"""`rsimport stubs`: what it writes where, what it leaves alone, and what type checkers say of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checkers import check
from helpers import REPOSITORY, Result, package, snapshot, wait_for, write
from stub_pyo3 import dependency, module

Cli = Callable[..., Result]
Kernel = Callable[..., Path]

OURS = "# Written by `rsimport stubs` from k.rs"
CHECKED = REPOSITORY / "pytests" / "checked"


def test_type_checkers_take_the_stubs_of_kernels(
    tmp_path: Path, shared_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernels = [*sorted((REPOSITORY / "kernels").glob("*.rs")), CHECKED / "everything.rs"]
    assert check(kernels, CHECKED / "user.py", tmp_path) == 0, capsys.readouterr().out
    told = (tmp_path / "typings" / "everything" / "__init__.pyi").read_text(encoding="utf-8")
    for line in EVERYTHING.strip().splitlines():
        assert f"\n{line}\n" in told, told
    assert "from . import Bag\n" in (tmp_path / "typings" / "everything" / "below.pyi").read_text(
        encoding="utf-8"
    )
    # An editor shows the signature and what it is for.
    jedi = pytest.importorskip("jedi")
    text = "import everything\neverything.alias("
    script = jedi.Script(text, path="p.py", project=jedi.Project(str(tmp_path / "typings")))
    (signature,) = script.get_signatures()
    assert signature.to_string().startswith(
        "alias(x: NDArray[np.float64], y: NDArray[np.float64] | None=None)"
    )
    assert signature.docstring(raw=True) == "Ends with a backslash \\"


EVERYTHING = r'''
# mypy: disable-error-code="misc, override"
    """Has \"\"\"three quotes\"\"\", a \\ backslash, and "one at its end\""""
def alias(x: NDArray[np.float64], y: NDArray[np.float64] | None = None) -> bool:
def grey(image: NDArray[np.uint8] | NDArray[np.float32]) -> _int: ...
def converted(n: Any) -> _int: ...
def described(a: SupportsIndex, b: SupportsIndex | None = None, /, *, c: SupportsIndex = 1) -> _int: ...
) -> tuple[NDArray[np.uint8], _list[NDArray[np.bool_]]]: ...
    a: SupportsGetItem[_int, _list[Any]], b: Iterator[Any], c: type[Any], d: CapsuleType, e: slice
    a: dict[_str, _list[float]], b: set[tuple[_int, _str]], c: dict[_int, dict[_str, _int]]
def annotated(f: Callable[[float], Bag], n: SupportsIndex = 10) -> _list[Bag]: ...
class Base(Exception):
    code: Any
class Special(Base): ...
    def __new__(cls, list: SupportsGetItem[_int, SupportsIndex], *args: Any, **options: Any) -> Self: ...
    def walk(self) -> _Hidden: ...
    @worth.deleter
    def __or__(self, other: Bag, /) -> _int: ...
    def __ior__(self, other: Bag, /) -> Self: ...
    def __ror__(self, other: Never, /) -> Any: ...
    NAME: Final = "bag"
Sack = Bag
class Table(dict[Any, Any]):
    Low: Final[Level]
    class Circle(Shape):
def f(inner: Inner) -> float:
VERSION: Final = "1.2"
LIMITS: Final[tuple[_int, float]]
math: Final[ModuleType]
@type_check_only
    def __next__(self) -> NDArray[np.float64]: ...
'''


def test_a_stub_is_written_kept_current_and_checked(stub_kernel: Kernel, cli: Cli, project: Path) -> None:
    kernel, stub = stub_kernel(1), project / "k.pyi"
    missing = cli("stubs", "--check", ".")
    assert (
        missing.returncode == 1 and "error: k.pyi is missing\nhint: rsimport stubs k.rs\n" in missing.stderr
    )
    assert cli("stubs", "k.rs").stdout == "wrote     k.pyi\n"
    text = stub.read_text(encoding="utf-8")
    assert text.startswith(OURS) and "\ndef value(" in text
    before = stub.stat().st_mtime_ns
    assert cli("stubs", ".").stdout == "current   k.pyi\n" and stub.stat().st_mtime_ns == before
    assert cli("stubs", "--check", ".").returncode == 0
    stub.write_text(text + "more: int\n", encoding="utf-8")
    stale = cli("stubs", "--check", "k.rs")
    assert stale.returncode == 1 and "error: k.pyi is stale\n" in stale.stderr
    assert stub.read_text(encoding="utf-8").endswith("more: int\n")
    assert cli("stubs", "k.rs").returncode == 0 and stub.read_text(encoding="utf-8") == text
    # Where it does not compile, what is there stays.
    kernel.write_text(kernel.read_text().replace("    1\n", '    "1"\n'), encoding="utf-8")
    broken = cli("stubs", ".")
    assert broken.returncode == 1 and "k.rs:" in broken.stderr and stub.read_text(encoding="utf-8") == text
    assert set(snapshot(project)) == {"k.rs", "k.pyi"}


def test_what_others_have_written_is_never_overwritten(stub_kernel: Kernel, cli: Cli, project: Path) -> None:
    stub_kernel(1)
    write(project, {"k.pyi": "def value() -> int: ...\n"})
    before = snapshot(project)
    refused = cli("stubs", ".")
    assert (
        refused.returncode == 1
        and "error: k.pyi is left alone: its first line does not say" in refused.stderr
    )
    assert "hint: rsimport stubs k.rs --out typings\n" in refused.stderr
    checked = cli("stubs", "--check", ".")
    assert (checked.returncode, checked.stdout) == (0, "kept      k.pyi, which was written by hand\n")
    assert snapshot(project) == before
    # Elsewhere there is room, and the shipped stubs are such files.
    assert cli("stubs", "k.rs", "--out", "typings").returncode == 0
    assert (project / "typings" / "k.pyi").read_text(encoding="utf-8").startswith(OURS)
    shipped = cli("stubs", REPOSITORY / "kernels")
    assert shipped.returncode == 1 and shipped.stderr.count("is left alone") == 8


def test_another_folder_has_packages_as_they_are_at_home(
    stub_kernel: Kernel, cli: Cli, project: Path, common: Path
) -> None:
    kernel = stub_kernel(1)
    inner = project / "src" / "pkg" / "sub"
    write(inner, {"__init__.py": "", "../__init__.py": ""})
    kernel.rename(inner / "k.rs")
    crate = (
        package("c") + '[lib]\ncrate-type = ["cdylib"]\n[dependencies]\n' + dependency(common / "stub") + "\n"
    )
    write(inner / "c", {"Cargo.toml": crate, "src/lib.rs": "// rsimport\n" + module(2, "c")})
    for path in ("src", "src/pkg/sub"):
        assert cli("stubs", path, "--out", "typings").returncode == 0
        written = {name for name in snapshot(project / "typings") if name.endswith(".pyi")}
        assert written == {"pkg/sub/k.pyi", "pkg/sub/c/__init__.pyi"}
        shutil.rmtree(project / "typings")
    assert cli("stubs", "src/pkg/sub/c").stdout == "wrote     src/pkg/sub/c/__init__.pyi\n"


def test_bad_input_is_told_in_one_line(
    stub_kernel: Kernel, cli: Cli, project: Path, shared_cache: Path
) -> None:
    usage = cli("stubs", "nothing.rs")
    assert usage.returncode == 2 and "'nothing.rs' does not exist" in usage.stderr
    (project / "empty").mkdir()
    empty = cli("stubs", "empty")
    assert empty.returncode == 1 and empty.stderr.startswith(
        "error: there is no marked kernel in empty\nhint: "
    )
    cell = shared_cache / "v1" / "cells" / "notebook" / "c.rs"
    write(cell.parent, {"c.rs": "// rsimport\n", "folder.txt": str(project)})
    refused = cli("stubs", cell)
    assert refused.returncode == 1 and refused.stderr.startswith("error: <cell c> has no stub: it is a cell")


def test_a_project_may_have_its_stubs_kept_current(
    stub_kernel: Kernel, run: Callable[..., Result], project: Path
) -> None:
    stub_kernel(1)
    run("import rsimport.import_hook, k")
    assert not (project / "k.pyi").exists()
    write(project, {"pyproject.toml": "[tool.rsimport]\nstubs = true\n"})
    stub_kernel(2)
    run("import rsimport.import_hook, k; assert k.value() == 2")
    wait_for(project / "k.pyi")
    assert (project / "k.pyi").read_text(encoding="utf-8").startswith(OURS)
