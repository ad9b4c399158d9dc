"""Compares what a call from Python costs, by every way to call compiled code, side by side in one run."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calling import CONTESTANTS
from calling.contestant import Contestant
from calling.race import Track, clock, race
from calling.report import report
from calling.subject import SUBJECTS
from calling.table import HEADINGS, rows, text
from output import parser, positive, publish
from peers.race import first_line
from peers.surroundings import clean, versions
from place import Place

HERE = Path(__file__).resolve().parent

EXAMPLES = f"""
examples:
  python benchmarks/calls.py                                     everything; three minutes and more
  python benchmarks/calls.py --only python capi rsimport --rounds 1   are the results right?
  python benchmarks/calls.py --subjects logistic --rounds 101    one subject, smaller errors
  python benchmarks/calls.py --markdown --json docs/calls.json   for a page, and for programs

contestants: {", ".join(CONTESTANTS)}
subjects: {", ".join(SUBJECTS)}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    given = _given(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rsimport-calls-", ignore_cleanup_errors=True) as folder:
        clean()
        chosen = {one.name: one for short in given.only for one in CONTESTANTS[short]}
        modules, left_out = _built(Place(Path(folder), given.cache), chosen)
        results = {key: _raced(key, chosen, modules, given.rounds) for key in given.subjects}
    present = {name: one for name, one in chosen.items() if name in modules}
    used = versions((one.distribution for one in present.values()), compiler=True)
    rest = {"versions": used, "rounds": given.rounds, "clock": clock(given.rounds), "left_out": left_out}
    result = report(present, results, **rest, seconds=time.monotonic() - started)
    publish(given, result, ("What a call from Python costs: medians", HEADINGS, rows(result)), text(result))
    return 0


def _built(place: Place, chosen: Mapping[str, Contestant]) -> tuple[dict[str, Any], dict[str, str]]:
    """The modules of those that can be built here, and why the others cannot."""
    modules, left_out = {}, {}
    for name, contestant in chosen.items():
        print(f"building {name} ...", file=sys.stderr, flush=True)
        try:
            modules[name] = contestant.build(place.folder(contestant.__class__.__name__.lower()))
        except Exception as error:
            # A package or a header is missing; the others can be compared all the same.
            needs = f" ({contestant.needs})" if contestant.needs else ""
            left_out[name] = f"{first_line(error)}{needs}".replace(f"{HERE}/", "")
            print(f"{name} is left out: {left_out[name]}", file=sys.stderr, flush=True)
    return modules, left_out


def _raced(
    key: str, chosen: Mapping[str, Contestant], modules: Mapping[str, Any], rounds: int
) -> dict[str, Track]:
    """Measures a subject with all that can do it. Raises `Wrong` if one of them does something else."""
    subject = SUBJECTS[key]
    print(f"measuring {subject.title} ...", file=sys.stderr, flush=True)
    able = {name: module for name, module in modules.items() if key not in chosen[name].cannot}
    for name, module in able.items():
        subject.check(name, module)
    return race(subject, able, rounds)


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    made = parser(__doc__, EXAMPLES, CONTESTANTS)
    made.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="SUBJECT")
    made.add_argument("--rounds", type=positive, default=25, help="rounds of every subject (default: 25)")
    made.add_argument("--cache", type=Path, help="a cache of kernels to use instead of an empty one")
    return made.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
