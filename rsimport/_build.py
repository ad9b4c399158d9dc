"""The cold path: a kernel that has to be built. Nothing here is imported while the cache is warm."""

from __future__ import annotations

import os
import sys
from sysconfig import get_config_vars

from rsimport import _engine
from rsimport._loader import ABI
from rsimport._progress import showing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rsimport._engine import Artifact


def build(kernel: str, module: str, settings: dict[str, object]) -> Artifact:
    """Builds a kernel's artifact, or waits for whoever builds it; shows progress and logs what was done."""
    with showing(module, bool(_engine.settings(kernel, settings)["progress"])) as progress:
        artifact = _engine.build(kernel, module, ABI, interpreter(), settings, progress)
    # As long as nobody has imported logging, nobody has asked for more than its warnings.
    if artifact.built and ("logging" in sys.modules or artifact.warnings):
        import logging

        logger = logging.getLogger("rsimport")
        name = os.path.basename(kernel)
        logger.info("built %s in %.2f s: %s", name, artifact.seconds, artifact.reason)
        if artifact.warnings:
            logger.warning("%s", "\n".join(found.rendered.rstrip() for found in artifact.warnings))
    return artifact


def warm(deps: list[str], settings: dict[str, object]) -> float:
    """Compiles dependencies ahead of the first kernel that needs them; returns the seconds that it took."""
    with showing("warm", bool(_engine.settings(None, settings)["progress"])) as progress:
        return _engine.warm(deps, ABI, interpreter(), settings, progress)


def interpreter() -> dict[str, object]:
    """The running Python as PyO3's build script wants it described, so that it need not start one to ask."""
    windows, framework = sys.platform == "win32", _CONFIG.get("PYTHONFRAMEWORK")
    # Conda's static interpreter comes with a shared library, which PyO3 prefers for the same reason.
    conda = os.path.exists(os.path.join(sys.base_prefix, "conda-meta"))
    flags = [flag for flag in _BUILD_FLAGS if _CONFIG.get(flag)]
    major, minor = sys.version_info[:2]
    suffix = ("t" if "Py_GIL_DISABLED" in flags else "") + ("_d" if windows and ABI.startswith("_d") else "")
    return {
        "implementation": _IMPLEMENTATIONS.get(sys.implementation.name, "CPython"),
        "version": f"{major}.{minor}",
        "shared": bool(windows or framework or conda or _CONFIG.get("Py_ENABLE_SHARED")),
        "lib_name": f"python{major}{minor}{suffix}" if windows else f"python{_CONFIG.get('LDVERSION')}",
        "lib_dir": os.path.join(sys.base_prefix, "libs") if windows else _CONFIG.get("LIBDIR"),
        "pointer_width": 64 if sys.maxsize > 2**32 else 32,
        "build_flags": ",".join(flags),
        "python_framework_prefix": _CONFIG.get("PYTHONFRAMEWORKPREFIX") or None,
    }


# Filled while this module is imported, which one thread does: sysconfig fills its table without a lock, and a
# second thread would find it half empty.
_CONFIG = get_config_vars()
_IMPLEMENTATIONS = {"pypy": "PyPy", "graalpy": "GraalVM"}
_BUILD_FLAGS = ("Py_DEBUG", "Py_REF_DEBUG", "Py_TRACE_REFS", "COUNT_ALLOCS", "Py_GIL_DISABLED")
