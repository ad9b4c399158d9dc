"""Loads kernels: sees to a fresh artifact, and leaves the rest to Python's loader of extension modules."""

from __future__ import annotations

import builtins
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec

from rsimport import _engine, _keep_own_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.readers import FileReader
    from types import ModuleType
    from typing import Any, TypeVar

    from rsimport._arrival import Kernel
    from rsimport._engine import Artifact

    Method = TypeVar("Method", bound=Callable[..., object])

ABI = EXTENSION_SUFFIXES[0]
"""As in `_python`, without which the hook is imported."""

LOADED = "_rsimport_spec"
"""Where a module keeps the spec of the artifact that it shows, whatever is done to its `__spec__`.

With one underscore, because help() shows names with two.
"""

CAPSULES = "__pyx_capi__"
"""Where Cython, and who follows it, looks for the native functions of a module."""


class Home(str):
    """The name of a kernel's module where pickle looks for it: a text that travels with the kernel's content.

    Pickle writes down of a function or class in which module it is. Where that name is one of these, the
    other process gets the very text of the kernel that was loaded here, and need not be able to import it.
    """

    __slots__ = ("kind", "loader")
    loader: KernelLoader | Kernel
    kind: str
    """What is there: function, class, module, or of an exception the name of Python's own that it is."""

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        return _later("_departure").reduced(self)  # type: ignore[no-any-return]

    def module(self, protocol: object) -> tuple[object, ...]:
        """What a pickle says of the module itself, as its `__reduce_ex__`."""
        return _later("_departure").reduced_module(self)  # type: ignore[no-any-return]

    def member(self, path: str, protocol: object = None) -> tuple[object, ...]:
        """What a pickle says of something in it to which only its path leads."""
        return _later("_departure").reduced_member(self, path)  # type: ignore[no-any-return]


def home_of(loader: KernelLoader | Kernel, place: str, kind: str) -> Home:
    """The home of a kernel's functions or classes, or of its module, at a place in sys.modules."""
    home = Home(place)
    home.loader, home.kind = loader, kind
    return home


def home_of_class(kind: type, home: Home) -> Home:
    """The home of a class of a kernel. That of an exception says which of Python's own it is."""
    if not issubclass(kind, BaseException):
        return home
    own = next(base for base in kind.__mro__ if vars(builtins).get(base.__name__) is base)
    return home_of(home.loader, home, own.__name__)


def hidden(method: Method) -> Method:
    """Keeps a method out of the tracebacks of failed imports, as Python does for its own machinery.

    Python recognises that machinery by the file name of its code, and cuts its frames off an ImportError, and
    off any exception as far as to a function of this name.
    """
    code = method.__code__.replace(
        co_filename="<frozen importlib._bootstrap_external>", co_name="_call_with_frames_removed"
    )
    method.__code__ = code
    return method


