"""The shipped kernels against their peers, one file each.

Every file has `RUNS`, its usual number of runs, and `lines`, which measures. The files whose names begin with
an underscore are what the kernels are measured against where no package offers it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

CLASSICS = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def classic(name: str) -> ModuleType:
    """The measurements of a kernel."""
    return import_module(f"classics.{name}")
