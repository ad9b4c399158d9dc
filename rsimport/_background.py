"""The other tier: a process of its own makes the build of a kernel that nobody waits for.

After an edit, which was compiled fast, that is the optimised build; after a first build at which somebody
sits, the fast one, whose incremental data the first edit then finds. The process starts when nobody has
edited the kernel for a moment, the optimised build also when Python ends. It outlives a Python that ends by
itself, so that a short script finds the optimised build when it runs again. It gives way to everything else,
and stops when the kernel is edited once more, when the Python that started it is killed, and after a time
that no build takes. A kernel's stubs, where they are to be kept current, are written in the same way.

Once a day another one keeps the cache in order, after a build, when whoever waited for that has its module.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import suppress
from importlib import import_module
from threading import Lock, Timer

from rsimport import _engine
from rsimport._python import ABI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

    Task = tuple[str, str, dict[str, object], str]

QUIET = 1.0
"""Seconds without an edit: whoever edits a kernel now will edit it again."""

LOOK = 0.25
"""Seconds between two looks at the source while it is compiled."""

STAY = b"."
"""What a Python that ends by itself says to the builds that it has started."""

LIMIT = 1800.0
"""Seconds after which a build is given up: nobody sees that it goes on, and some constants never end."""

BOTH = "optimized and fast"
"""What stands in the place of a tier where first the optimised build is wanted, then the fast one."""

STUBS = "stubs"
"""What stands in the place of a tier where stubs are to be written."""

_waiting: dict[str, Waiting] = {}
"""What is to be started, by kernel; stubs have places of their own."""

_started: list[Popen[bytes]] = []


def optimize(kernel: str, module: str, settings: dict[str, object], key: str, *, first: bool = False) -> None:
    """Has the optimised build of a kernel made soon, whose fast build has this key.

    If that was the `first` one, and this is a session in which one edits, its first edit is prepared too.
    """
    _schedule((kernel, module, settings, BOTH if first and _is_session() else "optimized"), key)


def prepare(kernel: str, module: str, settings: dict[str, object], key: str) -> None:
    """Has the first edit of a kernel prepared, if this is a session in which one edits."""
    if _is_session():
        _schedule((kernel, module, settings, "fast"), key)


def _is_session() -> bool:
    return hasattr(sys, "ps1") or "IPython" in sys.modules


def describe(kernel: str, module: str, settings: dict[str, object], key: str) -> None:
    """Has the stubs of a kernel brought up to date soon; a cell has none."""
    if os.path.basename(os.path.dirname(os.path.dirname(kernel))) != "cells":
        _schedule((kernel, module, settings, STUBS), key)


class Waiting:
    """A build that starts in a moment, unless the kernel is edited once more."""

    def __init__(self, task: Task, key: str) -> None:
        self.task = task
        self.key = key
        self.timer = Timer(QUIET, self.fire)
        self.timer.daemon = True

    def fire(self) -> None:
        # A timer that is cancelled while it fires must not take a newer one's place: that has the newer text.
        if self.leave():
            _start(self.task)

    def leave(self) -> bool:
        """Gives the place up; False where a newer one has it."""
        with _order:
            place = _place(self.task)
            mine = _waiting.get(place) is self
            if mine:
                del _waiting[place]
        return mine


_order = Lock()


def _forget() -> None:
    """In the child of a fork: what waits is the parent's, and whoever had the lock does not exist here."""
    global _order
    _order = Lock()
    _waiting.clear()
    _let_go(b"")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _schedule(task: Task, key: str) -> None:
    place = _place(task)
    with _order:
        before = _waiting.get(place)
        if (before is not None and before.key == key) or not _in_main_interpreter():
            return
        waiting = _waiting[place] = Waiting(task, key)
    if before is not None:
        before.timer.cancel()
    waiting.timer.start()


def _place(task: Task) -> str:
    return f"{task[0]}:{STUBS}" if task[-1] == STUBS else task[0]


