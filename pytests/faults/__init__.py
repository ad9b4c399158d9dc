"""A campaign of faults: builds are killed at random moments, file systems and limits get in the way.

    python -m faults [--minutes 5] [--seed 0] [kills | file_systems | limits | reloads ...]

After each fault fresh processes import the kernel: it has the value of its text, nothing is stale, what was
published before is still a hit, no process is left, and the next build leaves nothing of a dead one in the
cache. The table at the end says what was tried and what broke; the exit code is 1 if anything did.

The moments are random, so a seed repeats what is tried, and not to the microsecond when it hits.
"""
