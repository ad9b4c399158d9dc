"""Imports that are none of rsimport's business, with the hook against without it.

1,000 generated modules with bytecode lie in one folder at the end of sys.path, behind the standard library,
the installed packages and four more folders, so that every finder on the way is asked. A fresh interpreter
imports them all, with the hook or without, and again until the noise is small beside the bar.
"""

from __future__ import annotations

import compileall
from pathlib import Path

from line import Line, costs
from measure import Cost, alternate
from place import Place

RUNS = 40
MODULES = 1000
NOISE = 0.01
MOST_ROUNDS = 4
"""A machine that is too busy for such a small noise gets no more rounds than this."""

_TIMED = f"""
import sys
from time import perf_counter_ns, process_time_ns
%s
sys.path[:0] = sys.argv[2:]
sys.path.append(sys.argv[1])
names = [f"unrelated_{{number}}" for number in range({MODULES})]
used, start = process_time_ns(), perf_counter_ns()
for name in names:
    __import__(name)
wall = perf_counter_ns() - start
print([wall, process_time_ns() - used])
"""


def lines(place: Place, runs: int) -> list[Line]:
    """Measures the whole of the imports."""
    folders = [_modules(place, "unrelated", MODULES)]
    folders += [_modules(place, f"bystander_{number}", 10) for number in range(4)]
    ours: list[Cost] = []
    theirs: list[Cost] = []
    for _ in range(MOST_ROUNDS):
        sides = alternate(
            runs,
            lambda: Cost(*place.times(_TIMED % "import rsimport.import_hook", *folders)),
            lambda: Cost(*place.times(_TIMED % "", *folders)),
        )
        ours += sides[0]
        theirs += sides[1]
        line = costs(f"{MODULES:,} other imports, the hook is on", "the hook is off", ours, theirs, 1.02)
        if line.value and line.value.error < NOISE:
            break
    return [line]


def _modules(place: Place, name: str, count: int) -> Path:
    folder = place.folder(name)
    for number in range(count):
        text = f'"""Module {number}."""\n\n\ndef value():\n    return {number}\n'
        (folder / f"{name}_{number}.py").write_text(text, encoding="utf-8")
    compileall.compile_dir(folder, quiet=2)
    return folder
