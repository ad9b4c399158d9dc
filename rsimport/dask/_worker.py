"""Workers: which content a name means there, and how a kernel comes to a host.

Nothing here is built, fetched or waited for in an event loop. A kernel that has to be had from elsewhere is
brought by the first call of it, in the thread of the task, and once for all processes of the host.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from platform import node
from threading import get_ident
from time import perf_counter
from weakref import WeakSet

from distributed import WorkerPlugin, get_worker
from distributed.utils import sync

from rsimport import _engine
from rsimport._arrival import Kernel, kept
from rsimport._errors import RsimportError
from rsimport._loader import LOADED, KernelLoader
from rsimport._python import ABI
from rsimport._serving import Reasons, carriers, inherited, loops, take_panics
from rsimport.dask._payload import packed_of, unpacked
from rsimport.dask._process import NAME, Given, is_clients_own, serve_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

    from distributed import Client, Worker

    from rsimport._engine import Artifact

WAIT = 3.0
"""Seconds in which what a client has just pickled may come to the scheduler."""

_workers: WeakSet[Worker] = WeakSet()
"""The workers in this process."""

_came: dict[tuple[str, str], dict[str, Any]] = {}
"""How each kernel came here, or why it did not."""


class Kernels(WorkerPlugin):
    """The plugin of a worker. It is told of kernels, and brings what fits before the first task."""

    name = NAME
    idempotent = True

    async def setup(self, worker: Worker) -> None:
        self.worker = worker
        _workers.add(worker)
        if is_clients_own():
            take_panics()
        else:
            serve_here()
            if carry not in carriers:
                carriers.append(carry)
        self.heard: set[str] = set()
        worker.handlers[f"{NAME}_told"] = self.told
        names = await getattr(worker.scheduler, f"{NAME}_told")()
        # What was told while this was on its way is newer.
        await self.told({name: content for name, content in names.items() if name not in self.heard})

    async def told(self, names: dict[str, str]) -> None:
        """What names mean from now on. What fits is brought here before a task can need it."""
        self.heard.update(names)
        if is_clients_own():
            return
        if any(name.startswith("rsimport.") for name in names):
            import rsimport.kernels  # noqa: F401  It puts a finder of its own first.
        sys.meta_path[:] = [Told, *(finder for finder in sys.meta_path if finder is not Told)]
        for name, content in names.items():
            inherited[name] = (name, bytes.fromhex(content))
            _give_up(name, content)
        loop = asyncio.get_running_loop()
        for name, content in names.items():
            await loop.run_in_executor(None, _prefetch, self.worker, name, content)

    def __reduce__(self) -> tuple[object, ...]:
        return Kernels, ()


def _give_up(name: str, content: str) -> None:
    """Another content has a name from now on; whoever holds the old one keeps it."""
    module = sys.modules.get(name)
    spec = getattr(module, "__dict__", {}).get(LOADED)
    if spec is not None and spec.loader.find_artifact().content != content:
        from rsimport._departure import retire

        del sys.modules[name]
        with suppress(Exception):
            retire(spec.loader)


def _prefetch(worker: Worker, name: str, content: str) -> None:
    try:
        bring(worker, kept(name, bytes.fromhex(content)), Reasons(), build=False, patience=0)
    except Exception as exc:  # It is tried once more when it is used.
        logging.getLogger("rsimport").warning("%s was not fetched: %r", name, exc)


class Told:
    """Finds kernels by the names that a client has told of."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in inherited or target is not None:
            return None
        name, content = inherited[fullname][:2]
        kernel = kept(name, content)
        try:
            return kernel.loader(build=get_ident() not in loops).spec()
        except ImportError:
            if get_ident() not in loops:
                raise
            # A module is being uploaded; the tasks that use it will need the kernel.
            return ModuleSpec(fullname, Given(sys.modules[kernel.entered()]))


def carry(kernel: Kernel, why: Reasons) -> Artifact | None:
    """Brings a kernel to this host, in the thread of a task."""
    worker = _worker()
    if worker is None or get_ident() in loops:
        return None
    try:
        return bring(worker, kernel, why, build=True)
    except RsimportError as exc:  # Such as one about the cache of this worker.
        why.append(exc.message)
        why.hint = exc.hint
        _came[kernel.name, kernel.content.hex()] = {"how": exc.message, "there": False, "seconds": 0.0}
        return None


