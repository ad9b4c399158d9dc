"""The file by which rust-analyzer knows kernels: is there one, whose is it, and is it current?

`rsimport ide` writes it. Its first line says of each kernel what decided about its dependencies, so that
after a build no more of the file has to be read.
"""

from __future__ import annotations

import json
import os
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "rust-project.json"
GENERATOR = "rsimport ide"


def above(kernel: str) -> str | None:
    """The nearest such file in a kernel's folder or above."""
    folder = os.path.dirname(kernel)
    while True:
        file = os.path.join(folder, NAME)
        if os.path.exists(file):
            return file
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            return None


def head(file: str) -> dict[str, Any] | None:
    """What the first line says; None if rsimport has not written the file."""
    try:
        with open(file, encoding="utf-8") as opened:
            line = opened.readline(10_000_000)
        said = json.loads(line.rstrip().rstrip(",") + "}")
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) and said.get("generator") == GENERATOR else None


def mark(kernel: str) -> int:
    """What changes with a kernel's dependencies: the lines at its head, or a crate's manifest."""
    if os.path.isdir(kernel):
        kernel = os.path.join(kernel, "Cargo.toml")
    lines = []
    try:
        with open(kernel, "rb") as file:
            for line in file:
                if os.path.basename(kernel) != "Cargo.toml" and line.strip() and not line.startswith(b"//"):
                    break
                lines.append(line)
    except OSError:
        return 0
    return crc32(b"".join(lines))


def outdated(kernel: str) -> str | None:
    """The file above a kernel that does not know it as it is, if rsimport has written it."""
    file = above(kernel)
    if file is None:
        return None
    said = head(file)
    known = said and said.get("kernels")
    return file if isinstance(known, dict) and known.get(kernel) != mark(kernel) else None
