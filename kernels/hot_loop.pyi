"""Callbacks from a hot loop: the same integral with a Python function and with a native one."""

from collections.abc import Callable
from typing import SupportsFloat

from typing_extensions import CapsuleType

__all__ = [
    "integrate",
    "integrate_at_address",
    "integrate_native",
    "native_example",
    "native_example_address",
]

def integrate(f: Callable[[float], SupportsFloat], a: float, b: float, n: int) -> float: ...
def integrate_native(f: CapsuleType, a: float, b: float, n: int) -> float: ...
def integrate_at_address(address: int, a: float, b: float, n: int) -> float: ...
def native_example() -> CapsuleType: ...
def native_example_address() -> int: ...
