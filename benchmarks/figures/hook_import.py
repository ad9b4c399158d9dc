"""`import rsimport.import_hook`, against the same of cppimport.

The import statement is timed in a fresh interpreter each time.
"""

from __future__ import annotations

import importlib.util

from line import Line, milliseconds, ratio
from measure import Spread, alternate, compare
from place import Place

RUNS = 40

_TIMED = """
from time import perf_counter_ns
start = perf_counter_ns()
import {}.import_hook
print([perf_counter_ns() - start])
"""


def lines(place: Place, runs: int) -> list[Line]:
    """Measures both, or ours alone where cppimport is missing."""
    peer = "cppimport" if importlib.util.find_spec("cppimport") else "rsimport"
    ours, theirs = alternate(
        runs,
        lambda: place.times(_TIMED.format("rsimport"))[0],
        lambda: place.times(_TIMED.format(peer))[0],
    )
    what = "import rsimport.import_hook"
    if peer == "cppimport":
        against = ratio(what, "import cppimport.import_hook", compare(ours, theirs), 0.5)
    else:
        against = Line(what, "import cppimport.import_hook", None, note="skipped: cppimport is missing")
    return [milliseconds(what, Spread.of(ours), 5.0), against]
