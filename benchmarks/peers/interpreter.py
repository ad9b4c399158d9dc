"""A fresh interpreter that imports, calls and reloads what it is told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

_WORKER = Path(__file__).with_name("worker.py").read_text(encoding="utf-8")


class Failed(Exception):
    """A contestant could not do what it was asked; the text is the first line of its error."""


class Loaded(NamedTuple):
    """What an import or a reload took and gave."""

    seconds: float
    value: float
    file: str | None = None


class Interpreter:
    """A process with one contestant's hook installed; a context manager that ends it."""

    def __init__(self, folder: Path, hook: str, variables: Mapping[str, str]) -> None:
        self.log = folder / "log.txt"
        nowhere = folder / "nowhere"
        nowhere.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _WORKER],
                cwd=nowhere,
                env={**os.environ, **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            self.hook_seconds: float = self._ask(do="setup", hook=hook, folder=str(folder))["seconds"]
        except Failed:
            self.close()
            raise

    def load(self, module: str, call: str, *, lazy: bool = False) -> Loaded:
        """Imports a module and calls it; the call is timed too where it is what compiles (`lazy`)."""
        return Loaded(**self._ask(do="load", module=module, call=call, lazy=lazy))

    def reload(self, module: str, call: str) -> Loaded:
        """Reloads a module and calls it, both of which are timed."""
        return Loaded(**self._ask(do="reload", module=module, call=call))

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Interpreter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, **job: Any) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"the process ended with code {self._process.wait()}")
        report: dict[str, Any] = json.loads(line)
        if "error" in report:
            raise Failed(report["error"])
        return report
