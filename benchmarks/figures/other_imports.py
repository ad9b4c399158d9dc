"""Imports that are none of rsimport's business, with the hook against without it.

1,000 generated modules with bytecode lie in one folder at the end of sys.path, behind the standard library,
the installed packages and four more folders, so that every finder on the way is asked. A fresh interpreter
imports them all, with the hook or without.
"""

from __future__ import annotations

import compileall
from pathlib import Path

from line import Line, ratio
from measure import alternate, compare
from place import Place

RUNS = 60
MODULES = 1000

_TIMED = f"""
import sys
from time import perf_counter_ns
%s
sys.path[:0] = sys.argv[2:]
sys.path.append(sys.argv[1])
names = [f"unrelated_{{number}}" for number in range({MODULES})]
start = perf_counter_ns()
for name in names:
    __import__(name)
print([perf_counter_ns() - start])
"""


def lines(place: Place, runs: int) -> list[Line]:
    """Measures the whole of the imports."""
    folders = [_modules(place, "unrelated", MODULES)]
    folders += [_modules(place, f"bystander_{number}", 10) for number in range(4)]
    ours, theirs = alternate(
        runs,
        lambda: place.times(_TIMED % "import rsimport.import_hook", *folders)[0],
        lambda: place.times(_TIMED % "", *folders)[0],
    )
    comparison = compare(ours, theirs)
    line = ratio(f"{MODULES:,} other imports, the hook is on", "the hook is off", comparison, 1.02)
    return [line]


def _modules(place: Place, name: str, count: int) -> Path:
    folder = place.folder(name)
    for number in range(count):
        text = f'"""Module {number}."""\n\n\ndef value():\n    return {number}\n'
        (folder / f"{name}_{number}.py").write_text(text, encoding="utf-8")
    compileall.compile_dir(folder, quiet=2)
    return folder
