"""What the process is that has a part of a cluster in it."""

from __future__ import annotations

import sys
from importlib.abc import Loader
from threading import get_ident

from rsimport._serving import loops, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

NAME = "rsimport"
"""Of the plugins, and the beginning of what workers and clients call."""


class Given(Loader):
    """A loader of a module that is there already."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


def is_clients_own() -> bool:
    """Is this the process of a client, which has its kernels already?"""
    client: Any = sys.modules.get("rsimport.dask._client")
    return client is not None and bool(client.sessions)


def serve_here() -> None:
    """From now on this process works for others, and this is the thread of its event loop."""
    loops.add(get_ident())
    serve()
