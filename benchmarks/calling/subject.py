"""What is called, with what, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

R, X = 3.9, 0.5


class Wrong(Exception):
    """A contestant returned something else, or took what it has to refuse."""


class Subject(NamedTuple):
    """One call."""

    title: str
    statement: str
    """In Python, with `f` or `o` and the arguments by their names."""
    target: Callable[[Any], object]
    """What `f` or `o` is, of a contestant's module."""
    arguments: dict[str, object]
    expected: float
    refused: dict[str, object] | None = None
    """Arguments for which a TypeError has to be raised, or a ValueError."""

    def names(self, module: Any) -> dict[str, object]:
        """All names in the statement."""
        return {self.statement[0]: self.target(module), **self.arguments}

    def check(self, name: str, module: Any) -> None:
        """Calls a contestant once, and raises `Wrong` unless the result is right."""
        names = self.names(module)
        value = eval(self.statement, names)
        if value != self.expected or not isinstance(value, type(self.expected)):
            raise Wrong(f"{name}: {self.statement} returned {value!r} instead of {self.expected!r}")
        if self.refused:
            try:
                eval(self.statement, {**names, **self.refused})
            except (TypeError, ValueError):
                return
            raise Wrong(f"{name}: {self.statement} takes {self.refused!r}")


SUBJECTS = {
    "increment": Subject(
        "increment(int)", "f(i)", attrgetter("increment"), {"i": 1_000_000}, expected=1_000_001
    ),
    "logistic": Subject(
        "logistic step(int, float, float)",
        "f(steps, r, x)",
        attrgetter("logistic"),
        {"steps": 1, "r": R, "x": X},
        expected=R * X * (1.0 - X),
    ),
    "method": Subject(
        "method step(float)",
        "o.step(x)",
        lambda module: module.Map(R),
        {"x": X},
        expected=R * X * (1.0 - X),
    ),
    "change": Subject(
        "changing method swap(float)",
        "o.swap(r)",
        lambda module: module.Map(R),
        {"r": R},
        expected=R,
    ),
    "text": Subject("length(str)", "f(text)", attrgetter("length"), {"text": "logistic"}, expected=8),
    "array": Subject(
        "total(float64 array of 4)",
        "f(values)",
        attrgetter("total"),
        {"values": np.array([0.5, 1.0, 1.5, 2.0])},
        expected=5.0,
        refused={"values": np.array([0.5, 1.0, 1.5, 2.0], np.float32)},
    ),
}