class KernelLoader(ExtensionFileLoader):
    """Builds a kernel if need be when its module is created, and loads the artifact.

    `kernel` is the kernel's file or crate folder. `path` is the Rust source until there is an artifact, and
    from then on the artifact, which so becomes the module's `__file__`; the source stays known as
    `__spec__.loader_state`.
    """

    names: dict[str, object]
    """What the artifact defined in the module."""

    image: str
    """The file that was loaded: the artifact, or a copy of it."""

    takes_libraries = True
    """Will a library do that lies beside the kernel? Not for who wants a build."""

    def __init__(
        self, fullname: str, kernel: str, settings: dict[str, object], source: str | None = None
    ) -> None:
        super().__init__(fullname, source or kernel)
        self.kernel = kernel
        self.source = self.path
        self.settings = settings
        self.artifact: Artifact | None = None
        self.capsules: dict[str, object] | None = None
        self.place = fullname
        """Under which name of sys.modules pickle finds what this loads."""
        self.home: Home | None = None
        self.created: ModuleType | None = None
        """The module that was made for this loader, whose first contents are the artifact's."""
        self.before: ModuleSpec | None = None
        """The spec of the module that is to be reloaded, if something else has filled it."""

    # Each loader stands for one load; comparing their contents would compare what kernels define.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def spec(self) -> ModuleSpec:
        """The spec of a module that this loader is to load."""
        # spec_from_file_location would come to the same, after asking in vain whether this is a package.
        spec = ModuleSpec(self.name, self, origin=self.path, loader_state=self.source)
        spec.has_location = True
        return spec

    def successor(self) -> KernelLoader:
        """A loader for the next version of the same kernel."""
        return KernelLoader(self.name, self.kernel, self.settings, self.source)

    def find_artifact(self) -> Artifact:
        """Finds or builds the artifact that is to be loaded. A loader does this once."""
        if self.artifact is None:
            module = self.name.rpartition(".")[2]
            try:
                self.artifact = _engine.lookup(self.kernel, module, ABI, self.settings)
                if self.artifact is None:
                    _keep_own_code()
                    if self.takes_libraries and (beside := _beside()) is not None:
                        self.artifact = beside.matching(self)
                if self.artifact is None:
                    from rsimport._build import build

                    self.artifact = build(self.kernel, module, self.settings, self.name)
            except ImportError as exc:
                exc.name, exc.path = self.name, self.source
                if self.takes_libraries and (beside := _beside()) is not None:
                    self.artifact = beside.instead(self, exc)
                if self.artifact is None:
                    raise
            self.path, self.source = self.artifact.path, self.artifact.source
            if self.artifact.provisional:
                from rsimport._background import optimize

                first = self.artifact.built and self.artifact.reason == "first build"
                optimize(self.kernel, module, self.settings, self.artifact.key, first=first)
            elif self.artifact.built and self.artifact.tier == "optimized":
                from rsimport._background import prepare

                prepare(self.kernel, module, self.settings, self.artifact.key)
        return self.artifact

    @hidden
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        try:
            spec.origin, spec.loader_state = self.find_artifact().path, self.source
            self.created = self._create(spec)
            return self.created
        except _TOLD as exc:
            raise exc.with_traceback(None) from exc.__cause__

    @hidden
    def exec_module(self, module: ModuleType) -> None:
        if module is not self.created:
            try:
                _later("_renewal").fill(module, self)
            except _TOLD as exc:
                raise exc.with_traceback(None) from exc.__cause__
            return
        try:
            self._execute(module)
        except _TOLD as exc:
            raise exc.with_traceback(None) from exc.__cause__
        vars(module).update(self.marks(), **{LOADED: module.__spec__})
        if not _attending and (not _forking or "multiprocessing.process" in sys.modules):
            attend()
        for ship in shippers:
            ship(self, True)

    def marks(self) -> dict[str, object]:
        """By what the module itself travels. cloudpickle sends no more of one than its name."""
        if self.home is None or self.home != self.place:
            self.home = home_of(self, self.place, "module")
        return {"__name__": self.home, "__reduce_ex__": self.home.module}

    def load_again(self) -> None:
        """Fills `names` from the artifact without touching any module that is in use."""
        in_use = sys.modules.get(self.name)
        try:
            self._execute(self._create(self.spec()))
        finally:
            # PyO3 before 0.28 makes modules that enter themselves into sys.modules.
            if in_use is not None:
                sys.modules[self.name] = in_use
            else:
                sys.modules.pop(self.name, None)

    def _create(self, spec: ModuleSpec) -> ModuleType:
        """A new module of the artifact, in an image of its own: with statics that nobody else has."""
        image = spec.origin = self.find_artifact().path
        if image in _mapped or len(_mapped) > MANY:
            image = _later("_images").image_for(self, _mapped)
            spec = ModuleSpec(self.name, self, origin=image)
        _mapped.add(image)
        self.image = image
        try:
            return super().create_module(spec)
        except BaseException as exc:  # A panic of Rust is no Exception.
            raise self._failure(exc) from exc

    def _execute(self, module: ModuleType) -> None:
        try:
            super().exec_module(module)
        except BaseException as exc:
            raise self._failure(exc) from exc
        self.names = self._defined(module)

    def get_resource_reader(self, name: str | None = None) -> FileReader:
        """Resources lie beside the source, not in the cache."""
        from importlib.readers import FileReader
        from types import SimpleNamespace

        return FileReader(SimpleNamespace(path=self.source))  # type: ignore[arg-type]

    def _defined(self, module: ModuleType) -> dict[str, object]:
        """What the kernel defined in its new module, and what finds its native functions as soon as they are
        asked for.
        """
        defined = vars(module)
        if self.find_artifact().exporting and CAPSULES not in defined:
            if "__getattr__" in defined:
                defined[CAPSULES] = self._capsules()
            else:
                # Looking for them at each import would make that a fifth slower.
                defined["__getattr__"] = self._absent
        return _names(module, self)

    def _absent(self, name: str) -> object:
        """The `__getattr__` of a module that may have native functions."""
        if name == CAPSULES and (capsules := self._capsules()):
            return capsules
        raise AttributeError(f"module {self.name!r} has no attribute {name!r}")

    def _capsules(self) -> dict[str, object]:
        """The native functions that have a signature in C, found once."""
        if self.capsules is None:
            signed = {export.name: export.signature for export in self.find_artifact().exports}
            self.capsules = {
                name: _engine.capsule(self.image, name, signature)
                for name, signature in signed.items()
                if signature is not None
            }
        return self.capsules

    def _failure(self, exc: BaseException) -> BaseException:
        """What to raise where a kernel's initialisation raised this."""
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            raise exc
        trace = exc.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename in _MACHINERY:
            trace = trace.tb_next
        exc.__traceback__ = trace
        if isinstance(exc, ImportError) and exc.path == self.image:
            _mapped.discard(self.image)  # It is Python that could not load it.
        failed: BaseException = _later("_failures").failure(self, exc)
        return failed


