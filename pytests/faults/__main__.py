"""The command line: one fault after another until the time is over, then a table."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from faults import file_systems, halves, kills, limits, reloads, travel
from faults.lab import Broken, Lab

CAMPAIGNS = {
    "kills": kills,
    "halves": halves,
    "travel": travel,
    "file_systems": file_systems,
    "limits": limits,
    "reloads": reloads,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="faults", description="Faults that hit builds, and what imports say after them."
    )
    parser.add_argument(
        "campaigns", nargs="*", metavar="CAMPAIGN", help=f"any of {', '.join(CAMPAIGNS)}; all by default"
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="when to stop")
    parser.add_argument("--seed", type=int, default=0, help="the same seed tries the same faults")
    parser.add_argument("--only", type=int, help="the number of the one fault to try")
    given = parser.parse_args()
    # Started in the background of a script it would ignore Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unknown = set(given.campaigns) - set(CAMPAIGNS)
    if unknown:
        parser.error(f"there is no campaign {', '.join(sorted(unknown))}")
    if sys.platform != "linux":
        parser.error("processes are looked for in /proc, which only Linux has")
    console, aside = (Console(soft_wrap=True, highlight=False, stderr=stderr) for stderr in (False, True))
    chosen = given.campaigns or list(CAMPAIGNS)
    why_not = file_systems.missing()
    if "file_systems" in chosen and why_not:
        console.print(f"file_systems are left out: {why_not}")
        chosen.remove("file_systems")
    tried: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    imports = 0
    end = time.monotonic() + given.minutes * 60
    number = 0 if given.only is None else given.only
    while time.monotonic() < end:
        # Kills are where the promises are hardest to keep.
        random = Random(f"{given.seed} {number}")
        campaign = random.choice([*chosen, *[name for name in chosen if name == "kills"] * 2])
        folder = Path(tempfile.mkdtemp(prefix="rsimport-faults-"))
        lab = Lab(folder)
        try:
            what = CAMPAIGNS[campaign].one(lab, random)
            shutil.rmtree(folder, ignore_errors=True)
            tried[what] += 1
        except Broken as wrong:
            # The folder stays for whoever wants to see.
            lab.kill_all()
            tried[campaign] += 1
            broken[campaign] += 1
            aside.print(
                f"BROKEN: {campaign}, --seed {given.seed} --only {number}, in {folder}: {wrong}", markup=False
            )
        imports += lab.imports
        number += 1
        if given.only is not None:
            break
    table = Table("fault", "tried", "broken")
    for what in sorted(tried):
        table.add_row(what, str(tried[what]), str(broken[what] or "-"))
    table.add_section()
    table.add_row("all", str(tried.total()), str(broken.total() or "-"))
    console.print(table)
    console.print(f"{imports} imports were checked after them")
    return int(broken.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
