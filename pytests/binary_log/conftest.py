"""What the tests of kernels/binary_log.rs share."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from log_format import LOG, Read

if TYPE_CHECKING:
    from rsimport.kernels.binary_log import RowReader


@pytest.fixture(scope="module")
def kernel(shared_cache: object) -> ModuleType:
    """Imported by the tests and not at the top, so that it is built into their cache."""
    from rsimport.kernels import binary_log

    return binary_log


@pytest.fixture
def read(kernel: ModuleType, tmp_path: Path) -> Read:
    """Reads a log from its bytes."""

    def read(log: bytes) -> RowReader:
        path = tmp_path / "some.rowlog"
        path.write_bytes(log)
        reader: RowReader = kernel.RowReader(path)
        return reader

    return read


@pytest.fixture
def reader(read: Read) -> RowReader:
    return read(LOG)


@pytest.fixture(scope="module")
def trades(kernel: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> RowReader:
    path = tmp_path_factory.mktemp("trades") / "trades.rowlog"
    kernel.write_trades(path, 5000, seed=3)
    reader: RowReader = kernel.RowReader(path)
    return reader
