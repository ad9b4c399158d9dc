"""The settings that calls take, for type checkers. The engine declares and checks them."""

from __future__ import annotations

from os import PathLike
from typing import Literal, TypedDict


class Settings(TypedDict, total=False):
    """Keyword arguments of every function that builds; they win over all other places."""

    profile: str
    target_cpu: str
    rustflags: list[str]
    features: list[str]
    toolchain: str
    tier: Literal["auto", "optimized", "fast"]
    fast_calls: bool
    fast_macros: bool
    reuse_glue: bool
    offline: bool
    locked: bool
    force_rebuild: bool
    stubs: bool
    cache_dir: str | PathLike[str]
    cache_max_size: str
    cache_max_age: str
    shared_caches: list[str]
    accept: Literal["any", "artifact", "source", "none"]
    lock_timeout: float
    progress: bool
