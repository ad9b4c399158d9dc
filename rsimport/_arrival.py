"""What a pickle of something of a kernel calls where it arrives.

Nothing here builds, waits or fails while a pickle is read: whoever reads it may be an event loop, or a worker
whose end would leave others waiting for ever. What is missing is told by the call, in the thread of the task.

The names and arguments of `function_home`, `class_home`, `exception_home`, `module_home`, `module` and
`member` are in pickles.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from threading import RLock, get_ident
from types import ModuleType

from rsimport import _engine, _serving
from rsimport._errors import CacheError, Panic, RsimportError
from rsimport._loader import LOADED, KernelLoader, home_of
from rsimport._python import ABI, at, is_special
from rsimport._serving import Reasons, carriers, is_inherited, is_worker, loops

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Any

    from rsimport._engine import Artifact, Origin
    from rsimport._serving import Address


def function_home(name: str, content: bytes, root: str | None = None) -> str:
    """The module in which the pickle finds a function: the kernel's own, or one that loads it at a call."""
    if _shows(name, content):
        return name
    kernel = kept(name, content, root)
    if kernel.names is not None:
        return kernel.entered()
    place = kernel.spare + "()"
    if place not in sys.modules:
        sys.modules[place] = _Functions(place, kernel)
    return place


def class_home(name: str, content: bytes, root: str | None = None) -> str:
    """The module in which the pickle finds a class, which has to be one at once: the kernel's own if that can
    be loaded without a build, or one of classes that stand in for it.
    """
    found = _home_of_real_classes(name, content, root)
    if found is None:
        from rsimport._stand_in import stand_ins

        found = stand_ins(kept(name, content, root))
    return found


def exception_home(own: str, name: str, content: bytes, root: str | None = None) -> str:
    """The module in which the pickle finds an exception. What is not there yet cannot be raised, so one that
    stands in for it is the exception of Python's own that it is, and says what it stands for.
    """
    found = _home_of_real_classes(name, content, root)
    if found is None:
        from rsimport._stand_in import exceptions

        found = exceptions(kept(name, content, root), own)
    return found


def _home_of_real_classes(name: str, content: bytes, root: str | None) -> str | None:
    if _shows(name, content):
        return name
    kernel = kept(name, content, root)
    if _serving.passing:
        return None
    if kernel.names is None:
        if not is_worker() and LOADED in getattr(sys.modules.get(name), "__dict__", ()):
            # Data that was kept belongs to whatever the class is now, as everywhere in Python.
            return name
        try:
            kernel.load(build=False)
        except ImportError:
            if not is_worker() and _is_built(name):
                import_module(name)
                return name
            return None
    return kernel.entered()


def module_home(name: str, content: bytes, root: str | None = None) -> str:
    """The name of the kernel's module, under which it is in sys.modules here."""
    if _shows(name, content):
        return name
    return kept(name, content, root).entered()


def module(name: str, content: bytes, root: str | None = None) -> ModuleType:
    """The kernel's module, which is loaded when somebody looks into it."""
    return sys.modules[module_home(name, content, root)]


def member(name: str, content: bytes, path: str, root: str | None = None) -> object:
    """A function that only its path leads to, or one that a reload has replaced."""
    if _shows(name, content):
        return at(vars(sys.modules[name]), path)
    kernel = kept(name, content, root)
    return kernel.function(path) if kernel.names is None else at(kernel.names, path)


def kept(name: str, content: bytes, root: str | None = None) -> Kernel:
    """The one kernel of this name and content in this process."""
    kernel = _kernels.get((name, content))
    if kernel is None:
        kernel = _kernels.setdefault((name, content), Kernel(name, content, root))
    return kernel


def place_of(name: str, content: bytes) -> str:
    """A name for sys.modules, without a dot, at which Python would look for a package."""
    return f"{name.replace('.', '/')}@{content[:8].hex()}"


