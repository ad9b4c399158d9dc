"""How fast the compiled code is: one call for 10,000,000 steps.

The kernel as rsimport builds it by default, against the crate built by cargo for speed, with one codegen
unit. Both libraries are loaded into this process and take turns.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import kernel
from line import Line, ratio
from measure import alternate, compare, seconds
from place import Place

RUNS = 30
STEPS = 10_000_000
R, START = 3.9, 0.5


def lines(place: Place, runs: int) -> list[Line]:
    """Measures the batched call of both."""
    place.crate.write(kernel.text())
    built = place.crate.build(place.folder("fast-target"), CARGO_PROFILE_RELEASE_CODEGEN_UNITS="1")
    ours, theirs = _loaded(place.artifacts[kernel.NAME]), _loaded(built.library)
    if ours.logistic(STEPS, R, START) != theirs.logistic(STEPS, R, START):
        raise RuntimeError("the two builds disagree")
    comparison = compare(
        *alternate(
            runs,
            lambda: seconds(lambda: ours.logistic(STEPS, R, START)),
            lambda: seconds(lambda: theirs.logistic(STEPS, R, START)),
        )
    )
    return [ratio(f"logistic map, {STEPS:,} steps a call", "cargo, codegen-units = 1", comparison)]


def _loaded(library: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(kernel.NAME, str(library))
    spec = importlib.util.spec_from_loader(kernel.NAME, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
