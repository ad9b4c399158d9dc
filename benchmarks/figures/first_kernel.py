"""The first kernel on an empty cache, against `cargo build --release` of the same as a crate.

Ours is the import statement in a fresh interpreter; theirs is the whole run of cargo with an empty target
folder. Both compile PyO3 in the same version and with the same flags, and neither downloads anything.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import kernel
from line import Line, costs
from measure import Cost, alternate, cost
from place import Place

RUNS = 5

_IMPORT = """
import importlib, sys
from time import perf_counter_ns
import rsimport.import_hook
sys.path.insert(0, sys.argv[1])
start = perf_counter_ns()
importlib.import_module(sys.argv[2])
print([perf_counter_ns() - start])
"""


def lines(place: Place, runs: int) -> list[Line]:
    """Measures pairs of whole builds."""
    # Before the clock runs, the sources are downloaded and the compiler has been read from the disk once.
    assert place.artifacts and place.crate
    ours, theirs = alternate(runs, lambda: _ours(place), lambda: _theirs(place))
    return [costs("first kernel on an empty cache", "cargo build --release", ours, theirs, 0.55)]


def imported(place: Place, folder: Path, name: str, cache: Path | None = None) -> Cost:
    """The cost of an import statement in a fresh interpreter, whose start counts as processor time only."""
    times: list[float] = []
    total = cost(lambda: times.extend(place.times(_IMPORT, folder, name, cache=cache)))
    return total._replace(wall=times[0])


def _ours(place: Place) -> Cost:
    cache = place.folder("empty-cache")
    ours = imported(place, place.kernels, kernel.NAME, cache)
    shutil.rmtree(cache)
    return ours


def _theirs(place: Place) -> Cost:
    target = place.folder("empty-target")
    theirs = cost(lambda: place.crate.build(target))
    shutil.rmtree(target)
    return theirs
