"""A build that ends early, by Ctrl-C or SIGKILL: the next import works, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest
from helpers import LIMIT, gone, strace, value, wait_for

IMPORT = "import rsimport.import_hook, k; print(k.value())"


@pytest.fixture(params=["the kernel", "a dependency"])
def held(request, kernel, barrier):
    """A kernel `k` whose build is held in one of its two stages."""
    if request.param == "the kernel":
        kernel("k", barrier.wait + value(1), block=barrier.block)
    else:
        kernel("k", value(1), block=request.getfixturevalue("slow_dependency"))
    return barrier


@pytest.mark.parametrize("whole_group", [False, True], ids=["python alone", "the whole group"])
def test_ctrl_c_raises_at_once_and_stops_cargo(held, start, look, whole_group):
    """A terminal sends the signal to the whole group, a notebook to Python alone."""
    process = start(IMPORT)
    held.reached()
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=LIMIT)
    assert "KeyboardInterrupt" in stderr and process.returncode in (-signal.SIGINT, 130)
    assert gone(held.compilers())
    held.go()
    assert look()[:2] == (1, True)


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_command_that_is_ended_says_so_and_leaves_nothing_behind(held, start, project, number, said):
    command = "import sys; from rsimport._cli import main; sys.exit(main(['export', 'k.rs', 'out']))"
    process = start(command)
    held.reached()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + number and stderr.splitlines()[-1] == f"error: {said}", stderr
    assert "Traceback" not in stderr and not [path for path in project.iterdir() if "out" in path.name]
    assert gone(held.compilers())


def test_ctrl_c_can_be_caught_and_the_import_tried_again(barrier, kernel, start):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    program = f"""
        import pathlib, rsimport.import_hook
        try:
            import k
        except KeyboardInterrupt:
            pathlib.Path({str(barrier.folder / "go")!r}).touch()
        import k
        print(k.value())
    """
    process = start(program)
    barrier.reached()
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert stdout.strip() == "1", stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_ended_while_it_links_leaves_no_linker(stub_kernel, start, look, tmp_path, number):
    started, go, linker = tmp_path / "started", tmp_path / "go", tmp_path / "linker"
    held = f'case "$*" in *-shared*) echo $$ >> {started}; until [ -e {go} ]; do sleep 0.02; done;; esac'
    linker.write_text(f'#!/bin/sh\n{held}\nexec cc "$@"\n')
    linker.chmod(0o755)
    env = {"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER": str(linker)}
    go.touch()
    stub_kernel(1)
    assert look(env=env)[0] == 1
    for number_of_build in (2, 3):
        go.unlink()
        started.unlink(missing_ok=True)
        stub_kernel(number_of_build)
        process = start(IMPORT, env=env)
        wait_for(started)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=LIMIT)
        assert process.returncode in (-number, 130), stderr
        assert "KeyboardInterrupt" in stderr if number == signal.SIGINT else stderr == "", stderr
        assert gone(int(pid) for pid in started.read_text().split())
        go.touch()
        assert look(env=env)[:2] == (number_of_build, True)


def test_ctrl_c_ends_the_wait_for_another_process(barrier, kernel, start, project):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    builder = start(IMPORT)
    barrier.reached()
    waiter = start(f"open('ready', 'w').write('x')\n{IMPORT}")
    wait_for(project / "ready")
    time.sleep(0.5)
    os.kill(waiter.pid, signal.SIGINT)
    _, stderr = waiter.communicate(timeout=LIMIT)
    assert "KeyboardInterrupt" in stderr
    barrier.go()
    assert builder.communicate(timeout=LIMIT)[0].strip() == "1"


@pytest.mark.parametrize("whole_group", [False, True], ids=["python alone", "the whole group"])
def test_sigkill_leaves_no_lock(held, start, look, whole_group):
    process = start(IMPORT)
    held.reached()
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
    process.wait(timeout=LIMIT)
    held.go()
    assert look()[:2] == (1, True)
    assert look()[:2] == (1, False)


def test_a_process_that_waits_takes_over_when_the_builder_is_killed(barrier, kernel, start, project):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    builder = start(IMPORT)
    barrier.reached()
    waiter = start(f"open('ready', 'w').write('x')\n{IMPORT}")
    wait_for(project / "ready")
    os.killpg(builder.pid, signal.SIGKILL)
    barrier.go()
    stdout, stderr = waiter.communicate(timeout=300)
    assert stdout.strip() == "1", stderr


@pytest.mark.parametrize("how", ["SIGKILL to python alone", "SIGKILL to the whole group", "Ctrl-C"])
def test_after_an_end_at_any_moment_the_next_import_is_the_text_on_disk(kernel, start, look, own_cache, how):
    """Killed alone, Python leaves a compiler behind that writes for a while. Killed with it, the compiler
    leaves incremental data of which one half is the old text's and the other half the new one's.
    """
    clean = _folders(own_cache)
    kernel("k", value(999))
    look()
    kernel("k", value(1000))
    began = time.monotonic()
    look()
    usual = time.monotonic() - began
    groups = []
    for moment in range(1, 21):
        kernel("k", value(1000 + moment))
        process = start(IMPORT)
        groups.append(process.pid)
        time.sleep(usual * moment / 20)
        if how == "Ctrl-C":
            os.kill(process.pid, signal.SIGINT)
        elif how == "SIGKILL to python alone":
            os.kill(process.pid, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=LIMIT)
        assert look()[0] == 1000 + moment
    assert _ended(groups)
    kernel("j", value(1))
    look("j")
    assert not _leftovers(own_cache, clean)


def test_sigkill_at_every_step_of_publishing_leaves_a_cache_that_works(
    kernel, run, look, own_cache, tmp_path
):
    """The n-th system call that changes the cache is the last one, for every n."""
    clean = _folders(own_cache)
    calls = "/^(rename|fsync|fdatasync|mkdir|link|unlink|rmdir|chmod|fchmod|flock)"
    for moment in range(1, 60):
        kernel("k", value(2000 + moment))
        wrap = strace("-o", str(tmp_path / "calls"), "-e", f"inject={calls}:signal=KILL:when={moment}")
        killed = run(IMPORT, wrap=wrap, check=False).returncode != 0
        assert look()[0] == 2000 + moment
        if not killed:
            break
    assert moment > 3 and not killed
    kernel("j", value(1))
    look("j")
    assert not _leftovers(own_cache, clean)


def _ended(groups, seconds=LIMIT):
    """Whether every process of these groups ends soon."""
    end = time.monotonic() + seconds
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < end:
                os.killpg(group, 0)
                time.sleep(0.02)
            return False
    return True


def _folders(cache):
    return {path for path in cache.rglob("*") if path.is_dir()}


def _leftovers(cache, clean):
    """Temporary folders that were not there before: those of tempfile, and what lies in a staging folder."""
    staging = {"tmp", "temp", "staging", "stage"}
    new = {path for path in cache.rglob("*") if path not in clean}
    return sorted(str(path) for path in new if path.name.startswith(".tmp") or path.parent.name in staging)
