"""Several processes and threads at once: one builds, the others wait and load its result."""

from __future__ import annotations

import os

import pytest
from helpers import ALONE, LIMIT, rlibs, value, wait_for, write

READY = """
import os, rsimport, rsimport.import_hook
open(f"ready-{os.getpid()}", "w").write("x")
import k
print(k.value(), rsimport.info(k).built)
"""


@pytest.mark.parametrize("count", [3, 50])
def test_processes_that_import_the_same_cold_kernel_build_it_once(barrier, kernel, start, project, count):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    processes = [start(READY) for _ in range(count)]
    for process in processes:
        wait_for(project / f"ready-{process.pid}")
    barrier.reached()
    barrier.go()
    ends = [process.communicate(timeout=300) for process in processes]
    seen = [stdout.strip() for stdout, _ in ends]
    assert sorted(seen) == ["1 False"] * (count - 1) + ["1 True"], [stderr for _, stderr in ends if stderr]
    assert len(barrier.compilers()) == 1


def test_processes_on_an_empty_cache_compile_the_dependencies_once(stub_kernel, start, empty_cache):
    for name in ("a", "b", "c"):
        stub_kernel(ord(name), name=name)
    program = "import rsimport, rsimport.import_hook, {0} as k; print(k.value(), rsimport.info(k).built)"
    processes = [start(program.format(name)) for name in ("a", "b", "c")]
    ends = [process.communicate(timeout=300) for process in processes]
    assert [stdout.strip() for stdout, _ in ends] == ["97 True", "98 True", "99 True"], ends
    assert len(list(empty_cache.rglob("libstub_pyo3-*.so"))) == 1


def test_processes_with_different_kernels_all_get_their_own(kernel, start):
    names = [f"k{number}" for number in range(8)]
    for number, name in enumerate(names):
        kernel(name, value(number))
    processes = [start(f"import rsimport.import_hook, {name}; print({name}.value())") for name in names]
    ends = [process.communicate(timeout=300) for process in processes]
    assert [stdout.strip() for stdout, _ in ends] == [str(number) for number in range(8)], ends


def test_a_cached_kernel_waits_for_nobody(barrier, kernel, start, look):
    kernel("warm", value(1))
    look("warm")
    kernel("slow", barrier.wait + value(2), block=barrier.block)
    builder = start("import rsimport.import_hook, slow; print(slow.value())")
    barrier.reached()
    assert look("warm", timeout=LIMIT)[:2] == (1, False)
    assert builder.poll() is None
    barrier.go()
    assert builder.communicate(timeout=LIMIT)[0].strip() == "2"


def test_an_edited_kernel_does_not_wait_for_the_build_of_another(barrier, kernel, start, look):
    kernel("quick", value(1))
    look("quick")
    kernel("slow", barrier.wait + value(2), block=barrier.block)
    builder = start("import rsimport.import_hook, slow; print(slow.value())")
    barrier.reached()
    kernel("quick", value(3))
    assert look("quick", timeout=LIMIT)[:2] == (3, True)
    assert builder.poll() is None
    barrier.go()
    assert builder.communicate(timeout=LIMIT)[0].strip() == "2"


