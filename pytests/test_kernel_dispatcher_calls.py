"""kernels/dispatcher.rs: calls sent to its thread, and what signals, forks and the interpreter's exit do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from helpers import Result
from test_kernel_dispatcher import LIMIT, kernel_module, make, until

__all__ = ["kernel_module", "make"]

Run = Callable[..., Result]

HEAD = "from rsimport.kernels.dispatcher import Dispatcher\nimport os, signal, sys, threading, time\n"


def test_a_call_runs_in_the_thread_of_the_dispatcher_after_what_was_posted_before(
    make: Callable[..., Any],
) -> None:
    seen: list[object] = []
    with make() as d:
        d.register("n", seen.extend, batched=True)
        d.start()
        for number in range(10):
            d.post("n", number)
        assert d.safe_dispatch(seen.copy) == list(range(10))
        there = d.safe_dispatch(threading.get_ident)
        assert there != threading.get_ident()
        # From there it runs at once, or it would wait for itself.
        assert d.safe_dispatch(d.safe_dispatch, threading.get_ident, timeout=LIMIT) == there
        with pytest.raises(ZeroDivisionError):
            d.safe_dispatch(divmod, 1, 0)
        with pytest.raises(ZeroDivisionError):
            d.safe_dispatch(d.safe_dispatch, divmod, 1, 0)
        with pytest.raises(SystemExit):
            d.safe_dispatch(exit_with, 4)
    assert d.errors == 0


def test_calls_from_many_threads_get_their_own_results(make: Callable[..., Any]) -> None:
    found: dict[int, int] = {}
    with make(1, 1) as d:
        d.start(2)

        def ask(number: int) -> None:
            found[number] = sum(d.safe_dispatch(pow, number, 2) for _ in range(200))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
    assert found == {number: 200 * number**2 for number in range(4)}


def test_a_call_that_has_not_begun_in_time_never_does(make: Callable[..., Any]) -> None:
    seen: list[object] = []
    d = make()
    with pytest.raises(TimeoutError, match="has not returned in time"):
        d.safe_dispatch(seen.append, 1, timeout=0.01)
    assert d.listen(timeout=0) == 0
    assert seen == []


def test_a_call_that_raises_when_nobody_waits_any_more_is_reported(make: Callable[..., Any]) -> None:
    reports: list[tuple[object, ...]] = []
    free = threading.Event()

    def fail() -> None:
        free.wait(LIMIT)
        raise KeyError("late")

    with make(on_error=lambda *report: reports.append(report)) as d:
        d.start()
        with pytest.raises(TimeoutError):
            d.safe_dispatch(fail, timeout=0.01)
        free.set()
        until(lambda: bool(reports))
    ((error, *rest),) = reports
    assert isinstance(error, KeyError) and rest == [None, fail]


@pytest.mark.parametrize("drain", [True, False])
def test_a_stop_tells_those_whose_calls_nobody_will_make(make: Callable[..., Any], drain: bool) -> None:
    errors: list[BaseException] = []
    d = make()

    def ask() -> None:
        try:
            d.safe_dispatch(print)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: d.queued == 1)
    d.stop(drain=drain)
    thread.join(LIMIT)
    assert [str(error) for error in errors] == ["the dispatcher is stopped"]


@pytest.mark.parametrize(
    "blocked",
    [
        "d.post('n')",
        "d.listen()",
        "Dispatcher().listen()",
        "d.safe_dispatch(print)",
        "d.start(); d.safe_dispatch(forever); print('not reached')",
        "d.start(); d.register('n', lambda _: forever()); d.stop()",
    ],
)
def test_ctrl_c_ends_whatever_waits(run: Run, blocked: str) -> None:
    result = run(
        HEAD
        + f"""
def forever():
    time.sleep({LIMIT})

def interrupt():
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)

d = Dispatcher(1)
d.register('n', lambda _: time.sleep(0.001))
d.post('n')
threading.Thread(target=interrupt).start()
try:
    {blocked}
except KeyboardInterrupt:
    print('stopped', flush=True)
""",
        timeout=LIMIT,
    )
    assert result.out == "stopped"


@pytest.mark.parametrize(
    "callback",
    [
        "None",
        "time.sleep(0.01)",
        f"time.sleep({LIMIT})",
        "loop()",
        "time.sleep(1.3)",
        "d.safe_dispatch(time.sleep, 1.3)",
        "other.listen()",
    ],
)
@pytest.mark.parametrize("batched", [True, False])
def test_the_interpreter_exits_with_a_dispatcher_that_nobody_stopped(
    run: Run, callback: str, batched: bool
) -> None:
    # The object outlives the dispatcher's second of grace, so threads come back to an interpreter that is
    # exiting. They must neither hang nor crash it.
    result = run(
        HEAD
        + f"""
class Late:
    def __del__(self, sleep=time.sleep):
        sleep(0.7)

def loop():
    while True:
        pass

sys.late = Late()
d, other = Dispatcher(4), Dispatcher()
d.register('n', lambda _: {callback}, batched={batched})
d.start(2)
ticker = d.start_ticker('n')
while ticker.sent < 4:
    time.sleep(0.001)
print('end')
""",
        timeout=LIMIT,
    )
    assert (result.out, result.stderr) == ("end", "")


def test_the_interpreter_exits_while_a_dispatcher_that_is_gone_has_events_left(run: Run) -> None:
    result = run(
        HEAD
        + """
d = Dispatcher()
d.register('n', lambda _: time.sleep(0.05))
for _ in range(10_000):
    d.post('n')
d.start(2)
del d
time.sleep(0.1)
print('end')
""",
        timeout=LIMIT,
    )
    assert (result.out, result.stderr) == ("end", "")


def test_after_a_fork_the_child_is_told_and_can_make_its_own(run: Run) -> None:
    result = run(
        HEAD
        + """
d = Dispatcher()
d.register('n', print)
d.start(2)
endless = d.start_ticker('n', interval=3600)
child = os.fork()
if child == 0:
    for method in (d.post, d.start, d.listen, d.stop, d.unregister):
        try:
            method(*['n'] * (method in (d.post, d.unregister)))
        except RuntimeError as error:
            print(error)
    for name in ('queued', 'threads', 'stopped'):
        try:
            getattr(d, name)
        except RuntimeError as error:
            print(error)
    print(d.delivered, d)
    endless.stop()
    del d
    with Dispatcher() as own:
        own.register('n', print)
        own.start()
        own.post('n', 'own')
    sys.stdout.flush()
else:
    print(os.waitpid(child, 0)[1])
""",
        timeout=LIMIT,
    )
    assert result.out.splitlines() == 8 * ["the dispatcher was made before a fork, in another process"] + [
        "0 Dispatcher(65536, 1024)",
        "own",
        "0",
    ]


def exit_with(code: int) -> None:
    raise SystemExit(code)
