"""Clients and schedulers that come and go, cells of notebooks, and encrypted connections."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from helpers import LIMIT, wait_for, write
from test_workers import KERNEL

from cluster.conftest import Cluster

CELLS = """
from IPython.terminal.interactiveshell import TerminalInteractiveShell
shell = TerminalInteractiveShell.instance(colors="nocolor")
cell = open("cell").read()


def typed(name, text):
    shell.run_cell(f"%%rsimport -n {name}\\n{text}")


shell.push({"client": client, "show": show, "rsimport": rsimport})
shell.run_line_magic("load_ext", "rsimport")
typed("first", cell.replace("fn k", "fn first"))
shell.run_cell("rsimport.dask.enable(client); from first import value")
shell.run_cell("show(lambda: client.submit(value).result(60))")
shell.run_cell("show(lambda: client.submit(lambda: value() + __import__('first').value()).result(60))")
shell.run_cell("before, old = value, client.submit(value, pure=False)")
typed("later", cell.replace("fn k", "fn later").replace("    1", "    10"))
shell.run_cell("import later; show(lambda: client.gather(client.map(lambda n: later.value() + n, range(3))))")
typed("first", cell.replace("fn k", "fn first").replace("    1", "    2"))
shell.run_cell("from first import value")
shell.run_cell("show(lambda: [client.submit(f).result(60) for f in (before, value)] + [old.result(60)])")
"""


def test_cells_of_a_notebook_are_used_on_a_cluster(client, stub_kernel, project):
    pytest.importorskip("IPython")
    path = stub_kernel(1)
    write(project, {"cell": path.read_text().replace("// rsimport\n", "")})
    path.unlink()
    assert client(CELLS) == ["1", "2", "[10, 11, 12]", "[1, 2, 1]"]


ENCRYPTED = """
import pathlib
import k
client.wait_for_workers(1)
rsimport.dask.enable(client)
print(client.scheduler.address.partition(":")[0])
show(lambda: client.submit(k.value).result(60))
pathlib.Path("first").write_text("done")
while not os.path.exists("again"):
    time.sleep(0.02)
client.wait_for_workers(1)
show(lambda: client.submit(k.value, pure=False).result(60))
show(lambda: client.submit(lambda: __import__("k").value()).result(60))
print([kernel["name"] for kernel in rsimport.dask.status(client).kernels])
"""


def test_kernels_go_over_encrypted_connections_and_to_a_scheduler_that_was_started_again(
    client, cluster, stub_kernel, project, tmp_path
):
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    stub_kernel(1)
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    subprocess.run([*made.split(), "-out", cert, "-keyout", key], check=True, capture_output=True)
    tls = ["--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key]
    security = {"tls_ca_file": cert, "tls_client_cert": cert, "tls_client_key": key}
    other = Cluster(tmp_path, cluster.rusty, cluster.forker)

    def started_again() -> None:
        wait_for(project / "first")
        port = json.loads(other.file.read_text())["address"].rpartition(":")[2]
        other.end("scheduler", "t")
        other.scheduler("--protocol", "tls", *tls, "--port", port)
        other.worker("t", "t2", "--no-nanny", *tls)
        (project / "again").touch()

    try:
        other.scheduler("--protocol", "tls", *tls)
        other.worker("t", "t", "--no-nanny", *tls)
        given = {"SECURITY": json.dumps({**security, "require_encryption": True})}
        assert client(ENCRYPTED, of=other, meanwhile=started_again, **given) == [
            *("tls", "1", "1", "1"),
            "['k']",
        ]
    finally:
        other.close()


ONE_OF_TWO = """
import pathlib, sys
shared = pathlib.Path(os.environ["SHARED"])
import k


def by_name():
    import k
    return k.value()


def wait(name):
    while not (shared / name).exists():
        time.sleep(0.01)


client.wait_for_workers(3)
mine = k.value()
if mine == 2:
    wait("enabled1")
rsimport.dask.enable(client)
(shared / f"enabled{mine}").write_text("yes")
wait(f"enabled{3 - mine}")
show(lambda: set(client.gather(client.map(lambda n: k.value(), range(20), pure=False))))
show(lambda: set(client.gather([client.submit(k.value, pure=False) for _ in range(20)])))
(shared / f"ran{mine}").write_text("yes")
wait(f"ran{3 - mine}")
show(lambda: client.submit(by_name, pure=False).result(60))
(shared / f"asked{mine}").write_text("yes")
if mine == 2:
    wait("asked1")
    rsimport.dask.disable(client)
    client.close()
    (shared / "gone").write_text("yes")
else:
    wait("gone")
    while client.submit(by_name, pure=False).result(60) != 1:
        time.sleep(0.05)
    print("mine again")
