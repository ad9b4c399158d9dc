"""What happens when a module that is there already is to show a kernel, or shows one no more."""

from __future__ import annotations

from types import FunctionType

from rsimport._loader import LOADED, is_kernel, loader_of, shippers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from rsimport._loader import KernelLoader


def fill(module: ModuleType, loader: KernelLoader) -> None:
    """Makes a module that has been filled before show what a new loader finds."""
    if is_kernel(module):
        renew(module, loader.successor())
    else:
        _adopt(module, loader)


def renew(module: ModuleType, loader: KernelLoader) -> None:
    """Makes a loaded module show what a new loader finds or, if that fails, what it showed before."""
    from rsimport._departure import retire
    from rsimport._images import tell_threads
    from rsimport._places import rehome

    old = loader_of(module)
    spec: ModuleSpec = vars(module)[LOADED]
    try:
        loader.load_again()
        tell_threads(loader.name)
        for name, value in old.names.items():
            if name not in loader.names and vars(module).get(name) is value:
                delattr(module, name)
        if loader.names is not old.names:
            retire(old)
            rehome(loader)
        vars(module).update(loader.names)
        spec = loader.spec()
    finally:
        # importlib.reload overwrites these before anything can fail.
        shown: KernelLoader = spec.loader  # type: ignore[assignment]
        vars(module).update(
            {"__spec__": spec, "__loader__": shown, "__file__": spec.origin, LOADED: spec, **shown.marks()}
        )
    for ship in shippers:
        ship(loader, True)


def _adopt(module: ModuleType, loader: KernelLoader) -> None:
    """Makes a module that something else has filled, such as Python's source, show a kernel instead."""
    names = vars(module)
    before = loader.before
    try:
        loader.load_again()
    except BaseException:
        if before is not None:
            # importlib.reload has said already that the module is a kernel.
            names.update(_described(before))
        raise
    for name, value in list(names.items()):
        # What the other source has defined would pass for the kernel's.
        own = isinstance(value, (FunctionType, type)) and value.__module__ == module.__name__
        if own and name not in loader.names:
            del names[name]
    for gone in ("__path__", "__cached__"):
        names.pop(gone, None)
    spec = loader.spec()
    names.update({**loader.names, **_described(spec), LOADED: spec, **loader.marks()})


def disown(loader: object) -> None:
    """What `_loader.disown` does."""
    execute = loader.exec_module  # type: ignore[attr-defined]

    def exec_module(module: ModuleType) -> None:
        kernel = vars(module)[LOADED].loader
        execute(module)
        for ours in (LOADED, "__reduce_ex__"):
            vars(module).pop(ours, None)
        for name, value in kernel.names.items():
            if vars(module).get(name) is value:
                delattr(module, name)

    loader.exec_module = exec_module  # type: ignore[attr-defined]


def _described(spec: ModuleSpec) -> dict[str, object]:
    """What a module says of where it comes from."""
    said: dict[str, object] = {"__spec__": spec, "__loader__": spec.loader, "__package__": spec.parent}
    if spec.has_location:
        said["__file__"] = spec.origin
    if spec.cached is not None:
        said["__cached__"] = spec.cached
    return said