def main() -> None:
    """The process that is started: builds what its only argument describes."""
    from signal import SIGINT, default_int_handler, signal
    from threading import Thread

    from rsimport._errors import RsimportError
    from rsimport._python import interpreter

    kernel, module, settings, tier = json.loads(sys.argv[1])
    if hasattr(os, "nice"):
        os.nice(10)
    signal(SIGINT, default_int_handler)  # What a shell starts in the background has Ctrl-C ignored.
    Thread(target=_stop_when_edited, args=(kernel,), daemon=True).start()
    Thread(target=_stop_when_orphaned, daemon=True).start()
    quiet = {**settings, "progress": False, "force_rebuild": False}
    # Nobody is there to be told; whoever imports the kernel again gets the same error from rustc.
    with suppress(RsimportError, KeyboardInterrupt, OSError):
        if tier == STUBS:
            # The toolbox stands above this module.
            import_module("rsimport.toolbox.stubs").keep_current(kernel, {**quiet, "tier": "fast"})
            return
        for one in ("optimized", "fast") if tier == BOTH else (tier,):
            # The optimised build that is there already must not pass for the fast one.
            _engine.build(
                kernel, module, ABI, interpreter(), {**quiet, "tier": one}, None, ahead=one == "fast"
            )


def _in_main_interpreter() -> bool:
    # A subinterpreter cannot end while it has a thread that nobody waits for.
    try:
        import _xxsubinterpreters as interpreters  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return True  # In later versions PyO3 refuses to be loaded in a subinterpreter.
    return bool(interpreters.get_current() == interpreters.get_main())


def _start(task: Task) -> None:
    kernel, module, settings, tier = task
    try:
        if tier == STUBS:
            wanted = True
        elif tier == "fast":
            wanted = _engine.settings(kernel, settings)["tier"] == "auto"
        else:
            wanted = _engine.claim(kernel, module, ABI, settings)
    except ImportError:
        return  # The source is gone.
    if wanted:
        _launch("main", task)


def keep_house(settings: dict[str, object]) -> None:
    """Has another process remove from the cache what is too old or too much."""
    if _in_main_interpreter():
        _launch("house", settings)


def tell_editor(file: str) -> None:
    """Has another process bring the file up to date by which an editor knows kernels."""
    if _in_main_interpreter():
        _launch("main", file, "toolbox._ide")


def obey() -> None:
    """Has this process end on Ctrl-C, with the Python that has started it, and after too long a time."""
    from _thread import interrupt_main
    from signal import SIGINT, default_int_handler, signal
    from threading import Thread

    if hasattr(os, "nice"):
        os.nice(10)
    signal(SIGINT, default_int_handler)  # What a shell starts in the background has Ctrl-C ignored.
    limit = Timer(LIMIT, interrupt_main)
    limit.daemon = True
    limit.start()
    Thread(target=_stop_when_orphaned, daemon=True).start()


def house() -> None:
    """The process that is started for that."""
    from time import sleep

    from rsimport._errors import RsimportError

    if hasattr(os, "nice"):
        os.nice(19)
    sleep(QUIET)  # Whoever has built a kernel is about to load it.
    with suppress(RsimportError, KeyboardInterrupt):
        _engine.cache_gc(json.loads(sys.argv[1]), dry_run=False)


def _launch(function: str, argument: object, module: str = "_background") -> None:
    """Starts a function of ours in a process of its own. Where none can be started, it has to wait."""
    from subprocess import DEVNULL, PIPE, Popen

    if not sys.executable:
        return
    _started[:] = [process for process in _started if process.poll() is None]
    # The isolated interpreter sees no module of the user's that happens to be named like one of Python's.
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = f"import sys; sys.path.append({package!r}); from rsimport.{module} import {function} as f; f()"
    command = [sys.executable, "-I", "-c", code, json.dumps(argument)]
    with suppress(OSError):
        _started.append(Popen(command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True))


@atexit.register
def _leave() -> None:
    for waiting in list(_waiting.values()):
        waiting.timer.cancel()
        kernel, module, settings, tier = waiting.task
        if waiting.leave() and tier != "fast":
            # Nobody edits any more.
            _start((kernel, module, settings, "optimized" if tier == BOTH else tier))
    _let_go(STAY)


def _let_go(word: bytes) -> None:
    """Says a last word to what was started, and forgets it."""
    for process in _started:
        # They may outlive this process, so Popen need not warn that nobody has waited for them.
        process.returncode = 0
        pipe = process.stdin
        if pipe is not None:
            with suppress(OSError):
                pipe.write(word)
                pipe.close()
    _started.clear()


def _stop_when_edited(kernel: str) -> None:
    from _thread import interrupt_main
    from time import monotonic, sleep

    before, end = _stamp(kernel), monotonic() + LIMIT
    while _stamp(kernel) == before and monotonic() < end:
        sleep(LOOK)
    interrupt_main()


def _stop_when_orphaned() -> None:
    """Waits for the last word of the Python that started this one; one that is killed says none."""
    from _thread import interrupt_main

    if os.read(0, 1) != STAY:  # A thread that reads from sys.stdin cannot be left when Python ends.
        interrupt_main()


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
