"""A Dask cluster whose scheduler and workers have no Rust, no source, and homes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from helpers import LIMIT, alive, gone, needs, write

needs("distributed")

FORKER = """
import json, os, runpy, signal, sys
import dask.bag, distributed.cli.dask_scheduler, distributed.cli.dask_worker

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    what, *arguments, cwd, env, log = json.loads(line)
    process = os.fork()
    if process:
        print(process, flush=True)
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(1, 2)
    sys.argv = [what, *arguments]
    if what.endswith(".py"):
        os.dup2(os.open(log + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        runpy.run_path(what, run_name="__main__")
        print("the end", flush=True)
    else:
        getattr(distributed.cli, what).main()
    break
"""
"""Starts schedulers, workers and clients. Importing Dask costs more than what they do: it is done once."""

QUIET = {
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
    "DASK_DISTRIBUTED__WORKER__MEMORY__MONITOR_INTERVAL": "10s",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": f"{LIMIT:.0f}s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": f"{LIMIT:.0f}s",
}
"""What processes do of themselves while they wait for a test: little. On a busy machine they are patient."""

BEGIN = """
import json, os, sys, time
import rsimport.import_hook, rsimport, rsimport.dask
from distributed import Client, Security
security = Security(**json.loads(os.environ["SECURITY"])) if "SECURITY" in os.environ else None
client = Client(scheduler_file=os.environ["SCHEDULER"], security=security, set_as_default=True)


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


class Forker:
    """A Python that has imported Dask, and starts others from there."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **QUIET},
        )

    def start(self, what: str, *arguments: str, cwd: Path, env: dict[str, str], log: Path) -> int:
        """Starts a process, whose output a file gets."""
        assert self.process.stdin is not None and self.process.stdout is not None
        asked = json.dumps([what, *arguments, str(cwd), env, str(log)])
        print(asked, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


class Cluster:
    """A scheduler and its workers. What runs on one `host` shares a home and a cache, and no other does."""

    def __init__(self, folder: Path, rusty: Path, forker: Forker) -> None:
        self.folder, self.rusty, self.forker = folder, rusty, forker
        self.file = folder / "scheduler.json"
        self.processes: dict[str, int] = {}

    def scheduler(self, *more: str, name: str = "scheduler") -> None:
        """Starts the scheduler, and waits until it can be reached."""
        self.file.unlink(missing_ok=True)
        self._serve(name, name, "dask_scheduler", "--port", "0", *more, rust=False)
        deadline = time.monotonic() + LIMIT
        while not (self.file.exists() and self.file.read_text().endswith("}")):
            assert time.monotonic() < deadline and alive(self.processes[name]), self.log(name)
            time.sleep(0.02)

    def worker(self, name: str, host: str, *more: str, rust: bool = False, **env: str) -> None:
        """Starts a worker."""
        self._serve(name, host, "dask_worker", "--nthreads", "2", "--name", name, *more, rust=rust, **env)

    def _serve(self, name: str, host: str, what: str, *arguments: str, rust: bool, **env: str) -> None:
        home = self.folder / host
        home.mkdir(exist_ok=True)
        hidden = ("RSIMPORT_", "CARGO", "RUST", "PYTEST")
        merged = {key: text for key, text in os.environ.items() if rust or not key.startswith(hidden)}
        if rust:
            tools = {"CARGO_HOME": ".cargo", "RUSTUP_HOME": ".rustup"}
            places = {key: str(Path.home() / place) for key, place in tools.items() if key not in merged}
            merged |= {**places, "RSIMPORT_CACHE_DIR": str(self.rusty)}
        else:
            merged["PATH"] = os.path.dirname(sys.executable)
        merged |= {**QUIET, "HOME": str(home), "XDG_CACHE_HOME": str(home / "caches"), **env}
        given = ("--scheduler-file", str(self.file), "--no-dashboard", *arguments)
        self.processes[name] = self.forker.start(what, *given, cwd=home, env=merged, log=self._log(name))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def log(self, name: str) -> str:
        """What a process has said."""
        return self._log(name).read_text(errors="replace")

    def end(self, *names: str) -> None:
        """Ends some of it."""
        ended = [self.processes.pop(name) for name in names]
        for process in ended:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        gone(ended)

    def close(self) -> None:
        """Ends all of it. A worker sees that its nanny is gone."""
        self.end(*self.processes)


@pytest.fixture(scope="package")
def forker() -> Iterator[Forker]:
    """Ended when the tests of this folder are."""
    found = Forker()
    yield found
    found.process.communicate()


@pytest.fixture(scope="package")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, shared_cache: Path, forker: Forker
) -> Iterator[Cluster]:
    """Two workers on one host, and one with a nanny on another."""
    found = Cluster(tmp_path_factory.mktemp("cluster"), shared_cache, forker)
    try:
        found.scheduler()
        found.worker("a1", "a", "--no-nanny")
        found.worker("a2", "a", "--no-nanny")
        found.worker("b", "b")
        yield found
    finally:
        found.close()


@pytest.fixture
def client(cluster: Cluster, project: Path) -> Iterator[Callable[..., list[str]]]:
    """Runs a client's program to its end, and returns the lines that it has printed.

    `meanwhile` is called when it has begun. What it compiles is optimised, unless a test says otherwise.
    Workers that a test has started end with it.
    """
    started: list[int] = []
    usual = set(cluster.processes)

    def run_client(
        program: str,
        *,
        folder: Path = project,
        of: Cluster = cluster,
        meanwhile: Callable[[], object] = lambda: None,
        **env: str,
    ) -> list[str]:
        write(folder, {"client.py": BEGIN + textwrap.dedent(program)})
        log = folder.with_name(f"{folder.name}.log")
        merged = {**os.environ, "SCHEDULER": str(of.file), "RSIMPORT_TIER": "optimized", **env}
        process = of.forker.start("client.py", cwd=folder, env=merged, log=log)
        started.append(process)
        meanwhile()
        assert gone([process]), "a client hangs"
        *lines, end = log.read_text().splitlines() or [""]
        assert end == "the end", log.read_text() + Path(f"{log}.err").read_text()
        return lines

    yield run_client
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
    cluster.end(*cluster.processes.keys() - usual)


@pytest.fixture
def only_compiled(shared_cache: Path, tmp_path: Path, run) -> Callable[[Path], str]:
    """Has a kernel compiled, and gives a cache of nothing but that. Where it was compiled it is no more."""

    def compile_kernel(kernel: Path) -> str:
        # After a fast build the optimised one follows, and in that cache PyO3 would be compiled for it.
        code = f"import rsimport; print(rsimport.build_filepath({str(kernel)!r}, tier='optimized'))"
        of_key = Path(run(code, cwd=kernel.parent, env={"RSIMPORT_TIER": "optimized"}).out).parents[1]
        cache = tmp_path / "compiled"
        (cache / "v1/kernels").mkdir(parents=True)
        cache.chmod(0o700)
        shutil.move(of_key, cache / "v1/kernels")
        shutil.copy(shared_cache / "CACHEDIR.TAG", cache)
        return str(cache)

    return compile_kernel
