"""What arrives in place of a class, and of all that is made of it, as long as its kernel is not in the cache."""

from __future__ import annotations

import sys
from types import ModuleType

from rsimport._arrival import Kernel, _at, _is_special, place_of
from rsimport._loader import Home


def stand_ins(kernel: Kernel) -> str:
    """The module in which a pickle finds classes that stand in for those of a kernel."""
    place = place_of(kernel.name, kernel.content) + "?"
    if place not in sys.modules:
        sys.modules[place] = _StandIns(place, kernel)
    return place


def real(thing: object) -> object:
    """What something stands in for; the kernel is built for that if need be. Anything else is what it is."""
    if isinstance(thing, StandIn):
        return _at(thing.kernel.load(build=True), thing.path)
    if isinstance(thing, Standing):
        return thing.real()
    return thing


class _StandIns(ModuleType):
    def __init__(self, place: str, kernel: Kernel) -> None:
        super().__init__(place)
        vars(self).update(_kernel=kernel)

    def __getattr__(self, name: str) -> object:
        if _is_special(name):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = vars(self)[name] = StandIn.of(vars(self)["_kernel"], name)
        return value


class StandIn(type):
    """The class of classes that stand in for others. Their attributes stand in for the others' attributes."""

    kernel: Kernel
    path: str
    inner: dict[str, StandIn]

    @classmethod
    def of(cls, kernel: Kernel, path: str) -> StandIn:
        made = cls(path.rpartition(".")[2], (Standing,), {"__slots__": ("made", "called", "state", "it")})
        made.kernel, made.path, made.inner = kernel, path, {}
        made.__qualname__ = path
        made.__module__ = Home(stand_ins(kernel), kernel, "class")
        return made

    def __getattr__(cls, name: str) -> object:
        if _is_special(name):
            raise AttributeError(f"{cls.__name__} has no attribute {name!r}")
        if name not in cls.inner:
            cls.inner[name] = StandIn.of(cls.kernel, f"{cls.path}.{name}")
        return cls.inner[name]

    def __call__(cls, *args: object, **kwargs: object) -> object:
        thing = cls.__new__(cls, *args, **kwargs)
        thing.called = True
        return thing


class Standing:
    """Something that was made of a class that stands in for another one. The first look at it makes the real one."""

    __slots__ = ()
    made: tuple[tuple[object, ...], dict[str, object]]
    called: bool
    state: object
    it: object

    def __new__(cls, *args: object, **kwargs: object) -> Standing:
        self = super().__new__(cls)
        self.made, self.called, self.state, self.it = (args, kwargs), False, None, None
        return self

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __getattr__(self, name: str) -> object:
        if _is_special(name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.real(), name)

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.real()(*args, **kwargs)  # type: ignore[operator]

    def __reduce__(self) -> tuple[object, ...]:
        args = self.made[0]
        if self.called:
            return type(self), args, self.state
        import copyreg

        return copyreg.__newobj__, (type(self), *args), self.state  # type: ignore[attr-defined]

    def real(self) -> object:
        """What this stands in for."""
        if self.it is None:
            kind, (args, kwargs) = real(type(self)), self.made
            args = tuple(map(real, args))
            make = kind if self.called else kind.__new__  # type: ignore[attr-defined]
            self.it = make(*args, **kwargs) if self.called else make(kind, *args, **kwargs)  # type: ignore[operator]
            if hasattr(self.it, "__setstate__"):
                self.it.__setstate__(self.state)
            elif self.state is not None:
                vars(self.it).update(self.state)
        return self.it
