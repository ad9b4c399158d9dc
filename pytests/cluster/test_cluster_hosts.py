"""How kernels come to the hosts of a cluster: fetched once, or built once where nothing fits."""

from __future__ import annotations

from pathlib import Path

from helpers import BARRIER, gone, package, value, write
from stub_pyo3 import CRATE, dependency, module

from cluster.texts import THING

COLD = """
client.wait_for_workers(11)
workers = sorted(known["name"] for known in client.scheduler_info(n_workers=-1)["workers"].values())
import cold as k


def how():
    rows = [row for row in rsimport.dask.status(client).rows() if row[2] == "cold"]
    return sorted(row[-1].partition(",")[0] for row in rows)


rsimport.dask.enable(client)
before = how()
show(lambda: client.gather([client.submit(k.value, workers=[name], pure=False) for name in workers]))
print(len(before), before.count("fetched"), before.count("was on the host"), how() == before)
print([kernel["served"] for kernel in rsimport.dask.status(client).kernels if kernel["name"] == "cold"])
"""


def test_eight_cold_workers_have_a_kernel_before_their_first_task_by_one_fetch_for_each_host(
    client, cluster, stub_kernel
):
    stub_kernel(1, name="cold")
    cold = [f"{host}{n}" for host in "cd" for n in range(4)]
    for name in cold:
        cluster.worker(name, name[0], "--no-nanny")
    out = client(COLD)
    # Of the hosts a and b too, which are not that cold. Nothing is left for the tasks to bring.
    assert out == [str([1] * 11), "11 4 7 True", "[4]"]


MISFIT = """
import rsimport.dask._payload as payload
packed = payload.packed_of


def strange(artifact):
    made, apart = packed(artifact)
    needs = json.loads(made["needs"])
    needs.update(glibc=[99, 1], cpu=[*needs["cpu"], "made-up"])
    return {**made, "needs": json.dumps(needs)}, apart


client.wait_for_workers(3)
import k
payload.packed_of = strange
rsimport.dask.enable(client)
show(lambda: on("a1", k.value))
show(lambda: on("b", k.Thing, 1).number())
show(lambda: on("b", lambda thing: thing.number(), k.Thing(1)))
show(lambda: on("a1", lambda: "other tasks go on"))
print("now there is Rust", flush=True)
client.wait_for_workers(4)
show(lambda: on("rusty", k.value))
show(lambda: on("b", k.value))
show(lambda: on("a2", lambda thing: thing.number(), k.Thing(1)))
status = rsimport.dask.status(client)
now = next(kernel["content"][:8] for kernel in status.kernels if kernel["name"] == "k" and kernel["current"])
print({row[-1].partition(" ")[0] for row in status.rows() if row[3] == now})
"""


def test_what_fits_nowhere_is_told_and_is_built_once_there_is_rust(client, cluster, kernel, only_compiled):
    path = kernel("k", value(1) + THING)
    cache = only_compiled(path)
    cluster.worker("rusty", "rusty", rust=True)
    out = client(MISFIT, RSIMPORT_CACHE_DIR=cache)
    for line in (out[0], out[2]):
        assert line.startswith("rsimport.RsimportError kernel k (")
        assert (
            "it needs glibc 99.1" in line
            and "this CPU lacks made-up" in line
            and "cargo was not found" in line
        )
    assert out[1] == "1", "the client itself has the class"
    assert out[3:-1] == ["other tasks go on", "now there is Rust", "1", "1", "1"]
    assert "'built'" in out[-1] and "'fetched," in out[-1]
    locks = [source.with_name("Cargo.lock") for source in cluster.rusty.glob("v1/arrived/*/k.rs")]
    assert any('name = "pyo3"' in lock.read_text() for lock in locks if lock.exists()), "the same versions"


BUILDERS = """
import pathlib, signal
import rsimport.dask._payload as payload
packed = payload.packed_of


def strange(artifact):
    made, apart = packed(artifact)
    return {**made, "needs": json.dumps({**json.loads(made["needs"]), "glibc": [99, 1]})}, apart


import k
payload.packed_of = strange
rsimport.dask.enable(client)
barrier = pathlib.Path(os.environ["BARRIER"])
(barrier / "go").unlink()
(barrier / "started").unlink()
builders = ["builder1", "builder2", "builder3"]
for builder in builders:
    on(builder, os.getpid)


def compiler(nth):
    while True:
        found = (barrier / "started").read_text().split() if (barrier / "started").exists() else []
        if len(found) >= nth:
            return int(found[nth - 1])
        time.sleep(0.01)


killed = client.submit(k.value, workers=builders, pure=False)
os.kill(compiler(1), signal.SIGKILL)
show(lambda: killed.result(60))
again = client.submit(k.value, workers=builders, pure=False)
second = compiler(2)
place = next(address for address, keys in client.processing().items() if again.key in keys)
os.kill(client.run(os.getpid, workers=[place])[place], signal.SIGKILL)
compiler(3)
# Whoever builds, and whoever waits for that on the same host, does so in the thread of a task.
waiting = client.map(lambda n: k.value() + n, range(8), workers=builders, pure=False)
left = {}
while len(left) != 2:
    left = client.scheduler_info(n_workers=-1)["workers"].items()
    left = [address for address, known in left if known["name"] in builders]
while sum(len(client.processing()[address]) > 0 for address in left) != 2:
    time.sleep(0.01)
print(*client.run(lambda: "answers", workers=left).values(), client.run_on_scheduler(lambda: "too"))
(barrier / "go").touch()
show(lambda: again.result(60))
show(lambda: client.gather(waiting))
print(second)
print(len((barrier / "started").read_text().split()))
"""


def test_one_worker_builds_for_its_host_outside_of_the_event_loop_and_if_it_is_killed_another_does(
    client, cluster, project, barrier, only_compiled
):
    # All that it is built from lies in its folder, and so is sent.
    path = project / "k"
    manifest = (
        package("k") + '[lib]\ncrate-type = ["cdylib"]\n[dependencies]\nbarrier = { path = "barrier" }\n'
    )
    write(path, {"Cargo.toml": manifest + dependency(Path("stub")) + "\n"})
    write(path, {"src/lib.rs": "// rsimport\n" + barrier.wait + module(1)})
    write(path / "barrier", BARRIER)
    write(path / "stub", CRATE)
    barrier.go()
    cache = only_compiled(path)
    for name in ("builder1", "builder2", "builder3"):
        cluster.worker(name, "builders", "--no-nanny", rust=True)
    told, answers, found, others, second, compilers = client(
        BUILDERS, RSIMPORT_CACHE_DIR=cache, BARRIER=str(barrier.folder)
    )
    assert "rsimport.RsimportError kernel k (" in told and "it cannot be built there" in told
    assert answers == "answers answers too", "no event loop waits for the compiler"
    assert (found, others) == ("1", str([1 + n for n in range(8)])), "another builds it"
    assert compilers == "3", "once for all workers of the host"
    assert gone([int(second)], 10), "the compiler ends with the worker that started it"
