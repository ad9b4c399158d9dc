"""Another new kernel whose dependencies are compiled already.

Every run has a kernel of a new name and text, imported by a fresh interpreter. The other side is the best
that one can do by hand: a new crate with the same text, built by cargo into a target folder that holds the
compiled dependencies. What is optimised in the background afterwards counts on neither side; it is waited
for, so that it disturbs neither.
"""

from __future__ import annotations

import itertools

import kernel
from crate import Crate
from line import Line, costs, milliseconds
from measure import Cost, Spread, alternate, cost
from place import Place

from figures.first_kernel import imported

RUNS = 11

_OPTIMIZED = "import sys, rsimport; print(rsimport.build_filepath(sys.argv[1]))"


def lines(place: Place, runs: int) -> list[Line]:
    """Measures the import statement."""
    assert place.artifacts
    folder, target = place.folder("new-kernels"), place.folder("shared-target")
    place.crate.build(target)
    our_numbers, their_numbers = itertools.count(1), itertools.count(1)

    def ours() -> Cost:
        number = next(our_numbers)
        path = folder / f"kernel_{number}.rs"
        path.write_text(kernel.edited(number), encoding="utf-8")
        taken = imported(place, folder, path.stem)
        place.output(_OPTIMIZED, path)
        return taken

    def theirs() -> Cost:
        number = next(their_numbers)
        crate = Crate(place.folder("new-crate"), kernel.edited(number), f"kernel_{number}")
        return cost(lambda: crate.build(target))

    sides = alternate(runs, ours, theirs)
    what = "another new kernel"
    return [
        milliseconds(what, Spread.of([one.wall for one in sides[0]]), 300.0),
        costs(what, "cargo build of a new crate, shared target", *sides, 0.75),
    ]
