"""What needs no import hook: reloading a loaded kernel, importing those that come with rsimport, and a word
about modules that nobody has found.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

SHIPPED = "rsimport.kernels."


class MetaFinder:
    """Stands last on sys.meta_path as soon as rsimport is imported, where it costs other imports nothing."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if target is not None and (spec := _reloaded(target)) is not None:
            return spec
        if path is not None and fullname.startswith(SHIPPED):
            return _shipped(fullname, path)
        return None


class LastFinder:
    """Stands behind all others: what is asked for here nobody has found."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.startswith("rsimport."):
            return None
        from rsimport import _keep_own_code

        _keep_own_code()
        try:
            from rsimport._missing import find
        except ImportError:
            return None  # In a clone the engine is missing, without which there is nothing to look with.
        try:
            return find(fullname, path, LastFinder)
        except ImportError as exc:
            exc.__traceback__ = None
            raise


def go_first() -> None:
    """Puts the finder before Python's own.

    A kernel that was loaded by its path may have the name of a module on sys.path, which is not to be loaded
    in its place when it is reloaded.
    """
    if sys.meta_path[0] is not MetaFinder:
        sys.meta_path[:] = [MetaFinder, *(finder for finder in sys.meta_path if finder is not MetaFinder)]


def _reloaded(module: ModuleType) -> ModuleSpec | None:
    if "_rsimport_spec" not in vars(module):
        return None
    from rsimport._loader import is_kernel, loader_of

    # Where the kernel is gone, something else may have its name now.
    if not is_kernel(module) or not os.path.exists(loader_of(module).kernel):
        return None
    return loader_of(module).successor().spec()


def _shipped(fullname: str, path: Sequence[str]) -> ModuleSpec | None:
    from rsimport._finder import path_hook

    return path_hook(path[0]).find_spec(fullname)
