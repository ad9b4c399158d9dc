"""A library that lies beside its source, as `rsimport build --inplace` and wheels put it there.

Python finds it without the import hook, so the hook must not do worse: where nothing is in the cache, such a
library is taken if it was compiled from this very text, and where nothing can be compiled it is taken anyway.
"""

from __future__ import annotations

import os
from importlib.machinery import EXTENSION_SUFFIXES

from rsimport import _engine
from rsimport._errors import CacheError, RsimportError, ToolchainError
from rsimport._python import ABI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rsimport._engine import Artifact
    from rsimport._loader import KernelLoader


def matching(loader: KernelLoader) -> Artifact | None:
    """The library beside a kernel, if it is what a build would give."""
    found = _found(loader)
    return None if found is None or found[1] is not None else found[0]


def instead(loader: KernelLoader, error: ImportError) -> Artifact | None:
    """The library beside a kernel that could not be built, unless that is the fault of the kernel."""
    if not isinstance(error, (ToolchainError, CacheError)):
        return None
    found = _found(loader)
    if found is None:
        return None
    artifact, differs = found
    if differs is not None and artifact.path not in _told:
        _told.add(artifact.path)
        _tell(loader, artifact, error, differs)
    return artifact


def at_hand(loader: KernelLoader) -> Artifact | None:
    """What an import would load of a kernel if nothing could be built: from the cache, or from beside it."""
    artifact = None
    try:
        artifact = _engine.lookup(loader.kernel, loader.name.rpartition(".")[2], ABI, loader.settings)
    except CacheError as exc:
        return instead(loader, exc)
    return artifact or matching(loader)


def of_content(loader: KernelLoader, content: str) -> Artifact | None:
    """The library beside a kernel, if it has this content."""
    found = _found(loader)
    return found[0] if found is not None and found[0].content == content else None


def library_of(kernel: str) -> str | None:
    """The library beside a kernel that Python itself would load."""
    stem = kernel.removesuffix(".rs")
    return next((stem + suffix for suffix in EXTENSION_SUFFIXES if os.path.isfile(stem + suffix)), None)


def _found(loader: KernelLoader) -> tuple[Artifact, str | None] | None:
    library = library_of(loader.kernel)
    module = loader.name.rpartition(".")[2]
    # A library has the name of its module, whatever the kernel is called here.
    if library is None or os.path.basename(library).partition(".")[0] != module:
        return None
    try:
        return _engine.beside(loader.kernel, library, module, ABI, loader.settings)
    except RsimportError:
        return None


def _tell(loader: KernelLoader, artifact: Artifact, error: ImportError, differs: str) -> None:
    import logging
    import sys

    from rsimport._streams import say

    why = error.message if isinstance(error, RsimportError) else str(error)
    name = os.path.basename(loader.kernel)
    first = f"{artifact.path} is loaded, since {name} cannot be compiled here: {why.splitlines()[0]}"
    text = f"{first}\nnote: {differs}"
    logger = logging.getLogger("rsimport")
    if logger.hasHandlers():
        logger.warning("%s", text)
    elif logger.isEnabledFor(logging.WARNING) and sys.stderr is not None:
        say(f"rsimport: {_engine.shown(text, lines=True)}")


_told: set[str] = set()
"""The libraries of which somebody was told."""
