"""The import hook: Python's own finder for folders, which also sees marked `.rs` files and crates."""

from __future__ import annotations

import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)

from rsimport import _engine, _keep_own_code
from rsimport._loader import KernelLoader, attend, disown, is_kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Set
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from typing_extensions import Unpack

    from rsimport._settings import Settings


def install(**settings: Unpack[Settings]) -> Hook:
    """Installs the import hook and returns a handle to uninstall it again, which is also a context manager.

    The settings hold for the kernels that are imported through the hook. Installing twice is harmless: the
    hook goes when its last handle is uninstalled, and the settings of the newest one count, on top of those
    of the older ones.

    Raises ConfigError if a setting is unknown or has a wrong value.
    """
    given = plain(settings)
    if given:
        _engine.settings(None, given)
    hook = Hook({**current_settings(), **given})
    _hooks.append(hook)
    _enter()
    if "multiprocessing.process" in sys.modules:
        attend()
    return hook


class Hook:
    """An installed import hook."""

    def __init__(self, settings: dict[str, object]) -> None:
        self.settings = settings

    def uninstall(self) -> None:
        """Gives the hook up; kernels that are loaded stay loaded. A second call does nothing."""
        if self in _hooks:
            _hooks.remove(self)
            if not _hooks:
                _leave()

    def __enter__(self) -> Hook:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.uninstall()


class KernelFinder(FileFinder):
    """Finds what Python finds in a folder, and kernels.

    Within one folder a marked crate wins over everything, and a marked file over all but a regular package of
    its name. Nothing is compiled here: that is the loader's part.
    """

    _path_cache: set[str]
    _path_mtime: float
    _stems: Set[str] = frozenset()
    _candidates: Set[str] = frozenset()

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        tail = fullname.rpartition(".")[2]
        # Every import in the process comes by here. If the listing is up to date and nothing but a Rust file
        # in it begins like the module's name, Python's own finder would look for each suffix in vain.
        if tail not in self._stems and _EXACT_CASE and self._is_fresh():
            spec = None
        else:
            spec = _find_as_python(self, fullname, target)
        if tail in self._candidates:
            spec = self._find_kernel(fullname, tail, spec)
        if target is not None and spec is not None:
            self._succeed(target, spec)
        elif tail == "pkgutil" and spec is not None:
            _when_loaded(spec, _list_kernels)
        return spec

    def _succeed(self, module: ModuleType, spec: ModuleSpec) -> None:
        """What is to be reloaded may have been something else before."""
        if isinstance(spec.loader, KernelLoader):
            spec.loader.before = vars(module).get("__spec__")
        elif is_kernel(module) and isinstance(spec.loader, (SourceFileLoader, SourcelessFileLoader)):
            disown(spec.loader)

    def _is_fresh(self) -> bool:
        try:
            return os.stat(self.path or os.getcwd()).st_mtime == self._path_mtime
        except OSError:
            return False

    def _find_kernel(self, fullname: str, tail: str, spec: ModuleSpec | None) -> ModuleSpec | None:
        if tail in self._path_cache:
            folder = os.path.join(self.path, tail)
            source = _crate_source(folder)
            if source is not None:
                return KernelLoader(fullname, folder, current_settings(), source).spec()
        if tail + ".rs" in self._path_cache and not _is_package(spec):
            file = os.path.join(self.path, tail + ".rs")
            if _engine.marked(file):
                return KernelLoader(fullname, file, current_settings(), file).spec()
        if fullname in ("multiprocessing", "ray") and spec is not None:
            _keep_own_code()
            from rsimport._serving import attend_when_loaded

            attend_when_loaded(spec)
        return spec

    def kernels(self) -> list[str]:
        """The names of all kernels in the folder."""
        if not self._is_fresh():
            self._fill_cache()
        names = [tail for tail in self._candidates if tail.isidentifier()]
        return [tail for tail in names if self._find_kernel(tail, tail, None) is not None]

    def _fill_cache(self) -> None:
        super()._fill_cache()  # type: ignore[misc]
        self.note_candidates()

    def note_candidates(self) -> None:
        """Notes which modules may be Python's, and which may be kernels: Rust files, and maybe folders."""
        stems = {name: name.removesuffix(".rs") for name in self._path_cache}
        self._stems = {stem.partition(".")[0] for name, stem in stems.items() if stem == name or "." in stem}
        self._candidates = {stem for stem in stems.values() if "." not in stem}


def current_settings() -> dict[str, object]:
    """The settings of the hook that was installed last."""
    return _hooks[-1].settings if _hooks else {}


def plain(settings: Settings) -> dict[str, object]:
    """Settings as the engine takes them: paths are texts."""
    return {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in settings.items()
    }


def _crate_source(folder: str) -> str | None:
    # Most folders are packages.
    if not os.path.isfile(os.path.join(folder, "Cargo.toml")):
        return None
    return _engine.crate_source(folder)


def _is_package(spec: ModuleSpec | None) -> bool:
    # A namespace package has no loader, and as in Python any module of its name wins over it.
    return spec is not None and spec.loader is not None and spec.submodule_search_locations is not None


_find_as_python = FileFinder.find_spec

# Elsewhere a module may have to be found under a name that differs from the file's.
_EXACT_CASE = not sys.platform.startswith(("win", "cygwin", "darwin", "ios", "tvos", "watchos", "visionos"))

path_hook = KernelFinder.path_hook(
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (SourceFileLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)

_hooks: list[Hook] = []


def is_installed() -> bool:
    """Is the hook on?"""
    return bool(_hooks)


def _when_loaded(spec: ModuleSpec, what: Callable[[ModuleType], None]) -> None:
    """Has something done to a module of Python's own as soon as it is loaded."""
    loader: Any = spec.loader
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        what(module)

    loader.exec_module = exec_module


def _list_kernels(pkgutil: Any) -> None:
    """Has pkgutil list kernels among a folder's modules."""
    of_python = pkgutil.iter_importer_modules.dispatch(FileFinder)

    def modules(finder: KernelFinder, prefix: str = "") -> Iterator[tuple[str, bool]]:
        seen = set()
        for name, is_package in of_python(finder, prefix):
            seen.add(name)
            yield name, is_package
        for tail in sorted(finder.kernels()):
            if prefix + tail not in seen:
                yield prefix + tail, False

    pkgutil.iter_importer_modules.register(KernelFinder, modules)


def _enter() -> None:
    if "pkgutil" in sys.modules:
        _list_kernels(sys.modules["pkgutil"])
    if path_hook not in sys.path_hooks:
        names = [getattr(hook, "__name__", None) for hook in sys.path_hooks]
        standard = path_hook.__name__
        sys.path_hooks.insert(names.index(standard) if standard in names else len(names), path_hook)
    for finder in _finders_in_use(FileFinder):
        finder.__class__ = KernelFinder
        finder.note_candidates()


def _leave() -> None:
    if path_hook in sys.path_hooks:
        sys.path_hooks.remove(path_hook)
    for finder in _finders_in_use(KernelFinder):
        finder.__class__ = FileFinder


def _finders_in_use(kind: type[FileFinder]) -> list[Any]:
    # These change their class instead of being thrown away. So they keep their listings, which would take
    # longer to read again than all the rest of installing, and their loaders, which may be another hook's.
    return [finder for finder in list(sys.path_importer_cache.values()) if type(finder) is kind]
