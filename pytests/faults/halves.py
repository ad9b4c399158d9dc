"""Kills where a kernel is made of parts: its glue, its own half, macros that the engine expands for it.

The kernel is one of functions with the real PyO3, which all of these share: compiled once, in a cache that
the faults use one after the other.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random

from faults.lab import Broken, Lab, Process

VICTIMS = ("glue", "half", "expander", "all", "garbled")


@cache
def common() -> Path:
    """The cache with PyO3 in it."""
    folder = Path(tempfile.mkdtemp(prefix="rsimport-faults-common-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "cache"


def one(lab: Lab, random: Random) -> str:
    """Returns what was tried, for the table."""
    victim = random.choice(VICTIMS)
    lab.cache, lab.functions = common(), True
    lab.write(1)
    lab.expect(1, "before the fault", built=True)
    lab.weigh_little()
    glue = list((lab.cache / "v1/targets").glob("*/glue/*"))
    if victim == "garbled":
        # The next half has to be linked with another glue, or the same one made again.
        lab.write(2)
        lab.expect(2, "an edit", built=True)
        lab.quiet()
        for path in (lab.cache / "v1/targets").glob("*/glue/*/*.rlib"):
            whole = path.read_bytes()
            path.write_bytes(whole[: random.randrange(len(whole))] if whole else b"")
        lab.write(3)
        lab.expect(3, "with garbled glue", built=True)
    else:
        # A signature of its own: no other kernel has this glue.
        lab.write(2, f"#[pyfunction]\nfn f{random.randrange(10**9)}() -> i64 {{\n    0\n}}\n")
        process = lab.start(env={"RSIMPORT_TIER": "auto" if random.random() < 0.3 else "fast"})
        try:
            hit = _strike(lab, process.pid, victim, random)
            lab.struck(process, f"a kill of {victim}", 2)
        finally:
            lab.kill_all()
        if not hit:
            victim += " was not there"
        lab.recovers(2, "the fault", warm=True)
    lab.quiet()
    lab.tidy()
    _whole(set((lab.cache / "v1/targets").glob("*/glue/*")) - set(glue))
    return f"halves: {victim}"


def _strike(lab: Lab, python: int, victim: str, random: Random) -> bool:
    """Waits for a compiler of that half and kills it, or whom it asks for macros, or all together."""
    wanted = {"glue": "__rsimport_glue", "half": "k"}.get(victim)
    until = time.monotonic() + 60
    while True:
        running = lab.processes()
        met = [each for each in running if each.role == "rustc" and wanted in (None, _crate(each))]
        if met:
            break
        if not running or time.monotonic() > until:
            return False
        time.sleep(0.002)
    time.sleep(random.choice((0.0, 0.02, 0.1)) * random.random())
    # The expander is a thread of the Python that builds: whoever asks is left without an answer.
    pids: Iterable[int] = (python,) if victim == "expander" else (each.pid for each in met)
    if victim == "all":
        lab.kill_all()
        return True
    killed = False
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed = True
    return killed


def _crate(process: Process) -> str | None:
    words = process.arguments.split()
    return words[words.index("--crate-name") + 1] if "--crate-name" in words else None


def _whole(glue: set[Path]) -> None:
    """What was revealed is complete."""
    for folder in glue:
        names = {path.name for path in folder.iterdir()}
        if not names >= {"checksum", "lib__rsimport_glue.rlib"}:
            raise Broken(f"glue is not whole: {sorted(names)} in {folder}")
