"""Why a kernel that was built cannot be loaded: what the system's loader says, in words of this package."""

from __future__ import annotations

import errno
import os
import re

from rsimport._errors import CacheError, RsimportError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rsimport._loader import KernelLoader

# What follows makes allocators, and other libraries in C, do without static thread-local storage.
_DYNAMIC_TLS = {
    "mimalloc": "local_dynamic_tls",
    "snmalloc-rs": "local_dynamic_tls",
    "tikv-jemallocator": "disable_initial_exec_tls",
    "jemallocator": "disable_initial_exec_tls",
}


def failure(loader: KernelLoader, exc: BaseException) -> RsimportError:
    """The error for a kernel whose loading or initialisation raised this."""
    why = str(exc) or type(exc).__name__
    message, hint, kind = f"kernel {loader.name} failed to initialise: {why}", None, RsimportError
    if isinstance(exc, ImportError) and exc.path == loader.image:
        message, hint, kind = _unloadable(loader, why)
    return kind(message, hint=hint, kernel=loader.source, name=loader.name, path=loader.path)


def _unloadable(loader: KernelLoader, why: str) -> tuple[str, str | None, type[RsimportError]]:
    head = f"kernel {loader.name} cannot be loaded"
    if "static TLS" in why:
        return (
            f"{head}: a process has little room for thread-local memory that is taken at loading, as by"
            " allocators written in C, and what was loaded before has used it up",
            _without_static_tls(loader.source),
            RsimportError,
        )
    folder = os.path.dirname(loader.image)
    if _is_noexec(folder):
        return (
            f"{head}: {folder} is on a file system that is mounted noexec, from which no library is loaded",
            "export RSIMPORT_CACHE_DIR=FOLDER, with a folder on another file system",
            CacheError,
        )
    if any(os.strerror(code) in why for code in (errno.EMFILE, errno.ENFILE)):
        return f"{head}: too many files are open", OPEN_FILES, RsimportError
    undefined = re.search(r"undefined symbol: (\S+)", why)
    if undefined:
        hint = f"`{undefined[1]}` is declared in the kernel, but in no library that it is linked with"
        return f"{head}: {why}", hint, RsimportError
    missing = re.match(r"(\S+): cannot open shared object file", why)
    if missing and missing[1] != loader.image:
        return f"{head}: {why}", f"{missing[1]} is looked for in LD_LIBRARY_PATH too", RsimportError
    return f"{head}: {why}", None, RsimportError


OPEN_FILES = "close some, or allow more before Python starts: ulimit -n 4096"


def _without_static_tls(source: str) -> str:
    try:
        with open(source, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        text = ""
    for crate, feature in _DYNAMIC_TLS.items():
        found = re.search(
            rf'^[/!\s]*{crate}\s*=\s*(?:"([^"]*)"|\{{.*?version\s*=\s*"([^"]*)")', text, re.MULTILINE
        )
        if found:
            line = f'{crate} = {{ version = "{found[1] or found[2]}", features = ["{feature}"] }}'
            return f"restart Python, or write `{line}`, with which it takes none of that room"
    return "restart Python"


def _is_noexec(folder: str) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_NOEXEC)
    except (OSError, AttributeError):
        return False
