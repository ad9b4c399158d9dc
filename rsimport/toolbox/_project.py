"""A kernel as a package of cargo's, opened and run with progress on the terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rsimport import _engine
from rsimport._api import at
from rsimport._progress import showing
from rsimport._python import ABI, interpreter

if TYPE_CHECKING:
    from rsimport._engine import Project, ProjectRun


class Kernel:
    """A kernel that tools are run on."""

    def __init__(self, path: str | os.PathLike[str], settings: dict[str, object], **wishes: Any) -> None:
        loader = at(path, None, settings)
        self.path = loader.kernel
        self.module = loader.name
        self.settings = settings
        self.shows = bool(_engine.settings(self.path, settings)["progress"])
        with showing(self.module, self.shows) as progress:
            self.project: Project = _engine.project_open(
                self.path, self.module, ABI, interpreter(), settings, progress, **wishes
            )

    def run(
        self, verb: str, arguments: list[str] | None = None, flags: list[str] | None = None, **how: Any
    ) -> ProjectRun:
        """Runs a verb of cargo's on it."""
        with showing(self.module, self.shows) as progress:
            return self.project.run(verb, arguments or [], flags or [], progress=progress, **how)