class Kernel:
    """A kernel of one content that was not imported here under its name. It is loaded when it is used."""

    names: dict[str, object] | None = None
    """What it defines, once it is loaded."""

    lack = "it is not in the cache"
    """Why it is not here, as long as it is not."""

    may_have_name = False
    """May it be in sys.modules under its own name, if nothing else is?"""

    def __init__(self, name: str, content: bytes, root: str | None) -> None:
        self.name = name
        self.content = content
        self.root = root
        self.spare = place_of(name, content)
        self.place = ""
        self.shown: ModuleType | None = None
        self.functions: dict[str, Function] = {}
        self.lock = RLock()

    def entered(self) -> str:
        """The name under which its module is in sys.modules from now on.

        In a worker that is the kernel's own if the parent had this content under it.
        """
        if self.shown is None or sys.modules.get(self.place) is not self.shown:
            mine = self.may_have_name or is_inherited(self.name, self.content)
            mine = mine and _is_free(self.name)
            self.place = self.name if mine else self.spare
            if self.shown is None:
                self.shown = _Module(self.place, self)
            sys.modules[self.place] = self.shown
            parent, _, tail = self.place.rpartition(".")
            if parent:
                setattr(sys.modules[parent], tail, self.shown)
        return self.place

    def address(self) -> Address:
        """What leads other processes to it."""
        return (self.name, self.content) if self.root is None else (self.name, self.content, self.root)

    def function(self, path: str) -> Function:
        """A function of it, which need not be loaded for that."""
        return self.functions.get(path) or self.functions.setdefault(path, Function(self, path))

    def load(self, *, build: bool, loader: KernelLoader | None = None) -> dict[str, object]:
        """What it defines. Raises an ImportError that says what is missing, unless a loader is given."""
        with self.lock:
            if self.names is None:
                loader = loader or self.loader(build)
                loader.place = self.entered()
                before = sys.modules.get(self.name)
                fresh = module_from_spec(loader.spec())
                loader.exec_module(fresh)
                if (
                    sys.modules.get(self.name) is fresh
                ):  # PyO3 before 0.28 makes modules that enter themselves.
                    if before is None:
                        del sys.modules[self.name]
                    else:
                        sys.modules[self.name] = before
                shown = self.shown
                assert shown is not None
                vars(shown).update(vars(fresh))
                vars(shown).pop("_kernel", None)
                shown.__class__ = ModuleType
                self.names = loader.names
                if loader.place != self.name:
                    from rsimport._places import move

                    move(loader)
            return self.names

    def loader(self, build: bool) -> KernelLoader:
        """A loader of an artifact of it; without a build only of one that is on this host."""
        content, tail = self.content.hex(), self.name.rpartition(".")[2]
        try:
            artifact, origin = _engine.recall(content, tail, ABI, self.root)
        except CacheError:  # What lies beside its source needs no cache.
            artifact = origin = None
        if artifact is not None:
            return loader_of_artifact(self.name, artifact, origin)
        if not build:
            raise RsimportError(f"kernel {self.name} ({content[:8]}) is not in the cache", name=self.name)
        why = Reasons()
        for carry in carriers:
            artifact = carry(self, why)
            if artifact is not None:
                return loader_of_artifact(self.name, artifact, origin)
        from rsimport._beside import of_content

        for loader in self._sources(origin):
            beside = of_content(loader, content)
            if beside is not None:
                return loader_of_artifact(self.name, beside, origin)
            further = origin is not None and origin.further
            if not further and _engine.key(loader.kernel, tail, ABI, loader.settings) != content:
                why.append(f"{loader.source} is another text, or is built with other settings")
            elif loader.find_artifact().content != content:
                why.append(f"{loader.source} reads files that have changed")
            else:
                return loader
        unfit: list[str] = []
        with suppress(CacheError):
            unfit = _engine.unfit(content, ABI, self.root)
        if unfit:
            why.insert(0, f"of an artifact in the cache: {', '.join(unfit)}")
            if all("CPU" in lack for lack in unfit):
                why.hint = why.hint or "RSIMPORT_TARGET_CPU=generic where it is built"
        reason = "; ".join(dict.fromkeys(why)) or "its source is not found either"
        if unfit and not carriers:
            raise RsimportError(
                f"kernel {self.name} ({content[:8]}) cannot be had on this machine: {reason}",
                hint=why.hint,
                name=self.name,
            )
        if carriers:
            from platform import node

            what = f"kernel {self.name} ({content[:8]}) cannot be had on {node()}"
            raise RsimportError(f"{what}: {reason}", hint=why.hint, name=self.name)
        if _serving.passing:
            raise RsimportError(
                f"kernel {self.name} ({content[:8]}) is not run here: a scheduler only hands kernels on",
                hint="`client.run` calls a function on the workers",
                name=self.name,
            )
        if origin is None:
            raise RsimportError(
                f"kernel {self.name} ({content[:8]}) is not in the cache of this machine, and {reason}",
                hint="`rsimport.dask.enable(client)` brings what other clients have sent"
                if "distributed" in sys.modules
                else f"`rsimport export {tail}.rs bundle --bundle` where it is loaded, and here "
                "RSIMPORT_SHARED_CACHES=bundle",
                name=self.name,
            )
        raise RsimportError(
            f"kernel {self.name} ({content[:8]}) was removed from the cache, and {reason}",
            hint="pickle it once more where it is loaded",
            name=self.name,
        )

    def _sources(self, origin: Origin | None) -> list[KernelLoader]:
        """Where the source may be: where it was in the other process, and where an import finds it."""
        found = []
        if origin is not None and os.path.exists(origin.source):
            found.append(KernelLoader(self.name, origin.kernel, origin.settings, origin.source))
        spec = _spec_by_name(self.name)
        if spec is not None and isinstance(spec.loader, KernelLoader):
            found.append(spec.loader)
        return found


def loader_of_artifact(name: str, artifact: Artifact, origin: Origin | None) -> KernelLoader:
    """A loader of what is in the cache, whatever the source says by now."""
    kernel, settings = (artifact.source, {}) if origin is None else (origin.kernel, origin.settings)
    loader = KernelLoader(name, kernel, settings, artifact.source)
    loader.artifact, loader.path = artifact, artifact.path
    return loader