def test_a_wait_that_takes_too_long_names_the_setting(barrier, kernel, start, run):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    builder = start("import rsimport.import_hook, k; print(k.value())")
    barrier.reached()
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
        except rsimport.RsimportError as error:
            print(error)
    """
    said = run(program, env={"RSIMPORT_LOCK_TIMEOUT": "0.3"}, timeout=LIMIT).out
    assert "lock_timeout" in said and "k.rs" in said
    barrier.go()
    assert builder.communicate(timeout=LIMIT)[0].strip() == "1"


def test_threads_that_import_the_same_cold_kernel_build_it_once(barrier, kernel, run):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    barrier.go()
    program = """
        import threading, rsimport.import_hook
        seen, gate = [], threading.Barrier(16)
        def work():
            gate.wait()
            import k
            seen.append((k.value(), id(k)))
        threads = [threading.Thread(target=work) for _ in range(16)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(len(seen), *set(value for value, _ in seen), len(set(seen)))
    """
    assert run(program).out == "16 1 1"
    assert len(barrier.compilers()) == 1


def test_threads_that_load_by_path_build_once(barrier, kernel, run):
    """No lock of Python's import machinery stands between these."""
    kernel("k", barrier.wait + value(1), block=barrier.block)
    barrier.go()
    program = """
        import threading, rsimport
        seen, gate = [], threading.Barrier(8)
        def work():
            gate.wait()
            seen.append(rsimport.build_filepath("k.rs"))
        threads = [threading.Thread(target=work) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(len(seen), len(set(seen)))
    """
    assert run(program).out == "8 1"
    assert len(barrier.compilers()) == 1


def test_threads_with_different_kernels_all_get_their_own(kernel, run, own_cache):
    """And they agree about the interpreter, though `sysconfig` shows threads a table that is half filled."""
    before = rlibs(own_cache, "pyo3")
    for number in range(6):
        kernel(f"k{number}", value(number))
    program = """
        import importlib, threading, rsimport.import_hook
        seen = {}
        def work(number):
            seen[number] = importlib.import_module(f"k{number}").value()
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(seen == {number: number for number in range(6)})
    """
    assert run(program).out == "True"
    assert rlibs(own_cache, "pyo3") == before


def test_variables_may_be_set_while_a_kernel_is_built(kernel, run):
    """A build reads them without the interpreter's lock, and the C library moves them when they are set."""
    for number in range(4):
        kernel(f"k{number}", value(number))
    program = """
        import os, threading, rsimport.import_hook
        done = threading.Event()
        def change():
            number = 0
            while not done.is_set():
                number += 1
                os.environ[f"VARIABLE_{number % 3000}"] = str(number) * 20
        threading.Thread(target=change).start()
        try:
            import k0, k1, k2, k3
        finally:
            done.set()
        print([k.value() for k in (k0, k1, k2, k3)])
    """
    assert run(program).out == "[0, 1, 2, 3]"


def test_other_threads_run_while_a_kernel_is_built(barrier, kernel, run):
    """The build waits for a file that this very process writes from another thread."""
    kernel("k", barrier.wait + value(1), block=barrier.block)
    program = f"""
        import pathlib, threading, time, rsimport.import_hook
        def work():
            while not pathlib.Path({str(barrier.started)!r}).exists():
                time.sleep(0.005)
            pathlib.Path({str(barrier.folder / "go")!r}).write_text("x")
        threading.Thread(target=work).start()
        import k
        print(k.value())
    """
    assert run(program, timeout=LIMIT).out == "1"


POOL = """
import multiprocessing, os, sys
import rsimport.import_hook
EARLY

def work(number):
    import k
    return k.value() + number

def main():
    with multiprocessing.get_context(sys.argv[1]).Pool(3) as pool:
        print(sum(pool.map(work, range(6))), LATE)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("early", [False, True], ids=["cold in the children", "loaded by the parent"])
def test_a_process_pool(kernel, run, project, method, early):
    kernel("k", value(10) + "#[pyfunction]\nfn double(x: i64) -> i64 {\n    2 * x\n}\n")
    late = "sum(pool.map(k.double, range(6)))" if early else "''"
    write(project, {"script.py": POOL.replace("EARLY", "import k" if early else "").replace("LATE", late)})
    assert run(["script.py", method]).out == ("75 30" if early else "75")


def test_a_child_of_fork_builds_and_the_parent_still_can(kernel, run):
    kernel("k", value(1))
    kernel("j", value(2))
    program = """
        import os, rsimport.import_hook, k
        child = os.fork()
        if child == 0:
            import j
            os._exit(0 if (k.value(), j.value()) == (1, 2) else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        import j
        print(code, j.value())
    """
    assert run(program).out == "0 2"


def test_under_pytest_xdist(kernel, run, project, own_cache):
    pytest.importorskip("xdist")
    before = rlibs(own_cache, "pyo3")
    kernel("k", value(1))
    tests = "import pytest, k\n\n@pytest.mark.parametrize('n', range(12))\n"
    tests += "def test_value(n):\n    assert k.value() == 1\n"
    write(
        project,
        {"conftest.py": "import rsimport.import_hook\n", "test_inner.py": tests, "pytest.ini": "[pytest]\n"},
    )
    inner = {name: None for name in os.environ if name.startswith("PYTEST_")} | ALONE
    seen = run(["-m", "pytest", "-q", "-p", "xdist", "-n", "3", "-p", "no:cacheprovider"], env=inner)
    assert "12 passed" in seen.out
    assert rlibs(own_cache, "pyo3") == before


def test_a_subinterpreter_works_or_gets_a_clear_import_error(kernel, run):
    kernel("k", value(1))
    program = """
        import sys
        try:
            import _interpreters as interpreters
        except ImportError:
            try:
                import _xxsubinterpreters as interpreters
            except ImportError:
                import _xxinterpreters as interpreters
        import rsimport.import_hook, k
        code = '''
        import sys
        sys.path.insert(0, "")
        try:
            import rsimport.import_hook, k
            said = str(k.value())
        except ImportError as error:
            said = "ImportError " + str(error)
        open("said", "w").write(said)
        '''
        import textwrap
        interpreter = interpreters.create()
        outcome = interpreters.run_string(interpreter, textwrap.dedent(code))
        print(outcome, "|", open("said").read(), "|", k.value())
    """
    outcome, said, after = run(program).out.split(" | ")
    assert outcome == "None" and after == "1"
    assert said == "1" or (said.startswith("ImportError") and "interpreter" in said)
