"""What a person sees while something is being built: one line, or nothing if it is over in a moment."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager, suppress

from rsimport._streams import is_notebook, is_plain, is_terminal, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from rsimport._engine import _Progress as Progress
    from rsimport._engine import _Stage as Stage

PATIENCE = 0.5
"""Seconds after which something is shown."""

SILENCE = 30.0
"""Seconds after which a log is told that the build still goes on."""

PREPARING = "preparing"

owns_cell = False
"""Has the cell of a notebook no other output so far? Then nothing at all remains of the progress."""


@contextmanager
def showing(name: str, wanted: bool) -> Iterator[Progress | None]:
    """Shows the progress of building `name` as long as the block runs; yields what the engine is to call.

    Nothing that goes wrong here stops the build. After Ctrl-C one line says how far it came.
    """
    view = _view(name) if wanted else None
    if view is None:
        yield None
        return

    def report(stage: Stage, done: int, total: int, detail: str) -> None:
        with suppress(Exception):
            view.report(stage, done, total, detail)

    outcome = "failed after"
    try:
        yield report
        outcome = "built in"
    except (KeyboardInterrupt, SystemExit):
        outcome = "stopped after"
        raise
    finally:
        with suppress(Exception):
            view.close(outcome)
        if outcome == "stopped after" and view.seconds() > PATIENCE:
            far = f"stopped after {view.seconds():.1f} s, {view.what}"
            say(f"rsimport: {name}: {far}; the next run goes on from there")


def _view(name: str) -> _View | None:
    """The view that fits the place; none where there is no place."""
    try:
        if is_notebook():
            return _Notebook(name)
        if sys.stderr is None:
            return None
        return _Terminal(name) if is_terminal(sys.stderr) and not is_plain() else _Lines(name)
    except Exception:
        return None  # As where no thread can be started.


class _View:
    """What is known about the build that is shown."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.what = PREPARING
        self.started = time.monotonic()

    def report(self, stage: Stage, done: int, total: int, detail: str) -> None:
        if stage == "waiting":
            self.what = f"waiting for {detail}"
        elif stage == "kernel":
            self.what = "compiling kernel"
        elif total:
            self.what = f"compiling dependencies, {done} of {total} crates"
        else:
            self.what = detail

    def line(self) -> str:
        return f"{self.name}: {self.what}, {self.seconds():.1f} s"

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def close(self, outcome: str) -> None:
        pass


class _Terminal(_View):
    """One line that changes in place and disappears at the end."""

    live: Any = None

    def __init__(self, name: str) -> None:
        from threading import Lock, Timer

        super().__init__(name)
        self.closed = False
        self.lock = Lock()
        # It appears by itself, whether or not anything is reported at that moment.
        self.timer = Timer(PATIENCE, self.show)
        self.timer.daemon = True
        self.timer.start()

    def show(self) -> None:
        with suppress(Exception), self.lock:
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner
            from rich.text import Text

            spinner = Spinner("dots")

            def render() -> Spinner:
                spinner.update(text=Text(self.line()))
                return spinner

            if not self.closed:
                self.live = Live(get_renderable=render, console=Console(stderr=True), transient=True)
                self.live.start()

    def close(self, outcome: str) -> None:
        self.timer.cancel()
        with self.lock:
            self.closed = True
        if self.live is not None:
            self.live.stop()


class _Notebook(_View):
    """One line in the cell's output.

    One output alone cannot be removed. So at the end either all go, or this one becomes an output without
    content, of which front ends show nothing.
    """

    def __init__(self, name: str) -> None:
        from contextvars import copy_context
        from threading import Event, Thread

        super().__init__(name)
        self.ended = Event()
        # The context says which cell the output belongs to.
        self.thread = Thread(target=copy_context().run, args=(self.show,), daemon=True)
        self.thread.start()

    def show(self) -> None:
        if self.ended.wait(PATIENCE):
            return
        from IPython.display import DisplayHandle, clear_output

        handle: Any = DisplayHandle()  # type: ignore[no-untyped-call, unused-ignore]
        handle.display(_text(self.line()), raw=True)
        while not self.ended.wait(PATIENCE):
            handle.update(_text(self.line()), raw=True)
        if owns_cell:
            clear_output()  # type: ignore[no-untyped-call, unused-ignore]
        else:
            handle.update({}, raw=True)

    def close(self, outcome: str) -> None:
        self.ended.set()
        self.thread.join()


class _Lines(_View):
    """Lines in a log: one at the start, one at the end, and one each half a minute between them."""

    def __init__(self, name: str) -> None:
        from threading import Event, Thread

        super().__init__(name)
        self.shown = False
        self.ended = Event()
        self.known = Event()
        self.thread = Thread(target=self.show, daemon=True)
        self.thread.start()

    def report(self, stage: Stage, done: int, total: int, detail: str) -> None:
        super().report(stage, done, total, detail)
        self.known.set()

    def show(self) -> None:
        if self.ended.wait(PATIENCE):
            return
        # The first line says what takes so long, which is not known before anything was reported.
        self.known.wait()
        if self.ended.is_set():
            return
        self.shown = True
        self.say(self.what)
        while not self.ended.wait(SILENCE):
            self.say(f"{self.what}, {self.seconds():.0f} s so far")

    def close(self, outcome: str) -> None:
        self.ended.set()
        self.known.set()
        self.thread.join()
        if self.shown and outcome != "stopped after":
            self.say(f"{outcome} {self.seconds():.1f} s")

    def say(self, text: str) -> None:
        say(f"rsimport: {self.name}: {text}")


def _text(text: str) -> dict[str, str]:
    return {"text/plain": text}
