"""Kernels on a Dask cluster whose scheduler and workers have no Rust, no source, and homes of their own."""

from __future__ import annotations

import ast
import asyncio
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import BARRIER, LIMIT, gone, package, value, write
from stub_pyo3 import CRATE, dependency, module
from test_workers import KERNEL

pytest.importorskip("distributed")

BEGIN = """
import json, os, sys, time
import rsimport.import_hook, rsimport, rsimport.dask
from distributed import Client
client = Client(scheduler_file=os.environ["SCHEDULER"], set_as_default=True)


def show(answer):
    try:
        answer = answer()
    except BaseException as error:
        answer = " ".join(f"{type(error).__module__}.{type(error).__qualname__} {error}".split())
    print(answer if isinstance(answer, str) else repr(answer), flush=True)


def on(worker, function, *args, **kwargs):
    while worker not in {known["name"] for known in client.scheduler_info(n_workers=-1)["workers"].values()}:
        time.sleep(0.1)
    return client.submit(function, *args, workers=[worker], pure=False, **kwargs).result(100)
"""


# What Dask measures of itself many times a second costs more than all that is tested here.
QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__MONITOR_INTERVAL": "5s",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
}


class Cluster:
    """A scheduler and its workers. What runs on one `host` shares a home and a cache, and no other does."""

    def __init__(self, folder: Path, rusty: Path) -> None:
        self.folder, self.rusty = folder, rusty
        self.file = folder / "scheduler.json"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._start("scheduler", "scheduler", "dask_scheduler", "--port", "0", rust=False)
        self._wait(lambda: self.file.exists())

    def worker(self, name: str, host: str, *more: str, rust: bool = False, **env: str) -> None:
        """Starts a worker."""
        self._start(name, host, "dask_worker", "--nthreads", "2", "--name", name, *more, rust=rust, **env)

    def _start(self, name: str, host: str, module: str, *arguments: str, rust: bool, **env: str) -> None:
        home = self.folder / host
        home.mkdir(exist_ok=True)
        hidden = ("RSIMPORT_", "CARGO", "RUST", "PYTEST")
        merged = {key: text for key, text in os.environ.items() if rust or not key.startswith(hidden)}
        if rust:
            tools = {"CARGO_HOME": ".cargo", "RUSTUP_HOME": ".rustup"}
            merged.update(
                {key: str(Path.home() / place) for key, place in tools.items() if key not in merged}
            )
            merged["RSIMPORT_CACHE_DIR"] = str(self.rusty)
        else:
            merged["PATH"] = os.path.dirname(sys.executable)
        merged.update(QUIET, HOME=str(home), XDG_CACHE_HOME=str(home / "caches"), **env)
        command = [sys.executable, "-m", f"distributed.cli.{module}", "--scheduler-file", str(self.file)]
        command += ["--no-dashboard"]
        with open(self.folder / f"{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(
                [*command, *arguments], cwd=home, env=merged, stdout=log, stderr=log
            )

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline and all(p.poll() is None for p in self.processes.values())
            time.sleep(0.05)

    def close(self) -> None:
        """Ends all of it. A worker sees that its nanny is gone."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[Cluster]:
    """Two workers on one host, and one with a nanny on another."""
    found = Cluster(tmp_path_factory.mktemp("cluster"), shared_cache)
    try:
        found.worker("a1", "a", "--no-nanny")
        found.worker("a2", "a", "--no-nanny")
        found.worker("b", "b")
        yield found
    finally:
        found.close()


@pytest.fixture
def client(cluster: Cluster, run, project: Path):
    """Runs a client's program to its end, and returns the lines that it has printed."""

    def run_client(program: str, **env: str) -> list[str]:
        write(project, {"client.py": BEGIN + textwrap.dedent(program)})
        return run(["client.py"], env={"SCHEDULER": str(cluster.file), **env}).out.splitlines()

    return run_client


@pytest.fixture
def only_compiled(shared_cache: Path, tmp_path: Path, run):
    """Has a kernel compiled, and gives a cache of nothing but that. Where it was compiled it is no more."""

    def compile_kernel(kernel: Path) -> str:
        # After a fast build the optimised one follows, and in that cache PyO3 would be compiled for it.
        code = f"import rsimport; print(rsimport.build_filepath({str(kernel)!r}, tier='optimized'))"
        of_key = Path(run(code, cwd=kernel.parent).out).parents[1]
        cache = tmp_path / "compiled"
        (cache / "v1/kernels").mkdir(parents=True)
        cache.chmod(0o700)
        shutil.move(of_key, cache / "v1/kernels")
        shutil.copy(shared_cache / "CACHEDIR.TAG", cache)
        return str(cache)

    return compile_kernel


