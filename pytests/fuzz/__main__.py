"""The command line: a process for each target, watched."""

from __future__ import annotations

import argparse
import importlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fuzz import TARGETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fuzz.target import Journal

PATIENCE = 60.0
"""Seconds that one input may take."""
MEMORY = 6 << 30
"""Bytes of address space for a target."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)}; all by default"
    )
    parser.add_argument("--inputs", type=int, default=1_000_000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same inputs")
    parser.add_argument("--together", action="store_true", help="in this one process, for few inputs")
    parser.add_argument("--journal", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--told", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    unknown = set(given.targets) - {*TARGETS, "crashing"}
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if given.journal:
        return _child(given)
    if given.together:
        return _together(given)
    console = Console(stderr=True)
    rows = [_watched(name, given.inputs, given.seed, console) for name in given.targets or TARGETS]
    table = Table("target", "inputs", "seconds", "verdict")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    return int(any(row[-1] != "kept" for row in rows))


def _together(given: argparse.Namespace) -> int:
    from fuzz.target import Journal

    with tempfile.TemporaryDirectory() as folder:
        for name in given.targets or TARGETS:
            journal = Journal(Path(folder) / name, new=True)
            _run(name, given, journal)
            print(name, journal.count)
    return 0


def _child(given: argparse.Namespace) -> int:
    from fuzz.target import Journal

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    (name,) = given.targets
    _run(name, given, Journal(given.journal))
    return 0


def _run(name: str, given: argparse.Namespace, journal: Journal) -> None:
    import rsimport.import_hook  # noqa: F401
    from fuzz.target import run

    target = importlib.import_module(f"fuzz.{name}").TARGET
    # Not while the kernels are built.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    run(target, given.inputs, given.seed, journal, given.told)


def _watched(name: str, inputs: int, seed: int, console: Console, told: int = 0) -> tuple[str, str, str, str]:
    from fuzz.target import Journal

    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        journal = Journal(path, new=True)
        arguments = [
            "--inputs",
            str(inputs),
            "--seed",
            str(seed),
            "--journal",
            str(path),
            "--told",
            str(told),
        ]
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", "ignore", "-m", "fuzz", name, *arguments]
        )
        last, moved, shown = 0, time.monotonic(), time.monotonic()
        hangs = False
        while process.poll() is None:
            time.sleep(0.02)
            now = time.monotonic()
            if journal.count != last:
                last, moved = journal.count, now
            # Before the first input the kernels are built.
            hangs = now - moved > PATIENCE * (1 if last else 10)
            if hangs:
                process.kill()
                process.wait()
            if now - shown > 15:
                shown = now
                console.print(f"{name}: {last:,} inputs in {now - begun:.0f} s", highlight=False)
        count, text = journal.count, journal.text
    row = (name, f"{count:,}", f"{time.monotonic() - begun:.1f}")
    if process.returncode == 0:
        return (*row, "kept")
    if process.returncode > 0:
        return (*row, f"broken at input {count}")
    how = "it hangs" if hangs else f"it ends with {signal.Signals(-process.returncode).name}"
    if told == 0 and not hangs:
        # The same inputs once more, now each written down before it is tried.
        return (*row, _watched(name, inputs, seed, console, max(1, count - 10))[-1])
    return (*row, f"{how} at input {count}: {text}")


if __name__ == "__main__":
    sys.exit(main())
