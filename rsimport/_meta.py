"""What works without the import hook: reloading a kernel that is loaded, and the kernels that come with rsimport."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

SHIPPED = "rsimport.kernels."


class MetaFinder:
    """Stands on sys.meta_path as soon as rsimport is imported, and has nothing to say about any other import.

    It stands first because a kernel that lies outside sys.path may have the name of a module that lies inside, and
    that one is not what is to be reloaded.
    """

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if target is not None:
            return _reloaded(target)
        if path is not None and fullname.startswith(SHIPPED):
            return _shipped(fullname, path)
        return None


def _reloaded(module: ModuleType) -> ModuleSpec | None:
    if "__rsimport__" not in vars(module):
        return None
    from rsimport._reload import loader_of

    return loader_of(module).successor().spec()


def _shipped(fullname: str, path: Sequence[str]) -> ModuleSpec | None:
    from rsimport._finder import path_hook

    return path_hook(path[0]).find_spec(fullname)
