"""What a person sees while something is being built: one line, or nothing if it is over in a moment."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from rsimport._engine import _Progress as Progress
    from rsimport._engine import _Stage as Stage

PATIENCE = 0.5
"""Seconds after which something is shown."""

PREPARING = "preparing"

owns_cell = False
"""Has the cell of a notebook no other output so far? Then nothing at all remains of the progress."""


@contextmanager
def showing(name: str, wanted: bool) -> Iterator[Progress | None]:
    """Shows the progress of building `name` as long as the block runs; yields what the engine is to call."""
    if not wanted or sys.stderr is None:
        yield None
        return
    shell = _notebook()
    view = _Notebook(name) if shell else _Terminal(name) if sys.stderr.isatty() else _Lines(name)
    try:
        yield view.report
    finally:
        view.close()


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

    def close(self) -> None:
        pass


class _Patient(_View, ABC):
    """A view that appears by itself, whether or not anything is reported at that moment."""

    def __init__(self, name: str) -> None:
        from threading import Lock, Timer

        super().__init__(name)
        self.closed = False
        self.lock = Lock()
        self.timer = Timer(PATIENCE, self.show)
        self.timer.daemon = True
        self.timer.start()

    @abstractmethod
    def show(self) -> None:
        """Appears, half a second after the build has begun."""

    def close(self) -> None:
        self.timer.cancel()
        with self.lock:
            self.closed = True


class _Terminal(_Patient):
    """One line that changes in place and disappears at the end."""

    live: Any = None

    def show(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        spinner = Spinner("dots")

        def render() -> Spinner:
            spinner.update(text=self.line())
            return spinner

        with self.lock:
            if not self.closed:
                self.live = Live(get_renderable=render, console=Console(stderr=True), transient=True)
                self.live.start()

    def close(self) -> None:
        super().close()
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

    def close(self) -> None:
        self.ended.set()
        self.thread.join()


class _Lines(_Patient):
    """Two lines in a log file, at the start and at the end."""

    shown = False

    def report(self, stage: Stage, done: int, total: int, detail: str) -> None:
        super().report(stage, done, total, detail)
        if self.seconds() > PATIENCE:
            self.show()

    def show(self) -> None:
        with self.lock:
            # The first line says what takes so long, which is not known before anything was reported.
            if not self.shown and not self.closed and self.what != PREPARING:
                self.shown = True
                self.say(self.what)

    def close(self) -> None:
        super().close()
        if self.shown:
            self.say(f"ended after {self.seconds():.1f} s")

    def say(self, text: str) -> None:
        print(f"rsimport: {self.name}: {text}", file=sys.stderr, flush=True)


def _text(text: str) -> dict[str, str]:
    return {"text/plain": text}


def _notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")
