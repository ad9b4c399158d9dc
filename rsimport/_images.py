"""What a long session takes of its process: images of kernels, and what their code has started.

An image is never unloaded, since its functions may be anywhere. So each reload takes some memory, a thread
pool stays when its kernel is replaced, and there are things of which no process has more than a thousand.
"""

from __future__ import annotations

import atexit
import threading

from rsimport import _engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set

    from rsimport._loader import KernelLoader

MANY = 500
"""So many threads more than at the first reload are worth a word."""

_threads: list[int] = []
"""How many threads there were at the first reload, and each time when somebody was told."""


def image_for(loader: KernelLoader, mapped: Set[str]) -> str:
    """The file from which to load a kernel's artifact: a copy, if the process has loaded the artifact itself.

    Raises RsimportError while there is still room for what else goes on in the process, but not for more.
    """
    artifact = loader.find_artifact()
    lacking = _engine.lacking(len(mapped))
    if lacking is not None:
        from rsimport._errors import RsimportError

        raise RsimportError(
            f"kernel {loader.name} cannot be loaded once more, after {len(mapped)} libraries of kernels that"
            f" this process has loaded and that stay loaded: {lacking}",
            hint="restart Python",
            kernel=loader.source,
            name=loader.name,
        )
    return _engine.image(artifact.path) if artifact.path in mapped else artifact.path


def tell_threads(name: str) -> None:
    """Says it in the log when replaced kernels have left many threads, each time when they have doubled."""
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
            number = int(file.read().rpartition(")")[2].split()[17]) - threading.active_count()
    except (OSError, ValueError, IndexError):
        return  # Only Linux says it.
    if not _threads:
        _threads.append(number)
    elif number >= max(_threads[0] + MANY, 2 * _threads[-1]):
        import logging

        _threads.append(number)
        logging.getLogger("rsimport").warning(
            "%s: this process runs %d threads, %d more than at its first reload: what a kernel has started,"
            " such as rayon's pool, goes on when the kernel is replaced, until Python is restarted",
            name,
            number,
            number - _threads[0],
        )


atexit.register(_engine.discard_images)
