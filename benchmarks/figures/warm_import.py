"""A kernel from the cache, against Python's own import of the same library.

In a fresh interpreter that has installed the hook, the import statements of two kernels are timed one after
the other; in another one, those of copies of the same two libraries. The first kernel of a process brings
the engine with it, the second one shows what every further one costs. As with Python's timeit there are no
garbage collections meanwhile: where one falls depends on all that was imported before, and it takes about
as long as an import. strace tells whether a warm import
starts processes or takes locks, and shows on a kernel that has to be built that it would notice.
"""

from __future__ import annotations

import re
import shutil

import kernel
from line import Line, ratio
from measure import Spread, alternate, compare
from place import Place

RUNS = 60

_TIMED = f"""
import gc, sys
from time import perf_counter_ns
%s
sys.path.insert(0, sys.argv[1])
gc.disable()
start = perf_counter_ns()
import {kernel.OTHER}
first = perf_counter_ns()
import {kernel.NAME}
second = perf_counter_ns()
print([first - start, second - first])
"""

# Two calls that do nothing else tell the trace of the import from that of the interpreter's start and end.
_TRACED = """
import importlib, os, sys
import rsimport.import_hook
sys.path.insert(0, sys.argv[1])
os.access("traced import begins", 0)
importlib.import_module(sys.argv[2])
os.access("traced import ends", 0)
"""
_CALLS = "execve,execveat,?fork,?vfork,clone,?clone3,flock,fcntl,?access,?faccessat,?faccessat2"
_PROCESS = re.compile(r"\b(?:fork|vfork|clone|clone3)\((?!.*CLONE_THREAD)|\bexecve(?:at)?\(.* = 0$", re.M)
_LOCK = re.compile(r"\b(?:flock\(|fcntl\(\d+, F_(?:OFD_)?(?:SETLKW?|GETLK))")


def lines(place: Place, runs: int) -> list[Line]:
    """Measures both kernels of a process, and traces a warm import."""
    assert place.artifacts
    ours, theirs = alternate(
        runs,
        lambda: place.times(_TIMED % "import rsimport.import_hook", place.kernels),
        lambda: place.times(_TIMED % "", place.libraries),
    )
    first, second = (compare([times[at] for times in ours], [times[at] for times in theirs]) for at in (0, 1))
    return [
        ratio("warm import, the engine is loaded", "Python's import of the same library", second, 1.5),
        ratio("warm import, the first of a process", "Python's import of the same library", first, 1.5),
        _traced(place),
    ]


def _traced(place: Place) -> Line:
    what, against = "processes and locks of a warm import", "none"
    if not shutil.which("strace"):
        return Line(what, against, None, note="skipped: strace is missing")
    folder = place.folder("traced")
    (folder / "cold.rs").write_text(kernel.edited(0), encoding="utf-8")
    try:
        warm = _count(place, place.kernels, kernel.NAME)
        cold = _count(place, folder, "cold")
    except RuntimeError as error:
        return Line(what, against, None, note=f"skipped: {str(error).splitlines()[-1]}")
    note = f"{warm[0]} processes, {warm[1]} locks; a kernel to build: {cold[0]}, {cold[1]}"
    return Line(what, against, Spread.of([float(sum(warm))]), "calls", 0.0, note)


def _count(place: Place, folder: object, module: str) -> tuple[int, int]:
    trace = place.folder("trace") / "trace"
    strace = ("strace", "-f", "-qq", "-e", f"trace={_CALLS}", "-e", "signal=none", "-o", str(trace))
    place.output(_TRACED, folder, module, before=strace)
    text = trace.read_text(errors="replace")
    calls = text.partition("traced import begins")[2].partition("traced import ends")[0]
    return len(_PROCESS.findall(calls)), len(_LOCK.findall(calls))
