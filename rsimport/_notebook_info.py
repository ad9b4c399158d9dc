"""`%rsimport info`: what the loaded kernels were made from, when and why."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.display import display
from rich.table import Table
from rich.text import Text

from rsimport._auto import kernels
from rsimport._reload import loader_of

if TYPE_CHECKING:
    from rsimport._engine import Artifact


def show(name: str | None = None) -> None:
    """Shows all loaded kernels as a table, or one of them in detail.

    Raises UsageError if no kernel of this name is loaded.
    """
    loaded = {module.__name__: loader_of(module).find_artifact() for module in kernels()}
    if name is not None:
        if name not in loaded:
            raise UsageError(f"no kernel named {name} is loaded; %rsimport info lists those that are")
        display(_detail(loaded[name]))  # type: ignore[no-untyped-call, unused-ignore]
    elif loaded:
        display(_overview(loaded))  # type: ignore[no-untyped-call, unused-ignore]
    else:
        print("no kernel is loaded")


def _detail(artifact: Artifact) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in _facts(artifact).items():
        table.add_row(label, Text(text))
    for warning in artifact.warnings:
        table.add_row("warning", Text.from_ansi(warning.ansi.rstrip()))
    return table


def _overview(loaded: dict[str, Artifact]) -> Table:
    columns = ["source", "why", "built", "seconds", "profile", "tier", "warnings"]
    rows = [{"kernel": name, **_facts(artifact)} for name, artifact in sorted(loaded.items())]
    shown = ["kernel", *(column for column in columns if any(row.get(column) for row in rows))]
    table = Table(*shown, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(row.get(column, "")) for column in shown))
    return table


def _facts(artifact: Artifact) -> dict[str, str]:
    facts = {
        "source": artifact.source,
        "artifact": artifact.path,
        "why": artifact.reason or "",
        "built": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(os.path.getmtime(artifact.path))),
        "seconds": f"{artifact.seconds:.2f}",
        "profile": artifact.profile,
        "tier": str(getattr(artifact, "tier", None) or ""),
        "warnings": str(len(artifact.warnings)),
    }
    return {label: text for label, text in facts.items() if text}
