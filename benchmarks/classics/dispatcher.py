"""A million events through callbacks, against queue.Queue and a thread of Python."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from line import Line, ratio
from measure import Spread, alternate, compare, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rsimport.kernels.dispatcher import Dispatcher

RUNS = 5
EVENTS = 1_000_000
QUEUE_SIZE = 65_536

Action = Callable[[], None]


def lines(runs: int) -> list[Line]:
    # Nothing of the first run is measured, which may compile the kernel.
    from_rust(True)
    bounded, unbounded = (
        partial(through, partial(queue.Queue, QUEUE_SIZE)),
        partial(through, queue.SimpleQueue),
    )
    rows: list[tuple[str, Action, str, Action]] = [
        ("from Rust, batched", partial(from_rust, True), "queue.Queue and a thread", bounded),
        ("from Rust, one by one", partial(from_rust, False), "queue.Queue and a thread", bounded),
        ("from Python, batched", partial(from_python, True), "queue.Queue and a thread", bounded),
        ("from Python, one by one", partial(from_python, False), "queue.Queue and a thread", bounded),
        ("from Python, one by one", partial(from_python, False), "queue.SimpleQueue, unbounded", unbounded),
        ("from Rust, batched", partial(from_rust, True), "from Rust, one by one", partial(from_rust, False)),
    ]
    found: list[Line] = []
    for what, ours, against, theirs in rows:
        name = f"a million events {what}"
        mine, others = alternate(runs, partial(seconds, ours), partial(seconds, theirs))
        if not found:
            found.append(Line(name, "-", Spread.of(mine), "s", bar=1.0))
        line = ratio(name, against, compare(mine, others))
        rates = [EVENTS / seconds / 1e6 for seconds in line.seconds or ()]
        found.append(replace(line, note=f"{rates[0]:.3g} million events/s against {rates[1]:.3g}"))
    return found


def from_rust(batched: bool) -> None:
    """Events from a native thread."""

    def produce(dispatcher: Dispatcher) -> None:
        ticker = dispatcher.start_ticker("n", EVENTS)
        while ticker.running:
            time.sleep(0.001)

    deliver(produce, batched)


def from_python(batched: bool) -> None:
    """Events from a loop in this thread."""

    def produce(dispatcher: Dispatcher) -> None:
        for number in range(EVENTS):
            dispatcher.post("n", number)

    deliver(produce, batched)


def deliver(produce: Callable[[Dispatcher], None], batched: bool) -> None:
    from rsimport.kernels.dispatcher import Dispatcher

    sink = Sink()
    with Dispatcher(QUEUE_SIZE) as dispatcher:
        dispatcher.register("n", sink.many if batched else sink.one, batched=batched)
        dispatcher.start()
        produce(dispatcher)
    sink.check()


def through(make: Callable[[], queue.Queue[int | None] | queue.SimpleQueue[int | None]]) -> None:
    """The same with what the standard library has."""
    sink, events = Sink(), make()

    def consume() -> None:
        while (number := events.get()) is not None:
            sink.one(number)

    consumer = threading.Thread(target=consume)
    consumer.start()
    for number in range(EVENTS):
        events.put(number)
    events.put(None)
    consumer.join()
    sink.check()


class Sink:
    """Callbacks that count and add up, so that every side does the same small work."""

    def __init__(self) -> None:
        self.count = self.sum = 0

    def one(self, number: int) -> None:
        self.count += 1
        self.sum += number

    def many(self, numbers: list[int]) -> None:
        self.count += len(numbers)
        self.sum += sum(numbers)

    def check(self) -> None:
        if (self.count, self.sum) != (EVENTS, EVENTS * (EVENTS - 1) // 2):
            raise AssertionError(f"{self.count} events instead of {EVENTS}")
