"""Count up one by one: what a call costs, and when it is worth one.

Run `python examples/price_of_a_call.py [--calls N]`. Adding one is next to no work, so what is left is the
price of the call itself. Every way has to arrive at N.
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from rsimport.kernels.increment import increment, increment_address

ROUNDS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Count up one by one, by calls of several kinds.")
    parser.add_argument("--calls", type=positive, default=1_000_000, metavar="N", help="default: %(default)s")
    calls: int = parser.parse_args(arguments).calls

    empty = min(seconds(loop, calls)[0] for _ in range(ROUNDS))
    print(
        f"from 0 to {calls:,} by calls; the loop itself, {empty / calls * 1e9:.1f} ns a round, is taken off\n"
    )
    print(f"{'what is called':<28}  {'arrived at':>12}  {'ns a call':>9}")
    for name, add_one in ways():
        times, results = zip(*(seconds(count_up, calls, add_one) for _ in range(ROUNDS)), strict=True)
        if set(results) != {calls}:
            raise SystemExit(f"{name} arrived at {results[0]:,}, not at {calls:,}")
        print(f"{name:<28}  {results[0]:>12,}  {max(min(times) - empty, 0) / calls * 1e9:>9.1f}")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def ways() -> Iterator[tuple[str, Callable[[int], int]]]:
    yield "a function in Python", in_python
    yield "the kernel", increment
    native = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(increment_address())
    yield "the same address, by ctypes", native


def in_python(i: int) -> int:
    return i + 1


def count_up(calls: int, add_one: Callable[[int], int]) -> int:
    i = 0
    for _ in range(calls):
        i = add_one(i)
    return i


def loop(calls: int) -> int:
    i = 0
    for _ in range(calls):
        i = calls
    return i


def seconds(action: Callable[..., int], *arguments: object) -> tuple[float, int]:
    start = perf_counter()
    result = action(*arguments)
    return perf_counter() - start, result


if __name__ == "__main__":
    main()
