"""Another new kernel whose dependencies are compiled already.

Every run has a kernel of a new name and text, imported by a fresh interpreter. The other side is the best
that one can do by hand: a new crate with the same text, built by cargo into a target folder that holds the
compiled dependencies.
"""

from __future__ import annotations

import itertools

import kernel
from crate import Crate
from line import Line, milliseconds, ratio
from measure import alternate, compare, seconds
from place import Place

from figures.first_kernel import IMPORT

RUNS = 11


def lines(place: Place, runs: int) -> list[Line]:
    """Measures the import statement."""
    assert place.artifacts
    folder, target = place.folder("new-kernels"), place.folder("shared-target")
    place.crate.build(target)
    our_numbers, their_numbers = itertools.count(1), itertools.count(1)

    def ours() -> float:
        number = next(our_numbers)
        (folder / f"kernel_{number}.rs").write_text(kernel.edited(number), encoding="utf-8")
        return place.times(IMPORT, folder, f"kernel_{number}")[0]

    def theirs() -> float:
        number = next(their_numbers)
        crate = Crate(place.folder("new-crate"), kernel.edited(number), f"kernel_{number}")
        return seconds(lambda: crate.build(target))

    comparison = compare(*alternate(runs, ours, theirs))
    what = "another new kernel"
    return [
        milliseconds(what, comparison.ours, 300.0),
        ratio(what, "cargo build of a new crate, shared target", comparison),
    ]
