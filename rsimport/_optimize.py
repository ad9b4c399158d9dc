"""The second tier: a process of its own makes the optimised build of a kernel whose edit was compiled fast.

It outlives the Python that starts it, so that a short script finds the optimised build when it runs again. It
gives way to everything else, and stops when the kernel is edited once more.
"""

from __future__ import annotations

import json
import os
import sys
from subprocess import DEVNULL, Popen

_started: list[_Detached] = []

_QUIET = 1.0
"""Seconds for which the source has to stay as it is: whoever edits it now will edit it again."""

_LOOK = 0.25
"""Seconds between two looks at the source."""


def optimize(kernel: str, module: str, settings: dict[str, object]) -> None:
    """Starts the optimised build of a kernel."""
    if not sys.executable:
        return
    _started[:] = [process for process in _started if process.poll() is None]
    # The isolated interpreter sees no module of the user's that happens to be named like one of Python's.
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = f"import sys; sys.path.append({package!r}); from rsimport._optimize import main; main()"
    task = json.dumps([kernel, module, settings])
    try:
        process = _Detached(
            [sys.executable, "-I", "-c", code, task],
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return  # Where no process can be started, the fast build has to do.
    _started.append(process)


class _Detached(Popen[bytes]):
    """A process that is meant to outlive this one."""

    def __del__(self) -> None:
        # Popen would warn that nobody has waited for it.
        pass


def main() -> None:
    """The process that is started: builds what its only argument describes."""
    from contextlib import suppress
    from threading import Thread
    from time import sleep

    from rsimport._build import build
    from rsimport._errors import RsimportError

    kernel, module, settings = json.loads(sys.argv[1])
    if hasattr(os, "nice"):
        os.nice(10)
    Thread(target=_stop_when_edited, args=(kernel,), daemon=True).start()
    quiet = {"tier": "optimized", "progress": False, "force_rebuild": False}
    # Nobody is there to be told; whoever imports the kernel again gets the same error from rustc.
    with suppress(RsimportError, KeyboardInterrupt):
        sleep(_QUIET)
        build(kernel, module, {**settings, **quiet})


def _stop_when_edited(kernel: str) -> None:
    from _thread import interrupt_main
    from time import sleep

    before = _stamp(kernel)
    while _stamp(kernel) == before:
        sleep(_LOOK)
    interrupt_main()


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
