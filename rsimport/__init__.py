"""Import Rust kernels: a `.rs` file whose first line is `// rsimport` becomes a Python module.

`import rsimport.import_hook` switches the import hook on; the functions here work without it. Each of them is
loaded at its first use, so that importing this package costs next to nothing.
"""

from __future__ import annotations

import sys


def _keep_own_code() -> None:
    """Has rsimport's own modules loaded as they are where there may be something that changes all modules."""
    if "beartype.claw" in sys.modules or "typeguard" in sys.modules:
        from rsimport._own_code import go_first

        go_first()


_keep_own_code()

from rsimport._meta_finder import LastFinder, MetaFinder  # noqa: E402

# Type checkers take this name for true. Importing it from typing would take longer than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from rsimport._api import Report, build, build_all, build_filepath, imp, imp_from_filepath, info, reload
    from rsimport._engine import Artifact, Diagnostic, __version__
    from rsimport._errors import (
        CacheError,
        CompileError,
        ConfigError,
        Panic,
        RsimportError,
        ToolchainError,
    )
    from rsimport._finder import Hook, install
    from rsimport._native import Native, native
    from rsimport._text import compile

__all__ = [
    "Artifact",
    "CacheError",
    "CompileError",
    "ConfigError",
    "Diagnostic",
    "Hook",
    "Native",
    "Panic",
    "Report",
    "RsimportError",
    "ToolchainError",
    "__version__",
    "build",
    "build_all",
    "build_filepath",
    "compile",
    "imp",
    "imp_from_filepath",
    "info",
    "install",
    "native",
    "reload",
]

_HOMES = {
    "Hook": "_finder",
    "install": "_finder",
    "Native": "_native",
    "Panic": "_errors",
    "native": "_native",
    "compile": "_text",
    "Artifact": "_engine",
    "Diagnostic": "_engine",
    "__version__": "_engine",
    # `%load_ext rsimport` looks for these.
    "load_ipython_extension": "_notebook",
    "unload_ipython_extension": "_notebook",
}


def __getattr__(name: str) -> object:
    if name == "_engine":
        return _engine_or_hint()
    if name not in __all__ and name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    _keep_own_code()
    home = _HOMES.get(name) or ("_errors" if name.endswith("Error") else "_api")
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def _engine_or_hint() -> object:
    """The engine. It is missing in a clone, where Python finds the source before the installed package."""
    try:
        __import__("rsimport._engine")
        return sys.modules["rsimport._engine"]
    except ModuleNotFoundError:
        raise ImportError(
            f"{__path__[0]} is the source of rsimport, which has no compiled engine\n"
            "hint: start Python in another folder, or compile it in place with `pip install -e .`",
            name=__name__,
        ) from None


def __dir__() -> list[str]:
    return __all__


sys.meta_path += [MetaFinder, LastFinder]
