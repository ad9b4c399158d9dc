"""kernels/dispatcher.rs: every event reaches its callback once, in order, and nothing is lost in silence."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from enum import Enum
from types import ModuleType
from typing import Any

import pytest

LIMIT = 60.0
"""Seconds after which something counts as hung. No test measures speed."""


class Kind(Enum):
    TICK = 1


@pytest.fixture(scope="module")
def kernel_module(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import dispatcher

    return dispatcher


@pytest.fixture
def make(kernel_module: ModuleType) -> Callable[..., Any]:
    dispatcher: Callable[..., Any] = kernel_module.Dispatcher
    return dispatcher


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


@pytest.mark.parametrize("kind", ["tick", 7, Kind.TICK, ("a", 1), None])
def test_events_reach_the_callback_of_their_kind_in_order(make: Callable[..., Any], kind: object) -> None:
    seen: list[object] = []
    others: list[object] = []
    with make() as d:
        assert d.register(kind, seen.append) is None
        d.register("other", others.append)
        for number in range(1000):
            d.post(kind, number)
            d.post("other", -number)
        d.start()
    assert seen == list(range(1000))
    assert others == [-number for number in range(1000)]
    assert (d.delivered, d.dropped, d.errors, d.queued, d.threads) == (2000, 0, 0, 0, 0)


@pytest.mark.parametrize(("queue_size", "batch"), [(1, 1), (3, 2), (64, 1000), (100_000, 7)])
def test_batched_callbacks_get_every_event_once_in_lists_of_at_most_a_batch(
    make: Callable[..., Any], queue_size: int, batch: int
) -> None:
    lists: list[list[int]] = []
    with make(queue_size, batch) as d:
        d.register("n", lists.append, batched=True)
        d.start()
        for number in range(5000):
            d.post("n", number)
    assert [number for numbers in lists for number in numbers] == list(range(5000))
    assert 1 <= max(map(len, lists)) <= min(batch, queue_size)


@pytest.mark.parametrize("threads", [1, 4])
def test_events_from_several_threads_of_python_and_rust_all_arrive(
    make: Callable[..., Any], threads: int
) -> None:
    seen: dict[str, list[tuple[int, int]]] = {"one": [], "many": []}
    with make(50, 8) as d:
        d.register("one", seen["one"].append)
        d.register("many", seen["many"].extend, batched=True)
        d.start(threads)

        def produce(number: int) -> None:
            for i in range(2000):
                d.post(("one", "many")[i % 2], (number, i))

        producers = [threading.Thread(target=produce, args=(number,)) for number in range(4)]
        tickers = [d.start_ticker("many", 3000), d.start_ticker("one", 3000)]
        for thread in producers:
            thread.start()
        for thread in producers:
            thread.join()
        until(lambda: not any(ticker.running for ticker in tickers))
    posted = {
        name: [(n, i) for n in range(4) for i in range(start, 2000, 2)] for start, name in enumerate(seen)
    }
    for name, events in seen.items():
        assert sorted(e for e in events if isinstance(e, tuple)) == sorted(posted[name])
        assert sorted(e for e in events if isinstance(e, int)) == list(range(3000))
    assert d.delivered == 4 * 2000 + 2 * 3000


def test_several_threads_call_back_at_the_same_time(make: Callable[..., Any]) -> None:
    together = threading.Barrier(3, timeout=LIMIT)
    with make(batch=1) as d:
        d.register("meet", lambda _: together.wait())
        d.start(3)
        assert d.threads == 3
        for _ in range(3):
            d.post("meet")
    assert (d.delivered, d.errors) == (3, 0)


def test_a_slow_callback_of_one_thread_leaves_the_rest_of_the_queue_to_the_others(
    make: Callable[..., Any],
) -> None:
    seen: list[object] = []
    free = threading.Event()
    with make() as d:
        d.register("wait", lambda _: free.wait(LIMIT))
        d.register("n", seen.append)
        d.post("wait")
        d.start(2)
        until(lambda: d.queued == 0)
        for number in range(100):
            d.post("n", number)
        until(lambda: len(seen) == 100)
        free.set()


def test_a_ticker_keeps_to_its_interval_and_ends_when_it_is_told_to(make: Callable[..., Any]) -> None:
    times: list[float] = []
    with make() as d:
        d.register("tick", lambda _: times.append(time.monotonic()))
        d.start()
        start = time.monotonic()
        ticker = d.start_ticker("tick", 5, 0.02)
        until(lambda: len(times) == 5)
        assert times[-1] - start >= 5 * 0.02
        until(lambda: not ticker.running)
        assert ticker.sent == 5

        endless = d.start_ticker("tick", interval=3600)
        flood = d.start_ticker("tick")
        until(lambda: flood.sent > 0)
        for one in (endless, flood, flood):
            one.stop()
        until(lambda: not endless.running and not flood.running)
        assert endless.sent == 0
    assert d.delivered == 5 + flood.sent


def test_a_full_queue_makes_posters_wait(make: Callable[..., Any]) -> None:
    seen: list[object] = []
    d = make(2)
    d.register("n", seen.append)
    for number in range(2):
        d.post("n", number, timeout=0)
    for timeout in (0, 0.01):
        with pytest.raises(queue.Full, match="2 events wait already"):
            d.post("n", "too much", timeout=timeout)
    poster = threading.Thread(target=d.post, args=("n", 2))
    poster.start()
    time.sleep(0.02)
    assert poster.is_alive()
    d.start()
    poster.join(LIMIT)
    d.stop()
    assert seen == [0, 1, 2]


def test_a_callback_that_finds_the_queue_full_gets_an_error_and_no_deadlock(make: Callable[..., Any]) -> None:
    errors: list[BaseException] = []
    with make(2, on_error=lambda error, kind, payload: errors.append(error)) as d:

        def more(_: object) -> None:
            for _ in range(3):
                d.post("n")

        d.register("more", more)
        d.register("n", lambda _: None)
        d.post("more")
        d.start()
        until(lambda: d.errors == 1)
    assert [type(error) for error in errors] == [queue.Full]
    assert d.delivered == 3


def test_an_exception_goes_to_on_error_with_what_was_delivered(make: Callable[..., Any]) -> None:
    reports: list[tuple[BaseException, object, object]] = []
    with make(on_error=lambda *report: reports.append(report)) as d:
        d.register("zero", lambda x: 1 / x)
        d.register("exit", lambda numbers: sys.exit(3), batched=True)
        for number in (1, 0, 2):
            d.post("zero", number)
        d.post("exit", 5)
        d.start()
    assert [(type(error), kind, payload) for error, kind, payload in reports] == [
        (ZeroDivisionError, "zero", 0),
        (SystemExit, "exit", [5]),
    ]
    assert (d.delivered, d.errors) == (4, 2)


@pytest.mark.parametrize("handler", [None, lambda *report: [][0]])
def test_without_a_handler_that_works_it_goes_to_the_hook_of_the_interpreter(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, handler: Callable[..., object] | None
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: seen.append(type(report.exc_value)))
    with make(on_error=handler) as d:
        d.register("n", lambda x: 1 / x)
        d.post("n", 0)
        d.post("n", 1)
        d.start()
    assert seen == [ZeroDivisionError, *([IndexError] if handler else [])]
    assert (d.delivered, d.errors) == (2, 1)


def test_a_callback_can_be_replaced_and_unregistered(make: Callable[..., Any]) -> None:
    seen: list[object] = []
    d = make()
    d.register("n", seen.append)
    d.post("n", 1)
    assert d.register("n", seen.extend, batched=True) == seen.append
    d.post("n", 2)
    d.listen(timeout=0)
    assert seen == [1, 2]
    d.post("n", 3)
    d.unregister("n")
    assert d.listen(timeout=0) == 0
    assert (seen, d.dropped) == ([1, 2], 1)
    for call in (lambda: d.post("n"), lambda: d.unregister("n"), lambda: d.start_ticker("n")):
        with pytest.raises(KeyError, match="'n'"):
            call()
