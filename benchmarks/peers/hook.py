"""Contestants that import a source file: rsimport and its peers."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

from peers.contestant import NEW, SAME, Contestant, Edit, Entry
from peers.interpreter import Failed, Interpreter, Loaded
from peers.kernels import Kernel

PACE = 1.1
"""Seconds between two edits of one contestant: some compare dates in whole seconds."""
_AGAIN = 1000
"""Added to the number of an edit that is made a second time."""


class Hook(Contestant):
    """A contestant with an import hook."""

    code: str
    """What installs it; `folder` is a string in it."""
    lazy: bool = False
    """Does it compile at the first call? Then that belongs to the import."""

    @abstractmethod
    def write(self, folder: Path, module: str, kernel: Kernel, number: int) -> None:
        """Saves an edit of the kernel as a module."""

    def variables(self, folder: Path) -> dict[str, str]:
        """Settings in the environment, with a cache below the folder."""
        return {}

    def settle(self) -> None:
        """Waits until nothing goes on behind an edit any more."""

    def enter(self, folder: Path, kernel: Kernel, others: Mapping[str, Entry]) -> Entry:
        """Needs nothing from the others."""
        return HookEntry(self, folder, kernel)

    def hook(self, folder: Path) -> float:
        """The statements of `code`."""
        with self.interpreter(folder) as interpreter:
            return interpreter.hook_seconds

    def interpreter(self, folder: Path) -> Interpreter:
        """A fresh one with the hook."""
        return Interpreter(folder, self.code, self.variables(folder))


class HookEntry(Entry):
    """A contestant's file, and the process in which it is reloaded, if it can be."""

    def __init__(self, hook: Hook, folder: Path, kernel: Kernel) -> None:
        super().__init__()
        self.where = SAME
        self._hook, self._folder, self._kernel = hook, folder, kernel
        self._process: Interpreter | None = None
        self._built = 0.0
        self.file: str | None = None
        """The library that was imported last."""

    def first(self) -> float:
        """The import statement in a fresh interpreter."""
        return self._cold(self._kernel.name, 1)

    def new(self, number: int) -> float:
        """The same, for a file of another name."""
        return self._cold(f"new_{number}", number)

    def edit(self, number: int) -> Edit:
        """`importlib.reload`; where the first one keeps the old code, a new process is used from then on."""
        name, call = self._kernel.name, self._kernel.call
        if self.where == SAME and self._process is None:
            self._process = self._hook.interpreter(self._folder)
            self._process.load(name, call)
        time.sleep(max(0.0, self._built + PACE - time.time()))
        self._hook.write(self._folder, name, self._kernel, number)
        if self._process:
            try:
                done = self._process.reload(name, call)
                if done.value == number or self._proved:
                    self._proved = True
                    return self._timed(Edit(done.seconds, done.value))
                self.notes.append("importlib.reload keeps the old code (stale), so a new process it is")
            except Failed as error:
                if self._proved:
                    raise
                self.notes.append(f"importlib.reload fails, so a new process it is: {error}")
            self.close()
            self.where = NEW
            # The attempt may have built this text already, so the new process gets another one.
            seconds, value = self.edit(number + _AGAIN)
            return Edit(seconds, value - _AGAIN)
        start = perf_counter()
        with self._hook.interpreter(self._folder) as interpreter:
            value = interpreter.load(name, call).value
            return self._timed(Edit(perf_counter() - start, value))

    def warm(self) -> float:
        """The import statement in a fresh interpreter, of the last edit."""
        done = self._load(self._kernel.name)
        self.file = done.file
        return done.seconds

    def settle(self) -> None:
        """As the hook does."""
        self._hook.settle()

    def close(self) -> None:
        """Ends the process in which edits were reloaded."""
        if self._process:
            self._process.close()
            self._process = None

    _proved = False
    """Has a reload shown new code?"""

    def _timed(self, edit: Edit) -> Edit:
        self._built = time.time()
        return edit

    def _cold(self, module: str, number: int) -> float:
        self._hook.write(self._folder, module, self._kernel, number)
        done = self._load(module)
        self._built = time.time()
        if done.value != number:
            raise Failed(f"the new kernel returned {done.value} instead of {number}")
        return done.seconds

    def _load(self, module: str) -> Loaded:
        with self._hook.interpreter(self._folder) as interpreter:
            return interpreter.load(module, self._kernel.call, lazy=self._hook.lazy)
