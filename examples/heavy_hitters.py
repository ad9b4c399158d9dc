"""Find the busiest addresses of a packet stream in a fixed amount of memory, and check them.

Run `python examples/heavy_hitters.py [--packets N]`. The stream is made up, and the same every time: a few
addresses send much, very many send little (Zipf's law), as in a real network. The exact counts come from a
`collections.Counter`, which must remember every address it ever saw; a Count-Min sketch keeps its size.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address

from rsimport.kernels.count_min_sketch import CountMinSketch

WIDTH, DEPTH = 2_000, 5
TOP = 10


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Find the busiest addresses of a made-up packet stream.")
    parser.add_argument("--packets", type=positive, default=500_000, metavar="N", help="default: %(default)s")
    packets = stream(parser.parse_args(arguments).packets)

    exact = Counter(packets)
    sketch = CountMinSketch(WIDTH, DEPTH)
    for address in packets:
        sketch.insert(address)

    print(f"{sketch.total:,} packets from {len(exact):,} addresses\n")
    report_top(sketch, exact)
    report_errors(sketch, exact)
    report_memory(exact)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def stream(packets: int, addresses: int = 100_000) -> list[str]:
    """The sender of each packet; the address of rank i sends about 1 / i as often as the first."""
    rng = random.Random(20)
    senders = [str(IPv4Address(number)) for number in rng.sample(range(2**32), addresses)]
    return rng.choices(senders, weights=[1 / rank for rank in range(1, addresses + 1)], k=packets)


def report_top(sketch: CountMinSketch, exact: Counter[str]) -> None:
    print(f"{'busiest by sketch':<16}  {'sketch':>8}  {'exact':>8}  {'too many':>8}")
    top = sketch.top_k(TOP, exact)
    for address, count in top:
        print(f"{address:<16}  {count:>8,}  {exact[address]:>8,}  {count - exact[address]:>8,}")
    found = {address for address, _ in top} & {address for address, _ in exact.most_common(TOP)}
    print(f"\nof the true top {TOP}, the sketch found {len(found)}")


def report_errors(sketch: CountMinSketch, exact: Counter[str]) -> None:
    errors = [sketch.count(address) - count for address, count in exact.items()]
    bound = math.e / WIDTH * sketch.total
    within = sum(error <= bound for error in errors) / len(errors)
    print(f"counted too low: {sum(error < 0 for error in errors)} addresses (there can be none)")
    print(f"too high by {sum(errors) / len(errors):,.1f} on average, by {max(errors):,} at most")
    print(f"within e / width * total = {bound:,.0f}: {within:.2%} (promised: {1 - math.exp(-DEPTH):.2%})")


def report_memory(exact: Counter[str]) -> None:
    counter = sys.getsizeof(exact) + sum(sys.getsizeof(address) for address in exact)
    print(f"memory: sketch {WIDTH * DEPTH * 4 / 1e3:,.0f} kB, Counter {counter / 1e3:,.0f} kB and growing")


if __name__ == "__main__":
    main()
