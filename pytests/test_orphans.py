"""What a build has started ends with whoever asked for it; what never ends by itself is ended and told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import LIMIT, alive, block, gone, package, shown, value, wait_for, write

IMPORT = "import rsimport.import_hook, k; print(k.value())"

SPIN = """#![allow(long_running_const_eval)]
use pyo3::prelude::*;
const ENDLESS: u64 = {
    let mut i = 0;
    while i < u64::MAX {
        i += 1;
    }
    i
};
#[pyfunction]
fn value() -> u64 {
    ENDLESS
}
"""


def children(pid: int) -> list[int]:
    """All processes that this one has started, and those that they have started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(
                    entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]
                )
            except OSError:
                continue
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def compiling(pid: int, crate: str = "k") -> list[int]:
    """The processes of a Python that builds, once one of them compiles the kernel."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        found = children(pid)
        for each in found:
            try:
                words = Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"--crate-name" in words and crate.encode() in words:
                return found
        time.sleep(0.02)
    raise AssertionError("nothing is compiled")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "SIGHUP"])
@pytest.mark.parametrize("cargo", [True, False], ids=["cargo", "rustc alone"])
def test_a_compiler_that_never_ends_ends_with_the_python_that_started_it(
    kernel, start, barrier, own_cache, how, cargo
):
    kernel("k", SPIN, prelude=False, block=barrier.block if cargo else "")
    process = start(IMPORT)
    started = compiling(process.pid)
    os.kill(process.pid, getattr(signal, how))
    process.wait(timeout=LIMIT)
    assert len(started) >= 2 and gone(started, 20)


def test_neither_do_children_of_a_fork_keep_it_alive(kernel, start, barrier, tmp_path):
    """They inherit what Python has open, and may live for longer than it does."""
    kernel("k", barrier.wait + value(1), block=barrier.block)
    process = start(
        f"""
        import os, threading, time
        import rsimport.import_hook
        def fork():
            while not os.path.exists({str(barrier.started)!r}):
                time.sleep(0.01)
            if os.fork() == 0:
                time.sleep(600)
            open({str(tmp_path / "forked")!r}, "w").write("x")
        threading.Thread(target=fork).start()
        import k
        """
    )
    wait_for(tmp_path / "forked")
    process.kill()
    process.wait(timeout=LIMIT)
    assert gone(barrier.compilers(), 20)


def test_what_is_started_is_gone_when_a_build_has_ended(kernel, run, own_cache):
    kernel("k", value(1))
    seen = run(
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import os, rsimport.import_hook, k
        from test_orphans import children
        print(children(os.getpid()))
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            print("none")
        """
    )
    assert seen.out.splitlines() == ["[]", "none"]


THIEF = """
import os, threading, time
def wait_for_all():
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            time.sleep(0.001)
threading.Thread(target=wait_for_all, daemon=True).start()
"""


def test_a_build_works_where_somebody_else_waits_for_all_children(kernel, run, own_cache):
    kernel("k", value(1))
    run(IMPORT)
    kernel("k", value(2))
    assert run(THIEF + IMPORT).out == "2"
    kernel("k", value('"text"'))
    seen = run(THIEF + IMPORT, check=False)
    assert "CompileError" in seen.stderr and "mismatched types" in seen.stderr


def test_where_the_end_of_children_is_ignored_that_is_told(kernel, run):
    kernel("k", value(1))
    code = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" + IMPORT
    seen = run(code, check=False).stderr
    assert "ToolchainError: k.rs cannot be compiled: this process ignores the end of its children" in seen
    assert "hint: signal.signal(signal.SIGCHLD, signal.SIG_DFL)" in seen


@pytest.fixture
def background(kernel, barrier, run, start):
    """A Python that has loaded an edit, whose optimised build hangs in the barrier."""
    kernel("k", "const A: i64 = 1;\n" + value(1), block=barrier.block)
    run(IMPORT)
    kernel("k", barrier.wait + value(2), block=barrier.block)
    barrier.go()
    run(IMPORT)
    (barrier.folder / "go").unlink()
    barrier.started.unlink()

    def start_background(code: str):
        process = start(IMPORT + "\n" + code, env={"RSIMPORT_TIER": "auto"})
        wait_for(barrier.started)
        return process

    return start_background


WAIT = "import time; time.sleep(600)"


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_the_background_ends_with_a_python_that_is_killed_and_may_be_started_again(
    background, barrier, run, kernel, how
):
    process = background(WAIT)
    compilers = barrier.compilers()
    optimiser = [each for each in children(process.pid) if each not in compilers]
    os.kill(process.pid, getattr(signal, how))
    process.wait(timeout=LIMIT)
    assert optimiser and gone([*optimiser, *compilers], 20)
    claim = "from rsimport import _engine, _loader; print(_engine.claim('k.rs', 'k', _loader.ABI, {}))"
    assert run(claim, env={"RSIMPORT_TIER": "auto"}).out == "True"


