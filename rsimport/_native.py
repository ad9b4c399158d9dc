"""Calls that skip Python: the functions that a loaded kernel exports to native callers."""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Any

from rsimport import _engine
from rsimport._errors import ConfigError, concise
from rsimport._loader import loader_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from rsimport._engine import Export

HINT = 'it takes a `#[unsafe(no_mangle)] pub extern "C" fn`; `rsimport new NAME --template native` writes one'

_TYPES: dict[str, Any] = {
    "void": None,
    "double": ctypes.c_double,
    "float": ctypes.c_float,
    "int8_t": ctypes.c_int8,
    "int16_t": ctypes.c_int16,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "uint8_t": ctypes.c_uint8,
    "uint16_t": ctypes.c_uint16,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
    "intptr_t": ctypes.c_ssize_t,
    "size_t": ctypes.c_size_t,
    "Py_ssize_t": ctypes.c_ssize_t,
    "npy_intp": ctypes.c_ssize_t,
    "bool": ctypes.c_bool,
    "char": ctypes.c_char,
    "signed char": ctypes.c_byte,
    "unsigned char": ctypes.c_ubyte,
    "short": ctypes.c_short,
    "unsigned short": ctypes.c_ushort,
    "int": ctypes.c_int,
    "unsigned int": ctypes.c_uint,
    "long": ctypes.c_long,
    "unsigned long": ctypes.c_ulong,
    "long long": ctypes.c_longlong,
    "unsigned long long": ctypes.c_ulonglong,
    # What Cython calls `long long` and its own truth values in capsules.
    "PY_LONG_LONG": ctypes.c_longlong,
    "bint": ctypes.c_int,
}
"""The types of C that a signature can have, but for pointers."""


@concise
def native(module: ModuleType) -> Native:
    """The functions that a loaded kernel exports with `#[unsafe(no_mangle)] pub extern "C" fn`.

    Raises RsimportError if the module is no kernel.
    """
    return Native(module)


class Native:
    """The native functions of a kernel as it is loaded now, each by its name.

    What is taken out of it stays valid until the process ends: after a reload it still leads to the old code,
    and a new `native(module)` to the new. Nothing is checked at a call, as in C: wrong arguments crash the
    process, and a panic that leaves the function ends it.

    All methods raise ConfigError for a name that the kernel does not export, and all but `address` for a
    function with a type that has no counterpart in C, which the error names.
    """

    def __init__(self, module: ModuleType) -> None:
        loader = loader_of(module)
        artifact = loader.find_artifact()
        self._module = artifact.module
        self._source = artifact.source
        self._library = loader.image
        self._exports = {export.name: export for export in artifact.exports}

    def __repr__(self) -> str:
        said = [f"{name}: {one.signature or 'no signature in C'}" for name, one in self._exports.items()]
        return f"<Native functions of {self._module}: {', '.join(said) or 'none'}>"

    def __iter__(self) -> Iterator[str]:
        return iter(self._exports)

    def __contains__(self, name: object) -> bool:
        return name in self._exports

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all exported functions."""
        return tuple(self._exports)

    @concise
    def signature(self, name: str) -> str:
        """The signature in C, as `double (int, double *)`; it says nothing of `const`."""
        return self._signed(name)[1]

    @concise
    def address(self, name: str) -> int:
        """Where the function is in memory."""
        self._export(name)
        return _engine.address(self._library, name)

    @concise
    def ctypes(self, name: str) -> Any:
        """The function for ctypes, with the types of its arguments and of its result.

        A call releases the GIL. Pointers to what ctypes knows are POINTERs, all others are c_void_p.
        """
        export = self._signed(name)[0]
        result, *parameters = map(_ctype, export.types)
        return ctypes.CFUNCTYPE(result, *parameters)(_engine.address(self._library, name))

    @concise
    def capsule(self, name: str, signature: str | None = None) -> object:
        """A PyCapsule of the function, named by its signature: what SciPy and Cython take.

        Another `signature` spells the same types differently, as `double (int, double const *)` or a
        `typedef` of the same width. Raises ConfigError if it has other types.
        """
        export, own = self._signed(name)
        if signature is not None and (differs := _difference(export.types, signature)):
            hint = f"its signature is `{own}`; only names of equal types can be others"
            raise ConfigError(f"`{name}` {differs}", hint=hint, kernel=self._source)
        return _engine.capsule(self._library, name, signature or own)

    def _signed(self, name: str) -> tuple[Export, str]:
        export = self._export(name)
        if export.signature is None:
            message = f"{export.file}:{export.line}: `{name}` {export.problem}"
            hint = "numbers, pointers and functions have one; address() works all the same"
            raise ConfigError(message, hint=hint, kernel=self._source)
        return export, export.signature

    def _export(self, name: str) -> Export:
        if name in self._exports:
            return self._exports[name]
        hint = f"it exports {', '.join(self._exports)}" if self._exports else HINT
        raise ConfigError(f"{self._source}: the kernel exports no `{name}`", hint=hint, kernel=self._source)


def _ctype(name: str) -> Any:
    if name in _TYPES:
        return _TYPES[name]
    inner = name[:-1].rstrip() if name.endswith("*") else ""
    kind = _ctype(inner) if inner and inner != "void" else None
    return ctypes.c_void_p if kind is None else ctypes.POINTER(kind)


def _difference(own: list[str], signature: str) -> str:
    """What a function with these types does that one of this signature does not; nothing if they agree."""
    parts = re.fullmatch(r"\s*([^()]+?)\s*\((.*)\)\s*", signature)
    if parts is None:
        return f"cannot have the signature `{signature}`, which is none in C"
    listed = "" if parts[2].strip() == "void" else parts[2].strip()
    other = [parts[1], *(re.split(r",(?![^()]*\))", listed) if listed else [])]
    if len(own) != len(other):
        return f"takes {len(own) - 1} arguments, not {len(other) - 1}"
    for at, (mine, theirs) in enumerate(zip(own, other, strict=True)):
        if not _agree(_kind(mine), _kind(theirs)):
            return f"{f'takes as argument {at}' if at else 'returns'} `{mine}`, not `{theirs.strip()}`"
    return ""


def _agree(mine: tuple[object, ...], theirs: tuple[object, ...]) -> bool:
    """A type that C has no name for is `void` behind a pointer, and may have any name there."""
    return mine == theirs or (mine == ("pointer", None) and theirs[0] == "pointer")


def _kind(name: str) -> tuple[object, ...]:
    """What a type is, whatever it is called. One that nobody knows is only itself."""
    plain = " ".join(re.sub(r"\bconst\b", " ", name).replace("*", " * ").split())
    if plain.endswith(" *"):
        return ("pointer", *_kind(plain[:-2]))
    kind = _TYPES.get(plain, plain)
    if not isinstance(kind, type):
        return (kind,)
    code = str(kind._type_)  # type: ignore[attr-defined]
    return ("float" if code in "fd" else "signed" if code.islower() else "unsigned", ctypes.sizeof(kind))
