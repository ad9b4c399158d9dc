"""What a Rust kernel gains and what its calls cost: the logistic map in Python and in Rust.

Run `python examples/bench_logistic.py [--steps N]`. It imports kernels/logistic.rs through the hook, which
compiles it the first time, and then runs the map as a Python loop, as one Rust call for all steps, and as a
Python loop with a Rust call for every step.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

KERNELS = Path(__file__).resolve().parent.parent / "kernels"
ROUNDS = 3
R, START = 3.9, 0.5

Logistic = Callable[[int, float, float], float]


class Times(NamedTuple):
    """Seconds for the same number of steps, the best of `ROUNDS`."""

    python: float
    batched: float
    per_step: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Time the logistic map in Python and in Rust.")
    parser.add_argument("--steps", type=positive, default=10_000_000, metavar="N", help="default %(default)s")
    steps: int = parser.parse_args(arguments).steps

    rust = load_kernel()
    compare(rust)
    report(measure(rust, steps), steps)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def load_kernel() -> Logistic:
    """Import the kernel as any script beside it would."""
    sys.path.insert(0, str(KERNELS))
    import rsimport.import_hook  # noqa: F401

    # isort: split
    from logistic import logistic

    return logistic


def in_python(steps: int, r: float, x: float) -> float:
    for _ in range(steps):
        x = r * x * (1 - x)
    return x


def compare(rust: Logistic) -> None:
    """Stop unless both languages compute the same. The map is chaotic, so they are compared early."""
    here, there = in_python(10, R, START), rust(10, R, START)
    if not math.isclose(here, there, rel_tol=1e-12):
        raise SystemExit(f"Python and Rust disagree after 10 steps: {here!r} and {there!r}")
    print(f"after 10 steps, Python and Rust agree: x = {there:.15f}\n")


def measure(rust: Logistic, steps: int) -> Times:
    def per_step() -> float:
        x = START
        for _ in range(steps):
            x = rust(1, R, x)
        return x

    return Times(
        python=best(lambda: in_python(steps, R, START)),
        batched=best(lambda: rust(steps, R, START)),
        per_step=best(per_step),
    )


def best(run: Callable[[], float]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def report(times: Times, steps: int) -> None:
    print(f"{steps:,} steps, best of {ROUNDS}:\n")
    rows = {"python": times.python, "rust batched": times.batched, "rust per step": times.per_step}
    for name, seconds in rows.items():
        print(f"{name:<13}  {seconds * 1e3:>10,.1f} ms  {seconds * 1e9 / steps:>6.1f} ns a step")
    print()
    gain, cost = times.python / times.batched, times.per_step / times.batched
    print(f"python / rust batched         {gain:>6.1f} x  (what one call for all steps gains)")
    print(f"rust per step / rust batched  {cost:>6.1f} x  (what a call for every step costs)")


if __name__ == "__main__":
    main()
