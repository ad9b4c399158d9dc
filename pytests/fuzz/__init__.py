"""Inputs that nobody has thought of, for the shipped kernels.

    python -m fuzz [--inputs 1000000] [--seed 0] [TARGET ...]

Whatever it is given, a kernel neither ends the process nor hangs nor takes memory without end, raises only
what its documentation names, and gives back what was written. Each target runs in a process of its own, so
that a crash is reported with its input. Hypothesis draws what an input is like, and makes the drawing smaller
when one fails; numbers and damage within it come from `random`, so that a million of them are affordable.

The engine's part is `tests/fuzz.rs`.
"""

TARGETS = ("sketches", "logs", "arrays", "arrow", "keys", "strings")
