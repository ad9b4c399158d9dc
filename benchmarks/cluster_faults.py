"""How soon kernels are on a cluster, and how soon whoever waits for one hears that something went wrong.

    python benchmarks/cluster_faults.py [--json FILE]

Scheduler and workers are processes of their own, each host of them with a home and a cache of its own, and
without Rust but for one. What is measured: seconds from `enable` to the first result of each of eight cold
workers that can fetch; seconds until the error where nothing fits and nothing can be built; how long an event
loop says nothing while its host builds; seconds until an exception where a kernel panics, is missing or
damaged, its compiler is killed, or the worker is lost, for all that runs kernels in other processes; and the
bytes of a pickled function. What is compiled is compiled into a new cache. It takes two minutes on a machine
with nothing else to do; nothing is asserted, and a bar that is missed is reported as such.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import multiprocessing
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import distributed
import psutil
from distributed import Client
from distributed.protocol.pickle import dumps
from joblib import Parallel, delayed

import rsimport
import rsimport.dask
import rsimport.dask._payload as payload

Ask = Callable[[Callable[[], object]], object]
"""Has another process call something."""

Row = tuple[str, float, str, float]
"""What was measured, the figure, its unit, and what it should be at most."""

SOON = 10.0
"""Seconds within which whoever waits should hear of a fault."""

KERNEL = """// rsimport
#[pyfunction]
fn value() -> i64 { 1 }

#[pyfunction]
fn panics() { panic!("no") }
// NAME
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure how soon kernels, and news of faults, are there.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    given = parser.parse_args(arguments)
    file = given.json and given.json.absolute()
    rows = []
    with tempfile.TemporaryDirectory(prefix="cluster-", ignore_cleanup_errors=True) as folder:
        own = {"RSIMPORT_CACHE_DIR": f"{folder}/own", "PYTHONPATH": folder}
        os.environ.update(own, RSIMPORT_TIER="optimized", RSIMPORT_PROGRESS="0")
        os.chdir(folder)
        sys.path.insert(0, folder)
        rsimport.install()
        for what, figure, unit, bar in measured(Path(folder)):
            met = "yes" if figure <= bar else "no"
            rows.append({"what": what, "figure": figure, "unit": unit, "bar": bar, "met": met})
            print(f"{what:58} {figure:8.3g} {unit:6} at most {bar:g}: {met}", flush=True)
        os.chdir("/")
    if file:
        version = f"Python {platform.python_version()}, distributed {distributed.__version__}"
        report = {"machine": f"{platform.machine()}, {os.cpu_count()} processors", "versions": version}
        file.write_text(json.dumps({**report, "figures": rows}, indent=2) + "\n", encoding="utf-8")


def measured(folder: Path) -> Iterator[Row]:
    """All figures, one after the other."""
    first = kernel("first")
    with Cluster(folder) as cluster:
        for host in "ab":
            for number in range(4):
                cluster.worker(f"{host}{number}", host)
        yield from cold(cluster, first)
        yield from no_fit(cluster)
        yield from under_dask(cluster)
        yield from building(cluster)
    bytes_of_all = sum(len(dumps(first.value)) for _ in range(10_000))
    yield "bytes of a pickled function, of 10,000", bytes_of_all / 10_000, "bytes", 150
    yield from in_pools()


def cold(cluster: Cluster, module: ModuleType) -> Iterator[Row]:
    """Workers that have loaded nothing of rsimport yet."""
    client, names = cluster.client, [f"{host}{number}" for host in "ab" for number in range(4)]
    client.wait_for_workers(len(names))
    began = time.perf_counter()
    rsimport.dask.enable(client)
    futures = [client.submit(module.value, workers=[name], pure=False) for name in names]
    times: list[float] = []
    for future in futures:
        future.add_done_callback(lambda _: times.append(time.perf_counter() - began))
    client.gather(futures)
    while len(times) < len(futures):
        time.sleep(0.001)
    yield "from enable to the last first result of eight cold workers", max(times), "s", 2
    served = max(known["served"] for known in rsimport.dask.status(client).kernels)
    yield "fetches for each of their two hosts", served / 2, "", 1


def no_fit(cluster: Cluster) -> Iterator[Row]:
    """What is sent needs a glibc that there is not, and nobody has Rust."""
    with no_artifact_fits():
        strange = kernel("strange")
    seconds = heard(cluster.on("a0"), strange.value, "ImportError")
    yield "until the error where nothing fits and there is no Rust", seconds, "s", 5