EVERYTHING = """
from dask import delayed, bag
import dask.array
from distributed.protocol.pickle import dumps
import k


def by_name(n):
    import k
    return k.add(n)


def use(point):
    return point.twice()


client.wait_for_workers(3)
rsimport.dask.enable(client)
show(lambda: client.submit(k.add, 1).result(60))
show(lambda: sum(client.gather(client.map(k.add, range(100)))))
show(lambda: client.submit(lambda n: k.add(n) + k.Point(n).twice(), 1).result(60))
show(lambda: delayed(k.add)(delayed(k.add)(1)).compute())
show(lambda: bag.from_sequence(range(6), npartitions=3).map(k.add).map(k.Point).map(use).sum().compute())
show(lambda: int(dask.array.ones(4, chunks=2).map_blocks(lambda block: block * k.add(1)).sum().compute()))
show(lambda: client.submit(by_name, 5).result(60))
show(lambda: client.submit(k.Point(4).twice).result(60))
show(lambda: client.submit(use, k.Point(5)).result(60))
show(lambda: client.submit(use, client.submit(k.Point, 6)).result(60))
show(lambda: type(client.submit(k.Point, 6).result(60)) is k.Point)
show(lambda: client.submit(k.inner.double, 7).result(60))
show(lambda: client.submit(lambda: k.Colour.Green).result(60) == k.Colour.Green)
show(lambda: client.submit(k.fail, 6).result(60))
show(lambda: client.submit(k.panics, 7).result(60))
show(lambda: client.submit(lambda: k.Point(8).panics()).result(60))
show(lambda: client.submit(k.Point, 9, actor=True).result(60).twice().result(60))
show(lambda: sum(len(dumps(function)) for function in [k.add, k.Point] * 5000) <= 150 * 10000)
show(lambda: sum(client.run(lambda: k.add(1)).values()))
print(*(kernel["served"] for kernel in rsimport.dask.status(client).kernels if kernel["name"] == "k"))
status = rsimport.dask.status(client)
print({row[-1].partition(",")[0] for row in status.rows() if row[2] == "k"})
print("fetched" in repr(status) and "<td>k</td>" in status._repr_html_())
"""

ANSWERS = """
2
5050
4
3
42
8
6
8
10
12
True
14
True
k.Odd 6
rsimport.Panic no 7
rsimport.Panic no 8
18
True
6
2
"""


def test_whatever_is_of_a_kernel_is_used_where_there_is_neither_rust_nor_source(client, kernel):
    kernel("k", KERNEL)
    out = client(EVERYTHING)
    assert out[: ANSWERS.count("\n") - 1] == ANSWERS.split("\n")[1:-1]
    # Of two processes on one host one fetches, and the other finds it there.
    assert (
        out[-2] in ("{'fetched', 'was on the host'}", "{'was on the host', 'fetched'}") and out[-1] == "True"
    )


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
print({row[-1].partition(" ")[0] for row in rsimport.dask.status(client).rows() if row[2] == "k"})
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


THING = """
#[pyclass]
struct Thing { n: i64 }

#[pymethods]
impl Thing {
    #[new]
    fn new(n: i64) -> Self { Thing { n } }
    fn number(&self) -> i64 { self.n }
    fn __getnewargs__(&self) -> (i64,) { (self.n,) }
}
"""

EDITS = """
import pathlib, pickle
from dask.tokenize import tokenize
path = pathlib.Path("k.rs")
text = path.read_text()
import k
rsimport.dask.enable(client)
submitted, tokens, taken, tiers = [], {}, [], []
for number in (1, 2, 3, 2, 1):
    path.write_text(text.replace("    1\\n", f"    {number}\\n"))
    rsimport.reload(k)
    taken.append((number, k.value))
    tokens.setdefault(number, set()).add(tokenize(k.value))
    submitted += [(n, client.submit(function, pure=False)) for n, function in taken]
pathlib.Path("kept").write_bytes(pickle.dumps(k.value))
path.write_text(text.replace("    1\\n", "    7\\n"))
rsimport.reload(k)
before = pickle.loads(pathlib.Path("kept").read_bytes())
show(lambda: client.submit(before).result(60) + client.submit(k.value).result(60))


def by_name():
    import k
    return k.value()


show(lambda: client.submit(by_name).result(60))
# What was compiled fast here is sent when it is optimised, however late that is.
for where in (lambda function: function(), lambda function: on("b", function)):
    tiers.append(where(lambda: rsimport.info(__import__("k")).tier))
print(tiers)
path.write_text(text)
rsimport.reload(k)
show(lambda: client.submit(by_name, pure=False).result(60))
print(all(future.result(100) == number for number, future in submitted))
print([len(found) for found in tokens.values()], len(set.union(*tokens.values())))
"""


