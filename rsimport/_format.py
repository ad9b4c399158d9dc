"""Figures for people to read: three significant digits, in the unit that suits them."""

from __future__ import annotations

import os

UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def digits(value: float) -> str:
    """Three significant digits, and zeros instead of an exponent: 1,190 and not 1.19e+03."""
    return f"{float(f'{value:.3g}'):,.15g}"


def duration(seconds: float) -> str:
    """Seconds in the largest unit of which there is one at least."""
    unit, size = next((pair for pair in UNITS if seconds >= pair[1]), UNITS[-1])
    return f"{digits(seconds / size)} {unit}"


def called(file: str) -> str:
    """What messages call a kernel's file: a cell, or a text, by its name."""
    folder, base = os.path.split(file)
    what = {"cells": "cell", "texts": "kernel"}.get(os.path.basename(os.path.dirname(folder)))
    return file if what is None else f"<{what} {base.removesuffix('.rs')}>"