def recalled(name: str, content: bytes, root: str | None = None) -> KernelLoader | None:
    """A loader of a content that is in the cache, for an import of the kernel by its name."""
    artifact, origin = _engine.recall(content.hex(), name.rpartition(".")[2], ABI, root)
    return None if artifact is None else loader_of_artifact(name, artifact, origin)


class Function:
    """A kernel's function where the kernel is loaded at the first call."""

    def __init__(self, kernel: Kernel, path: str) -> None:
        self.__name__ = path.rpartition(".")[2]
        self.__qualname__ = path
        self.__module__ = kernel.name
        self._kernel = kernel
        self._call: Any = self._first

    def __call__(self, /, *args: object, **kwargs: object) -> object:
        try:
            return self._call(*args, **kwargs)
        except BaseException as exc:
            # Where a task raises what is no Exception, pools wait for ever, and futures give up a worker.
            if type(exc).__name__ == "PanicException" and type(exc).__module__ == "pyo3_runtime":
                raise Panic(*exc.args) from None
            raise

    def _first(self, /, *args: object, **kwargs: object) -> object:
        if self._kernel.names is None and get_ident() in loops:
            # A pickle of something that this function makes is being read.
            from rsimport._stand_in import StandIn

            return StandIn.of(self._kernel, self.__qualname__)(*args, **kwargs)
        call = self.__wrapped__
        if "rsimport._stand_in" in sys.modules:
            from rsimport._stand_in import real

            args = tuple(map(real, args))
            kwargs = {name: real(value) for name, value in kwargs.items()}
        else:
            self._call = call
        return call(*args, **kwargs)  # type: ignore[operator]

    @property
    def __wrapped__(self) -> object:
        return at(self._kernel.load(build=True), self.__qualname__)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.__wrapped__.__doc__

    def __reduce__(self) -> tuple[object, ...]:
        kernel = self._kernel
        root = () if kernel.root is None else (kernel.root,)
        return member, (kernel.name, kernel.content, self.__qualname__, *root)

    def __repr__(self) -> str:
        return (
            f"<function {self.__qualname__} of kernel {self.__module__} ({self._kernel.content.hex()[:8]})>"
        )


class _Module(ModuleType):
    """A kernel's module until somebody looks into it; then it is an ordinary one."""

    def __init__(self, place: str, kernel: Kernel) -> None:
        super().__init__(place)
        home = home_of(kernel, place, "module")
        vars(self).update(_kernel=kernel, __name__=home, __reduce_ex__=home.module)

    def __getattr__(self, name: str) -> object:
        if not is_special(name):
            kernel: Kernel = vars(self)["_kernel"]
            if kernel.names is None and get_ident() in loops:
                return kernel.function(name)
            kernel.load(build=True)
            if name in vars(self):
                return vars(self)[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class _Functions(ModuleType):
    """In it pickle finds functions of a kernel that is not loaded yet."""

    def __init__(self, place: str, kernel: Kernel) -> None:
        super().__init__(place)
        vars(self)["_kernel"] = kernel

    def __getattr__(self, name: str) -> object:
        if is_special(name):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        kernel: Kernel = vars(self)["_kernel"]
        return kernel.function(name)


def _shows(name: str, content: bytes) -> bool:
    """Is this content imported here under its name, or would it be if somebody imported it?"""
    module = sys.modules.get(name)
    if module is None and not is_worker() and _is_built(name, content):
        module = import_module(name)
    spec: ModuleSpec | None = getattr(module, "__dict__", {}).get(LOADED)
    return spec is not None and spec.loader.find_artifact().content == content.hex()  # type: ignore[union-attr]


def _is_built(name: str, content: bytes | None = None) -> bool:
    """Would an import find a kernel of this name, or even this content, and have nothing to build?"""
    with suppress(ImportError, AttributeError, ValueError):
        spec = find_spec(name)
        loader = None if spec is None else spec.loader
        if isinstance(loader, KernelLoader):
            from rsimport._beside import at_hand

            artifact = at_hand(loader)
            return artifact is not None and content in (None, bytes.fromhex(artifact.content))
    return False


def _is_free(name: str) -> bool:
    parent = name.rpartition(".")[0]
    return name not in sys.modules and (not parent or parent in sys.modules)


def _spec_by_name(name: str) -> ModuleSpec | None:
    """What an import of this name would find, whether or not the import hook is installed."""
    from rsimport._finder import path_hook

    parent = name.rpartition(".")[0]
    try:
        folders = import_module(parent).__path__ if parent else sys.path
    except (ImportError, AttributeError):
        return None
    for folder in folders:
        with suppress(ImportError):  # Not everything on sys.path is a folder.
            spec: ModuleSpec | None = path_hook(folder or os.getcwd()).find_spec(name)
            if spec is not None:
                return spec
    return None


def _forget_locks() -> None:
    # Another thread of the parent may have held one.
    for kernel in _kernels.values():
        kernel.lock = RLock()


_kernels: dict[tuple[str, bytes], Kernel] = {}

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks)
