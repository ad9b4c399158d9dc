"""Python, compiled by numba."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

from calling import python
from calling.contestant import Contestant


class Numba(Contestant):
    """The plain Python functions."""

    name = distribution = "numba"
    note = "@njit of the Python functions, compiled before the clock runs"
    notes = MappingProxyType(
        {
            "method": "@jitclass",
            "change": "@jitclass",
            "array": "a loop over the values; declared for float64[::1], so that no other is compiled for",
        }
    )

    def build(self, folder: Path) -> Any:
        """Compiles at the first call, which checks the result."""
        import numba

        @numba.njit(numba.float64(numba.float64[::1]))  # type: ignore[untyped-decorator]
        def total(values: Any) -> float:
            result = 0.0
            for value in values:
                result += value
            return result

        functions = {name: numba.njit(getattr(python, name)) for name in ("increment", "logistic", "length")}
        Map = numba.experimental.jitclass([("r", numba.float64)])(python.Map)
        return SimpleNamespace(**functions, Map=Map, total=total)