"""


def test_two_clients_at_once_have_different_texts_of_one_name(client, stub_kernel, project, tmp_path):
    found: list[list[str]] = []
    second = tmp_path / "second"
    second.mkdir()
    stub_kernel(1)
    path = stub_kernel(2, name="k2")
    (second / "k.rs").write_text(path.read_text().replace("fn k2", "fn k"))
    shared = str(tmp_path)
    first = client(
        ONE_OF_TWO,
        meanwhile=lambda: found.append(client(ONE_OF_TWO, folder=second, SHARED=shared)),
        SHARED=shared,
    )
    assert first == ["{1}", "{1}", "2", "mine again"], "by its name it is what was loaded last"
    assert found == [["{2}", "{2}", "2"]]


PUBLISHES = """
import k
client.wait_for_workers(3)
rsimport.dask.enable(client)
given = {"odd": client.submit(k.fail, 1), "coded": client.submit(k.fail_with, 3)}
client.publish_dataset(**given, function=client.submit(lambda: k.add), point=client.submit(k.Point, 4))
"""

READS = """
from distributed import wait
found = {name: client.get_dataset(name) for name in ("odd", "coded", "function", "point")}
wait(found.values())
for name in ("odd", "coded"):
    print(isinstance(found[name].exception(60), ValueError))
    show(lambda: found[name].result(60))
function, point = found["function"].result(60), found["point"].result(60)
show(lambda: function(1))
rsimport.dask.enable(client)
show(lambda: (function(1), point.twice()))
show(lambda: client.submit(function, 2).result(60))
odd = found["odd"].exception(60)


def raises():
    raise odd


show(lambda: client.submit(raises).result(60))
for name in found:
    client.unpublish_dataset(name)
"""


def test_a_client_that_never_had_a_kernel_has_results_of_it(client, kernel, tmp_path):
    kernel("k", KERNEL)
    assert client(PUBLISHES) == []
    other = tmp_path / "other"
    other.mkdir()
    nothing = {"RSIMPORT_CACHE_DIR": str(tmp_path / "own"), "PATH": "/nowhere"}
    odd, odd_text, coded, coded_text, missing, *enabled, thrown = client(READS, folder=other, **nothing)
    assert (odd, coded) == ("True", "True")
    assert "ValueError.Odd 1 (k.Odd of kernel k (" in odd_text and "cannot be had here" in odd_text
    assert "ValueError.Coded 3 (k.Coded of kernel k (" in coded_text
    assert missing.startswith("rsimport.RsimportError kernel k (")
    assert "hint: `rsimport.dask.enable(client)`" in missing
    assert enabled == ["(2, 8)", "3"]
    assert "Odd 1" in thrown


def test_what_a_client_has_said_ends_with_it():
    from rsimport.dask._shelf import Shelf

    def kernel(content: str, **more: object) -> dict[str, object]:
        return {"name": "k", "content": content, "artifacts": [], **more}

    async def two_clients() -> None:
        shelf = Shelf()
        shelf.changed, scheduler = asyncio.Condition(), SimpleNamespace(worker_plugins={})
        shelf.scheduler = scheduler
        await shelf.put([kernel("aa")], {"k": "aa"}, "one")
        await shelf.put([kernel("bb", coming=True)], {"k": "bb"}, "two")
        assert shelf.names == {"k": "bb"}
        waiting = asyncio.ensure_future(shelf.find("bb", patience=LIMIT))
        await asyncio.sleep(0)
        assert (await shelf.find("bb"))["coming"] and not waiting.done()
        shelf.remove_client(scheduler, "two")
        assert not (await waiting)["coming"], "nobody waits for a client that is gone"
        assert shelf.names == {"k": "aa"}, "by its name a task gets what the other one has loaded"
        shelf.remove_client(scheduler, "one")
        await asyncio.sleep(0)
        assert shelf.names == {"k": "aa"}

    asyncio.run(two_clients())


def test_what_a_worker_hears_while_it_asks_is_newer_than_the_answer(monkeypatch):
    from rsimport.dask import _worker

    meant: dict[str, tuple[str, bytes]] = {}
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(_worker, "inherited", meant)
    monkeypatch.setattr(_worker, "carriers", [])
    for name in ("serve_here", "_give_up", "_prefetch"):
        monkeypatch.setattr(_worker, name, lambda *_: None)

    async def answer() -> dict[str, str]:
        await worker.handlers["rsimport_told"]({"k": "bb"})
        return {"k": "aa", "other": "cc"}

    scheduler = SimpleNamespace(rsimport_told=answer)
    worker = Mock(handlers={}, scheduler=scheduler)
    plugin = _worker.Kernels()
    asyncio.run(plugin.setup(worker))
    assert meant == {"k": ("k", b"\xbb"), "other": ("other", b"\xcc")}
