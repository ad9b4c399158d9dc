"""Edits and reloads in one process, faulty ones among them, while a compiler is killed now and then."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from random import Random

from faults.lab import Broken, Lab

PROGRAM = """
import importlib, json, sys
import rsimport, rsimport.import_hook
import k
print(k.value(), flush=True)
for line in iter(sys.stdin.readline, ""):
    try:
        k = importlib.reload(k)
    except ImportError as error:
        print(type(error).__name__, k.value(), flush=True)
    else:
        print(k.value(), flush=True)
"""


def one(lab: Lab, random: Random) -> str:
    lab.write(0)
    process = lab.start(PROGRAM, wrap=["sh", "-c", 'exec "$0" "$@" < "$FIFO"'], env=_fifo(lab))
    assert process.stdout is not None
    ask = os.open(lab.tmp / "fifo", os.O_WRONLY)
    try:
        if process.stdout.readline().strip() != "0":
            raise Broken("the first import has another value")
        held = 0
        for turn in range(1, random.randrange(4, 9)):
            how = random.choice(("edit", "edit", "faulty", "same", "kill"))
            if how == "faulty":
                lab.write(turn, "fn broken( {\n")
            elif how != "same":
                lab.write(turn)
            os.write(ask, b"\n")
            if how == "kill":
                _kill_a_compiler(lab, random)
            said = process.stdout.readline().split()
            expected = {"faulty": held, "same": held}.get(how, turn)
            if len(said) == 1 and how != "faulty" and said[0] == str(expected):
                held = expected
            elif len(said) == 2 and how in ("faulty", "kill") and said[1] == str(held):
                # The edit was not built; the next reload finds it still to be built.
                lab.write(held)
            else:
                raise Broken(f"turn {turn}, {how}: {said}, and before it was {held}")
    finally:
        os.close(ask)
        lab.end(process)
        lab.kill_all()
    (lab.tmp / "fifo").unlink()
    lab.expect(held, "a fresh process")
    lab.quiet()
    lab.tidy()
    return "reloads"


def _fifo(lab: Lab) -> dict[str, str]:
    path = lab.tmp / "fifo"
    os.mkfifo(path)
    return {"FIFO": str(path), "RSIMPORT_TIER": "fast"}


def _kill_a_compiler(lab: Lab, random: Random) -> None:
    until = time.monotonic() + random.random() * 2
    while time.monotonic() < until:
        for process in lab.processes():
            if process.role in ("rustc", "linker", "cargo"):
                time.sleep(random.random() * 0.3)
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                return
        time.sleep(0.002)
