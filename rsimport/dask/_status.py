"""What workers have of kernels, and how it came to them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from rsimport.dask._client import sessions
from rsimport.dask._process import NAME
from rsimport.dask._worker import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from distributed import Client

_HEADER = ("worker", "host", "kernel", "content", "artifact")


def status(client: Client) -> Any:
    """What each worker has of the kernels of this session: fetched, built, or why it has none.

    Returns a Status; for an asynchronous client, await it. Raises RsimportError if kernels are not enabled.
    """
    sync: Any = client.sync
    return sync(_status, client)


async def _status(client: Client) -> Status:
    from rsimport._errors import RsimportError

    if not any(session.client is client for session in sessions):
        raise RsimportError("kernels are not enabled for this client", hint="rsimport.dask.enable(client)")
    kernels = await getattr(client.scheduler, f"{NAME}_report")()
    return Status(kernels, await client.run(report))


@dataclass(frozen=True)
class Status:
    """`kernels` is what the scheduler keeps, `workers` what each worker says, by its address."""

    kernels: list[dict[str, Any]]
    workers: dict[str, dict[str, Any]]

    def rows(self) -> list[tuple[str, ...]]:
        """One row for each worker and kernel: address, host, name, content, and what became of it."""
        current = {kernel["content"]: kernel["name"] for kernel in self.kernels if kernel["current"]}
        found: list[tuple[str, ...]] = []
        for address, worker in sorted(self.workers.items()):
            seen = {row["content"]: row for row in worker["kernels"]}
            for content in {**current, **seen}:
                row = seen.get(content)
                name = row["kernel"] if row is not None else current[content]
                how = row["how"] if row is not None else "not used yet"
                found.append((address, worker["host"], name, content[:8], how))
        return found

    def __repr__(self) -> str:
        rows = [_HEADER, *self.rows()]
        widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADER) - 1)]
        return "\n".join(
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
            for row in rows
        )

    def _repr_html_(self) -> str:
        def line(row: tuple[str, ...], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"

        body = "".join(line(row, "td") for row in self.rows())
        return f"<table><thead>{line(_HEADER, 'th')}</thead><tbody>{body}</tbody></table>"
