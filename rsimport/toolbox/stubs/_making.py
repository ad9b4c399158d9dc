"""A kernel's stubs: it is built so that PyO3 describes what is in it, and loaded for what only that shows."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rsimport import _engine
from rsimport._errors import RsimportError
from rsimport.toolbox._project import Kernel
from rsimport.toolbox.stubs._files import Place, Stubs, compared
from rsimport.toolbox.stubs._inspected import Inspected
from rsimport.toolbox.stubs._loaded import model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from rsimport.toolbox.stubs._model import Module

QUICK = ["-Copt-level=0", "-Cdebuginfo=0"]
"""Flags for the kernel itself, which nobody runs."""
QUICK_PROFILE = ("lto=false", "codegen-units=256", "package.'*'.opt-level=0")
"""The same for what it depends on, so that the kernels with other profiles share it too. `lto=false` is
cargo's own and does nothing where nothing is optimised; with it PyO3's macros are those that crates have."""


def stubs_of(place: Place, settings: dict[str, object]) -> Stubs:
    """Builds and loads a kernel and tells what its stubs are to be.

    Raises RsimportError if it does not compile or does not load.
    """
    return compared(place, model_of(library_of(place, settings), place))


def library_of(place: Place, settings: dict[str, object]) -> str:
    """A library of a kernel in which PyO3 has left what it knows."""
    kernel = Kernel(place.kernel, settings, pyo3_features=["experimental-inspect"])
    profile = kernel.project.profile
    quick = [f"--config=profile.{profile}.{line}" for line in QUICK_PROFILE]
    run = kernel.run("rustc", ["--crate-type=cdylib", *quick], QUICK)
    if run.failure is not None:
        raise run.failure
    if run.library is None:
        raise RsimportError(f"cargo built no library for {place.kernel}", kernel=str(place.kernel))
    # That of another kernel of this name may take its place as soon as nobody holds the lock.
    return _engine.image(run.library)


def model_of(library: str, place: Place) -> Module:
    """What a kernel's stubs are to say."""
    files = _engine.module_files(str(place.kernel))
    texts = [text for text in map(_read, files) if text is not None]
    outline = [part for text in texts for part in _engine.outline(text, texts)]
    inspected = Inspected(_engine.descriptions(library))
    with _alone(place):
        return model(_loaded(library, place), inspected, outline, texts)


def _loaded(library: str, place: Place) -> ModuleType:
    """The module of a library."""
    loader = ExtensionFileLoader(place.name, library)
    try:
        module = module_from_spec(ModuleSpec(place.name, loader, origin=library))
        loader.exec_module(module)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:  # A panic of Rust is no Exception.
        what = f"{type(exc).__name__}: {exc}"
        raise RsimportError(f"{place.kernel} cannot be loaded: {what}", kernel=str(place.kernel)) from exc
    return module


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """What a module imports of its own package is found, and its name stays whose it was."""
    before, path = sys.modules.get(place.name), list(sys.path)
    folder = place.kernel.parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        folder = folder.parent
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path[:] = path
        if before is not None:
            sys.modules[place.name] = before
        else:
            sys.modules.pop(place.name, None)


def _read(file: str) -> str | None:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
