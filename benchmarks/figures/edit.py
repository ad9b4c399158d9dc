"""From a saved edit to the new module in the same process, against the compiler alone.

Both sides compile the same edits of the same kernel. Ours is `importlib.reload`, which ends with the new
function in place; theirs is the rustc command that cargo ran for the crate, repeated without cargo.
"""

from __future__ import annotations

import importlib
import itertools

import kernel
from line import Line, costs
from measure import Cost, alternate, cost
from place import Place

import rsimport

RUNS = 15


def lines(place: Place, runs: int) -> list[Line]:
    """Measures edits in this process."""
    assert place.artifacts
    path = place.folder("edited") / f"{kernel.NAME}.rs"
    path.write_text(kernel.edited(0), encoding="utf-8")
    module = rsimport.imp_from_filepath(path)
    place.crate.write(kernel.edited(0))
    command = place.crate.build(place.folder("edited-target")).rustc
    our_numbers, their_numbers = itertools.count(1), itertools.count(1)

    def ours() -> Cost:
        number = next(our_numbers)
        path.write_text(kernel.edited(number), encoding="utf-8")
        taken = cost(lambda: importlib.reload(module))
        if module.logistic(1, 0.0, 0.0) != number:
            raise RuntimeError("the reloaded kernel is not the edited one")
        return taken

    def theirs() -> Cost:
        place.crate.write(kernel.edited(next(their_numbers)))
        return cost(lambda: place.crate.rustc(command))

    return [costs("edit to imported", "the bare rustc command", *alternate(runs, ours, theirs), 0.42)]
