"""Reloading: the names of a new artifact move into the module object that everyone holds."""

from __future__ import annotations

from importlib._bootstrap import _ModuleLockManager  # type: ignore[attr-defined]

from rsimport._errors import RsimportError, concise
from rsimport._loader import LOADED, KernelLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
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


def renew(module: ModuleType, loader: KernelLoader) -> None:
    """Makes a loaded module show what a new loader finds or, if that fails, what it showed before."""
    old = loader_of(module)
    spec: ModuleSpec = vars(module)[LOADED]
    try:
        if loader.find_artifact().path == old.path:
            loader.names = old.names
        else:
            loader.load_again()
        for name, value in old.names.items():
            if name not in loader.names and vars(module).get(name) is value:
                delattr(module, name)
        vars(module).update(loader.names)
        spec = loader.spec()
    finally:
        # importlib.reload overwrites these before anything can fail.
        vars(module).update(
            {"__spec__": spec, "__loader__": spec.loader, "__file__": spec.origin, LOADED: spec}
        )


def loader_of(module: ModuleType) -> KernelLoader:
    """The loader of what a kernel's module shows.

    Raises RsimportError if the module is no kernel.
    """
    spec = getattr(module, "__dict__", {}).get(LOADED)
    if spec is None:
        raise RsimportError(f"{module!r} is not a kernel that rsimport loaded")
    loader: KernelLoader = spec.loader
    return loader
