"""Measures rsimport against its peers and its limits, and prints one table of ratios.

Run `python benchmarks/bench.py [--only FIGURE...] [--runs N] [--json FILE]` with the interpreter that has
rsimport. Each file in figures/ says what it measures and how; measure.py says how ratios are taken. Nothing
is asserted: a bar that is missed is reported as such, and only a figure that could not be measured makes
the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from figures import FIGURES
from line import Line
from output import positive
from place import Place
from rich.console import Console
from rich.table import Table

WIDTH = 150
"""Of the table where the output is no terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure rsimport against its peers and its limits.")
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES), metavar="FIGURE")
    parser.add_argument("--runs", type=positive, help="runs of every figure; each has its own default")
    parser.add_argument("--json", type=Path, help="write the lines to this file as well")
    given = parser.parse_args(arguments)

    results: dict[str, list[Line]] = {}
    failed = False
    with tempfile.TemporaryDirectory(prefix="rsimport-bench-") as folder:
        place = Place(Path(folder))
        for name in given.only:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            try:
                results[name] = FIGURES[name].lines(place, given.runs or FIGURES[name].RUNS)
            except Exception as error:
                # The other figures were worth their minutes.
                traceback.print_exc()
                results[name] = [Line(name, "-", None, note=f"failed: {type(error).__name__}")]
                failed = True

    Console(width=None if sys.stdout.isatty() else WIDTH).print(table(results))
    if given.json:
        given.json.write_text(json.dumps(report(results), indent=2) + "\n", encoding="utf-8")
    return int(failed)


def table(
    results: dict[str, list[Line]], title: str = "rsimport, measured: medians, with minimum and maximum"
) -> Table:
    """The table for people."""
    table = Table(title=title)
    for heading in ("figure", "what", "against", "median", "min - max", "bar", "met", "times"):
        table.add_column(heading, justify="right" if heading in ("median", "bar") else "left")
    for name, lines in results.items():
        for line in lines:
            table.add_row(name if line is lines[0] else "", line.what, line.against, *_cells(line), line.note)
        table.add_section()
    return table


def report(results: dict[str, list[Line]]) -> dict[str, object]:
    """The table for programs."""
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "python": platform.python_version(),
        "rustc": rustc,
        "machine": f"{platform.system()} {platform.machine()}",
        "figures": {
            name: [
                {**asdict(line), "value": line.value and line.value._asdict(), "met": line.met}
                for line in lines
            ]
            for name, lines in results.items()
        },
    }


def _cells(line: Line) -> tuple[str, str, str, str]:
    bar = "-" if line.bar is None else f"{line.bar:g} {line.unit}"
    if line.value is None:
        return "-", "-", bar, line.met
    value = line.value
    error = f" ± {value.error:.3f}" if value.error else ""
    return f"{value.median:.3f}{error} {line.unit}", f"{value.low:.3f} - {value.high:.3f}", bar, line.met


if __name__ == "__main__":
    sys.exit(main())
