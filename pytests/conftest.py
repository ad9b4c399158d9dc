"""Fixtures: a cache whose dependencies are compiled once, a writer of kernels, a runner of programs."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from helpers import (
    AS_FOR_STUBS,
    BARRIER,
    LIMIT,
    REPORT,
    SLOW_SCRIPT,
    Barrier,
    Result,
    block,
    end_users_of,
    package,
    value,
    write,
)
from stub_pyo3 import CRATE, dependency, module

MODULE = """
#[pymodule]
fn {}(m: &Bound<'_, PyModule>) -> PyResult<()> {{
    m.add_function(wrap_pyfunction!(value, m)?)
}}
"""

Env = Mapping[str, "str | None"]

# A shell that starts the tests in the background has Ctrl-C ignored in them and in what they start, and nohup
# the end of the terminal too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors, since tests wait for processes that wait for something."""
    return 2 + (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run share."""
    given = os.environ.get("RSIMPORT_TEST_CACHE")
    base = tmp_path_factory.getbasetemp()
    folder = (
        Path(given) if given else (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "common"
    )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def shared_cache(common: Path) -> Iterator[Path]:
    """The cache of every test that does not ask for its own; the user's cache is never touched."""
    cache, seed = common / "cache", common / "seed"
    for name in [
        name for name in os.environ if name.startswith("RSIMPORT_") and name != "RSIMPORT_TEST_CACHE"
    ]:
        del os.environ[name]
    os.environ["RSIMPORT_CACHE_DIR"] = str(cache)
    # No build goes on in the background when a test has ended and its folders are removed.
    os.environ["RSIMPORT_TIER"] = "fast"
    os.environ["RSIMPORT_CACHE_MAX_SIZE"] = os.environ["RSIMPORT_CACHE_MAX_AGE"] = "none"
    with _locked(common / "lock"):
        if not seed.exists():
            write(common / "barrier", BARRIER)
            barrier = Barrier(common / "barrier", common)
            barrier.go()
            write(common, {"plain.rs": "// rsimport\nuse pyo3::prelude::*;\n" + value(1)})
            held = "// rsimport\n" + barrier.block + "use pyo3::prelude::*;\n" + barrier.wait + value(1)
            write(common, {"held.rs": held})
            for name in ("plain.rs", "held.rs"):
                _build(common / name, cache)
            _copy(cache, seed)
    yield cache
    for name in ("CACHE_DIR", "TIER", "CACHE_MAX_SIZE", "CACHE_MAX_AGE"):
        os.environ.pop(f"RSIMPORT_{name}", None)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Most kernels are called `k`; what a test has loaded under that name is no concern of the next."""
    yield
    sys.modules.pop("k", None)


@pytest.fixture(scope="session")
def own_place(shared_cache: Path, common: Path) -> tuple[Path, Path]:
    """Where tests of this worker have caches of their own, one after the other, and what these start from.

    In a cache that was copied no dependency is compiled again, but the first compiler call is cargo's.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder, seed = common / f"own-{worker}", common / f"own-{worker}-seed"
    if not seed.exists():
        _remove(folder)
        _copy(common / "seed", folder)
        write(common / worker, {"plain.rs": "// rsimport\nuse pyo3::prelude::*;\n" + value(2)})
        _build(common / worker / "plain.rs", folder)
        _copy(folder, seed)
    return folder, seed


@pytest.fixture
def own_cache(own_place: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test's own, in which the dependencies are compiled already."""
    folder, seed = own_place
    _remove(folder)
    _copy(seed, folder)
    with monkeypatch.context() as patch:
        patch.setenv("RSIMPORT_CACHE_DIR", str(folder))
        yield folder
    end_users_of(folder)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that does not exist yet."""
    folder = tmp_path / "empty-cache"
    monkeypatch.setenv("RSIMPORT_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder in which a test's programs run and its kernels lie."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def kernel(project: Path) -> Callable[..., Path]:
    """Writes `<folder>/<name>.rs`, with a comment that makes the text this test's own.

    With `own=False` it has none: tests that only use a kernel have one of one text, which is compiled once.
    """
    token = uuid.uuid4().hex

    def write_kernel(
        name: str,
        body: str,
        *,
        folder: Path | None = None,
        marker: bool = True,
        block: str = "",
        prelude: bool = True,
        own: bool = True,
    ) -> Path:
        path = (folder or project) / f"{name}.rs"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = ("// rsimport\n" if marker else "") + block + ("use pyo3::prelude::*;\n" if prelude else "")
        path.write_text(f"{head}{body}\n" + (f"// {token}\n" if own else ""), encoding="utf-8")
        return path

    return write_kernel


@pytest.fixture(scope="session")
def stub(common: Path, shared_cache: Path) -> Path:
    """The folder of a PyO3 that compiles at once (see `stub_pyo3`)."""
    folder = common / "stub"
    with _locked(common / "lock"):
        if not folder.exists():
            write(folder, CRATE)
    return folder


@pytest.fixture
def stub_kernel(stub: Path, kernel: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a kernel whose `value()` gives a number, for a PyO3 that compiles at once (see `stub_pyo3`).

    What comes besides are lines for its manifest block. For tests in which PyO3 would be compiled once more.
    """

    def write_kernel(number: object, *lines: str, more: str = "", name: str = "k") -> Path:
        manifest = block("[dependencies]", dependency(stub), *lines)
        return kernel(name, more + module(number, name), block=manifest, prelude=False)

    return write_kernel


@pytest.fixture
def crate(project: Path) -> Callable[..., Path]:
    """Writes a crate with a marked `src/lib.rs`, and a module around its `value` if it has none."""
    token = uuid.uuid4().hex

    def write_crate(
        name: str, body: str, *, folder: Path | None = None, manifest: str = "", marker: bool = True
    ) -> Path:
        root = (folder or project) / name
        head = package(name) + '\n[lib]\ncrate-type = ["cdylib"]\n\n'
        if "[dependencies]" not in manifest:
            manifest = '[dependencies]\npyo3 = "0.30"\n\n' + manifest
        lead = "// rsimport\n" if marker else ""
        if "#[pymodule]" not in body:
            body += MODULE.format(name)
        body = f"{lead}use pyo3::prelude::*;\n{body}\n// {token}\n"
        write(root, {"Cargo.toml": head + manifest + AS_FOR_STUBS, "src/lib.rs": body})
        return root

    return write_crate


@pytest.fixture
def stub_crate(stub: Path, project: Path) -> Callable[..., Path]:
    """Writes a crate `k` whose `value()` gives a number, for a PyO3 that compiles at once."""

    def write_crate(number: object, *lines: str, folder: Path | None = None) -> Path:
        root = (folder or project) / "k"
        head = package("k") + '\n[lib]\ncrate-type = ["cdylib"]\n\n[dependencies]\n'
        manifest = "\n".join([dependency(stub), *lines, ""])
        text = f"// rsimport\n{module(number)}// {uuid.uuid4().hex}\n"
        write(root, {"Cargo.toml": head + manifest, "src/lib.rs": text})
        return root

    return write_crate


@pytest.fixture
def barrier(common: Path, tmp_path: Path) -> Iterator[Barrier]:
    """See `Barrier`. Whatever still waits at the end of the test is let go."""
    folder = tmp_path / "barrier"
    folder.mkdir()
    held = Barrier(common / "barrier", folder)
    yield held
    held.go()


@pytest.fixture
def slow_dependency(project: Path, barrier: Barrier) -> str:
    """The manifest block of a kernel whose dependency has a build script that waits for the barrier."""
    manifest = package("slow")
    script = SLOW_SCRIPT.replace("FOLDER", f'"{barrier.folder}"')
    write(project / "slow", {"Cargo.toml": manifest, "src/lib.rs": "", "build.rs": script})
    return block("[dependencies]", 'slow = { path = "slow" }')


@pytest.fixture
def start(project: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python program (text, or arguments) in its own process group; ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start_program(
        code: str | Sequence[str],
        *,
        cwd: Path | None = None,
        env: Env | None = None,
        wrap: Sequence[str] = (),
        python: str = sys.executable,
        **options: object,
    ) -> subprocess.Popen[str]:
        merged = {**os.environ, **(env or {})}
        arguments = ["-c", textwrap.dedent(code)] if isinstance(code, str) else list(code)
        process = subprocess.Popen(
            [*wrap, python, *arguments],
            cwd=cwd or project,
            env={name: text for name, text in merged.items() if text is not None},
            text=True,
            start_new_session=True,
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **options,
            },
        )
        started.append(process)
        return process

    yield start_program
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def run(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., Result]:
    """Runs a Python program to its end; unless `check=False` it must exit with 0."""

    def run_program(
        code: str | Sequence[str], *, check: bool = True, timeout: float = LIMIT, **options: object
    ) -> Result:
        process = start(code, **options)
        stdout, stderr = process.communicate(timeout=timeout)
        assert not check or process.returncode == 0, f"exit {process.returncode}\n{stdout}\n{stderr}"
        return Result(process.returncode, stdout, stderr)

    return run_program


@pytest.fixture
def cli(run: Callable[..., Result]) -> Callable[..., Result]:
    """Runs the command line; the caller looks at the exit code."""

    def run_cli(*arguments: object, **options: object) -> Result:
        return run(["-m", "rsimport", *map(str, arguments)], check=False, **options)

    return run_cli


@pytest.fixture
def look(run: Callable[..., Result]) -> Callable[..., tuple[int, bool, str]]:
    """Imports kernel `k` in a fresh interpreter: its value, whether it was built just now, and why."""

    def look_at(name: str = "k", **options: object) -> tuple[int, bool, str]:
        code = f"""
            import rsimport, rsimport.import_hook, {name} as k
            seen = rsimport.info(k)
            print(k.value(), seen.built, seen.reason, sep="|")
        """
        number, built, reason = run(code, **options).out.split("|")
        return int(number), built == "True", reason

    return look_at


@pytest.fixture
def report(run: Callable[..., Result]) -> Callable[..., dict[str, Any]]:
    """Imports `k` in a fresh interpreter and tells what was raised."""

    def tell(**options: object) -> dict[str, Any]:
        return json.loads(run(REPORT, **options).out.splitlines()[-1])

    return tell


def _build(kernel: Path, cache: Path) -> None:
    code = f"import rsimport; rsimport.build_filepath({str(kernel)!r}, cache_dir={str(cache)!r})"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=2 * LIMIT, cwd=kernel.parent)


def _remove(folder: Path) -> None:
    """Removes a folder in which a process that a test has left behind may still write."""
    if folder.exists():
        gone = folder.with_name(f"gone-{uuid.uuid4().hex}")
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copies with times and links kept, because cargo looks at them."""
    if shutil.which("cp"):
        subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    else:
        shutil.copytree(source, target, symlinks=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
