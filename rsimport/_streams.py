"""What can be done with a stream: is it a terminal, and may there be colours?"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def is_terminal(stream: Any) -> bool:
    """Is it one? What stands in the place of sys.stderr may be None, closed, or nothing but a `write`."""
    try:
        return bool(stream.isatty())
    except Exception:
        return False


def is_plain() -> bool:
    """Is the terminal one on which no line can be changed?"""
    return os.environ.get("TERM", "") in ("dumb", "unknown")


def is_coloured(stream: Any, *, otherwise: bool | None = None) -> bool:
    """May there be colours?

    The first of these that is set decides: PYTHON_COLORS (0 or 1), NO_COLOR, FORCE_COLOR, CARGO_TERM_COLOR
    (always or never), TERM=dumb; then `otherwise`, or whether the stream is a terminal or a notebook's. That
    is the order of Python's own tracebacks, with cargo's variable behind those that are for everybody.
    """
    said = os.environ.get("PYTHON_COLORS")
    if said in ("0", "1"):
        return said == "1"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    said = os.environ.get("CARGO_TERM_COLOR")
    if said in ("always", "never"):
        return said == "always"
    if is_plain():
        return False
    return is_terminal(stream) or is_notebook() if otherwise is None else otherwise


def is_notebook() -> bool:
    """Does IPython run for a front end with cells, which shows what a terminal shows, colours included?"""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def say(text: str) -> None:
    """Writes a line to stderr. Where that is not possible nothing is lost but the line."""
    stream = sys.stderr
    try:
        if stream is sys.__stderr__ and stream is not None:
            stream.flush()
            # What a stream cannot get rid of it would try again when Python ends, with exit code 120.
            os.write(stream.fileno(), f"{text}\n".encode(stream.encoding, "backslashreplace"))
        else:
            print(text, file=stream, flush=True)
    except Exception:
        return
