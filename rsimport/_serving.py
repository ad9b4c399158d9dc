"""Does this process work for another one? Then panics of kernels are exceptions in it."""

from __future__ import annotations

import sys
from contextlib import suppress

from rsimport._errors import Panic
from rsimport._loader import attend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from rsimport._arrival import Kernel
    from rsimport._engine import Artifact

    Address = tuple[str, bytes] | tuple[str, bytes, str]


class Reasons(list[str]):
    """Why a kernel cannot be had here, and what helps."""

    hint: str | None = None


inherited: dict[str, Address] = {}
"""The kernels that the parent had when this process was started, and what leads to them."""

carriers: list[Callable[[Kernel, Reasons], Artifact | None]] = []
"""What brings a kernel that is not on this host, or says why it does not."""

loops: set[int] = set()
"""The threads of event loops that read pickles. Nothing may be built or waited for in them."""

passing = False
"""Is this a scheduler, which hands on what it reads, and loads no native code?"""

_serving = _taking = False


def expect_work() -> None:
    """Notices when this process begins to work for another one, or that it does."""
    process: Any = sys.modules["multiprocessing.process"]
    util: Any = sys.modules.get("multiprocessing.util")
    if process.parent_process() is not None:
        serve()
    elif util is not None:
        # This is called when a process that multiprocessing has started begins to run.
        util.register_after_fork(serve, lambda serve: serve())


def serve() -> None:
    """From now on this process works for others."""
    global _serving
    _serving = True
    take_panics()


def pass_on() -> None:
    """From now on this process hands kernels on and uses none."""
    global passing
    passing = True


def take_panics() -> None:
    """From now on a panic in this process is an exception: some of its threads work for others."""
    global _taking
    if not _taking:
        _taking = True
        adopt_panics()


def is_worker() -> bool:
    """Does this process work for others?"""
    process: Any = sys.modules.get("multiprocessing.process")
    return _serving or (process is not None and process.parent_process() is not None)


def adopt_panics() -> None:
    """Sees to it that panics of kernels travel and, in a process that works for others, are exceptions."""
    for kind in BaseException.__subclasses__():
        if kind.__module__ == "pyo3_runtime":
            kind.__reduce__ = _reduced_panic  # type: ignore[method-assign, assignment]
            if _taking:
                # Where a task raises what is no Exception, pools wait for ever, and futures give up a worker.
                kind.__bases__ = (Panic,)


def _reduced_panic(self: BaseException) -> tuple[object, ...]:
    return Panic, self.args


def is_inherited(name: str, content: bytes) -> bool:
    """Did the parent show this content under this name when this process was started?"""
    address = inherited.get(name)
    return address is not None and address[1] == content


def attend_when_loaded(spec: ModuleSpec) -> None:
    """Sees to worker processes as soon as what makes them has been imported, which this is the spec of."""
    loader: Any = spec.loader

    class Loader(type(loader)):  # type: ignore[misc]
        def exec_module(self, module: ModuleType) -> None:
            super().exec_module(module)
            attend()

    with suppress(TypeError):
        loader.__class__ = Loader
