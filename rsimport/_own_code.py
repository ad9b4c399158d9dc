"""Keeps rsimport's own modules as they are where something else changes the code of all modules.

beartype and typeguard can check the types of all packages at run time, and find names there that exist for
static checkers only. This module may be changed by them itself: the names in its annotations are all there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from types import ModuleType


def go_first() -> None:
    """Has what is imported of rsimport from now on loaded as it is."""
    if sys.meta_path[0] is not OwnFinder:
        sys.meta_path[:] = [OwnFinder, *(finder for finder in sys.meta_path if finder is not OwnFinder)]


class OwnFinder:
    """Finds the modules of this package as Python would without hooks."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for all other modules."""
        if path is None or not fullname.startswith("rsimport."):
            return None
        loaders = (ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceFileLoader, SOURCE_SUFFIXES)
        for folder in path:
            spec = FileFinder(folder, *loaders).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
        return None
