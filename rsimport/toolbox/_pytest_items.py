"""The Rust tests of kernels as items of pytest: what `--rsimport-tests` adds."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rsimport import _engine
from rsimport._errors import RsimportError
from rsimport.toolbox._harness import FAILED, Harness, ended, waited


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A marked kernel, or the `lib.rs` of a marked crate."""
    if file_path.suffix != ".rs":
        return None
    for folder in file_path.parents[:2]:
        if (folder / "Cargo.toml").is_file() and _engine.crate_source(str(folder)) == str(file_path):
            return Kernel.from_parent(parent, path=file_path, kernel=str(folder))
    if _engine.marked(str(file_path)):
        return Kernel.from_parent(parent, path=file_path, kernel=str(file_path))
    return None


class Kernel(pytest.File):
    """A kernel, whose tests are compiled when they are collected."""

    def __init__(self, *, kernel: str, **others: Any) -> None:
        super().__init__(**others)
        self.kernel = kernel

    def collect(self) -> Iterator[pytest.Item]:
        """Its tests, in their order."""
        if not _has_tests(self.kernel):
            return
        try:
            harness = Harness(self.kernel, {})
        except RsimportError as error:
            raise self.CollectError(str(error)) from None
        for name in harness.names():
            yield Test.from_parent(self, name=name, harness=harness)


class Test(pytest.Item):
    """A test, which runs in a process of its own."""

    def __init__(self, *, harness: Harness, **others: Any) -> None:
        super().__init__(**others)
        self.harness = harness

    def runtest(self) -> None:
        """Runs it, and fails with what it printed."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        arguments = ["--exact", "--nocapture", "--test-threads=1", self.name]
        with self.harness.start(arguments, **options) as child:
            assert child.stdout is not None
            text = child.stdout.read()
            code = waited(child)
        how = ended(code)
        if how is not None:
            raise Failed(f"the test ended with {how}\n{text}")
        if code == FAILED:
            raise Failed(text)
        if re.search(r"^test .* \.\.\. ignored", text, re.M):
            pytest.skip("#[ignore]")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the test printed, instead of frames of ours."""
        if isinstance(excinfo.value, Failed):
            return _told(str(excinfo.value), self.harness.folder, self.config)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, int | None, str]:
        """Where it stands in Rust."""
        file, line = self.harness.places.get(self.name, (str(self.path), 1))
        return file, line - 1, self.name


class Failed(Exception):
    """A test has failed, and this is what it printed."""


def _told(text: str, folder: str, config: pytest.Config) -> str:
    """The output of a test, without what the harness says of its run, and with whole paths."""
    ours = r"(\n*running 1 test\n)|(^test [^\n]*\.\.\. ?\n?)|(^FAILED$)|(\n+failures:\n(.|\n)*)"
    kept = re.sub(ours, "", text, flags=re.M).strip("\n")

    def whole(match: re.Match[str]) -> str:
        path = os.path.join(folder, match[2])
        known = os.path.isfile(path)
        return match[1] + (os.path.relpath(path, config.invocation_params.dir) if known else match[2])

    return re.sub(r"(panicked at )([^\n]+?\.rs)(?=:\d+:\d+)", whole, kept)


def _has_tests(kernel: str) -> bool:
    """May there be any? Compiling is what takes time."""
    folder = Path(kernel)
    files = folder.rglob("*.rs") if folder.is_dir() else [folder, *folder.with_suffix("").rglob("*.rs")]
    around = folder.parent.glob("*.rs") if folder.is_file() else []
    return any(re.search(rb"\btest\b", file.read_bytes()) for file in {*files, *around})
