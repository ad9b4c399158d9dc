"""kernels/dispatcher.rs: how listening, dispatchers and threads end, and what is refused."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from test_kernel_dispatcher import LIMIT, kernel_module, make, until

__all__ = ["kernel_module", "make"]


class Owner:
    def __init__(self, dispatcher: Any) -> None:
        self.dispatcher = dispatcher


def test_listening_delivers_in_this_thread_until_the_stop(make: Callable[..., Any]) -> None:
    threads: set[int] = set()
    d = make()

    def last(_: object) -> None:
        threads.add(threading.get_ident())
        with pytest.raises(RuntimeError, match="delivers for the same dispatcher already"):
            d.listen()
        d.stop()

    d.register("n", lambda _: threads.add(threading.get_ident()))
    d.register("last", last)
    assert d.listen(timeout=0.01) == 0
    d.start_ticker("n", 100)
    threading.Timer(0.02, d.post, ("last",)).start()
    assert d.listen() == 101
    assert threads == {threading.get_ident()}
    assert d.listen() == 0


def test_an_exit_in_a_callback_ends_listening_and_leaves_the_rest_in_the_queue(
    make: Callable[..., Any],
) -> None:
    seen: list[object] = []
    d = make()
    d.register("exit", sys.exit)
    d.register("one", seen.append)
    d.register("many", seen.append, batched=True)
    for kind, payload in [("one", 1), ("many", 2), ("exit", 3), ("one", 4), ("many", 5)]:
        d.post(kind, payload)
    with pytest.raises(SystemExit):
        d.listen()
    assert (seen, d.queued, d.threads) == ([1], 3, 0)
    d.stop()
    assert d.listen() == 3
    assert seen == [1, 4, [2, 5]]


def test_the_end_of_a_with_block_drains_and_an_exception_discards(make: Callable[..., Any]) -> None:
    seen: list[object] = []
    begun, free = threading.Event(), threading.Event()

    def slow(payload: object) -> None:
        begun.set()
        free.wait(LIMIT)
        seen.append(payload)

    with pytest.raises(ZeroDivisionError), make() as d:
        d.register("n", slow)
        for number in range(10):
            d.post("n", number)
        d.start()
        assert begun.wait(LIMIT)
        # The thread has taken the whole batch, and discards it all the same.
        threading.Timer(0.05, free.set).start()
        raise ZeroDivisionError
    assert (seen, d.delivered, d.dropped, d.queued) == ([0], 1, 9, 0)


def test_a_stopped_dispatcher_takes_nothing_more(make: Callable[..., Any]) -> None:
    d = make()
    d.register("n", print)
    d.start(3)
    d.stop()
    d.stop(drain=False, timeout=0)
    assert d.stopped and d.threads == 0
    for call in (
        lambda: d.post("n"),
        lambda: d.start(),
        lambda: d.start_ticker("n"),
        lambda: d.safe_dispatch(print),
    ):
        with pytest.raises(RuntimeError, match="the dispatcher is stopped"):
            call()


def test_a_stop_that_takes_too_long_can_be_repeated(make: Callable[..., Any]) -> None:
    free = threading.Event()
    d = make()
    d.register("wait", lambda _: free.wait(LIMIT))
    d.post("wait")
    d.start()
    with pytest.raises(TimeoutError, match="1 threads still deliver"):
        d.stop(timeout=0.01)
    free.set()
    d.stop()
    assert d.delivered == 1


def test_dispatchers_that_nothing_refers_to_deliver_and_go(make: Callable[..., Any]) -> None:
    seen: list[object] = []
    d = make()
    d.register("n", seen.append)
    d.start(2)
    for number in range(100):
        d.post("n", number)
    del d
    until(lambda: len(seen) == 100)

    owner = Owner(make())
    owner.dispatcher.register("n", lambda _, owner=owner: None)
    owner.dispatcher.start()
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    kept = gone()
    assert kept is not None, "threads that run need the callbacks"
    kept.dispatcher.stop()
    del kept
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda make: make(0), ValueError),
        (lambda make: make(batch=0), ValueError),
        (lambda make: make(-1), OverflowError),
        (lambda make: make(on_error=3), TypeError),
        (lambda make: make().register("n", 3), TypeError),
        (lambda make: make().register([], print), TypeError),
        (lambda make: make().post([]), TypeError),
        (lambda make: make().listen(-1), ValueError),
        (lambda make: make().listen(float("nan")), ValueError),
        (lambda make: make().start(0), ValueError),
        (lambda make: make().start(100_000), ValueError),
        (lambda make: make().safe_dispatch(3), TypeError),
        (lambda make: ticking(make(), interval=-1.0), ValueError),
        (lambda make: ticking(make(), interval=float("inf")), ValueError),
        (lambda make: ticking(make(), count=-1), OverflowError),
    ],
)
def test_what_makes_no_sense_is_an_error(
    make: Callable[..., Any], call: Callable[[Any], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        call(make)


def ticking(dispatcher: Any, **options: Any) -> None:
    dispatcher.register("n", print)
    dispatcher.start_ticker("n", **options)
