"""What keeps a Rust file from being imported: a marker that is missing, or a name that no module can have."""

from __future__ import annotations

import codecs
import os

from rsimport import _engine

MARKER = "// rsimport"

_LONG = 60
"""Characters of a first line that are shown."""


def advice(path: str, name: str | None = None) -> tuple[str, str] | None:
    """Why an import of `name`, or of the file's own name, does not find this file, and what to do about it.

    None where the file is a kernel that an import finds.
    """
    if not os.path.isfile(path):
        return f"{path} is no kernel: it is not a file", "name a .rs file"
    base = os.path.basename(path)
    stem, suffix = os.path.splitext(base)
    if not _engine.marked(path):
        return f"{path} is no kernel: {_first(path)}", f"make `{MARKER}` the first line of {base}"
    module = name or stem.replace("-", "_").replace(" ", "_")
    if (stem, suffix) != (module, ".rs"):
        hint = f"rename it to {module}.rs, or call rsimport.imp_from_filepath({path!r}, {module!r})"
        return f"{path} cannot be found by the name `{module}`", hint
    return None


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
