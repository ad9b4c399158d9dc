"""kernels/binary_log.rs: the writer, and the generator of trades."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from log_format import FLOAT, INT, Table, encode

if TYPE_CHECKING:
    from rsimport.kernels.binary_log import RowReader


COLUMNS = {"price": "float64", "size": "int64"}


class TestWriter:
    def test_writes_the_bytes_of_the_format(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"
        with kernel.RowWriter(path, COLUMNS) as writer:
            writer.append(10, {"price": 2, "size": 3})
            writer.append(-1, {})
            writer.append(timestamp=12, values={"size": 2**63 - 1})
        table: Table = [(0, INT, "timestamp"), (1, FLOAT, "price"), (2, INT, "size")]
        records = [(0, 10), (1, 2.0), (2, 3), (0, -1), (0, 12), (2, 2**63 - 1)]
        assert path.read_bytes() == encode(table, records)
        assert os.listdir(tmp_path) == ["new.rowlog"]

    def test_shows_nothing_before_the_end(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"
        path.write_bytes(b"old")
        writer = kernel.RowWriter(path, COLUMNS)
        for number in range(20_000):
            writer.append(number, {"size": number})
        assert path.read_bytes() == b"old"
        (hidden,) = set(os.listdir(tmp_path)) - {"new.rowlog"}
        half = (tmp_path / hidden).read_bytes()
        assert len(half) > 10_000
        (tmp_path / "half.rowlog").write_bytes(half)
        with pytest.raises(kernel.LogError, match="never finished"):
            kernel.RowReader(tmp_path / "half.rowlog")
        writer.close()
        assert kernel.RowReader(path).values("size").tolist() == list(range(20_000))
        assert sorted(os.listdir(tmp_path)) == ["half.rowlog", "new.rowlog"]

    def test_leaves_the_old_log_after_an_exception(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"
        path.write_bytes(b"old")
        with pytest.raises(LookupError), kernel.RowWriter(path, COLUMNS) as writer:
            writer.append(1, {"size": 1})
            raise LookupError
        abandoned = kernel.RowWriter(path, COLUMNS)
        del abandoned
        discarded = kernel.RowWriter(path, COLUMNS)
        discarded.discard()
        discarded.close()
        assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["new.rowlog"])

    def test_is_of_no_use_after_the_end(self, kernel: ModuleType, tmp_path: Path) -> None:
        writer = kernel.RowWriter(tmp_path / "new.rowlog", COLUMNS)
        assert repr(writer).endswith("new.rowlog, open>")
        writer.close()
        assert repr(writer).endswith("new.rowlog, ended>")
        writer.close()
        for call in (lambda: writer.append(1, {}), writer.__enter__):
            with pytest.raises(ValueError, match="the log is closed"):
                call()

    def test_leaves_no_part_of_a_row_that_is_wrong(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"
        with kernel.RowWriter(path, COLUMNS) as writer:
            wrong = [
                (KeyError, 1, {"price": 1.0, "prize": 1.0}),
                (KeyError, 1, {"timestamp": 1}),
                (TypeError, 1, {"price": 1.0, "size": 1.0}),
                (TypeError, 1, {"price": "1"}),
                (TypeError, 1, {1: 1}),
                (TypeError, 1.0, {}),
                (OverflowError, 1, {"size": 2**63}),
                (OverflowError, 2**63, {}),
            ]
            for error, timestamp, values in wrong:
                with pytest.raises(error):
                    writer.append(timestamp, values)
            writer.append(7, {"price": 0.5})
        (row,) = kernel.RowReader(path).rows
        assert (row.timestamp, row.items) == (7, [(1, 0.5)])

    def test_refuses_columns_that_no_log_has(self, kernel: ModuleType, tmp_path: Path) -> None:
        for name in ("timestamp", "", "x" * 256, "ü" * 128):
            with pytest.raises(ValueError, match="cannot be a column"):
                kernel.RowWriter(tmp_path / "new.rowlog", {name: "int64"})
        with pytest.raises(ValueError, match='must be "int64" or "float64", not "int32"'):
            kernel.RowWriter(tmp_path / "new.rowlog", {"x": "int32"})
        with pytest.raises(ValueError, match="at most 65,534 columns"):
            kernel.RowWriter(tmp_path / "new.rowlog", {str(n): "int64" for n in range(65_535)})
        with pytest.raises(FileNotFoundError):
            kernel.RowWriter(tmp_path / "none" / "new.rowlog", {})
        assert os.listdir(tmp_path) == []
        kernel.RowWriter(tmp_path / "new.rowlog", {str(n): "int64" for n in range(65_534)}).close()
        assert len(kernel.RowReader(tmp_path / "new.rowlog").columns) == 65_535

    def test_keeps_whole_rows_of_several_threads(self, kernel: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "new.rowlog"

        def work(thread: int) -> None:
            for number in range(2000):
                writer.append(thread, {"price": number, "size": thread})

        with kernel.RowWriter(path, COLUMNS) as writer, ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        rows = kernel.RowReader(path).rows
        for thread in range(4):
            own = [row for row in rows if row.timestamp == thread]
            assert [(row["price"], row["size"]) for row in own] == [(n, thread) for n in range(2000)]


class TestTrades:
    def test_are_the_same_for_the_same_seed(self, kernel: ModuleType, tmp_path: Path) -> None:
        logs = []
        for seed in (0, 0, 1):
            kernel.write_trades(tmp_path / "t.rowlog", 100, seed)
            logs.append((tmp_path / "t.rowlog").read_bytes())
        assert logs[0] == logs[1] != logs[2]

    def test_use_splitmix64(self, trades: RowReader, kernel: ModuleType, tmp_path: Path) -> None:
        # The first output of the reference implementation for the seed 1234567.
        kernel.write_trades(tmp_path / "t.rowlog", 1, seed=1234567)
        (row,) = kernel.RowReader(tmp_path / "t.rowlog").rows
        assert row.timestamp == 1_577_836_800_000_000_000 + 6457827717110365317 * 2_000_000 // 2**64 + 1

    def test_are_plausible(self, trades: RowReader) -> None:
        numpy = pytest.importorskip("numpy")
        assert len(trades.rows) == 5000
        assert (numpy.diff(trades.timestamps()) > 0).all()
        assert sorted(set(trades.values("size").tolist())) == [1, 2, 5, 10, 20, 50, 100, 500]
        assert (trades.values("price") > 0).all()
        means = [mean for _, _, mean in trades.mean_change_by("size", "signal")]
        assert means == sorted(means)

    def test_may_be_none(self, kernel: ModuleType, tmp_path: Path) -> None:
        kernel.write_trades(tmp_path / "t.rowlog", 0)
        assert len(kernel.RowReader(tmp_path / "t.rowlog").rows) == 0
        with pytest.raises(OverflowError):
            kernel.write_trades(tmp_path / "t.rowlog", -1)


class TestTheNameOfALog:
    @pytest.fixture(params=["RowWriter", "write_trades"])
    def write(self, request: pytest.FixtureRequest, kernel: ModuleType) -> Callable[[object], None]:
        """Either way to write a log."""

        def rows(path: object) -> None:
            with kernel.RowWriter(path, COLUMNS) as writer:
                writer.append(1, {})

        return rows if request.param == "RowWriter" else lambda path: kernel.write_trades(path, 10)

    def test_may_be_a_link_which_stays(
        self, kernel: ModuleType, tmp_path: Path, write: Callable[[object], None]
    ) -> None:
        real, folder = tmp_path / "real.rowlog", tmp_path / "folder"
        folder.mkdir()
        for target, name in (
            (real, "absolute"),
            ("../real.rowlog", "relative"),
            ("relative", "link of a link"),
        ):
            (folder / name).symlink_to(target)
            for before in (None, b"old"):
                real.unlink(missing_ok=True)
                if before:
                    real.write_bytes(before)
                write(folder / name)
                assert (folder / name).is_symlink()
                assert len(kernel.RowReader(real).rows) in (1, 10)
        assert sorted(os.listdir(tmp_path)) == ["folder", "real.rowlog"]
        assert len(os.listdir(folder)) == 3

    def test_is_refused_where_no_file_can_be(self, tmp_path: Path, write: Callable[[object], None]) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("pipe")
        (tmp_path / "device").symlink_to("/dev/null")
        (tmp_path / "endless").symlink_to("endless")
        (tmp_path / "nowhere").symlink_to("none/file")
        before = sorted(os.listdir(tmp_path))
        for name in ("pipe", "link", "device"):
            with pytest.raises(OSError, match=f"{name}: not a regular file, which a log has to be"):
                write(tmp_path / name)
        for name in ("endless", "nowhere", "."):
            with pytest.raises(OSError):
                write(tmp_path / name)
        assert sorted(os.listdir(tmp_path)) == before
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)

    def test_is_left_alone_where_a_pipe_came_meanwhile(self, kernel: ModuleType, tmp_path: Path) -> None:
        writer = kernel.RowWriter(tmp_path / "new", COLUMNS)
        os.mkfifo(tmp_path / "new")
        with pytest.raises(OSError, match="not a regular file"):
            writer.close()
        assert os.listdir(tmp_path) == ["new"]
