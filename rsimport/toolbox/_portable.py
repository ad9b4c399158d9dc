"""What ships runs on every CPU of its kind: flags that ask for the one at hand are left out."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rsimport import _engine

if TYPE_CHECKING:
    from collections.abc import Iterator

GENERIC = "generic"


def settings_for(kernel: str, target_cpu: str) -> dict[str, object]:
    """The settings of a build that is to ship: what the kernel asks for, but for a CPU, and optimised."""
    effective = _engine.settings(kernel, {})
    flags = _without_cpu(list(effective["rustflags"]))  # type: ignore[call-overload]
    return {"target_cpu": target_cpu, "tier": "optimized", "rustflags": flags}


@contextmanager
def environment(folder: str, target_cpu: str = GENERIC) -> Iterator[None]:
    """Variables of this process under which cargo compiles for that CPU, whatever the user's say."""
    encoded, plain = os.environ.get("CARGO_ENCODED_RUSTFLAGS"), os.environ.get("RUSTFLAGS")
    if encoded is not None:
        flags: list[str] | None = encoded.split("\x1f") if encoded else []
    else:
        flags = plain.split() if plain is not None else None
    if flags is None and _engine.cargo_is_native(folder):
        flags = []  # A variable, even an empty one, beats cargo's configuration.
    if flags is None:
        yield
        return
    before = {"CARGO_ENCODED_RUSTFLAGS": encoded}
    os.environ["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(_without_cpu(flags))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _without_cpu(flags: list[str]) -> list[str]:
    kept: list[str] = []
    for flag in flags:
        if re.match(r"(-C\s*|--codegen[= ])?target-cpu\b", flag):
            if kept and kept[-1] in ("-C", "--codegen") and flag.startswith("target-cpu"):
                kept.pop()
            continue
        kept.append(flag)
    return kept
