"""What a scheduler keeps of kernels: by content, the artifacts that were made of it and its source."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec

from distributed import SchedulerPlugin

from rsimport._arrival import kept
from rsimport._serving import pass_on
from rsimport._stand_in import stand_ins
from rsimport.dask._process import NAME, Given, is_clients_own, serve_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any, ClassVar

    from distributed import Scheduler

PATIENCE = 10.0
"""Seconds in which workers are told of kernels; those that take longer find them at the first call."""


ROOM = 1 << 30
"""Bytes that artifacts may take in the scheduler's memory."""


_NOTHING: dict[str, Any] = {"source": None, "missing": "", "coming": None, "served": 0}
"""What is known of a content of which only the name is known. `coming` is the client that is compiling it."""


_tasks: set[asyncio.Task[None]] = set()


def _size(known: dict[str, Any]) -> int:
    return sum(len(packed["data"]) for packed in known["artifacts"].values())


class Shelf(SchedulerPlugin):
    """The plugin of the scheduler. Nothing in it is compiled, loaded or unpickled."""

    name = NAME
    idempotent = True

    def __init__(self) -> None:
        self.kernels: dict[str, dict[str, Any]] = {}
        """What is known of each content."""
        self.names: dict[str, str] = {}
        """Which content a name means now: the one that a client was the last to load."""
        self.said: dict[str | None, dict[str, str]] = {}
        """What names mean to each client."""

    async def start(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.changed = asyncio.Condition()
        for method in (self.put, self.find, self.get, self.told, self.report):
            scheduler.handlers[f"{NAME}_{method.__name__}"] = method
        if not is_clients_own():
            serve_here()
            pass_on()
            sys.meta_path[:] = [_HandedOn, *(finder for finder in sys.meta_path if finder is not _HandedOn)]

    def __reduce__(self) -> tuple[object, ...]:
        return Shelf, ()

    async def put(
        self, kernels: list[dict[str, Any]], names: dict[str, str], client: str | None = None
    ) -> None:
        """Keeps what is known of contents, and has the workers told what names mean from now on."""
        for given in kernels:
            content = given["content"]
            known = self.kernels.setdefault(content, {**_NOTHING, "name": given["name"], "artifacts": {}})
            if given.get("coming"):
                known["coming"] = client
            elif known["coming"] is not None:
                known["coming"] = None
                if self.names.get(known["name"]) == content:
                    names = {known["name"]: content, **names}
            known["artifacts"].update((packed["digest"], packed) for packed in given["artifacts"])
            if given.get("source") is not None:
                known["source"], known["missing"] = given["source"], ""
            elif known["source"] is None:
                known["missing"] = given.get("missing") or known["missing"]
        self.said.setdefault(client, {}).update(names)
        await self._mean(names)

    async def _mean(self, names: dict[str, str]) -> None:
        """Has the workers told what names mean from now on, and wakes who waits for something."""
        async with self.changed:
            self.changed.notify_all()
        self.names.update(names)
        if not is_clients_own():
            _HandedOn.tell(names)
        self._make_room()
        if names and NAME in self.scheduler.worker_plugins:  # Else they ask when they get theirs.
            message = {"op": f"{NAME}_told", "names": names}
            broadcast = self.scheduler.broadcast(msg=message, on_error="return")
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(broadcast, PATIENCE)

    def _make_room(self) -> None:
        """Drops artifacts of what no name means any more, the oldest first, if there is too much."""
        kept = sum(_size(known) for known in self.kernels.values())
        for content, known in self.kernels.items():
            if kept <= ROOM:
                return
            if self.names.get(known["name"]) != content:
                kept -= _size(known)
                known["artifacts"] = {}

    async def find(self, content: str, patience: float = 0) -> dict[str, Any] | None:
        """What there is of a content, without the data. A client may be about to send it."""

        def is_here() -> bool:
            known = self.kernels.get(content)
            return known is not None and (known["coming"] is None or bool(known["artifacts"]))

        if patience and not is_here():
            async with self.changed:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.changed.wait_for(is_here), min(patience, PATIENCE))
        known = self.kernels.get(content)
        if known is None:
            return None
        artifacts = [
            {"digest": digest, "needs": packed["needs"]} for digest, packed in known["artifacts"].items()
        ]
        return {
            "artifacts": artifacts,
            "coming": not is_here(),
            "has_source": known["source"] is not None,
            "missing": known["missing"],
        }

    async def get(self, content: str, digest: str) -> dict[str, Any] | None:
        """An artifact, or the source if none is named."""
        known = self.kernels.get(content)
        if known is None:
            return None
        if not digest:
            source: dict[str, Any] | None = known["source"]
            return source
        known["served"] += 1
        packed: dict[str, Any] | None = known["artifacts"].get(digest)
        return packed

    async def told(self) -> dict[str, str]:
        """What names mean, for a worker that has just come."""
        return self.names

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Nobody waits for what a client that is gone was about to send; names are the others' again."""
        for known in self.kernels.values():
            if known["coming"] == client:
                known["coming"] = None
        gone = self.said.pop(client, {})
        names = {
            name: content
            for said in self.said.values()
            for name, content in said.items()
            if name in gone and self.names[name] == gone[name]
        }
        task = asyncio.ensure_future(self._mean(names))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    async def report(self) -> list[dict[str, Any]]:
        """What is kept, for whoever asks for the status."""
        return [
            {
                "name": known["name"],
                "content": content,
                "artifacts": len(known["artifacts"]),
                "bytes": _size(known),
                "source": known["missing"] or ("yes" if known["source"] is not None else "no"),
                "served": known["served"],
                "current": self.names.get(known["name"]) == content,
            }
            for content, known in self.kernels.items()
        ]


class _HandedOn:
    """Finds kernels in a scheduler, to which `client.upload_file` brings modules that import some. What is in
    them stands in for what workers have.
    """

    names: ClassVar[dict[str, bytes]] = {}

    @staticmethod
    def tell(names: dict[str, str]) -> None:
        """Names mean these contents from now on."""
        if any(name.startswith("rsimport.") for name in names):
            import rsimport.kernels  # noqa: F401  It puts a finder of its own first.

            sys.meta_path[:] = [_HandedOn, *(finder for finder in sys.meta_path if finder is not _HandedOn)]
        for name, content in names.items():
            _HandedOn.names[name] = bytes.fromhex(content)
            if isinstance(getattr(sys.modules.get(name), "__loader__", None), Given):
                del sys.modules[name]

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        content = _HandedOn.names.get(fullname)
        if content is None:
            return None
        return ModuleSpec(fullname, Given(sys.modules[stand_ins(kept(fullname, content))]))