def under_dask(cluster: Cluster) -> Iterator[Row]:
    """Faults of kernels on workers of the cluster."""
    ask, client = cluster.on("a0"), cluster.client
    yield fault("panic", "Dask", ask, kernel("panicking").panics)
    packed = payload.packed_of
    payload.packed_of = lambda artifact: ({**packed(artifact)[0], "digest": "0" * 64}, [])
    damaged = kernel("damaged")
    yield fault("damaged artifact", "Dask", ask, damaged.value)
    payload.packed_of = packed
    rsimport.dask.disable(client)
    yield fault("missing kernel", "Dask", ask, kernel("unsent").value)
    rsimport.dask.enable(client)
    cluster.worker("lost", "a")
    client.wait_for_workers(workers_of(client) + 1)
    yield fault("lost worker", "Dask", cluster.on("lost"), functools.partial(os._exit, 1))


def building(cluster: Cluster) -> Iterator[Row]:
    """A host that has Rust builds what fits nowhere, all of PyO3 with it."""
    client = cluster.client
    process = cluster.worker("rusty", "rusty", rust=True)
    client.wait_for_workers(workers_of(client) + 1)
    ask = cluster.on("rusty")
    with no_artifact_fits():
        module = kernel("built")
    with compiler_killed(process.pid):
        yield fault("killed compiler", "Dask", ask, module.value)
    client.run(listen, on_error="raise")
    client.run_on_scheduler(listen)
    assert ask(module.value) == 1
    longest = max(*client.run(silence).values(), client.run_on_scheduler(silence))
    yield "longest silence of an event loop while a host builds", longest, "s", 1


def in_pools() -> Iterator[Row]:
    """Faults of kernels in worker processes of this machine."""
    fine, slow = kernel("fine"), kernel("slow")
    gone = {name: kernel(name) for name in ("absent", "torn")}
    paths = {name: Path(rsimport.info(module).path) for name, module in {**gone, "slow": slow}.items()}
    for name in ("absent", "torn"):
        Path(f"{name}.rs").unlink()
    shutil.rmtree(paths["absent"].parents[1])
    torn = paths["torn"].read_bytes()[:-1000] + b"x" * 1000
    for name, started in pools():
        with started as ask:
            ask(os.getpid)
            yield fault("panic", name, ask, fine.panics)
            if "fork" in name:
                continue  # A fork has what its parent has loaded.
            yield fault("missing kernel", name, ask, gone["absent"].value)
            paths["torn"].parent.mkdir(parents=True, exist_ok=True)
            (paths["torn"].with_name("new")).write_bytes(torn)
            os.replace(paths["torn"].with_name("new"), paths["torn"])
            yield fault("damaged artifact", name, ask, gone["torn"].value)
            shutil.rmtree(paths["slow"].parents[1], ignore_errors=True)
            with compiler_killed(os.getpid()):
                yield fault("killed compiler", name, ask, slow.value)
            if "Pool" not in name:  # That of multiprocessing never says so, whatever it ran.
                yield fault("lost worker", name, ask, functools.partial(os._exit, 1))


def pools() -> Iterator[tuple[str, Any]]:
    """Everything that has worker processes, and how it is asked."""

    @contextmanager
    def pool(way: str) -> Iterator[Ask]:
        with multiprocessing.get_context(way).Pool(1) as made:
            yield lambda function: made.apply_async(function).get(100)

    @contextmanager
    def futures(way: str) -> Iterator[Ask]:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(way)) as made:
            yield lambda function: made.submit(function).result(100)

    @contextmanager
    def by_joblib() -> Iterator[Ask]:
        yield lambda function: Parallel(2)([delayed(function)()])[0]

    yield "joblib", by_joblib()
    for way in ("spawn", "fork"):
        yield f"Pool of multiprocessing, {way}", pool(way)
        yield f"futures, {way}", futures(way)


def fault(what: str, by: str, ask: Ask, function: Callable[[], object]) -> Row:
    """How long whoever waits for it waits for an exception."""
    wanted = {"panic": "rsimport.Panic", "lost worker": "Exception"}.get(what, "rsimport.RsimportError")
    return f"{what}, {by}", heard(ask, function, wanted), "s", SOON


