"""What every contestant offers: itself, and its entry for one kernel."""

from __future__ import annotations

import importlib.metadata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from peers.kernels import KERNELS, Kernel

SAME, NEW, ALONE = "same process", "new process", "compiler alone"
"""Where the result of an edit is seen."""


class Edit(NamedTuple):
    """How long it took from a saved edit to its result, and what the result was."""

    seconds: float
    value: float


class Entry:
    """A contestant at one kernel, in a folder with a cache of its own.

    A method that measures returns seconds, or None where the question makes no sense for the contestant, and
    raises `Failed`.
    """

    where: str = ALONE

    def __init__(self) -> None:
        self.notes: list[str] = []

    def first(self) -> float | None:
        """The first build ever: no cache, but everything has been downloaded."""
        return None

    def edit(self, number: int) -> Edit | None:
        """Saves an edit and waits for its result."""
        return None

    def new(self, number: int) -> float | None:
        """A further kernel with the same dependencies."""
        return None

    def warm(self) -> float | None:
        """The import statement in a fresh interpreter, nothing to be built."""
        return None

    def settle(self) -> None:
        """Waits until nothing goes on behind an edit any more, which would slow the next contestant down."""

    def close(self) -> None:
        """Ends what it runs."""


class Contestant(ABC):
    """A tool that takes part."""

    name: str
    distribution: str | None = None
    """Its name on PyPI, if it comes from there."""
    kernels: tuple[str, ...] = tuple(KERNELS)
    """Those that it takes part with."""
    note: str = ""
    """How it is configured."""

    @abstractmethod
    def enter(self, folder: Path, kernel: Kernel, others: Mapping[str, Entry]) -> Entry:
        """Prepares for a kernel in an empty folder; `others` are the entries made before."""

    def hook(self, folder: Path) -> float | None:
        """Importing the hook in a fresh interpreter."""
        return None

    def missing(self) -> str:
        """Why it cannot take part, or nothing."""
        if self.distribution:
            try:
                importlib.metadata.version(self.distribution)
            except importlib.metadata.PackageNotFoundError:
                return "not installed"
        return ""
