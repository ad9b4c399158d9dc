"""The lookup of one kernel in a cache with 1,000, against a cache with that one only.

The other entries are copies of a real one under other keys. Both caches link to the real one of the kernel,
because an entry that was copied is checked more thoroughly than one that is where it was published. Both
lookups run in this process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import kernel
from line import Line, ratio
from measure import alternate, compare, seconds
from place import Place

from rsimport import _engine

RUNS = 200
KERNELS = 1000
BAR = 1.05
"""A lookup does not grow; this much is left to noise."""


def lines(place: Place, runs: int) -> list[Line]:
    """Measures lookups that hit."""
    source = str(place.kernels / f"{kernel.NAME}.rs")
    one, many = (_cache(place, size) for size in (1, KERNELS))

    def lookup(cache: Path) -> float:
        def look() -> None:
            if _engine.lookup(source, kernel.NAME, EXTENSION_SUFFIXES[0], {"cache_dir": str(cache)}) is None:
                raise RuntimeError("the kernel was not found in the cache")

        return seconds(look)

    comparison = compare(*alternate(runs, lambda: lookup(many), lambda: lookup(one)))
    return [ratio(f"lookup among {KERNELS:,} kernels", "lookup of the only kernel", comparison, BAR)]


def _cache(place: Place, size: int) -> Path:
    """A cache with `size` entries, one of which is the kernel's."""
    # An artifact lies at <folder of all kernels>/<key>/<entry>/<library>, somewhere below the cache.
    entry = place.artifacts[kernel.NAME].parent
    key = entry.parent
    cache = place.folder("copied-cache")
    cache.chmod(0o700)
    kernels = cache / key.parent.relative_to(place.cache)
    kernels.mkdir(parents=True)
    (kernels / key.name).symlink_to(key)
    copied = place.folder("copied-entry") / entry.name
    shutil.copytree(entry, copied)
    for number in range(1, size):
        other = hashlib.sha256(str(number).encode()).hexdigest()[: len(key.name)]
        # Hard links save the disk: a lookup never writes, and opens no entry of another key.
        shutil.copytree(copied, kernels / other / entry.name, copy_function=os.link)
    return cache