def bring(
    worker: Worker | Client, kernel: Kernel, why: Reasons, *, build: bool, patience: float = WAIT
) -> Artifact | None:
    """An artifact of a kernel on this host: the one that is here, a fetched one, or a built one.

    What nobody has sent may be sent within `patience`.
    """
    content, tail = kernel.content.hex(), kernel.name.rpartition(".")[2]
    started = perf_counter()

    def came(how: str, *, there: bool = True) -> None:
        _came[kernel.name, content] = {"how": how, "there": there, "seconds": perf_counter() - started}

    with _engine.hold(content):
        artifact = _engine.recall(content, tail, ABI, None)[0]
        if artifact is not None:
            if not _came.get((kernel.name, content), {}).get("there"):
                came("was on the host")
            return artifact
        try:
            how = _fetch(worker, content, why, wait=build, patience=patience)
            if how is None and build:
                how = _build(worker, kernel, content, tail, why)
        except (OSError, asyncio.TimeoutError) as exc:
            how = None
            why.append(f"the scheduler cannot be reached: {exc}")
        if how is None:
            if why:
                kernel.lack = "; ".join(dict.fromkeys(why))
                came(kernel.lack, there=False)
            return None
        artifact = _engine.recall(content, tail, ABI, None)[0]
        if artifact is None:
            why.append("what was fetched does not run here")
        else:
            came(how)
        return artifact


def _fetch(worker: Worker | Client, content: str, why: Reasons, *, wait: bool, patience: float) -> str | None:
    """Fetches an artifact that fits from the scheduler, and says so."""
    accept = _engine.settings(None, {})["accept"]
    found = _ask(worker, "find", content=content, patience=patience)
    while wait and accept in ("any", "artifact") and found is not None and found["coming"]:
        # Its client is optimising it. One that goes away is not waited for.
        found = _ask(worker, "find", content=content, patience=WAIT)
    if found is None:
        why.append("its client has not sent it")
        why.hint = "rsimport.dask.enable(client)"
        return None
    if accept not in ("any", "artifact"):
        why.append(f"this worker accepts no artifacts (RSIMPORT_ACCEPT={accept})")
        why.hint = "RSIMPORT_ACCEPT=any for the worker takes what clients send"
        return None
    for described in found["artifacts"]:
        unmet = _engine.unmet(described["needs"], ABI)
        if unmet:
            why.append(f"of an artifact: {', '.join(unmet)}")
            if all("CPU" in reason for reason in unmet):
                why.hint = 'rsimport.dask.enable(client, target_cpu="generic")'
            continue
        packed = _ask(worker, "get", content=content, digest=described["digest"])
        try:
            if packed is None or packed["digest"] != described["digest"]:
                raise RsimportError("what arrived of its artifact is damaged")
            _engine.unpack(content, unpacked(packed))
        except RsimportError as exc:
            why.append(exc.message)
            continue
        return f"fetched, {(len(packed['data']) + 1023) // 1024} kB"
    return None


def _build(worker: Worker | Client, kernel: Kernel, content: str, tail: str, why: Reasons) -> str | None:
    """Builds a kernel from the source that its client has sent, and shares what came of it."""
    found = _ask(worker, "find", content=content)
    if found is None:
        return None
    if not found["has_source"]:
        why.append(f"its source was not sent: {found['missing'] or 'there is none'}")
        return None
    accept = _engine.settings(None, {})["accept"]
    if accept not in ("any", "source"):
        why.append(f"this worker accepts no sources (RSIMPORT_ACCEPT={accept})")
        why.hint = "RSIMPORT_ACCEPT=any for the worker takes what clients send"
        return None
    source = _ask(worker, "get", content=content, digest="")
    if source is None:
        return None
    try:
        folder = _engine.write_source(content, [(name, bytes(text)) for name, text in source["files"]])
        path = f"{folder}/{source['main']}" if source["main"] else folder
        settings = {name: _listed(value) for name, value in source["settings"].items()}
        loader = KernelLoader(kernel.name, path, {**settings, "tier": "optimized"})
        started = perf_counter()
        packed, _ = packed_of(loader.find_artifact())
        seconds = perf_counter() - started
        _engine.unpack(content, unpacked(packed))
    except RsimportError as exc:
        why.append(f"it cannot be built there: {exc.message}")
        why.hint = why.hint or exc.hint
        return None
    given = {"name": kernel.name, "content": content, "artifacts": [packed]}
    with suppress(Exception):  # Others can build it too.
        _ask(worker, "put", kernels=[given], names={})
    return f"built in {seconds:.1f} s"


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _ask(worker: Worker | Client, what: str, **kwargs: object) -> Any:
    """Calls the scheduler from a thread that is not that of the event loop."""
    loop: Any = worker.loop
    return sync(loop, getattr(worker.scheduler, f"{NAME}_{what}"), **kwargs, callback_timeout=60)


def _worker() -> Worker | None:
    try:
        return get_worker()
    except ValueError:
        return next(iter(_workers), None)


def _forget() -> None:
    """In the child of a fork, where the event loop does not exist."""
    _workers.clear()
    loops.clear()
    carriers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def report() -> dict[str, Any]:
    """What a worker says of itself, for `status`."""
    rows = [{"kernel": name, "content": content, **how} for (name, content), how in list(_came.items())]
    return {"host": node(), "kernels": rows}
