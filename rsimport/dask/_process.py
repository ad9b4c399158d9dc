"""What the process is that has a part of a cluster in it."""

from __future__ import annotations

import sys
from threading import get_ident

from rsimport._serving import loops, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "rsimport"
"""Of the plugins, and the beginning of what workers and clients call."""


def is_clients_own() -> bool:
    """Is this the process of a client, which has its kernels already?"""
    client: Any = sys.modules.get("rsimport.dask._client")
    return client is not None and bool(client.sessions)


def serve_here() -> None:
    """From now on this process works for others, and this is the thread of its event loop."""
    loops.add(get_ident())
    serve()
