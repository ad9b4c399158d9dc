"""Integrate a function that is called back: one in Python, and the same one as machine code.

Run `python examples/integrals.py [--points N]`. The loop over all points is Rust's, in the kernel hot_loop;
what differs is whom it calls at each point. The integral of 4 / (1 + x * x) from 0 to 1 is pi, so every
result can be checked by looking.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from rsimport.kernels import hot_loop

Integral = Callable[[int], float]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Integrate a function that is called back.")
    parser.add_argument(
        "--points", type=positive, default=1_000_000, metavar="N", help="default: %(default)s"
    )
    points: int = parser.parse_args(arguments).points

    print(f"the integral of 4 / (1 + x * x) from 0 to 1, {points:,} points\n")
    print(f"{'who is called':<36}  {'result':<17}  {'off pi by':>9}  {'ns a point':>10}")
    for name, integral in integrals():
        integral(1)
        start = perf_counter()
        result = integral(points)
        nanoseconds = (perf_counter() - start) / points * 1e9
        print(f"{name:<36}  {result:<17.15f}  {abs(result - math.pi):>9.1e}  {nanoseconds:>10.2f}")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def integrals() -> Iterator[tuple[str, Integral]]:
    """All ways that can be had here."""
    yield "Python, by a loop in Python", in_python
    yield "Python, by the kernel", lambda points: hot_loop.integrate(bell, 0.0, 1.0, points)
    capsule = hot_loop.native_example()
    yield "Rust, by its capsule", lambda points: hot_loop.integrate_native(capsule, 0.0, 1.0, points)
    try:
        from numba import cfunc
    except ImportError:
        return
    compiled = cfunc("float64(float64)")(bell)
    by_address = compiled.address
    yield "Numba, by its address", lambda points: hot_loop.integrate_at_address(by_address, 0.0, 1.0, points)


def bell(x: float) -> float:
    return 4.0 / (1.0 + x * x)


def in_python(points: int) -> float:
    step, total = 1.0 / points, 0.0
    for i in range(points):
        total += bell((i + 0.5) * step)
    return total * step


if __name__ == "__main__":
    main()
