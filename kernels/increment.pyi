"""The smallest useful kernel: one function that adds one."""

__all__ = ["increment"]

def increment(i: int) -> int: ...
