"""Reloading: the names of a new artifact move into the module object that everyone holds."""

from __future__ import annotations

from importlib._bootstrap import _ModuleLockManager  # type: ignore[attr-defined]

from rsimport._errors import concise
from rsimport._loader import loader_of
from rsimport._renewal import renew

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


@concise
def reload(module: ModuleType) -> ModuleType:
    """Brings a kernel's module up to date with its source, in place, and returns it.

    Whoever holds the module sees the new functions; a function that was taken out of it stays the old one,
    as in Python. Names that the kernel no longer defines go, names that were added from outside stay. Works
    with and without the import hook, and importlib.reload does the same. If anything fails, the module is
    left as it was.

    Raises CompileError, ConfigError, ToolchainError or CacheError as an import does, and RsimportError if the
    new kernel fails to initialise or if the module is no kernel.
    """
    loader = loader_of(module).successor()
    with _ModuleLockManager(loader.name):
        renew(module, loader)
    return module
