"""The client's side: whatever kernels it has loaded, or loads from now on, are had by the workers."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from functools import partial
from threading import RLock, Thread, get_ident

from rsimport import _engine
from rsimport._arrival import Kernel
from rsimport._errors import RsimportError
from rsimport._loader import LOADED, KernelLoader, shippers
from rsimport._serving import Reasons, carriers, loops
from rsimport.dask._payload import payload_of
from rsimport.dask._process import NAME
from rsimport.dask._shelf import Shelf
from rsimport.dask._worker import Kernels, bring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from distributed import Client

    from rsimport._engine import Artifact

sessions: list[Session] = []
"""The clients for which this was switched on."""


def enable(client: Client, target_cpu: str | None = None) -> Any:
    """Has the workers of a cluster run kernels: those that are loaded here, and all that are loaded later.

    Each worker gets an artifact that fits it, else it builds one from the source, once per host. What is sent
    is compiled for `target_cpu`, as `x86-64-v3` where workers have several kinds, else for this machine. The
    scheduler and the workers need rsimport. For an asynchronous client, await what this returns.

    Raises RsimportError if rsimport is missing there, and ConfigError for an unknown `target_cpu`.
    """
    if target_cpu is not None:
        _engine.settings(None, {"target_cpu": target_cpu})
    for session in sessions:
        if session.client is client:
            session.target_cpu = target_cpu
            break
    else:
        session = Session(client, target_cpu)
        sessions.append(session)
    sync: Any = client.sync
    return sync(session.start)


def disable(client: Client) -> None:
    """Sends no more kernels to a cluster; what is there stays there."""
    for session in [session for session in sessions if session.client is client]:
        session.end()


class Session:
    """A client, and what has been sent for it."""

    def __init__(self, client: Client, target_cpu: str | None) -> None:
        self.client = client
        self.target_cpu = target_cpu
        self.sent: set[str] = set()
        self.told: dict[str, str] = {}
        self.lock = RLock()
        self.scheduler: str | None = None

    async def start(self) -> None:
        """Registers the plugins, and sends what is loaded."""
        self.scheduler = self._scheduler()
        if not self.client.asynchronous:
            loops.add(get_ident())  # Results are unpickled here.
        self.sent.clear()
        self.told.clear()
        try:
            await self.client.register_plugin(Shelf())
            await self._put(self._loaded(), shown=True, wait=True)
            await self.client.register_plugin(Kernels())
        except BaseException as exc:
            self.end()
            if isinstance(exc, ModuleNotFoundError) and (exc.name or "").partition(".")[0] == "rsimport":
                what = "rsimport is missing on the scheduler or on a worker"
                raise RsimportError(what, hint="pip install 'rsimport[dask]' on each of them") from None
            raise
        if self.ship not in shippers:
            shippers.append(self.ship)
        if _carry not in carriers:
            carriers.append(_carry)

    def _scheduler(self) -> str | None:
        """Which scheduler it is: one that was started again at the same place knows nothing."""
        identity: dict[str, Any] = getattr(self.client, "_scheduler_identity", {})
        return identity.get("id", self.scheduler)

    def end(self) -> None:
        """Sends nothing more."""
        if self in sessions:
            sessions.remove(self)
        if self.ship in shippers:
            shippers.remove(self.ship)

    def ship(self, loader: KernelLoader | Kernel, shown: bool) -> None:
        """Sends a kernel unless it is there. Whatever becomes of that, loading and pickling go on."""
        content = loader.content.hex() if isinstance(loader, Kernel) else loader.find_artifact().content
        known = self._scheduler() == self.scheduler
        if known and content in self.sent and (not shown or self.told.get(loader.name) == content):
            return
        if self.client.status not in ("running", "connecting"):
            self.end()
            return
        try:
            if isinstance(loader, Kernel):
                loader = loader.loader(build=True)
            if self.client.asynchronous:
                # In the thread of the event loop nobody waits; the workers do.
                task = asyncio.ensure_future(self._ship(loader, shown=shown, known=known))
                task.add_done_callback(partial(_done, loader))
                _tasks.add(task)
            else:
                with self.lock:
                    sync: Any = self.client.sync
                    sync(self._ship, loader, shown=shown, known=known)
        except Exception as exc:
            _warn(loader, exc)

    async def _ship(self, loader: KernelLoader, *, shown: bool, known: bool) -> None:
        if not known:
            await self.start()
        await self._put([loader], shown=shown)

    async def _put(self, loaders: list[KernelLoader], *, shown: bool, wait: bool = False) -> None:
        all_of_them = {loader.find_artifact().content: loader for loader in loaders}
        new = {content: loader for content, loader in all_of_them.items() if content not in self.sent}
        # As plain texts: the name of a loader may lead to it.
        names = {str.__str__(loader.name): content for content, loader in all_of_them.items() if shown}
        self.sent.update(new)
        self.told.update(names)
        try:
            # They may have to be compiled for another CPU, and this is an event loop.
            loop = asyncio.get_running_loop()
            made = [partial(payload_of, loader, self.target_cpu, wait=wait) for loader in new.values()]
            payloads = [await loop.run_in_executor(None, make) for make in made]
            if payloads or names:
                await self._send(payloads, names)
        except BaseException:
            self.sent.difference_update(new)
            raise
        for payload in payloads:
            if payload["coming"]:
                follow = partial(self._follow, new[payload["content"]], payload, loop)
                Thread(target=follow, daemon=True).start()

    async def _send(self, kernels: list[dict[str, Any]], names: dict[str, str]) -> None:
        await getattr(self.client.scheduler, f"{NAME}_put")(
            kernels=kernels, names=names, client=self.client.id
        )

    def _follow(self, loader: KernelLoader, payload: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        """Sends the optimised build of what was built fast, for which workers wait. Here nobody does."""
        payload = {**payload, "coming": False}
        try:
            payload = payload_of(loader, self.target_cpu, progress=False)
        except Exception as exc:
            _warn(loader, exc)
        with suppress(RuntimeError):  # The client may have been closed meanwhile.
            asyncio.run_coroutine_threadsafe(self._send([payload], {}), loop)

    def _loaded(self) -> list[KernelLoader]:
        found = []
        for name, module in sys.modules.copy().items():
            spec = getattr(module, "__dict__", {}).get(LOADED)
            if spec is not None and spec.name == name and isinstance(spec.loader, KernelLoader):
                found.append(spec.loader)
        return found


def _carry(kernel: Kernel, why: Reasons) -> Artifact | None:
    """Brings what other clients have sent, of which something has come back from the cluster."""
    for session in sessions:
        client = session.client
        if client.status == "running" and not client.asynchronous and get_ident() not in loops:
            artifact = bring(client, kernel, why, build=True, patience=0)
            if artifact is not None:
                return artifact
    return None


_tasks: set[asyncio.Task[None]] = set()


def _done(loader: KernelLoader, task: asyncio.Task[None]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and task.exception() is not None:
        _warn(loader, task.exception())


def _warn(loader: KernelLoader | Kernel, error: BaseException | None) -> None:
    logging.getLogger("rsimport").warning("%s was not sent to the cluster: %s", loader.name, error)
