"""Draw the bifurcation diagram of the logistic map, and check where its periods double.

Run `python examples/bifurcation.py [--out FILE] [--width PIXELS] [--height PIXELS]`. For every column of the
picture one value of r is iterated until it has settled, and what it visits then is counted by row; the curve
below shows the Lyapunov exponent, which is above zero where the map is chaotic. Needs matplotlib and numpy.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence

from rsimport.kernels import logistic_map

FIRST, LAST = 2.8, 4.0
WARMUP, KEEP = 5_000, 2_000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw the bifurcation diagram of the logistic map.")
    parser.add_argument("--out", default="bifurcation.png", metavar="FILE", help="default: %(default)s")
    parser.add_argument("--width", type=positive, default=1600, metavar="PIXELS", help="default: %(default)s")
    parser.add_argument(
        "--height", type=positive, default=1000, metavar="PIXELS", help="default: %(default)s"
    )
    given = parser.parse_args(arguments)
    try:
        import matplotlib
        import numpy as np
    except ImportError as error:
        sys.exit(f"the picture needs {error.name}: pip install matplotlib")
    matplotlib.use("Agg")

    rs = np.linspace(FIRST, LAST, given.width)
    start = time.perf_counter()
    visited = logistic_map.bifurcation(rs, WARMUP, KEEP)
    exponents = logistic_map.lyapunov(rs, WARMUP)
    seconds = time.perf_counter() - start
    steps = rs.size * (2 * WARMUP + KEEP)
    taken = f"{seconds * 1e3:,.0f} ms: {seconds / steps * 1e9:.2f} ns a step"
    print(f"{rs.size:,} values of r, {steps:,} steps in {taken}")

    print(f"\n{'period':>6}  {'begins at r =':>13}  {'theory':>9}")
    for period, where, theory in doublings():
        print(f"{period:>6}  {where:>13.6f}  {theory:>9.6f}")
    chaotic = float((exponents[rs > 3.57] > 0).mean())
    print(f"\nchaotic for {chaotic:.0%} of the values of r above 3.57")

    draw(rs, visited, exponents, given.height, given.out)
    print(f"the picture is {given.out}")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def doublings() -> list[tuple[int, float, float]]:
    """Where cycles of 2 and of 4 values begin, found by bisection, and where they should."""
    found = []
    for period, low, high, theory in ((2, 2.9, 3.2, 3.0), (4, 3.3, 3.5, 1 + math.sqrt(6))):
        while high - low > 1e-6:
            middle = (low + high) / 2
            # Close to a doubling an orbit settles slowly, so it gets a long warm-up.
            values = logistic_map.bifurcation([middle], 2_000_000, period)[0]
            half = period // 2
            doubled = max(abs(values[at + half] - values[at]) for at in range(half)) > 1e-5
            low, high = (low, middle) if doubled else (middle, high)
        found.append((period, (low + high) / 2, theory))
    return found


def draw(rs, visited, exponents, height: int, out: str) -> None:  # type: ignore[no-untyped-def]
    import matplotlib.pyplot as plt
    import numpy as np

    figure, (above, below) = plt.subplots(
        2, sharex=True, height_ratios=(4, 1), figsize=(rs.size / 100, height / 100), layout="constrained"
    )
    columns = np.repeat(np.arange(rs.size), visited.shape[1])
    counts, _, _ = np.histogram2d(
        visited.ravel(), columns, bins=(height, rs.size), range=((0, 1), (0, rs.size))
    )
    shade = np.log1p(counts) / np.log1p(counts).max()
    above.imshow(shade, origin="lower", aspect="auto", extent=(FIRST, LAST, 0, 1), cmap="magma_r")
    above.set(ylabel="visited values of x", title="The logistic map, x → r x (1 - x)")
    below.plot(rs, exponents, linewidth=0.6, color="black")
    below.axhline(0, linewidth=0.8, color="crimson")
    below.set(xlabel="r", ylabel="Lyapunov exponent", ylim=(-2.5, 1))
    figure.savefig(out, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    main()
