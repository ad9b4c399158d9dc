"""The first kernel on an empty cache, against `cargo build --release` of the same as a crate.

Ours is the import statement in a fresh interpreter; theirs is the whole run of cargo with an empty target
folder. Both compile PyO3 in the same version and with the same flags, and neither downloads anything.
"""

from __future__ import annotations

import shutil

import kernel
from line import Line, ratio
from measure import alternate, compare, seconds
from place import Place

RUNS = 3

IMPORT = """
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
    comparison = compare(ours, theirs)
    return [ratio("first kernel on an empty cache", "cargo build --release", comparison, 1.05)]


def _ours(place: Place) -> float:
    cache = place.folder("empty-cache")
    (time,) = place.times(IMPORT, place.kernels, kernel.NAME, cache=cache)
    shutil.rmtree(cache)
    return time


def _theirs(place: Place) -> float:
    target = place.folder("empty-target")
    time = seconds(lambda: place.crate.build(target))
    shutil.rmtree(target)
    return time
