"""kernels/count_min_sketch.rs: what earlier versions have saved is read, and means the same keys.

`saved/` holds what version 0.1.0 wrote. Files are added to it when a new version writes other bytes, and none
is ever changed.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sketches import CLASSES

SAVED = Path(__file__).with_name("saved")

KEYS = {
    "any": [
        *("a", "Grüße", b"bytes", 1, -1, 2**40, 2**63, 2**64 - 1, 2**90, -(2**90)),
        *(1.5, math.inf, None, (1, ("x", None)), ""),
    ],
    "str": ["a", "Grüße", ""],
    "int": [1, -1, 2**40, 2**63, 2**90],
}
OPTIONS: dict[str, dict[str, Any]] = {
    "any": {},
    "str": {"conservative": True, "seed": 7},
    "int": {"counter_bits": 64, "seed": 2**64 - 1},
}


def written(kernel: ModuleType, name: str) -> Any:
    """The same sketch, as this version makes it."""
    sketch = getattr(kernel, CLASSES[list(KEYS).index(name)])(40, 3, **OPTIONS[name])
    for n, key in enumerate(KEYS[name]):
        sketch.insert(key, n + 1)
    return sketch


@pytest.mark.parametrize("name", KEYS)
def test_saved_bytes_are_read_and_written_as_ever(kernel: ModuleType, name: str) -> None:
    sketch, data = written(kernel, name), (SAVED / f"{name}.sketch").read_bytes()
    assert type(sketch).from_bytes(data).to_bytes() == data == sketch.to_bytes()
    with pytest.raises(ValueError, match="version 2 is unknown"):
        type(sketch).from_bytes(data[:7] + b"\2" + data[8:])


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("name", KEYS)
def test_pickles_of_another_build_of_the_kernel_are_read(
    kernel: ModuleType, name: str, protocol: int
) -> None:
    sketch = pickle.loads((SAVED / f"{name}.pickle{protocol}").read_bytes())
    assert sketch.to_bytes() == written(kernel, name).to_bytes()


def test_pickled_heavy_hitters_are_read(kernel: ModuleType) -> None:
    heavy = pickle.loads((SAVED / "heavy.pickle").read_bytes())
    assert heavy.top() == [("", 15), ((1, ("x", None)), 14), (None, 13)]
    assert all(heavy.count(key) >= n + 1 for n, key in enumerate(KEYS["any"]))
