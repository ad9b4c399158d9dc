"""Plain Python, without anything compiled."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from calling.contestant import Contestant


class Python(Contestant):
    """What one would write."""

    name = "Python function"
    notes = MappingProxyType({"array": "sum(values.tolist()), after a look at the dtype"})

    def build(self, folder: Path) -> Any:
        """There is nothing to build."""
        return SimpleNamespace(increment=increment, logistic=logistic, Map=Map, length=length, total=total)


class Map:
    def __init__(self, r: float) -> None:
        self.r = r

    def step(self, x: float) -> float:
        return self.r * x * (1.0 - x)

    def swap(self, r: float) -> float:
        before, self.r = self.r, r
        return before


def increment(i: int) -> int:
    return i + 1


def logistic(steps: int, r: float, x: float) -> float:
    for _ in range(steps):
        x = r * x * (1.0 - x)
    return x


def length(text: str) -> int:
    return len(text)


def total(values: npt.NDArray[np.float64]) -> float:
    if values.dtype != np.float64:
        raise TypeError("expected float64")
    result: float = sum(values.tolist())
    return result
