"""File systems on which a cache, a project or temporary files may lie: full, read-only, without programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from random import Random

from faults.lab import Broken, Lab, Seen

KINDS = ("small", "small", "filled", "noexec", "read-only", "read-only project", "small tmp", "read-only tmp")
KILLED = """ && { (cd "$0" && exec "$@") & sleep SECONDS; kill -9 $!; wait $!; true; } >/dev/null 2>&1"""
"""Imports the kernel, and kills that import after so long."""


@cache
def missing() -> str | None:
    """Why none can be mounted here."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        return "only root may mount"
    tried = subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True)
    return None if tried.returncode == 0 else "nothing may be mounted here"


def one(lab: Lab, random: Random) -> str:
    kind = random.choice(KINDS)
    lab.nested = random.random() < 0.3
    built_before = random.random() < 0.5 or kind in ("read-only",)
    lab.write(1)
    if built_before:
        lab.expect(1, "before the fault", built=True)
    lab.cache.mkdir(exist_ok=True)
    if kind == "read-only":
        seen = _mounted(
            lab, f'mount --bind "{lab.cache}" "{lab.cache}" && mount -o remount,ro,bind "{lab.cache}"'
        )
        if seen.value != 1 or seen.built:
            raise Broken(f"what is cached does not load from a read-only cache: {seen}")
    lab.write(2)
    size = random.choice((64, 256, 1024, 4096, 8192, 16384, 32768))
    where = {"small tmp": lab.tmp, "read-only tmp": lab.tmp, "read-only project": lab.project}.get(
        kind, lab.cache
    )
    quoted = f'"{where}"'
    if kind in ("small", "small tmp"):
        mount = f"mount -t tmpfs -o size={size}k,mode=700 none {quoted}"
    elif kind == "filled":
        filler = f"head -c {64 - size // 600}m /dev/zero > {quoted}/filler"
        mount = f"mount -t tmpfs -o size=64m,mode=700 none {quoted} && {filler}"
    elif kind == "noexec":
        mount = f"mount -t tmpfs -o noexec,mode=700 none {quoted}"
    else:
        mount = f"mount --bind {quoted} {quoted} && mount -o remount,ro,bind {quoted}"
    killed = random.random() < 0.4
    if killed:
        # Another import, of the same text, died there at some moment before.
        mount += KILLED.replace("SECONDS", f"{random.random() * random.choice((0.1, 0.5, 2.0)):.3f}")
    seen = _mounted(lab, mount)
    _told(seen, kind)
    lab.expect(2, "after the fault")
    lab.expect(2, "after that", built=False)
    if built_before:
        lab.write(1)
        lab.expect(1, "the text before the fault", built=False)
    lab.quiet()
    lab.tidy()
    return f"file systems: {kind}{', after a kill' if killed else ''}"


def _mounted(lab: Lab, mount: str) -> Seen:
    """Imports the kernel in a namespace in which this was mounted."""
    script = f'{mount} && cd "$0" && exec "$@"'
    lab.imports += 1
    return lab.end(
        lab.start(wrap=["unshare", "-m", "sh", "-c", script, str(lab.project)], env={"RSIMPORT_TIER": "fast"})
    )


def _told(seen: Seen, kind: str) -> None:
    """Either it works, or one sentence says why not."""
    if seen.value == 2:
        if kind in ("read-only", "noexec"):
            raise Broken(f"{kind}: it was built nevertheless")
        return
    if seen.error is None:
        raise Broken(f"{kind}: no error of ours: {seen}")
    expected = {
        "small": "CacheError",
        "filled": "CacheError",
        "noexec": "CacheError",
        "read-only": "CacheError",
    }
    if seen.error != expected.get(kind, seen.error):
        raise Broken(f"{kind}: {seen}")
    if kind == "read-only project":
        raise Broken(f"{kind}: {seen}")
