"""What goes wrong with a kernel on a cluster is told where it was asked for, and all else goes on."""

from __future__ import annotations

import shutil

from helpers import value

FAULTS = """
import rsimport.dask._payload as payload
packed = payload.packed_of
client.wait_for_workers(3)
import k
payload.packed_of = lambda artifact: ({**packed(artifact)[0], "digest": "0" * 64}, [])
rsimport.dask.enable(client)
show(lambda: on("a1", k.value))
payload.packed_of = packed
import other
show(lambda: on("picky", other.value))
show(lambda: on("a1", other.value))
workers = client.scheduler_info(n_workers=-1)["workers"].items()
client.restart_workers([address for address, known in workers if known["name"] == "b"])
show(lambda: on("b", lambda: __import__("other").value()))
rsimport.dask.disable(client)
import late
show(lambda: on("b", late.value))
"""


def test_damage_refusals_and_what_was_not_sent_are_told(client, cluster, kernel, project):
    kernel("k", value(1))
    shutil.copy(project / "k.rs", project / "other.rs")
    kernel("late", value(3))
    cluster.worker("picky", "picky", "--no-nanny", RSIMPORT_ACCEPT="source")
    damaged, refused, *other, late = client(FAULTS)
    assert "is damaged" in damaged and "rsimport.RsimportError kernel k (" in damaged
    assert "accepts no artifacts (RSIMPORT_ACCEPT=source)" in refused and "cargo was not found" in refused
    assert "hint: RSIMPORT_ACCEPT=any" in refused
    assert other == ["1", "1"], "also on a worker that was started again"
    assert "its client has not sent it" in late and "hint: rsimport.dask.enable(client)" in late
