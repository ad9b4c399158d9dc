"""A place for one fault: a project with a kernel, a cache, and an eye on all that was started there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from helpers import block, write
from stub_pyo3 import CRATE, dependency

PATIENCE = 240.0
"""Seconds after which a program counts as hung."""

IMPORT = """
import json, sys
import rsimport, rsimport.import_hook
try:
    import k
except ImportError as error:
    print(json.dumps({"error": type(error).__name__, "text": str(error)[:300]}))
else:
    print(json.dumps({"value": k.value(), "built": rsimport.info(k).built}))
"""

ENDLESS = """#![allow(long_running_const_eval)]
const ENDLESS: u64 = { let mut i = 0; while i < u64::MAX { i += 1; } i };
"""


class Broken(Exception):
    """A promise that was not kept."""


@dataclass(frozen=True)
class Seen:
    """What a program said that imported the kernel."""

    status: int
    value: int | None = None
    built: bool | None = None
    error: str | None = None
    text: str = ""


@dataclass(frozen=True)
class Process:
    """A process that was started here, directly or not."""

    pid: int
    name: str
    arguments: str

    @property
    def role(self) -> str:
        """python, optimiser, cargo, rustc or linker."""
        if "_background" in self.arguments:
            return "optimiser"
        if self.name.startswith("python"):
            return "python"
        if self.name in ("cargo", "rustc"):
            return self.name
        return (
            "linker" if self.name in ("cc", "collect2", "ld", "ld.lld", "rust-lld", "lld", "gcc") else "other"
        )

    @property
    def group(self) -> int | None:
        with suppress(ProcessLookupError):
            return os.getpgid(self.pid)
        return None


class Lab:
    """One kernel `k` and its cache, below a folder that is the caller's to remove."""

    def __init__(self, folder: Path) -> None:
        self.token = uuid.uuid4().hex
        self.project = folder / "project"
        self.cache = folder / "cache"
        self.tmp = folder / "tmp"
        self.imports = 0
        self.functions = False
        """Is the kernel one of functions, with the real PyO3?"""
        self.nested = False
        """Is it in a package, with its value in a module of a module?"""
        for made in (self.project, self.tmp):
            made.mkdir(parents=True)
        write(folder / "pyo3", CRATE)
        self._dependency = dependency(folder / "pyo3")

    def write(self, value: int, more: str = "") -> None:
        """Writes a kernel whose `value()` is this; at once, as an editor does."""
        if self.nested:
            self._write_nested(value, more)
            return
        if self.functions:
            head = "// rsimport\nuse pyo3::prelude::*;\n"
            text = f"{head}{more}#[pyfunction]\nfn value() -> i64 {{\n    {value}\n}}\n"
        else:
            head = "// rsimport\n" + block("[dependencies]", self._dependency)
            text = f"{head}{more}#[pyo3::pymodule]\nfn k() -> i64 {{\n    {value}\n}}\n"
        # Where a cache serves several of these, nobody else has this text.
        self._save("k.rs", f"{text}// {self.token}\n")

    def _write_nested(self, value: int, more: str) -> None:
        head = "// rsimport\n" + block("[dependencies]", self._dependency)
        text = f"{head}mod part;\n#[pyo3::pymodule]\nfn k() -> i64 {{\n    part::deep::number()\n}}\n"
        files = {"__init__.py": "", "k.rs": text, "part.rs": "pub mod deep;\n"}
        for name, content in files.items():
            if not (self.project / "inner" / name).exists():
                self._save(f"inner/{name}", content)
        self._save("inner/part/deep.rs", f"{more}pub fn number() -> i64 {{\n    {value}\n}}\n")

    def _save(self, name: str, text: str) -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_text(text)
        unfinished.replace(path)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        usual = {name: text for name, text in os.environ.items() if not name.startswith("RSIMPORT_")}
        own = {"RSIMPORT_CACHE_DIR": str(self.cache), "TMPDIR": str(self.tmp), "FAULTS": self.token}
        return {**usual, **own, **(more or {})}

    def start(
        self, code: str = IMPORT, wrap: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        if self.nested:
            code = code.replace("import k\n", "from inner import k\n")
        return subprocess.Popen(
            [*wrap, sys.executable, "-c", code],
            cwd=self.project,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Seen:
        """Waits for a program that imports the kernel."""
        try:
            # What it leaves running may hold the pipes; then what was said so far has to do.
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise Broken(f"it hangs for {PATIENCE:.0f} s") from None
        out = ""
        with suppress(subprocess.TimeoutExpired):
            out, err = process.communicate(timeout=2)
            if not out.strip():
                return Seen(process.returncode, text=err[-300:])
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        lines = out.strip().splitlines()
        said = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        return Seen(process.returncode, **said)

    def look(self, env: Mapping[str, str] | None = None) -> Seen:
        """Imports the kernel in a fresh process in which nothing is in the way."""
        self.imports += 1
        return self.end(self.start(env=env))

    def expect(self, value: int, what: str, built: bool | None = None) -> None:
        """Imports the kernel afresh: it has to have this value, and to be built, or not, if that is known."""
        seen = self.look()
        if seen.value != value:
            raise Broken(f"{what}: {seen} instead of {value}")
        if built is not None and seen.built != built:
            raise Broken(f"{what}: {'built again' if seen.built else 'not built'}")

    def struck(self, process: subprocess.Popen[str], what: str, *values: int) -> Seen:
        """Waits for a program that something has befallen.

        It has one of these values, or says why it has none, and leaves no compiler running.
        """
        seen = self.end(process)
        if seen.value not in (None, *values):
            raise Broken(f"{what}: {seen}")
        if seen.value is None and seen.error is None and seen.status == 0:
            raise Broken(f"{what}: it ended without a word: {seen}")
        left = self.left(10.0)
        if left:
            raise Broken(f"{what}: left running: {sorted({each.role for each in left})}")
        return seen

    def recovers(self, value: int, what: str, *, warm: bool) -> None:
        """All is as if nothing had been: with this text, that before it if it was built, and the next one."""
        self.expect(value, f"after {what}")
        self.expect(value, f"after {what}, again", built=False)
        if warm:
            self.write(1)
            self.expect(1, f"the text before {what}", built=False)
        self.write(3)
        self.expect(3, f"the edit after {what}", built=True)
        self.quiet()
        self.tidy()

    def processes(self) -> list[Process]:
        """Everything that runs here now, this process aside."""
        found = []
        mark = f"FAULTS={self.token}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                if mark not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                name = (entry / "comm").read_text().strip()
                arguments = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(Process(int(entry.name), name, arguments))
        return found

    def left(self, seconds: float) -> list[Process]:
        """The compilers that still run so long after whoever asked for them has ended."""
        until = time.monotonic() + seconds
        while True:
            running = self.processes()
            # The background build outlives Python, and so do its compilers.
            compilers = [process for process in running if process.role in ("cargo", "rustc", "linker")]
            if any(process.role in ("optimiser", "python") for process in running):
                until = max(until, time.monotonic() + 1)
            if not compilers or time.monotonic() > until:
                return compilers
            time.sleep(0.05)

    def weigh_little(self) -> None:
        """The kernel is little work for the compiler, whatever a busy machine measured."""
        for folder in (self.cache / "v1/work").glob("*-optimized"):
            (folder / "weight.json").write_text("0.01")

    def quiet(self) -> None:
        """Waits until the background build has ended, too."""
        until = time.monotonic() + PATIENCE
        while self.processes():
            if time.monotonic() > until:
                raise Broken(f"still running: {self.processes()}")
            time.sleep(0.05)

    def kill_all(self) -> None:
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    def tidy(self) -> None:
        """Nothing of a dead build is in the cache, and every entry is what was published."""
        layout = self.cache / "v1"
        rest = [path.name for path in (layout / "tmp").glob("*")]
        if rest:
            raise Broken(f"left in tmp/: {rest}")
        for work in (layout / "work").glob("*"):
            folders = sorted(path.name for path in work.glob("scratch-*"))
            if len(folders) > 1:
                raise Broken(f"left in work/: {folders}")
        for metadata in (layout / "kernels").glob("*/*/entry.json"):
            if metadata.parent.is_symlink():
                continue
            entry = json.loads(metadata.read_text())
            library = metadata.with_name(entry["library"])
            if not library.is_file() or library.stat().st_size != entry["checksum"][0]:
                raise Broken(f"an entry is not whole: {metadata.parent}")
