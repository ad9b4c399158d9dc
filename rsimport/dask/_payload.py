"""What is sent of a kernel to a cluster: its artifact, packed, and the source from which it can be built."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from hashlib import sha256

from rsimport import _engine
from rsimport._errors import RsimportError
from rsimport._python import ABI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rsimport._engine import Artifact
    from rsimport._loader import KernelLoader

LARGEST = 1 << 30
"""No artifact has more bytes."""

TRAVELLING = (
    "profile",
    "target_cpu",
    "rustflags",
    "features",
    "toolchain",
    "fast_calls",
    "fast_macros",
    "reuse_glue",
)
"""The settings that decide what is compiled, and how: whoever takes no shortcut wants none on workers."""


def payload_of(
    loader: KernelLoader, target_cpu: str | None, *, wait: bool = True, **settings: object
) -> dict[str, Any]:
    """Everything about one content of a kernel that a cluster may need, as plain data.

    What is sent is optimised, and compiled for `target_cpu`. Without `wait`, what is not there yet is left
    out: the artifact is `coming`. `settings` are for the build.
    """
    name, tail = str.__str__(loader.name), loader.name.rpartition(".")[2]
    artifact = loader.find_artifact()
    found: dict[str, Any] = {"name": name, "content": artifact.content, "artifacts": [], "coming": False}
    found.update(source=None, missing="")
    try:
        found["source"] = _source_of(loader, artifact, tail, target_cpu)
        if target_cpu is not None or artifact.tier == "fast":
            if not wait:
                return {**found, "coming": True}
            settings = {**loader.settings, **settings, "tier": "optimized"}
            artifact = _sent_artifact(loader, artifact, tail, target_cpu, settings)
    except RsimportError as exc:
        found["missing"] = exc.message
    with suppress(RsimportError):  # An artifact that has just been removed from the cache can be built again.
        packed, apart = packed_of(artifact)
        found["artifacts"].append(packed)
        if apart:
            missing = f"it is built from {', '.join(apart)}, outside of the kernel's folder"
            found.update(source=None, missing=missing)
    return found


def _sent_artifact(
    loader: KernelLoader,
    artifact: Artifact,
    tail: str,
    target_cpu: str | None,
    settings: dict[str, object],
) -> Artifact:
    """The optimised build of what was built fast or for this CPU alone."""
    from rsimport._build import build

    if target_cpu is not None:
        settings["target_cpu"] = target_cpu
    made = build(loader.kernel, tail, settings)
    _check(loader, artifact, tail)
    return made


def _check(loader: KernelLoader, artifact: Artifact, tail: str) -> None:
    now = _engine.lookup(loader.kernel, tail, ABI, loader.settings)
    if now is None or now.content != artifact.content:
        raise RsimportError(f"{loader.source} was changed after it was loaded")


def packed_of(artifact: Artifact) -> tuple[dict[str, Any], list[str]]:
    """An artifact as it is sent, and what its build has read outside of the kernel's folder."""
    needs, apart, data = _engine.pack(artifact)
    squeezed = zlib.compress(data, 1)
    return {"needs": needs, "digest": sha256(squeezed).hexdigest(), "data": squeezed}, apart


def unpacked(packed: dict[str, Any]) -> bytes:
    """What was packed. Raises RsimportError if it is not what was sent."""
    data: bytes = packed["data"]
    opened = zlib.decompressobj()
    try:
        found = opened.decompress(data, LARGEST) if sha256(data).hexdigest() == packed["digest"] else b""
    except zlib.error:
        found = b""
    if not found or not opened.eof:
        raise RsimportError("what arrived of its artifact is damaged")
    return found


def _source_of(loader: KernelLoader, artifact: Artifact, tail: str, target_cpu: str | None) -> dict[str, Any]:
    files = _engine.own_files(artifact, loader.kernel, ABI, loader.settings)
    _check(loader, artifact, tail)
    effective = _engine.settings(loader.kernel, loader.settings)
    settings = {name: effective[name] for name in TRAVELLING}
    if target_cpu is not None:
        settings["target_cpu"] = target_cpu
    main = "" if os.path.isdir(loader.kernel) else os.path.basename(loader.kernel)
    return {"files": files, "main": main, "settings": settings}
