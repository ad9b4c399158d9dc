"""Events from Rust threads, live: a slow ticker, a flood, and what it costs to call Python for each.

Run `python examples/live_dispatcher.py [--events N]`. Native threads post events into a dispatcher: a ticker
twenty a second, another whose callback fails now and then, and a flood of N, which is delivered first with a
call for every event and then with a call for every batch. Ctrl-C ends it at any time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

from rsimport.kernels.dispatcher import Dispatcher

QUEUE_SIZE, BATCH = 8_192, 1_024


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Watch events from Rust threads arrive in Python.")
    parser.add_argument(
        "--events", type=positive, default=1_000_000, metavar="N", help="default: %(default)s"
    )
    events: int = parser.parse_args(arguments).events

    watch()
    each, _ = flood(events, batched=False)
    lists, calls = flood(events, batched=True)
    print(f"\n{events:,} events from a Rust thread, delivered by another:\n")
    print(f"{'':<14}  {'calls':>9}  {'ms':>8}  {'events/s':>12}  {'ns an event':>11}")
    for name, seconds, count in (("one by one", each, events), ("in batches", lists, calls)):
        rate, cost = events / seconds, seconds / events * 1e9
        print(f"{name:<14}  {count:>9,}  {seconds * 1e3:>8,.1f}  {rate:>12,.0f}  {cost:>11,.1f}")
    print(f"\none by one / in batches  {each / lists:.1f} x")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def watch() -> None:
    """Listen in this thread to two tickers of Rust, until the slower one has ended."""
    start = time.perf_counter()
    with Dispatcher(on_error=report) as dispatcher:

        def tick(number: int) -> None:
            print(f"tick {number} after {time.perf_counter() - start:.2f} s", flush=True)
            if number == 4:
                dispatcher.stop()

        dispatcher.register("tick", tick)
        dispatcher.register("fail", lambda number: 1 // (number % 40))
        dispatcher.start_ticker("tick", 5, interval=0.05)
        dispatcher.start_ticker("fail", 41, interval=0.005)
        delivered = dispatcher.listen()
    print(f"{delivered} events, {dispatcher.errors} of them with an error")


def report(error: BaseException, kind: object, payload: object) -> None:
    print(f"the callback of {kind!r} raised {type(error).__name__} for {payload}", flush=True)


def flood(events: int, *, batched: bool) -> tuple[float, int]:
    """The seconds that a flood of events took, and how many calls."""
    total = calls = 0

    def one(number: int) -> None:
        nonlocal total, calls
        total += number
        calls += 1

    def many(numbers: list[int]) -> None:
        nonlocal total, calls
        total += sum(numbers)
        calls += 1

    callback: Callable[..., None] = many if batched else one
    start = time.perf_counter()
    with Dispatcher(QUEUE_SIZE, BATCH) as dispatcher:
        dispatcher.register("flood", callback, batched=batched)
        dispatcher.start()
        ticker = dispatcher.start_ticker("flood", events)
        while ticker.running:
            time.sleep(0.001)
    seconds = time.perf_counter() - start
    if total != events * (events - 1) // 2:
        raise SystemExit(f"events got lost: their sum is {total}")
    return seconds, calls


if __name__ == "__main__":
    main()
