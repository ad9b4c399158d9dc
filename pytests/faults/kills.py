"""Kills at random moments of a build: of Python, of a compiler, of all together."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import suppress
from random import Random

from faults.lab import ENDLESS, Lab

SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
VICTIMS = ("python", "python", "rustc", "cargo", "linker", "optimiser", "group", "all")


def one(lab: Lab, random: Random) -> str:
    """Returns what was tried, for the table."""
    victim = random.choice(VICTIMS)
    # Only what was edited is optimised in the background.
    cold = random.random() < 0.4 and victim != "optimiser"
    name = (
        random.choice(tuple(SIGNALS))
        if victim in ("python", "group")
        else random.choice(("SIGKILL", "SIGTERM"))
    )
    endless = victim in ("python", "all") and random.random() < 0.25
    tier = "auto" if victim == "optimiser" or random.random() < 0.3 else "fast"
    what = f"kills: {victim} by {name}{', endless' if endless else ''}"
    env = {"RSIMPORT_TIER": tier}
    lab.nested = random.random() < 0.3
    what += ", nested" if lab.nested else ""
    if not cold:
        lab.write(1)
        lab.expect(1, "before the fault", built=True)
        lab.quiet()
    lab.write(2, ENDLESS if endless else "")
    process = lab.start(env=env)
    try:
        if endless:
            _wait_for_rustc(lab)
        hit = _strike(lab, process.pid, victim, SIGNALS[name], random)
        if endless and not hit:
            lab.kill_all()
        if hit and victim == "all":
            lab.kill_all()
        lab.struck(process, f"{name} of {victim}", 2)
    finally:
        lab.kill_all()
    if endless:
        lab.write(2)
    lab.recovers(2, "the fault", warm=not cold)
    return what if hit else f"kills: {victim} was not there"


def _strike(lab: Lab, python: int, victim: str, number: int, random: Random) -> bool:
    """Waits for a moment within the build and for the victim; False where there was none."""
    compilers = ("cargo", "rustc", "linker")
    waited_for = (victim,) if victim in (*compilers, "optimiser") else random.choice((compilers, ()))
    until = time.monotonic() + 30
    while waited_for and not any(process.role in waited_for for process in lab.processes()):
        if time.monotonic() > until or not lab.processes():
            return False
    time.sleep(random.choice((0.0, 0.05, 0.3, 1.0)) * random.random())
    running = lab.processes()
    met = [process for process in running if process.role == victim]
    with suppress(ProcessLookupError):
        if victim == "all":
            return bool(running)
        if victim == "group":
            os.killpg(python, number)
            return True
        if victim == "python":
            os.kill(python, number)
            return True
        if met:
            os.kill(random.choice(sorted(process.pid for process in met)), number)
            return True
    return False


def _wait_for_rustc(lab: Lab) -> None:
    """Waits for a compiler that has been at it for longer than one that ends by itself."""
    until = time.monotonic() + 30
    seen: Counter[int] = Counter()
    while time.monotonic() < until and not any(count > 30 for count in seen.values()):
        seen.update(process.pid for process in lab.processes() if process.role == "rustc")
        time.sleep(0.05)
