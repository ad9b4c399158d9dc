"""Who asks a web server most, and for what: heavy hitters of an access log in a fixed amount of memory.

Run `python examples/access_log.py [--requests N]`. The log is made up, and the same every time: thousands of
visitors, and three robots of which one only guesses passwords. It is read as from two servers, each with its
own sketches, which are merged. Every figure stands beside the exact one of a `collections.Counter`.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address

from rsimport.kernels.count_min_sketch import CountMinSketch, HeavyHitters

LINE = re.compile(r'(\S+) - - \[[^]]*\] "\w+ (\S+) [^"]*" (\d+) (\d+)')
ROBOTS = {"203.0.113.7": 0.06, "203.0.113.99": 0.03, "198.51.100.23": 0.02}
GUESSER = "198.51.100.23"


class Server:
    """What one server counts."""

    def __init__(self) -> None:
        self.visitors = HeavyHitters(3)
        self.refused = HeavyHitters(3)
        self.traffic = CountMinSketch.from_error(0.001, 0.001, counter_bits=64)

    def read(self, lines: Iterable[str]) -> None:
        requests = [match.groups() for match in map(LINE.match, lines) if match]
        self.visitors.insert_many(address for address, _, _, _ in requests)
        self.refused.insert_many((address, int(code)) for address, _, code, _ in requests if code >= "400")
        self.traffic.insert_many([path for _, path, _, _ in requests], [int(size) for *_, size in requests])

    def merge(self, other: Server) -> None:
        self.visitors.merge(other.visitors)
        self.refused.merge(other.refused)
        self.traffic |= other.traffic


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Find the heavy hitters of a made-up access log.")
    parser.add_argument(
        "--requests", type=positive, default=200_000, metavar="N", help="default: %(default)s"
    )
    lines = log(parser.parse_args(arguments).requests)

    here, there = Server(), Server()
    here.read(lines[::2])
    there.read(lines[1::2])
    here.merge(there)

    requests = [match.groups() for match in map(LINE.match, lines) if match]
    addresses = Counter(address for address, _, _, _ in requests)
    print(f"{here.visitors.total:,} requests from {len(addresses):,} addresses")
    report("busiest address", here.visitors.top(), addresses)

    refused = Counter((address, int(code)) for address, _, code, _ in requests if code >= "400")
    report("most often refused", here.refused.top(), refused)

    traffic: Counter[str] = Counter()
    for _, path, _, size in requests:
        traffic[path] += int(size)
    report("most bytes sent", here.traffic.top_k(5, traffic), traffic)

    low = sum(here.traffic.count(path) < size for path, size in traffic.items())
    memory = here.traffic.memory_bytes
    print(f"\nthe sketch of bytes sent: {memory / 1e3:,.0f} kB, too low for {low} paths (there can be none)")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def log(requests: int, visitors: int = 20_000, pages: int = 2_000) -> list[str]:
    """Lines as web servers write them; page n is asked for about 1 / n as often as the first."""
    rng = random.Random(80)
    people = [str(IPv4Address("10.0.0.0") + n) for n in rng.sample(range(2**24), visitors)]
    shares = [(1 - sum(ROBOTS.values())) / visitors] * visitors
    senders = rng.choices([*people, *ROBOTS], weights=[*shares, *ROBOTS.values()], k=requests)
    paths = [f"/page/{n}" for n in range(1, pages + 1)]
    asked = rng.choices(paths, weights=[1 / n for n in range(1, pages + 1)], k=requests)
    return [
        line(second, sender, path) for second, (sender, path) in enumerate(zip(senders, asked, strict=True))
    ]


def line(second: int, sender: str, path: str) -> str:
    path, code, size = (path, 200, 1000 + 37 * len(path)) if sender != GUESSER else ("/login", 403, 120)
    hour, minute = second // 3600 % 24, second // 60 % 60
    time = f"01/Jan/2026:{hour:02}:{minute:02}:{second % 60:02} +0000"
    return f'{sender} - - [{time}] "GET {path} HTTP/1.1" {code} {size}'


def report(title: str, top: Iterable[tuple[object, int]], exact: Counter[object]) -> None:
    print(f"\n{title:<28}  {'sketch':>12}  {'exact':>12}  {'too many':>9}")
    for key, count in top:
        name = key if isinstance(key, str) else " ".join(map(str, key))
        print(f"{name:<28}  {count:>12,}  {exact[key]:>12,}  {count - exact[key]:>9,}")


if __name__ == "__main__":
    main()
