"""`%rsimport auto`: before each cell, kernels whose source has changed are loaded again."""

from __future__ import annotations

import ast
import os
import re
import sys
from types import BuiltinFunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from rsimport import _engine
from rsimport._errors import CompileError, ConfigError, RsimportError
from rsimport._format import called
from rsimport._loader import LOADED, KernelLoader, loader_of
from rsimport._python import ABI
from rsimport._reload import reload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from IPython.core.interactiveshell import InteractiveShell


class Auto:
    """Keeps the kernels of one shell up to date as long as it is on."""

    def __init__(
        self, shell: InteractiveShell, renewed: Callable[[str, dict[str, Any], dict[str, Any]], None]
    ) -> None:
        self.shell = shell
        self.renewed = renewed
        """Is told of each kernel that was loaded again: its name, and its names before and after."""
        self.on = False
        self.failed: dict[str, tuple[dict[str, object], str]] = {}
        """By the kernels' paths, how their files were dated when they did not compile, and what was said."""
        self.stopped: _Stopped | None = None

    def start(self) -> None:
        """From the next cell on; a second call does nothing."""
        if not self.on:
            self.shell.events.register("pre_run_cell", self.refresh)
            self.on = True

    def stop(self) -> None:
        """Ends it; a second call does nothing."""
        if self.on:
            self.shell.events.unregister("pre_run_cell", self.refresh)
            self.on = False

    def refresh(self, info: object = None) -> None:
        """Reloads what has changed. What does not compile is told, and stays as it was."""
        if self.stopped is not None:
            self.stopped.withdraw()
        is_rust = re.search(r"^%%rsimport\b", str(getattr(info, "raw_cell", "")), re.MULTILINE) is not None
        for module in kernels():
            loader = loader_of(module)
            if is_rust and called(loader.kernel) != loader.kernel:
                continue  # It may be just this cell that mends it.
            dates, said = self.failed.get(loader.kernel, (None, ""))
            if said and not os.path.exists(loader.kernel):
                continue  # Nobody needs to hear again and again of a kernel that was removed.
            if dates is not None and dates == _dates(dates):
                # It would only fail again.
                print(f"{module.__name__} stays as it was: {said}", file=sys.stderr)
                continue
            try:
                if is_stale(loader):
                    before = loader.names
                    reload(module)
                    after = loader_of(module).names
                    self._rebind(before, after)
                    self.renewed(module.__name__, before, after)
                self.failed.pop(loader.kernel, None)
            except RsimportError as error:
                self.was_told(module, error)
                print(*error._render_traceback_(), sep="\n", file=sys.stderr)
                print(f"{module.__name__} stays as it was", file=sys.stderr)
            except KeyboardInterrupt as stopped:
                # IPython would show it with our frames, and go on with the cell.
                self.stopped = _Stopped(self.shell, stopped_build(stopped, module.__name__))
                return

    def was_told(self, module: ModuleType | None, error: RsimportError) -> None:
        """Notes what is wrong with a kernel; until its files change, it is said in one line."""
        if module is not None and isinstance(error, (CompileError, ConfigError)):
            loader = loader_of(module)
            said = next(
                (found for found in getattr(error, "diagnostics", ()) if found.level == "error"), None
            )
            text = error.message.partition("\n")[0]
            if said is not None:
                text = f"{said.file}:{said.line}: {said.message}" if said.file else said.message
            self.failed[loader.kernel] = _dates(_files(loader, error)), text

    def _rebind(self, before: dict[str, object], after: dict[str, object]) -> None:
        """Gives all who imported a function or class by its name the new one, as %autoreload 2 does."""
        kinds = (BuiltinFunctionType, type, ModuleType)
        renewed = {
            id(old): (old, after[name])
            for name, old in before.items()
            if isinstance(old, kinds) and name in after and after[name] is not old
        }
        if not renewed:
            return
        spaces = [_names(module) for module in _modules()]
        for space in [*spaces, self.shell.user_ns]:
            for name, value in list(space.items()):
                if id(value) in renewed:
                    space[name] = renewed[id(value)][1]


class _Stopped(ast.NodeTransformer):
    """Has the cell not run before which a build was interrupted: whoever pressed Ctrl-C has meant both."""

    def __init__(self, shell: InteractiveShell, interrupt: KeyboardInterrupt) -> None:
        self.shell, self.interrupt = shell, interrupt
        shell.ast_transformers.append(self)

    def visit(self, node: ast.AST) -> ast.AST:
        self.withdraw()
        raise self.interrupt

    def withdraw(self) -> None:
        """The cell may have had no syntax that is looked at."""
        if self in self.shell.ast_transformers:
            self.shell.ast_transformers.remove(self)


def stopped_build(interrupt: KeyboardInterrupt, name: str) -> KeyboardInterrupt:
    """An interrupted build, of which IPython shows one line."""
    interrupt._render_traceback_ = lambda: [  # type: ignore[attr-defined]
        f"KeyboardInterrupt: {name} was not compiled to its end; run the cell again to go on"
    ]
    return interrupt.with_traceback(None)


def kernels() -> list[ModuleType]:
    """The loaded kernels."""
    return [module for module in _modules() if LOADED in _names(module)]


def _modules() -> list[ModuleType]:
    return [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]


def _names(module: ModuleType) -> dict[str, Any]:
    # A module that is to be imported lazily must not be woken up.
    names: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return names


def is_stale(loader: KernelLoader) -> bool:
    """Has the source changed since it was loaded? A build that is only optimised more does not count."""
    settings = {**loader.settings, "force_rebuild": False}
    artifact = _engine.lookup(loader.kernel, loader.name.rpartition(".")[2], ABI, settings)
    if artifact is None or loader.artifact is None:
        return True
    # An optimised build of the same text is left for the next edit or reload: its classes would be strangers
    # to the objects that the user has made of the old ones, without an edit that explains it.
    same = artifact.content == loader.artifact.content and artifact.tier != loader.artifact.tier
    return artifact.path != loader.path and not same


def _files(loader: KernelLoader, error: RsimportError) -> Iterable[str]:
    """What may be changed so that a kernel compiles again; its folder, for files that are missing.

    The folder of cells is none that anything is missing in, and changes with each new cell.
    """
    folder = os.path.dirname(loader.source) if called(loader.source) == loader.source else os.getcwd()
    files = {loader.source, folder, *loader.find_artifact().inputs}
    return files.union(found.file for found in getattr(error, "diagnostics", ()) if found.file)


def _dates(files: Iterable[str]) -> dict[str, object]:
    def date(file: str) -> object:
        try:
            found = os.stat(file)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    return {file: date(file) for file in files}
