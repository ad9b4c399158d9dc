"""What every contestant offers: the subjects, compiled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

SOURCES = Path(__file__).with_name("sources")


class Contestant(ABC):
    """A way to call compiled code, and a row of the table."""

    name: str
    distribution: str | None = None
    """Its name on PyPI, if it comes from there."""
    needs: str = ""
    """What else it needs, in words for somebody who has not got it."""
    note: str = ""
    """How it is built."""
    notes: Mapping[str, str] = MappingProxyType({})
    """By subject: how it is done, where that is not obvious."""
    cannot: Mapping[str, str] = MappingProxyType({})
    """By subject: why it is not done."""

    @abstractmethod
    def build(self, folder: Path) -> Any:
        """Compiles in an empty folder.

        Returns what has `increment`, `logistic`, `length` and `total`, and `Map` with `step` and `swap`, but
        for what is in `cannot`. Any exception says why it takes no part.
        """
