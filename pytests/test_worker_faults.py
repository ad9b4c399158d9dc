"""A worker process that cannot have a kernel says so to whoever asked, and goes on with its work."""

from __future__ import annotations

import pytest
from helpers import write

PROGRAM = """
import concurrent.futures as futures, multiprocessing, os, pathlib, shutil, signal, sys, threading, time

barrier = pathlib.Path(sys.argv[1])


def show(name, answer):
    try:
        print(name, answer())
    except BaseException as error:
        print(name, " ".join(f"{type(error).__module__}.{type(error).__name__} {error}".split()))


def kill(compilers):
    while len((barrier / "started").read_text().split()) == compilers:
        time.sleep(0.01)
    os.kill(int((barrier / "started").read_text().split()[-1]), signal.SIGKILL)


def all_of(ask):
    before = ask(os.getpid)
    show("panic", lambda: ask(fine.panics))
    show("missing", lambda: ask(gone.value))
    show("damaged", lambda: ask(bad.value))
    killer = threading.Thread(target=kill, args=[len((barrier / "started").read_text().split())])
    killer.start()
    show("killed", lambda: ask(slow.value))
    killer.join()
    show("goes on", lambda: (ask(fine.value), ask is by_joblib or ask(os.getpid) == before))


def by_joblib(function):
    from joblib import Parallel, delayed
    return Parallel(2)([delayed(function)()])[0]


if __name__ == "__main__":
    import rsimport.import_hook, rsimport, bad, fine, gone, slow
    entries = {module: pathlib.Path(rsimport.info(module).path) for module in (bad, gone, slow)}
    for module in (gone, slow):
        shutil.rmtree(entries[module].parents[1])
    pathlib.Path("damaged").write_bytes(entries[bad].read_bytes()[:-1000] + b"x" * 1000)
    os.replace("damaged", entries[bad])
    for module in (bad, gone):
        os.unlink(f"{module.__name__}.rs")
    (barrier / "go").unlink()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        all_of(lambda function: pool.apply_async(function).get(100))
    with futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        all_of(lambda function: pool.submit(function).result(100))
    all_of(by_joblib)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        show("fork", lambda: pool.apply_async(fine.panics).get(100))
    with futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        show("fork", lambda: pool.submit(fine.panics).result(100))
        show("fork", lambda: pool.submit(fine.value).result(100))
"""

FINE = """
#[pyfunction]
fn value() -> i64 { 1 }

#[pyfunction]
fn panics() { panic!("no") }
"""


def test_what_a_worker_cannot_have_is_told_and_no_worker_is_lost(
    own_cache, kernel, stub_kernel, run, project, barrier
):
    pytest.importorskip("joblib")
    kernel("fine", FINE)
    stub_kernel(1, name="gone")
    stub_kernel(2, name="bad")
    kernel("slow", "#[pyfunction]\nfn value() -> i64 { 3 }\n" + barrier.wait, block=barrier.block)
    write(project, {"script.py": PROGRAM})
    barrier.go()
    out = run(["script.py", str(barrier.folder)]).out.splitlines()
    assert out[15:] == ["fork rsimport.Panic no"] * 2 + ["fork 1"]
    for panic, missing, damaged, killed, goes_on in (out[at : at + 5] for at in (0, 5, 10)):
        assert panic == "panic rsimport.Panic no"
        assert missing.startswith("missing rsimport.RsimportError kernel gone (")
        assert "its source is not found" in missing
        assert damaged.startswith("damaged rsimport.RsimportError kernel bad (")
        assert killed.startswith("killed rsimport.") and "slow" in killed
        assert goes_on == "goes on (1, True)"
