"""The cold path: a kernel that has to be built. Nothing here is imported while the cache is warm."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from importlib import _bootstrap
from threading import get_ident

from rsimport import _engine
from rsimport._progress import showing
from rsimport._python import ABI, interpreter, renew_lock
from rsimport._streams import is_coloured, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsimport._engine import Artifact


def build(kernel: str, module: str, settings: dict[str, object], importing: str | None = None) -> Artifact:
    """Builds a kernel's artifact, or waits for whoever builds it; shows progress and logs what was done.

    `importing` is the full name of the module that is being imported, if one is.
    """
    if hasattr(signal, "SIGCHLD") and signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        from rsimport._errors import ToolchainError

        # What cargo starts inherits this, and then cargo cannot wait for it.
        said = f"{os.path.basename(kernel)} cannot be compiled: this process ignores the end of its children"
        raise ToolchainError(said, hint="signal.signal(signal.SIGCHLD, signal.SIG_DFL)", kernel=kernel)
    effective = _engine.settings(kernel, settings)
    with _noted(importing), showing(module, bool(effective["progress"])) as progress:
        artifact = _engine.build(kernel, module, ABI, interpreter(), settings, progress)
    if artifact.built and effective["stubs"]:
        from rsimport._background import describe

        describe(kernel, module, settings, artifact.key)
    # As long as nobody has imported logging, nobody has asked for more than its warnings.
    if artifact.built and ("logging" in sys.modules or artifact.warnings):
        import logging

        logger = logging.getLogger("rsimport")
        name = _engine.shown(os.path.basename(kernel))
        with suppress(Exception):
            logger.info("built %s in %.2f s: %s", name, artifact.seconds, artifact.reason)
        if artifact.warnings:
            handled = logger.hasHandlers()
            coloured = not handled and is_coloured(sys.stderr)
            text = "\n".join(
                (found.ansi if coloured else found.rendered).rstrip() for found in artifact.warnings
            )
            if handled:
                with suppress(Exception):  # A handler whose stream is gone is no reason to refuse a kernel.
                    logger.warning("%s", text)
            elif logger.isEnabledFor(logging.WARNING):
                # Python would do the same, but for a stream that cannot be written to.
                say(text)
    if artifact.built:
        ours = {name: value for name, value in effective.items() if name.startswith("cache_") and value}
        with suppress(ImportError):  # The kernel is built, whatever the cache is like.
            if _engine.cache_due(ours):
                from rsimport._background import keep_house

                keep_house(ours)
        _tell_editor(kernel)
    return artifact


def _tell_editor(kernel: str) -> None:
    """Has the file for an editor brought up to date, if there is one that does not know the kernel."""
    folder = os.path.dirname(kernel)
    while not os.path.exists(os.path.join(folder, "rust-project.json")):
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            return
    from rsimport._editor import outdated

    file = outdated(kernel)
    if file is not None:
        from rsimport._background import tell_editor

        tell_editor(file)


def warm(deps: list[str], settings: dict[str, object]) -> float:
    """Compiles dependencies ahead of the first kernel that needs them; returns the seconds that it took."""
    with showing("warm", bool(_engine.settings(None, settings)["progress"])) as progress:
        return _engine.warm(deps, ABI, interpreter(), settings, progress)


_importing: list[tuple[str, int]] = []
"""The modules whose import waits for a build, each with its thread."""


@contextmanager
def _noted(name: str | None) -> Iterator[None]:
    if name is None:
        yield
        return
    noted = name, get_ident()
    _importing.append(noted)
    try:
        yield
    finally:
        _importing.remove(noted)


def _forget() -> None:
    """In the child of a fork: gives up the locks of imports whose thread does not exist here.

    Python keeps them, so that the child would wait for ever for a module that was being imported. That of a
    kernel may take minutes.
    """
    renew_lock()
    for name, thread in list(_importing):
        if thread != get_ident():
            _importing.remove((name, thread))
            getattr(_bootstrap, "_module_locks", {}).pop(name, None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
