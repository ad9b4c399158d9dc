"""`%rsimport info`: what the loaded kernels were made from, when and why."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from rsimport import _engine
from rsimport._autoreload import kernels
from rsimport._format import called
from rsimport._loader import loader_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsimport._engine import Artifact


def show(name: str | None = None) -> None:
    """Prints a table of all loaded kernels, or everything about one of them.

    Raises UsageError if no kernel of this name is loaded.
    """
    loaded = {module.__name__: loader_of(module).find_artifact() for module in kernels()}
    if name is None:
        print("\n".join(_table(loaded)) if loaded else "no kernel is loaded")
    elif name not in loaded:
        raise UsageError(f"no kernel named {name} is loaded; %rsimport info lists those that are")
    else:
        print("\n".join(_details(loaded[name])))


def _details(artifact: Artifact) -> Iterator[str]:
    for label, text in _facts(artifact).items():
        yield f"{label:<10}{text}"
    for warning in artifact.warnings:
        yield (warning.rendered if "NO_COLOR" in os.environ else warning.ansi).rstrip()


def _table(loaded: dict[str, Artifact]) -> Iterator[str]:
    rows = [{"kernel": name, **_facts(artifact)} for name, artifact in sorted(loaded.items())]
    for row in rows:
        row["source"] = _short(row["source"])
        del row["artifact"]
    columns = list({column: None for row in rows for column in row})
    rows.insert(0, {column: column for column in columns})
    widths = {column: max(len(row.get(column, "")) for row in rows) for column in columns}
    for row in rows:
        yield "  ".join(row.get(column, "").ljust(widths[column]) for column in columns).rstrip()


def _facts(artifact: Artifact) -> dict[str, str]:
    facts = {
        "source": _engine.shown(artifact.source),
        "artifact": _engine.shown(artifact.path),
        "why": artifact.reason or "",
        "built": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(os.path.getmtime(artifact.path))),
        "seconds": f"{artifact.seconds:.2f}",
        "profile": artifact.profile,
        "tier": str(getattr(artifact, "tier", None) or ""),
        "warnings": str(len(artifact.warnings)),
    }
    return {label: text for label, text in facts.items() if text}


def _short(source: str) -> str:
    """A cell by its name, a file in the current folder relative to it."""
    return called(source).removeprefix(_engine.shown(os.getcwd()) + os.sep)
