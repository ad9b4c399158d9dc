"""`rsimport watch`: builds kernels as they are saved, so that the next import finds them in the cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rsimport import _api, _engine

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from rsimport._api import Report


def watch(paths: Sequence[str], settings: dict[str, Any], say: Callable[[str, object], None]) -> None:
    """Builds the kernels of these files, crates and folders now and after each save, until Ctrl-C.

    `say` gets a line for each build, and the error where there is one. Nothing is loaded.

    Raises ConfigError if a setting is wrong, or if the system refuses to watch so many folders.
    """
    _engine.settings(None, settings)
    # Crates and files are meant themselves, marked or not; folders for what they hold.
    folders = [path for path in paths if os.path.isdir(path) and not _engine.crate_source(path)]
    named = [os.path.abspath(path) for path in paths if path not in folders]
    follower = _engine.Follower()
    follower.follow([*folders, *named])
    seen: dict[str, _Kernel] = {}
    changed: list[str] = []
    told = False
    while True:
        found = [
            *named,
            *(kernel for folder in folders for kernel in _engine.kernels(os.path.abspath(folder))),
        ]
        found = [kernel for kernel in dict.fromkeys(found) if os.path.exists(kernel)]
        for path in [path for path in seen if path not in found]:
            say(f"{seen.pop(path).name}: deleted", None)
        for path in found:
            kernel = seen.setdefault(path, _Kernel(path))
            kernel.look(settings, changed, found, say)
        # Every kernel was built as often as was asked for; from now on what is in the cache counts.
        settings = {**settings, "force_rebuild": False}
        inputs = [path for kernel in seen.values() for path in kernel.inputs]
        if follower.follow([*folders, *named, *inputs]):
            changed = []
            continue
        if not told:
            told = True
            kernels = f"{len(found)} kernel{'' if len(found) == 1 else 's'}"
            say(f"watching {', '.join(paths)} ({kernels}), Ctrl-C ends it", None)
        changed = follower.wait()


class _Kernel:
    """A kernel that is watched, and what became of it last."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = os.path.relpath(path)
        self.inputs = [path, os.path.realpath(path), *_project(path)]
        self.last: Report | None = None

    def look(
        self,
        settings: dict[str, Any],
        changed: Collection[str],
        kernels: Collection[str],
        say: Callable[[str, object], None],
    ) -> None:
        """Builds the kernel if it is not in the cache, and says so."""
        last, self.last = self.last, self.last
        if last and last.error and not self.may_be_mended(str(last.error), changed, kernels):
            return
        report = _api.report(self.path, settings, soon=True)
        if report.error and not os.path.exists(self.path):
            return
        self.last = report
        if report.artifact:
            self.inputs = [self.path, report.artifact.source, *report.artifact.inputs, *_project(self.path)]
            if report.built:
                why = report.artifact.reason
                if last and why == "first build":
                    # The engine remembers builds that succeeded here; this one was asked for by a save.
                    why = "it compiles again" if last.error else f"{os.path.basename(self.path)} changed"
                say(f"{self.name}: built in {report.seconds:.2f} s, {why}", None)
            elif not last or not last.artifact or last.artifact.path != report.artifact.path:
                say(f"{self.name}: cached", None)
        else:
            say(f"{self.name}: failed after {report.seconds:.2f} s", report.error)

    def may_be_mended(self, error: str, changed: Collection[str], kernels: Collection[str]) -> bool:
        """Can a build that failed end otherwise now? What it would have read is not known for certain."""
        known = {os.path.realpath(path) for path in self.inputs}
        crate = os.path.realpath(self.path) + os.sep
        for path in map(os.path.realpath, changed):
            name = os.path.basename(path)
            # Cargo writes the lock file itself, also in a build that fails then.
            if name != "Cargo.lock" and (path in known or path.startswith(crate)):
                return True
            if name in error and path not in kernels and os.path.exists(path):
                return True
        return False


def _project(kernel: str) -> list[str]:
    """The project file whose settings hold for a kernel."""
    files = (folder / "pyproject.toml" for folder in Path(kernel).parents)
    return [str(file) for file in files if file.is_file()][:1]
