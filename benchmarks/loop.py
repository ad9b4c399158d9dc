"""Compares the loop of editing, compiling and importing with every peer, side by side in one run."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from output import parser, positive, publish
from peers import CONTESTANTS
from peers.kernels import KERNELS
from peers.race import hooks, race, say
from peers.report import report
from peers.surroundings import clean, download, versions
from peers.table import HEADINGS, rows, text
from place import Place

EXAMPLES = f"""
examples:
  python benchmarks/loop.py                                    everything; ten minutes and more
  python benchmarks/loop.py --only rsimport rustimport cargo   three contestants
  python benchmarks/loop.py --kernels logistic --edits 15      one kernel, more edits
  python benchmarks/loop.py --markdown --json docs/loop.json   for a page, and for programs

contestants: {", ".join(CONTESTANTS)}
kernels: {", ".join(KERNELS)}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    given = _given(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rsimport-loop-", ignore_cleanup_errors=True) as folder:
        clean()
        place = Place(Path(folder))
        kernels = {name: KERNELS[name] for name in given.kernels}
        chosen = {short: one for short, one in CONTESTANTS.items() if short in given.only}
        left_out = {one.name: reason for one in chosen.values() if (reason := one.missing())}
        present = {short: one for short, one in chosen.items() if one.name not in left_out}
        download(place.folder("download"), {crate for kernel in kernels.values() for crate in kernel.crates})
        say(None, None, "imports of the hooks", None)
        hook_times, failed = hooks(place, present, given.edits)
        left_out |= {present.pop(short).name: reason for short, reason in failed.items()}
        for name, reason in left_out.items():
            print(f"{name} is left out: {reason}", file=sys.stderr)
        results = {name: race(place, kernel, present, given.edits) for name, kernel in kernels.items()}
        used = versions(one.distribution for one in present.values())
    seconds = time.monotonic() - started
    rest = {"versions": used, "edits": given.edits, "seconds": seconds, "left_out": left_out}
    result = report(present, kernels, hook_times, results, **rest)
    publish(given, result, ("The loop, against the others: medians", HEADINGS, rows(result)), text(result))
    return 0


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    made = parser(__doc__, EXAMPLES, CONTESTANTS)
    made.add_argument("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS), metavar="KERNEL")
    made.add_argument("--edits", type=positive, default=9, help="edits of every kernel (default: 9)")
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
