"""Child processes of multiprocessing and all built on it: they get the hook and know what was loaded."""

from __future__ import annotations

import sys
from contextlib import suppress

from rsimport import _loader
from rsimport._errors import Panic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from rsimport._arrival import Address


class Luggage:
    """What every child process is given on its way. It is in the configuration that processes hand down."""

    def __reduce__(self) -> tuple[object, ...]:
        finder: Any = sys.modules.get("rsimport._finder")
        hook = finder.current_settings() if finder and finder.is_installed() else None
        return unpack, (hook, loaded())


def unpack(hook: dict[str, object] | None, kernels: dict[str, Address]) -> Luggage:
    """What a child process does with it before its first task. It must not fail: the parent would wait."""
    serve()
    Inherited.kernels.update(kernels)
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

    kernels: dict[str, Address] = {}  # noqa: RUF012

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in cls.kernels or target is not None:
            return None
        from rsimport._arrival import recalled

        loader = recalled(*cls.kernels[fullname])
        return None if loader is None else loader.spec()


def is_inherited(name: str, content: bytes) -> bool:
    """Did the parent show this content under this name when this process was started?"""
    address = Inherited.kernels.get(name)
    return address is not None and address[1] == content


def loaded() -> dict[str, Address]:
    """The loaded kernels by their names, with what leads other processes to them."""
    found = {}
    for name, module in list(sys.modules.items()):
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


_serving = False


def expect_work() -> None:
    """Notices when this process begins to work for another one, or that it does."""
    process: Any = sys.modules["multiprocessing.process"]
    util: Any = sys.modules.get("multiprocessing.util")
    if process.parent_process() is not None:
        serve()
    elif util is not None:
        # This is called when a process that multiprocessing has started begins to run.
        util.register_after_fork(serve, lambda serve: serve())


def serve() -> None:
    """From now on this process works for others."""
    global _serving
    if not _serving:
        _serving = True
        adopt_panics()


def is_worker() -> bool:
    """Does this process work for others?"""
    process: Any = sys.modules.get("multiprocessing.process")
    return _serving or (process is not None and process.parent_process() is not None)


def adopt_panics() -> None:
    """Sees to it that panics of kernels travel and, in a process that works for others, are exceptions."""
    for kind in BaseException.__subclasses__():
        if kind.__module__ == "pyo3_runtime":
            kind.__reduce__ = _reduced_panic  # type: ignore[method-assign, assignment]
            if _serving:
                # Where a task raises what is no Exception, pools wait for ever, and futures give up a worker.
                kind.__bases__ = (Panic,)


def _reduced_panic(self: BaseException) -> tuple[object, ...]:
    return Panic, self.args


def accompany_when_loaded(spec: ModuleSpec) -> None:
    """Does so as soon as multiprocessing has been imported, which this is the spec of."""
    loader: Any = spec.loader

    class Loader(type(loader)):  # type: ignore[misc]
        def exec_module(self, module: ModuleType) -> None:
            super().exec_module(module)
            _loader.attend()

    with suppress(TypeError):
        loader.__class__ = Loader
