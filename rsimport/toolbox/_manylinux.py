"""On which Linux a library runs: the tag of its wheel, by the rules of PEP 600 and auditwheel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rsimport import _engine

if TYPE_CHECKING:
    from collections.abc import Iterable

ALLOWED = re.compile(r"(lib(c|m|dl|rt|util|pthread|resolv|nsl|gcc_s)|ld-linux[\w-]*|ld64)\.so\.\d+")
"""Libraries that every Linux with glibc has; auditwheel allows some more, of X11, GLib and C++."""

ARCHITECTURES = ("x86_64", "aarch64", "ppc64le", "s390x")
"""Those that auditwheel knows, of 64 bits."""

OLDEST = (2, 17)
"""What is older nobody tests for any more, Rust neither."""

_NEWEST_GCC = (4, 8)
"""The newest version of libgcc that goes with the oldest glibc."""


def tag(platform: str, libraries: Iterable[str]) -> str:
    """The platform in the tag of a wheel that has these libraries: by what they need a manylinux.

    Where it cannot be told that they run elsewhere, it stays what it is: `linux_x86_64`.
    """
    system, _, machine = platform.partition("_")
    if system != "linux" or machine not in ARCHITECTURES:
        return platform
    glibc: tuple[int, ...] = OLDEST
    found = list(libraries)
    for library in found:
        needed = _glibc(library)
        if needed is None:
            return platform
        glibc = max(glibc, needed)
    if not found:
        return platform
    plain = f"manylinux_{glibc[0]}_{glibc[1]}_{machine}"
    # The name that it has for an older pip.
    return f"{plain}.manylinux2014_{machine}" if glibc == OLDEST else plain


def _glibc(library: str) -> tuple[int, ...] | None:
    """The glibc that a library needs; None if it needs anything besides that not every Linux has."""
    asks = _engine.asks(library)
    if asks is None or not all(map(ALLOWED.fullmatch, asks[0])):
        return None
    needed: tuple[int, ...] = (0, 0)
    for name in asks[1]:
        of, _, version = name.partition("_")
        numbers = tuple(map(int, re.findall(r"\d+", version)))
        if of == "GLIBC" and re.fullmatch(r"\d+(\.\d+)+", version):
            needed = max(needed, numbers[:2])
        elif of != "GCC" or numbers[:2] > _NEWEST_GCC:
            return None
    return needed
