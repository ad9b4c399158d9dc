"""What the tests of kernels/count_min_sketch.rs share."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rsimport.kernels.count_min_sketch import CountMinSketch as Sketch


@pytest.fixture(scope="module")
def kernel(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import count_min_sketch

    return count_min_sketch


@pytest.fixture(scope="module")
def new(kernel: ModuleType) -> type[Sketch]:
    """The class."""
    cls: type[Sketch] = kernel.CountMinSketch
    return cls


@pytest.fixture
def sketch(new: type[Sketch]) -> Sketch:
    """Wide enough that the few keys of a test do not meet."""
    return new(10_000, 5)
