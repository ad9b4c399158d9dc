"""What arrives in place of a class, and of what is made of it, as long as its kernel is not in the cache."""

from __future__ import annotations

import builtins
import copyreg
import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from rsimport._loader import home_of
from rsimport._python import at, is_special
from rsimport._serving import is_worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rsimport._arrival import Kernel


def stand_ins(kernel: Kernel) -> str:
    """The module in which a pickle finds classes that stand in for those of a kernel."""
    place = kernel.spare + "?"
    if place not in sys.modules:
        sys.modules[place] = _StandIns(place, kernel)
    return place


def real(thing: object) -> object:
    """What something stands in for; the kernel is built for that if need be. Anything else is what it is."""
    if isinstance(thing, StandIn):
        return at(_names(thing.kernel), thing.path)
    return thing.real() if isinstance(thing, Proxy) else thing


def _names(kernel: Kernel) -> dict[str, object]:
    try:
        return kernel.load(build=True)
    except ImportError:
        # Data that was kept belongs to whatever the class is now, as everywhere in Python.
        with suppress(ImportError):
            if not is_worker():
                return vars(import_module(kernel.name))
        raise


class _StandIns(ModuleType):
    def __init__(self, place: str, kernel: Kernel) -> None:
        super().__init__(place)
        vars(self).update(_kernel=kernel)

    def __getattr__(self, name: str) -> object:
        if is_special(name):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = vars(self)[name] = StandIn.of(vars(self)["_kernel"], name)
        return value


def exceptions(kernel: Kernel, own: str) -> str:
    """The module in which a pickle finds exceptions that stand in for those of a kernel, all of one kind."""
    place = f"{kernel.spare}?{own}"
    if place not in sys.modules:
        sys.modules[place] = _Exceptions(place, kernel, own)
    return place


class _Exceptions(ModuleType):
    def __init__(self, place: str, kernel: Kernel, own: str) -> None:
        super().__init__(place)
        vars(self).update(_kernel=kernel, _own=getattr(builtins, own, Exception))

    def __getattr__(self, name: str) -> object:
        if is_special(name):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        made = vars(self)[name] = _Raised.of(vars(self)["_kernel"], vars(self)["_own"], name)
        return made


class _Raised(type):
    """The class of exceptions that stand in for others, which lie where these do."""

    kernel: Kernel

    @classmethod
    def of(cls, kernel: Kernel, own: type[BaseException], path: str) -> _Raised:
        made = cls(path.rpartition(".")[2], (_Told, own), {"kernel": kernel, "__qualname__": path})
        made.__module__ = home_of(kernel, exceptions(kernel, own.__name__), own.__name__)
        return made

    def __getattr__(cls, name: str) -> object:
        if is_special(name):
            raise AttributeError(f"{cls.__name__} has no attribute {name!r}")
        made = _Raised.of(cls.kernel, cls.__mro__[2], f"{cls.__qualname__}.{name}")
        setattr(cls, name, made)
        return made


class _Told:
    """What an exception that stands in for another one says."""

    kernel: Kernel
    args: tuple[object, ...]

    def __str__(self) -> str:
        said = ", ".join(map(str, self.args))
        kernel, name = self.kernel, type(self).__qualname__
        known = f"{kernel.name}.{name} of kernel {kernel.name} ({kernel.content.hex()[:8]})"
        what = f"{known}, which cannot be had here: {kernel.lack}"
        return f"{said} ({what})" if said else what

    def __getattr__(self, name: str) -> object:
        if is_special(name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise AttributeError(f"{name!r} of this exception is not known: {self}")


class Proxy:
    """Something that is had of a kernel that is not there yet. Using it makes the real thing; asking for an
    attribute does not, for pickles do so too, where there is a bound method in them.
    """

    __slots__ = ("it",)
    it: object
    kernel: Kernel

    def make(self) -> object:
        raise NotImplementedError

    def real(self) -> object:
        """What this stands in for."""
        if self.it is self:
            self.it = self.make()
        return self.it

    def __getattr__(self, name: str) -> object:
        if is_special(name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.real(), name) if self.kernel.names is not None else Attribute(self, name)


def _special(name: str) -> Callable[..., object]:
    def method(self: Proxy, *args: object, **kwargs: object) -> object:
        return getattr(self.real(), name)(*map(real, args), **kwargs)

    return method


for _name in (
    *("call", "str", "repr", "bytes", "bool", "int", "float", "complex", "index", "len", "iter", "next"),
    *(
        "contains",
        "getitem",
        "setitem",
        "delitem",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "neg",
        "abs",
        "invert",
    ),
    *(
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "matmul",
        "and",
        "or",
        "xor",
        "enter",
        "exit",
    ),
    *("radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rmod", "rpow", "rmatmul", "rand", "ror", "rxor"),
):
    setattr(Proxy, f"__{_name}__", _special(f"__{_name}__"))
Proxy.__hash__ = object.__hash__  # type: ignore[method-assign]


class Attribute(Proxy):
    """An attribute of something that stands in for something else."""

    __slots__ = ("kernel", "name", "of")

    def __init__(self, of: Proxy, name: str) -> None:
        self.kernel, self.of, self.name, self.it = of.kernel, of, name, self

    def make(self) -> object:
        return getattr(self.of.real(), self.name)

    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (self.of, self.name)


class Instance(Proxy):
    """Something that was made of a class that stands in for another one."""

    __slots__ = ("args", "called", "kwargs", "state")
    args: tuple[object, ...]
    kwargs: dict[str, object]
    called: bool
    state: Any
    path: str

    def __new__(cls, *args: object, **kwargs: object) -> Instance:
        self = super().__new__(cls)
        self.args, self.kwargs, self.called, self.state, self.it = args, kwargs, False, None, self
        return self

    def __setstate__(self, state: object) -> None:
        self.state = state

    def make(self) -> object:
        kind: Any = real(type(self))
        args = tuple(map(real, self.args))
        made = kind(*args, **self.kwargs) if self.called else kind.__new__(kind, *args, **self.kwargs)
        if self.state is not None:
            if hasattr(made, "__setstate__"):
                made.__setstate__(self.state)
            else:
                vars(made).update(self.state)
        return made

    def __reduce__(self) -> tuple[object, ...]:
        if self.called:
            return type(self), self.args, self.state
        return copyreg.__newobj__, (type(self), *self.args), self.state  # type: ignore[attr-defined]


class StandIn(type):
    """The class of classes that stand in for others. Their attributes stand in for the others' attributes."""

    kernel: Kernel
    path: str
    inner: dict[str, StandIn]

    @classmethod
    def of(cls, kernel: Kernel, path: str) -> StandIn:
        """A stand-in for what is at this path in a kernel."""
        made = cls(path.rpartition(".")[2], (Instance,), {"__slots__": (), "kernel": kernel})
        made.path, made.inner = path, {}
        made.__qualname__ = path
        made.__module__ = home_of(kernel, stand_ins(kernel), "class")
        return made

    def __getattr__(cls, name: str) -> object:
        if is_special(name):
            raise AttributeError(f"{cls.__name__} has no attribute {name!r}")
        if name not in cls.inner:
            cls.inner[name] = StandIn.of(cls.kernel, f"{cls.path}.{name}")
        return cls.inner[name]

    def __call__(cls, *args: object, **kwargs: object) -> object:
        thing: Instance = cls.__new__(cls, *args, **kwargs)  # type: ignore[call-overload]
        thing.called = True
        return thing
