"""Kernels on Dask clusters: `rsimport.dask.enable(client)` once, then `submit`, `map` and all else as ever.

Everything here is loaded at its first use, so that importing this package costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rsimport.dask._client import disable, enable
    from rsimport.dask._sketches import count_min, heavy_hitters
    from rsimport.dask._status import Status, status

__all__ = ["Status", "count_min", "disable", "enable", "heavy_hitters", "status"]

_HOMES = {
    "count_min": "_sketches",
    "heavy_hitters": "_sketches",
    "disable": "_client",
    "enable": "_client",
    "Status": "_status",
    "status": "_status",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
