"""What keeps a Rust file or a crate from being imported: a missing marker, or a name that no module has."""

from __future__ import annotations

import codecs
import os

from rsimport import _engine

MARKER = "// rsimport"

_LONG = 60
"""Characters of a first line that are shown."""


def advice(path: str, name: str | None = None) -> tuple[str, str] | None:
    """Why an import of `name`, or of the file's or folder's own name, does not find this kernel, and a hint.

    None where it is a kernel that an import finds.
    """
    is_folder = os.path.isdir(path)
    source = (_engine.crate_source(os.path.abspath(path)) or _library(path)) if is_folder else path
    if not os.path.isfile(source):
        if is_folder:
            there = f"the folder of a crate that is imported has a src/lib.rs, which begins with `{MARKER}`"
            return f"{path} is no kernel: it has no src/lib.rs", there
        return f"{path} is no kernel: it is not a file", "name a .rs file, or the folder of a crate"
    base = os.path.basename(path)
    stem, suffix = (base, "") if is_folder else os.path.splitext(base)
    saved_as_text = suffix == ".txt" and stem.endswith(".rs")
    if not (is_folder or suffix.lower() == ".rs" or saved_as_text):
        return f"{path} is no kernel: it is no .rs file", "name a .rs file, or the folder of a crate"
    if not _engine.marked(source):
        first = f"make `{MARKER}` the first line of {os.path.basename(source)}"
        return f"{source} is no kernel: {_first(source)}", first
    if saved_as_text:
        stem = stem.removesuffix(".rs")
    module = name or plain(stem)
    called = module if is_folder else f"{module}.rs"
    if called != base:
        hint = f"rename it to {called}, or call rsimport.imp_from_filepath({path!r}, {module!r})"
        return f"{path} cannot be found by the name `{module}`", hint
    return None


def is_crate(folder: str) -> bool:
    """Is there a library crate in the folder, marked or not?"""
    return os.path.isfile(os.path.join(folder, "Cargo.toml")) and os.path.isfile(_library(folder))


def _library(crate: str) -> str:
    return os.path.join(crate, "src", "lib.rs")


def plain(name: str) -> str:
    """How a module is called that has this name, but for capitals."""
    return name.replace("-", "_").replace(" ", "_").replace(".", "_")


def _first(path: str) -> str:
    """What there is in the place of the marker."""
    try:
        with open(path, "rb") as file:
            data = file.read(4096)
    except OSError as exc:
        return f"it cannot be read ({exc.strerror})"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "it is UTF-16, and Rust is UTF-8"
    lines = data.decode("utf-8-sig", "replace").splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        return "it is empty"
    # It comes from outside and may hold anything, escape codes included.
    shown = first[:_LONG].encode("unicode_escape").decode("ascii") + ("..." if len(first) > _LONG else "")
    where = next((number for number, line in enumerate(lines, 1) if line.strip() == MARKER), None)
    rest = f"not `{MARKER}`" if where is None else f"and the marker stands on line {where}"
    return f"its first line is `{shown}`, {rest}"
