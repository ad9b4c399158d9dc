"""Limits of the process: memory, file sizes, time, open files, and the permissions of what it makes."""

from __future__ import annotations

from random import Random

from faults.lab import Broken, Lab

LIMITS = {
    "v": (150_000, 400_000, 800_000, 1_500_000, 3_000_000),
    "f": (0, 1, 8, 64, 512, 4096),
    "t": (0, 1, 2, 4),
    "n": (4, 12, 16, 20, 32, 64),
}
MASKS = ("777", "777", "700", "377", "277", "177", "077", "022", "000", "333", "555")


def one(lab: Lab, random: Random) -> str:
    which = random.choice((*LIMITS, "umask"))
    warm = random.random() < 0.6
    lab.nested = random.random() < 0.3
    lab.write(1)
    if warm:
        lab.expect(1, "before the fault", built=True)
    cached = warm and random.random() < 0.3
    value = 1 if cached else 2
    lab.write(value)
    number = random.choice(MASKS) if which == "umask" else str(random.choice(LIMITS[which]))
    command = f"umask {number}" if which == "umask" else f"ulimit -{which} {number}"
    what = f"limits: {command.rsplit(' ', 1)[0]}"
    process = lab.start(wrap=["sh", "-c", f'{command}; exec "$0" "$@"'], env={"RSIMPORT_TIER": "fast"})
    try:
        seen = lab.struck(process, command, value)
        # Where Python itself has no room it cannot say so in our words.
        if cached and seen.value is None and which == "umask":
            raise Broken(f"{command}: what is cached does not load: {seen}")
    finally:
        lab.kill_all()
    lab.recovers(value, command, warm=warm)
    return what