def test_a_task_runs_the_text_with_which_it_was_submitted(client, kernel):
    kernel("k", value(1))
    out = client(EDITS, RSIMPORT_REUSE_GLUE="false")
    assert out == ["8", "7", "['fast', 'optimized']", "1", "True", "[1, 1, 1] 3"]


UNDER_LOAD = """
import pathlib, threading
from functools import partial
from dask.tokenize import tokenize
path = pathlib.Path("k.rs")
text, edited = path.read_text(), os.path.abspath("edited")
import k
client.wait_for_workers(3)
rsimport.dask.enable(client)


def task(function, n):
    time.sleep(0.004)
    while n >= 200 and not os.path.exists(edited):
        time.sleep(0.004)
    return function()


def through_module(module, n):
    return module.value()


long = client.map(partial(task, k.value), range(300), pure=False)
submitted, over = [(1, long)], threading.Event()


def load():
    while not over.wait(0.05):
        function = k.value
        submitted.append((function(), client.map(partial(task, function), range(5), pure=False)))


loads = [threading.Thread(target=load) for _ in range(2)]
for thread in loads:
    thread.start()
keys, tokens, went_on = {}, {}, 0
for edit in range(20):
    number = (2, 3, 1, 3)[edit % 4]
    path.write_text(text.replace("    1\\n", f"    {number}\\n"))
    rsimport.reload(k)
    went_on += any(future.status == "pending" for future in long)
    pathlib.Path(edited).touch()
    future = client.submit(k.value)
    keys.setdefault(number, set()).add(future.key)
    tokens.setdefault(number, set()).add(tokenize(k.value, k))
    submitted += [(number, [future]), (number, client.map(partial(through_module, k), range(3), pure=False))]
over.set()
for thread in loads:
    thread.join()
print(went_on > 0, len(submitted) > 60)
print({(number, *set(client.gather(futures))) for number, futures in submitted})
for found in (keys, tokens):
    print(sorted(map(len, found.values())), len(set.union(*found.values())))
"""


def test_edits_under_load_give_no_result_of_another_text(client, kernel):
    kernel("k", value(1))
    went_on, results, *same = client(UNDER_LOAD)
    assert went_on == "True True"
    assert ast.literal_eval(results) == {(1, 1), (2, 2), (3, 3)}
    assert same == ["[1, 1, 1] 3"] * 2, "equal content, equal key"


COLLECTIONS = """
import operator
import dask.array, dask.bag, dask.dataframe, numpy, pandas
from rsimport.kernels import strings
from rsimport.kernels.count_min_sketch import CountMinSketch, HeavyHitters
import k

WORDS = ["kitten", "sitting", "kitten", "mitten", "kitchen", "kitten", "sitting"] * 3
client.wait_for_workers(3)
rsimport.dask.enable(client)
array = dask.array.arange(6, chunks=2)
gufunc = dask.array.apply_gufunc
show(lambda: gufunc(k.add, "()->()", array, vectorize=True, output_dtypes=int).compute().tolist())
words = dask.array.from_array(numpy.array(WORDS[:6], dtype=object), chunks=4)
two = dask.array.from_array(numpy.array(["kitten", "mitten"], dtype=object), chunks=2)
show(lambda: gufunc(strings.cdist, "(),(n)->(n)", words, two, output_dtypes=int).compute().tolist())
to_kitten = {"new_axis": 1, "chunks": ((4, 2), (1,)), "dtype": int}
show(lambda: words.map_blocks(strings.cdist, ["kitten"], **to_kitten).compute().ravel().tolist())


def with_distance(part):
    return part.assign(distance=strings.cdist(part["word"], ["kitten"])[:, 0])


frame = dask.dataframe.from_pandas(pandas.DataFrame({"word": WORDS}), npartitions=3)
meta = {"word": str, "distance": int}
show(lambda: frame.map_partitions(with_distance, meta=meta).compute()["distance"].tolist()[:7])
bag = dask.bag.from_sequence(WORDS, npartitions=3)
show(lambda: [row.tolist() for row in bag.map_partitions(strings.cdist, ["kitten"]).compute()[:3]])


def sketch(part, kind, *args):
    made = kind(*args)
    made.insert_many(list(part))
    return [made]


whole = sketch(WORDS, CountMinSketch, 64, 3)[0]
parts = bag.map_partitions(sketch, CountMinSketch, 64, 3)
show(lambda: parts.fold(operator.or_).compute().to_bytes() == whole.to_bytes())
made = [sketch(WORDS[n::4], CountMinSketch, 64, 3)[0] for n in range(4)]
sent = dask.bag.from_sequence(made, npartitions=4)
show(lambda: sent.map(CountMinSketch.count, "kitten").sum().compute())
show(lambda: sent.fold(operator.or_).compute().to_bytes() == whole.to_bytes())
show(lambda: rsimport.dask.count_min(bag, 64, 3).compute().to_bytes() == whole.to_bytes())
show(lambda: rsimport.dask.heavy_hitters(bag, 2).compute().top())
heavy = sketch(WORDS, HeavyHitters, 2)[0]
show(lambda: client.submit(heavy.top, 1).result(60))
made = client.submit(sketch, WORDS, HeavyHitters, 2).result(60)[0]
show(lambda: client.submit(HeavyHitters.count, made, "kitten").result(60))
"""

