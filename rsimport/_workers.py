"""Child processes of multiprocessing and all built on it: they get the hook and know what was loaded."""

from __future__ import annotations

import sys
from contextlib import suppress

from rsimport import _loader
from rsimport._serving import adopt_panics, expect_work, inherited, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from rsimport._serving import Address


class Luggage:
    """What every child process is given on its way. It is in the configuration that processes hand down."""

    def __reduce__(self) -> tuple[object, ...]:
        finder: Any = sys.modules.get("rsimport._finder")
        hook = finder.current_settings() if finder and finder.is_installed() else None
        return unpack, (hook, loaded())


def unpack(hook: dict[str, object] | None, kernels: dict[str, Address]) -> Luggage:
    """What a child process does with it before its first task. It must not fail: the parent would wait."""
    serve()
    inherited.update(kernels)
    if Inherited not in sys.meta_path:
        sys.meta_path.insert(0, Inherited)
    if hook is not None:
        with suppress(ImportError):
            from rsimport._finder import install, is_installed

            if not is_installed():
                install(**hook)  # type: ignore[arg-type]
    return Luggage()


class Inherited:
    """Finds kernels as the parent had them when this process was started, wherever the parent found them."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in inherited or target is not None:
            return None
        from rsimport._arrival import recalled

        loader = recalled(*inherited[fullname])
        return None if loader is None else loader.spec()


def loaded() -> dict[str, Address]:
    """The loaded kernels by their names, with what leads other processes to them."""
    found = {}
    for name, module in sys.modules.copy().items():
        spec = getattr(module, "__dict__", {}).get(_loader.LOADED)
        if spec is not None and spec.name == name:
            from rsimport._departure import address

            with suppress(ImportError):
                found[name] = address(spec.loader)
    return found


def accompany() -> None:
    """Has the child processes of this one take their luggage, and looks whether this is one."""
    process: Any = sys.modules["multiprocessing.process"]
    with suppress(AttributeError):  # These are no promises of Python's.
        process.current_process()._config.setdefault("rsimport", Luggage())
    adopt_panics()
    expect_work()
