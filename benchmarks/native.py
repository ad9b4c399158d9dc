"""Measures native loops that call a kernel without Python, and prints one table of ratios.

Run `python benchmarks/native.py [--only PART...] [--runs N] [--json FILE]` with the interpreter that has
rsimport and what the parts need: SciPy, Numba, Cython with setuptools, a C compiler. The parts are those of
examples/skip_python.py; one whose needs are not installed is skipped, and its line says so. Nothing is
asserted: a bar that is missed is reported as such.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import WIDTH, report, table
from kernel import REPOSITORY
from line import Line, ratio
from measure import alternate, compare, cost
from output import positive
from rich.console import Console

sys.path.insert(0, str(REPOSITORY / "examples"))
from skip_python import PARTS, Missing, Part

RUNS = 15
SHORTEST = 0.02
"""Seconds. A side that is shorter is repeated, so that the clock has something to measure."""

BARS = {"spectrum": 1 / 15, "contrast": 1 / 15, "numba": 1.2}
"""At most this. The other parts are there to explain these, or to have a figure."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure native loops that call a kernel without Python.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--runs", type=positive, default=RUNS, help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="write the lines to this file as well")
    given = parser.parse_args(arguments)

    # What is measured is what a second import gets, not the code that is loaded first after an edit.
    os.environ["RSIMPORT_TIER"] = "optimized"
    import rsimport

    callbacks = rsimport.imp_from_filepath(REPOSITORY / "examples" / "callbacks.rs")
    results: dict[str, list[Line]] = {}
    with tempfile.TemporaryDirectory(prefix="rsimport-native-") as folder:
        for name in given.only:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            try:
                part = PARTS[name](callbacks, Path(folder))
            except Missing as missing:
                results[name] = [Line(name, "-", None, bar=BARS.get(name), note=f"skipped: {missing}")]
            else:
                results[name] = [measured(part, given.runs, BARS.get(name))]

    title = "Calls that skip Python, measured: medians, with minimum and maximum"
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table(results, title))
    if given.json:
        given.json.write_text(json.dumps(report(results), indent=2) + "\n", encoding="utf-8")
    return 0


def measured(part: Part, runs: int, bar: float | None) -> Line:
    part.check()
    sides = alternate(runs, clocked(part.native), clocked(part.other))
    return ratio(f"{part.what}, native", part.against, compare(*sides), bar)


def clocked(run: Callable[[], object]) -> Callable[[], float]:
    """Seconds for one call, measured over so many that they are long enough."""
    repeats = max(1, round(SHORTEST / max(cost(run).wall, 1e-7)))

    def several() -> None:
        for _ in range(repeats):
            run()

    return lambda: cost(several).wall / repeats


if __name__ == "__main__":
    sys.exit(main())
