"""The Python that runs: its ABI tag, and what PyO3's build script would ask it."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from importlib.machinery import EXTENSION_SUFFIXES

ABI = EXTENSION_SUFFIXES[0]

_IMPLEMENTATIONS = {"pypy": "PyPy", "graalpy": "GraalVM"}
_BUILD_FLAGS = ("Py_DEBUG", "Py_REF_DEBUG", "Py_TRACE_REFS", "COUNT_ALLOCS", "Py_GIL_DISABLED")
_alone = allocate_lock()


def interpreter() -> dict[str, object]:
    """The running Python as PyO3's build script wants it described, so that it need not start one to ask."""
    # sysconfig fills its table without a lock, and a second thread would find it half empty.
    with _alone:
        from sysconfig import get_config_vars

        config = get_config_vars()
    windows, framework = sys.platform == "win32", config.get("PYTHONFRAMEWORK")
    # Conda's static interpreter comes with a shared library, which PyO3 prefers for the same reason.
    conda = os.path.exists(os.path.join(sys.base_prefix, "conda-meta"))
    flags = [flag for flag in _BUILD_FLAGS if config.get(flag)]
    major, minor = sys.version_info[:2]
    suffix = ("t" if "Py_GIL_DISABLED" in flags else "") + ("_d" if windows and ABI.startswith("_d") else "")
    return {
        "implementation": _IMPLEMENTATIONS.get(sys.implementation.name, "CPython"),
        "version": f"{major}.{minor}",
        "shared": bool(windows or framework or conda or config.get("Py_ENABLE_SHARED")),
        "lib_name": f"python{major}{minor}{suffix}" if windows else f"python{config.get('LDVERSION')}",
        "lib_dir": os.path.join(sys.base_prefix, "libs") if windows else config.get("LIBDIR"),
        "pointer_width": 64 if sys.maxsize > 2**32 else 32,
        "build_flags": ",".join(flags),
        "python_framework_prefix": config.get("PYTHONFRAMEWORKPREFIX") or None,
    }


def is_special(name: str) -> bool:
    """Is it a name by which Python, and not a user, asks for something?"""
    return name.startswith("__") and name.endswith("__") and name not in ("__all__", "__doc__")


def at(names: dict[str, object], path: str) -> object:
    """What is at a path in a kernel."""
    first, *others = path.split(".")
    if first not in names:
        raise AttributeError(f"the kernel has no {path}")
    value = names[first]
    for name in others:
        value = getattr(value, name)
    return value


def renew_lock() -> None:
    """In the child of a fork, where whoever had the lock does not exist."""
    global _alone
    _alone = allocate_lock()