def heard(ask: Ask, function: Callable[[], object], wanted: str) -> float:
    """Seconds until an exception, which has to be of this kind: another one would be no answer."""
    began = time.perf_counter()
    try:
        answer = ask(function)
    except Exception as error:
        seconds = time.perf_counter() - began
        kinds = [f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__]
        assert any(kind in (wanted, f"builtins.{wanted}") for kind in kinds), error
        return seconds
    raise AssertionError(f"{function} returned {answer}")


class Cluster:
    """A scheduler and workers. What runs on one host has a home and a cache together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        self._start("scheduler", "scheduler", "--port", "0")
        while not (self.folder / "scheduler.json").exists():
            time.sleep(0.02)
        self.client = Client(scheduler_file=str(self.folder / "scheduler.json"))
        return self

    def __exit__(self, *_exception: object) -> None:
        self.client.close()
        for process in self.processes:
            process.kill()
            process.wait()

    def worker(self, name: str, host: str, *, rust: bool = False) -> subprocess.Popen[bytes]:
        """Starts a worker."""
        return self._start("worker", host, "--nthreads", "1", "--no-nanny", "--name", name, rust=rust)

    def on(self, worker: str) -> Ask:
        """Has one of the workers call something."""
        return lambda function: self.client.submit(function, workers=[worker], pure=False).result()

    def _start(self, what: str, host: str, *more: str, rust: bool = False) -> subprocess.Popen[bytes]:
        home = self.folder / f"host-{host}"
        home.mkdir(exist_ok=True)
        hidden = ("RSIMPORT_",) if rust else ("RSIMPORT_", "CARGO", "RUST")
        env = {key: text for key, text in os.environ.items() if not key.startswith((*hidden, "PYTHONPATH"))}
        tools = {"CARGO_HOME": ".cargo", "RUSTUP_HOME": ".rustup"} if rust else {}
        env |= {key: str(Path.home() / at) for key, at in tools.items() if key not in env}
        env |= {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
        # What ends a worker would end three more.
        env["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "0"
        env |= {} if rust else {"PATH": os.path.dirname(sys.executable)}
        module = f"distributed.cli.dask_{what}"
        file = ("--scheduler-file", str(self.folder / "scheduler.json"), "--no-dashboard")
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", module, *file, *more]
            started = subprocess.Popen(command, cwd=home, env=env, stdout=log, stderr=log)
        self.processes.append(started)
        return started


def kernel(name: str) -> ModuleType:
    """A new kernel, compiled and loaded."""
    Path(f"{name}.rs").write_text(KERNEL.replace("NAME", name))
    return import_module(name)


@contextmanager
def no_artifact_fits() -> Iterator[None]:
    """Kernels that are sent now need a glibc that no machine has."""
    packed = payload.packed_of

    def strange(artifact: Any) -> tuple[dict[str, Any], list[str]]:
        made, apart = packed(artifact)
        return {**made, "needs": json.dumps({**json.loads(made["needs"]), "glibc": [99, 1]})}, apart

    payload.packed_of = strange
    yield
    payload.packed_of = packed


@contextmanager
def compiler_killed(parent: int) -> Iterator[None]:
    """Kills the first compiler that a process, or one that it has started, starts."""

    def kill() -> None:
        while not over.wait(0.002):
            for process in psutil.Process(parent).children(recursive=True):
                with suppress(psutil.Error):
                    if process.name() == "rustc" and "--crate-name" in process.cmdline():
                        process.send_signal(signal.SIGKILL)
                        return

    over = threading.Event()
    thread = threading.Thread(target=kill)
    thread.start()
    yield
    over.set()
    thread.join()


def workers_of(client: Client) -> int:
    return len(client.scheduler_info(n_workers=-1)["workers"])


async def listen() -> None:
    """From now on this process notes how long its event loop did nothing."""
    found = distributed.silence = [0.0]  # type: ignore[attr-defined]

    async def beat() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            found[0] = max(found[0], time.perf_counter() - began - 0.01)

    distributed.beating = asyncio.ensure_future(beat())  # type: ignore[attr-defined]


def silence() -> float:
    """The longest time for which the event loop of this process did nothing."""
    return distributed.silence[0]  # type: ignore[attr-defined, no-any-return]


if __name__ == "__main__":
    main()
