"""Measures the shipped kernels against their peers, and prints one table of ratios.

Run `python benchmarks/shipped.py [--only KERNEL...] [--runs N] [--json FILE]` with the interpreter that has
rsimport and the extra `kernel-peers`. A peer that is not installed is skipped, and its line says so. Nothing
is asserted: a bar that is missed is reported as such.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench import WIDTH, report, table
from classics import CLASSICS, classic
from line import Line
from output import positive
from rich.console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure the shipped kernels against their peers.")
    parser.add_argument("--only", nargs="+", choices=CLASSICS, default=CLASSICS, metavar="KERNEL")
    parser.add_argument("--runs", type=positive, help="runs of every line; each kernel has its own default")
    parser.add_argument("--json", type=Path, help="write the lines to this file as well")
    given = parser.parse_args(arguments)

    # What is measured is what a second import gets, not the code that is loaded first after an edit.
    os.environ["RSIMPORT_TIER"] = "optimized"
    results: dict[str, list[Line]] = {}
    failed = False
    for name in given.only:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            module = classic(name)
            results[name] = module.lines(given.runs or module.RUNS)
        except Exception as error:
            # The other kernels were worth their minutes.
            traceback.print_exc()
            results[name] = [Line(name, "-", None, note=f"failed: {type(error).__name__}")]
            failed = True

    title = "The shipped kernels, measured: medians, with minimum and maximum"
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table(results, title))
    if given.json:
        given.json.write_text(json.dumps(report(results), indent=2) + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