OF_COLLECTIONS = """
[1, 2, 3, 4, 5, 6]
[[0, 1], [3, 3], [0, 1], [1, 0], [2, 3], [0, 1]]
[0, 3, 0, 1, 2, 0]
[0, 3, 0, 1, 2, 0, 3]
[[0], [3], [0]]
True
9
True
True
[('kitten', 9), ('sitting', 6)]
[('kitten', 9)]
9
"""


def test_collections_of_every_kind_are_worked_on_with_kernels(client, kernel):
    for needed in ("pandas", "dask.array", "dask.dataframe"):
        pytest.importorskip(needed)
    kernel("k", KERNEL)
    assert client(COLLECTIONS) == OF_COLLECTIONS.split("\n")[1:-1]


LOST = """
import pathlib
path = pathlib.Path("k.rs")
text = path.read_text()
import k
client.wait_for_workers(3)
rsimport.dask.enable(client)


def task(function, thing, begun, go):
    if not os.path.exists(begun):
        open(begun, "w").close()
        while not os.path.exists(go):
            time.sleep(0.01)
        os._exit(1)
    return function(), thing.number()


begun, go = os.path.abspath("begun"), os.path.abspath("go")
first = {"workers": ["b"], "allow_other_workers": True}
retried = client.submit(task, k.value, k.Thing(5), begun, go, **first)
other = client.map(lambda n: k.value() + n, range(20), **first)
while not os.path.exists(begun) and not retried.done():
    time.sleep(0.01)
path.write_text(text.replace("    1\\n", "    2\\n").replace("self.n }", "self.n * 100 }"))
rsimport.reload(k)
later = client.submit(task, k.value, k.Thing(5), begun, go, pure=False, **first)
open(go, "w").close()
for future in (retried, later):
    show(lambda: future.result(60))
show(lambda: client.gather(other) == list(range(1, 21)))
client.wait_for_workers(3)
show(lambda: on("b", k.value))
"""


def test_what_is_run_again_after_a_worker_was_lost_runs_the_same_text(client, kernel):
    kernel("k", value(1) + THING)
    assert client(LOST) == ["(1, 5)", "(2, 500)", "True", "2"]


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
builders = ["builder1", "builder2"]
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
(barrier / "go").touch()
show(lambda: again.result(60))
print(second)
"""


def test_a_builder_that_is_killed_is_told_or_another_builds(client, cluster, project, barrier, only_compiled):
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
    for name in ("builder1", "builder2"):
        cluster.worker(name, "builders", "--no-nanny", rust=True)
    told, found, second = client(BUILDERS, RSIMPORT_CACHE_DIR=cache, BARRIER=str(barrier.folder))
    assert "rsimport.RsimportError kernel k (" in told and "it cannot be built there" in told
    assert found == "1", "another builds it"
    assert gone([int(second)], 10), "the compiler ends with the worker that started it"


IN_PROCESS = """
import rsimport.import_hook, rsimport.dask, k
from distributed import Client

if __name__ == "__main__":
    with Client(processes=False, dashboard_address=":0") as client:
        rsimport.dask.enable(client)
        print(client.submit(k.add, 1).result(60), client.submit(lambda: k.Point(2).twice()).result(60))
        try:
            client.submit(lambda: k.Point(3).panics()).result(60)
        except rsimport.Panic as error:
            print(error)
"""


def test_workers_in_the_process_of_the_client_have_what_it_has(run, kernel, project):
    kernel("k", KERNEL)
    write(project, {"script.py": IN_PROCESS})
    assert run(["script.py"]).out.splitlines() == ["2 4", "no 3"]


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


def test_the_package_costs_nothing_until_it_is_used(run):
    program = "import sys, rsimport.dask as d; print('enable' in dir(d), 'dask' in sys.modules)"
    assert run(program).out == "True False"
