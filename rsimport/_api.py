"""The functions that work without the import hook."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib._bootstrap import _ModuleLockManager, module_from_spec  # type: ignore[attr-defined]
from types import ModuleType

from rsimport import _engine
from rsimport._errors import ConfigError, RsimportError, concise
from rsimport._finder import plain
from rsimport._loader import KernelLoader, loader_of
from rsimport._meta_finder import go_first
from rsimport._reload import reload
from rsimport._renewal import renew

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Unpack

    from rsimport._engine import Artifact
    from rsimport._settings import Settings

__all__ = ["Report", "build", "build_all", "build_filepath", "imp", "imp_from_filepath", "info", "reload"]


@concise
def imp(fullname: str, **settings: Unpack[Settings]) -> ModuleType:
    """Builds the kernel of a module's name if need be, loads it and returns the module.

    The kernel is searched for as Python searches for a module (the parents are imported), but needs no
    marker. A kernel that is loaded already is brought up to date in place.

    Raises CompileError if the code does not compile, ConfigError for wrong settings or manifests,
    ToolchainError or CacheError if the build is not possible here, RsimportError if there is no such kernel
    or if it fails to initialise.
    """
    return _load(_find(fullname, plain(settings)))


@concise
def imp_from_filepath(
    path: str | os.PathLike[str], fullname: str | None = None, **settings: Unpack[Settings]
) -> ModuleType:
    """Builds the kernel of a file or crate folder if need be, loads it and returns the module.

    The kernel needs no marker. The module's name is `fullname`, or the file's name without its suffix, and
    it is entered into sys.modules. The same unchanged file is the same module again; a changed one is
    brought up to date in place.

    Raises the same errors as imp(), and ConfigError if something else is loaded under the name.
    """
    return _load(at(path, fullname, plain(settings)))


@concise
def build(fullname: str, **settings: Unpack[Settings]) -> str:
    """Builds the kernel of a module's name if need be, and returns the path of the artifact.

    Nothing is loaded, and unless a setting says otherwise the artifact is an optimised one. Raises
    CompileError, ConfigError, ToolchainError, CacheError or RsimportError as imp() does.
    """
    return finished(_find(fullname, plain(settings))).path


@concise
def build_filepath(path: str | os.PathLike[str], **settings: Unpack[Settings]) -> str:
    """Builds the kernel of a file or crate folder if need be, and returns the path of the artifact.

    Nothing is loaded, and unless a setting says otherwise the artifact is an optimised one. Raises
    CompileError, ConfigError, ToolchainError or CacheError as imp_from_filepath() does.
    """
    return finished(at(path, None, plain(settings))).path


@dataclass(frozen=True)
class Report:
    """What became of one kernel in build_all(): either an artifact or an error."""

    path: str
    artifact: Artifact | None
    error: RsimportError | None
    seconds: float
    """How long it took, whatever was done."""

    @property
    def built(self) -> bool:
        """Was it built just now? False: it was in the cache, or it failed."""
        return self.artifact is not None and self.artifact.built


@concise
def build_all(root: str | os.PathLike[str], **settings: Unpack[Settings]) -> list[Report]:
    """Builds every marked kernel in a folder and below, and reports on each.

    One that fails does not stop the others: its report has the error.

    Raises ConfigError if `root` is no folder or if a setting is wrong.
    """
    given = plain(settings)
    _engine.settings(None, given)
    folder = os.path.abspath(root)
    if not os.path.isdir(folder):
        raise ConfigError(f"{folder} is not a folder")
    return [report(kernel, given) for kernel in _engine.kernels(folder)]


@concise
def info(module: ModuleType) -> Artifact:
    """What a kernel's module was loaded from: artifact, source, profile, and when and why it was built.

    Raises RsimportError if the module is no kernel.
    """
    return loader_of(module).find_artifact()


def report(kernel: str, settings: dict[str, object], *, soon: bool = False) -> Report:
    """Builds one kernel and tells what became of it; `soon` takes a fast build too."""
    start = time.perf_counter()
    artifact = error = None
    try:
        loader = at(kernel, None, settings)
        loader.takes_libraries = False
        artifact = loader.find_artifact() if soon else finished(loader)
    except RsimportError as exc:
        error = exc
    return Report(kernel, artifact, error, time.perf_counter() - start)


def finished(loader: KernelLoader) -> Artifact:
    """The artifact of a kernel that nobody is waiting to try: optimised, unless a setting says otherwise."""
    loader.takes_libraries = False
    with suppress(RsimportError):  # find_artifact() raises it again and says of which module.
        if _engine.settings(loader.kernel, loader.settings)["tier"] == "auto":
            loader.settings = {**loader.settings, "tier": "optimized"}
    return loader.find_artifact()


def _find(fullname: str, settings: dict[str, object]) -> KernelLoader:
    parent, _, tail = fullname.rpartition(".")
    folders = [os.path.abspath(folder) for folder in (import_module(parent).__path__ if parent else sys.path)]
    for folder in folders:
        path = os.path.join(folder, tail)
        if os.path.isfile(os.path.join(path, "Cargo.toml")):
            return at(path, fullname, settings)
        if os.path.isfile(path + ".rs"):
            return at(path + ".rs", fullname, settings)
    hint = f"neither {tail}.rs nor {tail}/Cargo.toml is in {', '.join(folders)}"
    raise RsimportError(f"there is no kernel named {fullname}", hint=hint, name=fullname)


def at(path: str | os.PathLike[str], fullname: str | None, settings: dict[str, object]) -> KernelLoader:
    """The loader of a kernel file or crate folder."""
    kernel = os.path.abspath(path)
    if not kernel.endswith(".rs") or kernel.endswith("lib.rs"):
        kernel = _crate_of(kernel)
    if fullname is None:
        if not kernel.endswith(".rs"):
            _check(kernel)
        base = os.path.basename(kernel)
        fullname = base if os.path.isdir(kernel) else os.path.splitext(base)[0]
        if "." in fullname:
            import shlex

            name = fullname.replace(".", "_")
            better = os.path.join(os.path.dirname(kernel), base.replace(fullname, name))
            raise ConfigError(
                f"{kernel}: {fullname!r} cannot be the name of a module",
                hint=f'{shlex.join(["mv", kernel, better])}  # or, in Python, fullname="{name}"',
                kernel=kernel,
            )
    return KernelLoader(fullname, kernel, settings)


def _crate_of(path: str) -> str:
    """The crate whose Cargo.toml or src/lib.rs this is; anything else is what it is."""
    folder, base = os.path.split(path)
    above, inner = os.path.split(folder)
    if (inner, base) == ("src", "lib.rs") and os.path.isfile(os.path.join(above, "Cargo.toml")):
        return above
    return folder if base == "Cargo.toml" else path


def _check(path: str) -> None:
    """A kernel whose name is to be the module's is a `.rs` file or a folder."""
    if os.path.isdir(path):
        return
    if os.path.isfile(path):
        hint = "a kernel is a .rs file, or the folder of a crate"
        raise ConfigError(f"{path} is no .rs file", hint=hint, kernel=path)
    if os.path.isfile(path + ".rs"):
        raise ConfigError(f"there is no {path}", hint=f"did you mean {path}.rs?", kernel=path)


def _load(loader: KernelLoader) -> ModuleType:
    name = loader.name
    # Other threads that want the same name wait, as they do when they import it.
    with _ModuleLockManager(name):
        before = sys.modules.get(name)
        if before is not None:
            shown = _shown(before, loader)
            if shown.kernel == loader.kernel:
                if shown.path != loader.find_artifact().path:
                    renew(before, loader)
                return before
        module = module_from_spec(loader.spec())
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            if before is not None:
                sys.modules[name] = before
            raise
    go_first()
    parent, _, tail = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], tail, module)
    return module


def _shown(module: ModuleType, newcomer: KernelLoader) -> KernelLoader:
    try:
        return loader_of(module)
    except RsimportError:
        file = getattr(module, "__file__", None)
        message = f"a module named {newcomer.name} is loaded already" + (f", from {file}" if file else "")
        hint = "give the kernel another name with fullname="
        raise ConfigError(message, hint=hint, kernel=newcomer.kernel, name=newcomer.name) from None