def test_the_background_outlives_a_python_that_ends_by_itself(background, barrier, look):
    process = background("import time; time.sleep(0.2)")
    assert process.wait(timeout=LIMIT) == 0
    time.sleep(1)
    compilers = barrier.compilers()
    assert any(alive(each) for each in compilers)
    barrier.go()
    assert gone(compilers, 60)


def test_compilers_end_with_a_background_that_is_killed(background, barrier):
    process = background(WAIT)
    compilers = barrier.compilers()
    for each in children(process.pid):
        if each not in compilers and b"_background" in Path(f"/proc/{each}/cmdline").read_bytes():
            os.kill(each, signal.SIGKILL)
    assert gone(compilers, 20)


def test_the_background_gives_up_after_its_time(kernel, barrier, project):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    task = json.dumps([str(project / "k.rs"), "k", {}, "optimized"])
    # On a busy machine the time may be over before the compiler is there.
    for limit in (1.0, 8.0, 64.0):
        code = f"from rsimport import _background as b; b.LIMIT = {limit}; b.main()"
        started = subprocess.Popen(
            [sys.executable, "-c", code, task],
            cwd=project,
            stdin=subprocess.PIPE,
            env={**os.environ, "RSIMPORT_TIER": "auto"},
        )
        while not (compilers := barrier.compilers()) and started.poll() is None:
            time.sleep(0.01)
        if compilers:
            break
    assert compilers and started.wait(timeout=120) == 0 and gone(compilers, 20)


@pytest.fixture
def scripted(kernel, project):
    """A kernel `k` whose dependency `noisy` has this build script."""

    def write_script(body: str, lib: str = "") -> None:
        manifest = package("noisy") + ("[lib]\nproc-macro = true\n" if lib else "")
        files = {"Cargo.toml": manifest, "src/lib.rs": lib}
        if body:
            files["build.rs"] = f"use std::io::{{Read, Write}};\nfn main() {{\n{body}\n}}\n"
        write(project / "noisy", files)
        use = "noisy::noisy!();\n" if lib else ""
        kernel("k", use + value(1), block=block("[dependencies]", 'noisy = { path = "noisy" }'))

    return write_script


@pytest.mark.parametrize("what", ["lines", "one line", "errors"])
def test_a_build_script_that_prints_without_end_is_ended_and_named(scripted, report, what):
    into = "stderr" if what == "errors" else "stdout"
    text = 'b"x".repeat(1 << 16)' if what == "one line" else 'b"cargo:note=x\\n".repeat(1 << 12)'
    scripted(f"let mut out = std::io::{into}().lock(); while out.write_all(&{text}).is_ok() {{}}")
    seen = report()
    assert seen["kind"] == "CompileError", seen
    assert "the build script of `noisy` prints without end" in seen["text"], seen


@pytest.mark.parametrize("what", ["lines", "one line"])
def test_a_macro_that_prints_without_end_is_ended_and_told(scripted, report, what):
    text = 'b"x".repeat(1 << 16)' if what == "one line" else 'b"short\\n".repeat(1 << 12)'
    lib = f"""
        use std::io::Write;
        #[proc_macro]
        pub fn noisy(_: proc_macro::TokenStream) -> proc_macro::TokenStream {{
            let mut out = std::io::stderr().lock();
            while out.write_all(&{text}).is_ok() {{}}
            Default::default()
        }}
    """
    scripted("", lib)
    seen = report()
    assert seen["kind"] == "CompileError" and seen["kernel"].endswith("k.rs"), seen
    assert "a macro" in seen["text"] and "prints without end" in seen["text"], seen


def test_a_build_script_that_reads_from_stdin_finds_nothing(scripted, look):
    scripted("let mut text = String::new(); std::io::stdin().read_to_string(&mut text).unwrap();")
    assert look()[:2] == (1, True)


def test_a_build_script_that_leaves_a_daemon_with_its_output_is_named(scripted, report, tmp_path):
    note = tmp_path / "daemon"
    scripted(f"""
        let daemon = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        std::fs::write("{note}", daemon.id().to_string()).unwrap();
    """)
    seen = report()
    daemon = int(note.read_text())
    assert seen["kind"] == "CompileError", seen
    assert f"the build script of `noisy` has ended, but not `sleep` (process {daemon})" in seen["text"], seen
    assert "Stdio::null()" in seen["hint"] and gone([daemon], 20)


def test_whoever_asks_on_the_terminal_is_ended_and_told(scripted, project):
    """As git and ssh do for passwords; in the background a terminal stops them."""
    import pty

    scripted("""
        let mut text = [0; 1];
        let terminal = std::fs::File::open("/dev/tty");
        let _ = terminal.and_then(|mut terminal| terminal.read(&mut text));
    """)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project)
        os.execv(sys.executable, [sys.executable, "-c", IMPORT])
    text = shown(terminal)
    os.waitpid(pid, 0)
    assert "asks for something on the terminal" in text, text
