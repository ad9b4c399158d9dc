"""Forks while another thread builds: the child looks up and builds as if it were alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import LIMIT, Barrier, Result, value

Run = Callable[..., Result]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

CHILD = """
import os, sys, threading, time
import rsimport, rsimport.import_hook

def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            sys.stdout.flush()
            os._exit(0)
    end = time.monotonic() + LIMIT
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.kill(child, 9)
            raise SystemExit("the child hangs")
        time.sleep(0.001)
""".replace("LIMIT", str(LIMIT / 3))


def test_a_child_imports_the_kernel_that_a_thread_of_its_parent_is_importing(
    barrier: Barrier, kernel: Callable[..., Path], run: Run
) -> None:
    kernel("k", barrier.wait + value(7), block=barrier.block)
    program = f"""
def build():
    import k

thread = threading.Thread(target=build)
thread.start()
while not os.path.exists({str(barrier.started)!r}):
    time.sleep(0.01)

def child():
    open({str(barrier.folder / "go")!r}, "w").close()
    import k
    print("child", k.value())

forked(child)
thread.join()
import k
print("parent", k.value())
"""
    assert run(CHILD + program).out.splitlines() == ["child 7", "parent 7"]


def test_children_look_up_while_threads_build(kernel: Callable[..., Path], run: Run) -> None:
    kernel("k", value(1))
    program = """
from rsimport import _build, _engine
from rsimport._python import ABI

kernel, python = os.path.abspath("k.rs"), _build.interpreter()
_engine.build(kernel, "k", ABI, python, {}, None)
ended = threading.Event()

def build():
    while not ended.is_set():
        _engine.build(kernel, "k", ABI, python, {}, None)

threads = [threading.Thread(target=build) for _ in range(2)]
[thread.start() for thread in threads]
try:
    for _ in range(100):
        forked(lambda: _engine.marked(kernel) and _engine.lookup(kernel, "k", ABI, {}))
finally:
    ended.set()
    [thread.join() for thread in threads]
print("none hangs")
"""
    assert run(CHILD + program).out == "none hangs"


def test_a_child_neither_waits_for_the_background_nor_starts_what_its_parent_will(
    kernel: Callable[..., Path], run: Run
) -> None:
    kernel("k", value(1))
    program = """
from rsimport import _background

_background.QUIET = 1000.0
_background.optimize("k.rs", "k", {}, "key")
assert list(_background._waiting) == ["k.rs"]
held, free = threading.Event(), threading.Event()

def hold():
    with _background._order:
        held.set()
        free.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()

def child():
    print(list(_background._waiting))
    _background.optimize("k.rs", "k", {}, "key")
    print(list(_background._waiting))

forked(child)
free.set()
thread.join()
for waiting in list(_background._waiting.values()):
    waiting.timer.cancel()
    waiting.leave()
"""
    assert run(CHILD + program).out.splitlines() == ["[]", "['k.rs']"]
