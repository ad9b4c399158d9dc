"""Where the function lies that Python calls by a name: run in a process that may load the kernel."""

from __future__ import annotations

import ctypes
import inspect
import json
import sys

from rsimport import _api

HEAD = object.__basicsize__
WORD = ctypes.sizeof(ctypes.c_void_p)


class _Place(ctypes.Structure):
    """What `dladdr` tells of an address."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def main() -> None:
    """Prints the library and the offset in it."""
    kernel, name, settings = sys.argv[1:]
    value: object = _api.imp_from_filepath(kernel, **json.loads(settings))
    for part in name.split("::"):
        value = inspect.getattr_static(value, part)
    place = _Place()
    address = _address(value)
    if not ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(place)):
        sys.exit(1)
    print(place.file.decode(), address - place.base)


def _address(value: object) -> int:
    """The C function behind something that can be called, or behind a property."""
    # A descriptor has its class, its name and its qualified name first.
    behind = HEAD + 3 * WORD
    kind = type(getattr(value, "__func__", value)).__name__
    value = getattr(value, "__func__", value)
    if kind == "builtin_function_or_method":
        return _word(_word(id(value) + HEAD) + WORD)
    if kind in ("method_descriptor", "classmethod_descriptor"):
        return _word(_word(id(value) + behind) + WORD)
    if kind == "wrapper_descriptor":
        return _word(id(value) + behind + WORD)
    if kind == "getset_descriptor":
        # PyO3 hands its getter to a function for all of them.
        definition = _word(id(value) + behind)
        return _word(definition + 4 * WORD) or _word(definition + WORD)
    sys.exit(1)


def _word(address: int) -> int:
    return ctypes.c_void_p.from_address(address).value or 0