def loader_of(module: ModuleType) -> KernelLoader:
    """The loader of what a kernel's module shows.

    Raises RsimportError if the module is no kernel.
    """
    if not is_kernel(module):
        from rsimport._errors import RsimportError

        raise RsimportError(f"{module!r} is not a kernel that rsimport loaded")
    loader: KernelLoader = vars(module)[LOADED].loader
    return loader


def is_kernel(module: ModuleType) -> bool:
    """Does the module show a kernel, and not what something else has been loaded into it since?"""
    names = getattr(module, "__dict__", {})
    # A reload that finds nothing leaves a module without a spec, and as it was.
    return LOADED in names and isinstance(
        getattr(names.get("__spec__"), "loader", None), (KernelLoader, type(None))
    )


def disown(loader: object) -> None:
    """Sees to it that a module which shows a kernel shows nothing of it once another loader has filled it."""
    _later("_renewal").disown(loader)


_TOLD = (ImportError, KeyboardInterrupt, SystemExit)
"""What is shown without our frames: how a load fails, and what ends the program meanwhile."""

_MACHINERY = (__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")

shippers: list[Callable[[KernelLoader | Kernel, bool], None]] = []
"""What sends kernels to other machines when they are loaded or pickled, and is told which a name shows."""

_mapped: set[str] = set()
"""The libraries that this process has loaded. They stay loaded, with what their functions leave in them."""

MANY = 64
"""So many are loaded without a look at whether there is room for more."""

_IMPORT_OWNS = (
    "__name__",
    "__loader__",
    "__spec__",
    "__package__",
    "__file__",
    "__path__",
    "__cached__",
    "__reduce_ex__",
    LOADED,
)


# What the module `types` calls by these names; importing that takes as long as importing the hook.
_Function, _Module = type(_engine.lookup), type(sys)


def _names(module: ModuleType, loader: KernelLoader) -> dict[str, object]:
    """What a kernel defined in its new module. Its classes and functions learn where they are, so that they
    pickle.
    """
    names = vars(module).copy()
    fullname, tail = loader.name, loader.name.rpartition(".")[2]
    for name in _IMPORT_OWNS:
        names.pop(name, None)
    functions, classes = home_of(loader, fullname, "function"), home_of(loader, fullname, "class")
    settled = True
    for name, value in names.items():
        if isinstance(value, _Function):
            if value.__module__ == fullname and value.__name__ == name:
                value.__module__ = functions
            else:
                settled = False
        elif isinstance(value, type):
            _house(value, classes, tail)
            settled &= value.__module__ == fullname and value.__qualname__ == name
            below: list[type] = type.__subclasses__(value)
            for variant in below:
                # The variants of an enum are classes in its own.
                if vars(value).get(variant.__name__) is variant:
                    _house(variant, classes, tail)
                    inside = variant.__qualname__ == f"{name}.{variant.__name__}"
                    settled &= variant.__module__ == fullname and inside
        elif isinstance(value, _Module):
            settled = False
    if not settled:
        _later("_places").settle(module, names, functions, classes)
    if _attending:
        _later("_serving").adopt_panics()
    return names


def complete(kind: type) -> None:
    """Gives a class a word on what it lacks to be pickled."""
    plain: object = object.__reduce__
    if kind.__base__ is object:
        if kind.__reduce__ is plain and not _says_how(vars(kind)):
            # Python would say no more than that it cannot pickle an object.
            kind.__reduce__ = reduce_instance  # type: ignore[method-assign, assignment]
    elif issubclass(kind, BaseException) and "__new__" in vars(kind):
        plain = BaseException.__reduce__
        if kind.__reduce__ is plain:
            # To tblib, and so to Dask, this one is a sign that the class can be called without arguments.
            kind.__reduce__ = reduce_exception  # type: ignore[method-assign, assignment]


def _says_how(names: Mapping[str, object]) -> bool:
    """Does a class say how its instances are pickled?"""
    return (
        "__getnewargs__" in names
        or "__getstate__" in names
        or "__getnewargs_ex__" in names
        or "__reduce_ex__" in names
    )


def reduce_instance(self: object) -> tuple[object, ...]:
    """The `__reduce__` of a kernel's class that has none."""
    return _later("_departure").reduced_instance(self)  # type: ignore[no-any-return]


def reduce_exception(self: BaseException) -> str | tuple[object, ...]:
    """The `__reduce__` of a kernel's exception that is made with arguments."""
    return BaseException.__reduce__(self)


def attend() -> None:
    """Sees to child processes, those that are there and those to come."""
    global _attending, _forking
    if not _forking and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)
    _forking = True
    if not _attending and "multiprocessing.process" in sys.modules:
        _attending = True
        _later("_workers").accompany()
    if "ray" in sys.modules:
        _later("_ray").adopt()


def _forked() -> None:
    if "multiprocessing.process" in sys.modules:
        _later("_serving").expect_work()


_forking = _attending = False


def _later(name: str) -> Any:
    """A module that stands above this one and is rarely needed."""
    from importlib import import_module

    _keep_own_code()
    return import_module(f"rsimport.{name}")


def _beside() -> Any:
    """What knows libraries beside their source; None where no file can be opened any more."""
    try:
        return _later("_beside")
    except OSError:
        return None


def _house(kind: type, home: Home, tail: str) -> None:
    """Tells a class where it is, unless its kernel says so itself."""
    # PyO3 names no module, or only the last part of its name.
    if kind.__module__ in ("builtins", tail, home) and is_open(kind):
        kind.__module__ = home_of_class(kind, home)
        complete(kind)


def is_open(kind: type) -> bool:
    """Can attributes of this class be set? Of those made at run time, as PyO3's are, of some; else never."""
    immutable, heap = 1 << 8, 1 << 9
    return kind.__flags__ & (immutable | heap) == heap
