"""The two tiers: an edit is loaded as soon as it is compiled fast, and optimised in the background."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from helpers import LIMIT, alive, value, wait_for, without_rust

TELL = """
import json, rsimport, rsimport.import_hook, k
seen = rsimport.info(k)
print(json.dumps([k.value(), seen.tier, seen.built, seen.reason]))
"""


@pytest.fixture(autouse=True)
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels of one function would be optimised at once."""
    monkeypatch.setenv("RSIMPORT_REUSE_GLUE", "false")


@pytest.fixture
def tell(run):
    """Imports `k` in a fresh interpreter: its value, its tier, whether it was built just now, and why."""

    def tell_of(tier: str | None = "auto", **env: str | None) -> list[object]:
        return json.loads(run(TELL, env={"RSIMPORT_TIER": tier, **env}).out)

    return tell_of


def eventually(look, tier: str) -> list[object]:
    """What is seen once the tier is there; the background build has all the time it needs."""
    end = time.monotonic() + LIMIT
    while (seen := look())[1] != tier:
        assert time.monotonic() < end, f"still {seen}"
        time.sleep(0.1)
    return seen


def test_the_first_build_is_optimised_at_once(kernel, tell):
    kernel("k", value(1))
    assert tell() == [1, "optimized", True, "first build"]
    assert tell() == [1, "optimized", False, "first build"]


def test_an_edit_is_fast_and_the_next_process_finds_it_optimised(kernel, tell):
    kernel("k", value(1))
    tell()
    kernel("k", value(2))
    assert tell() == [2, "fast", True, "k.rs changed"]
    assert eventually(tell, "optimized") == [2, "optimized", False, "k.rs changed"]


def test_a_reload_takes_the_optimised_build(kernel, run):
    kernel("k", value(1))
    code = f"""
    import time, rsimport, rsimport.import_hook, k
    text = open("k.rs").read()
    open("k.rs", "w").write(text.replace("    1\\n", "    2\\n"))
    rsimport.reload(k)
    print(k.value(), rsimport.info(k).tier)
    end = time.monotonic() + {LIMIT}
    while rsimport.info(k).tier == "fast" and time.monotonic() < end:
        time.sleep(0.1)
        rsimport.reload(k)
    print(k.value(), rsimport.info(k).tier)
    """
    assert run(code, env={"RSIMPORT_TIER": None}).out.splitlines() == ["2 fast", "2 optimized"]


@pytest.mark.parametrize(
    ("setup", "tier", "prepared"),
    [("sys.ps1 = '>>> '", None, True), ("", None, False), ("sys.ps1 = '>>> '", "optimized", False)],
)
def test_the_first_edit_is_prepared_where_one_edits(kernel, run, own_cache, setup, tier, prepared):
    kernel("k", value(1))
    code = f"""
    import pathlib, sys, time
    {setup}
    work = pathlib.Path({str(own_cache)!r}, "v1", "work")
    before = {{*work.glob("*/last-*.json"), *work.glob("*/scratch-*/incremental/*")}}
    new = lambda pattern: set(work.glob(pattern)) - before
    import rsimport, rsimport.import_hook, k
    done = lambda: any("-optimized" not in str(path) for path in new("*/last-*.json"))
    end = time.monotonic() + ({LIMIT} if {prepared} else 3)
    while not done() and time.monotonic() < end:
        time.sleep(0.05)
    again = rsimport.reload(k)
    print(done(), k.value(), rsimport.info(k).tier, bool(new("*/scratch-*/incremental/*")))
    """
    assert run(code, env={"RSIMPORT_TIER": tier}).out == f"{prepared} 1 optimized {prepared}"


def edited(kernel, tell) -> None:
    kernel("k", value(1))
    tell("fast")
    kernel("k", value(2))
    assert tell("fast")[:3] == [2, "fast", True]


def test_an_edit_loads_without_a_toolchain(kernel, tell, tmp_path):
    edited(kernel, tell)
    assert tell("fast", **without_rust(tmp_path / "bare"))[:3] == [2, "fast", False]


def test_a_copy_of_the_whole_cache_has_what_an_edit_needs(kernel, tell, own_cache, tmp_path):
    edited(kernel, tell)
    elsewhere = own_cache.rename(tmp_path / "elsewhere")
    bare = without_rust(tmp_path / "bare")
    assert tell("fast", RSIMPORT_CACHE_DIR=str(elsewhere), **bare)[:3] == [2, "fast", False]


@pytest.mark.parametrize("said", ["panic = 'abort'", "opt-level = 1"])
def test_an_edit_is_linked_whatever_the_profile_says_besides(stub_kernel, tell, said):
    for number in (1, 2):
        stub_kernel(number, "[profile.release]", said)
        assert tell("fast")[0] == number


def test_whoever_wants_to_wait_gets_an_edit_optimised(kernel, tell):
    kernel("k", value(1))
    tell("optimized")
    kernel("k", value(2))
    assert tell("optimized") == [2, "optimized", True, "k.rs changed"]


def test_whoever_waits_is_not_given_the_fast_build(kernel, tell):
    kernel("k", value(1))
    assert tell("fast")[1] == "fast"
    assert tell("optimized") == [1, "optimized", True, "first build"]
    assert tell("fast") == [1, "optimized", False, "first build"]


def test_nothing_goes_on_in_the_background_of_the_fast_tier(kernel, run, tell):
    kernel("k", value(1))
    assert tell("fast")[1] == "fast"
    claim = "from rsimport import _engine, _loader; print(_engine.claim('k.rs', 'k', _loader.ABI, {}))"
    assert run(claim, env={"RSIMPORT_TIER": "fast"}).out == "False"
    assert run(claim, env={"RSIMPORT_TIER": "auto"}).out == "True"
    # The process that was told so has it done; another one need not.
    assert run(claim, env={"RSIMPORT_TIER": "auto"}).out == "False"


@pytest.mark.parametrize("said", ["lto = 'off'", "codegen-units = 2", "incremental = false"])
def test_a_profile_of_the_users_own_is_left_alone(stub_kernel, tell, said):
    stub_kernel(1, "[profile.release]", said)
    assert tell()[1] == "profile"
    stub_kernel(2, "[profile.release]", said)
    assert tell() == [2, "profile", True, "k.rs changed"]


@pytest.mark.parametrize("variable", ["CARGO_PROFILE_RELEASE_LTO", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS"])
def test_a_variable_of_cargo_that_optimises_is_left_alone(stub_kernel, tell, variable):
    stub_kernel(1)
    assert tell("auto", **{variable: "1" if variable.endswith("UNITS") else "off"})[1] == "profile"


def test_what_is_built_ahead_is_optimised(kernel, run):
    kernel("k", value(1))
    code = """
    import rsimport
    rsimport.imp_from_filepath("k.rs")
    text = open("k.rs").read()
    open("k.rs", "w").write(text.replace("    1\\n", "    2\\n"))
    rsimport.build_filepath("k.rs")
    import rsimport.import_hook
    print(rsimport.info(rsimport.imp_from_filepath("k.rs")).tier)
    """
    assert run(code, env={"RSIMPORT_TIER": None}).out == "optimized"


def test_an_unknown_tier_is_an_error(kernel, report):
    kernel("k", value(1))
    seen = report(env={"RSIMPORT_TIER": "best"})
    assert seen["kind"] == "ConfigError"
    assert "RSIMPORT_TIER: `tier` has to be auto, fast or optimized" in seen["text"]


def test_the_background_stops_when_the_kernel_is_edited_again(kernel, barrier, own_cache, project, tell):
    kernel("k", "const A: i64 = 1;\n" + value(1), block=barrier.block)
    tell()
    kernel("k", barrier.wait + value(2), block=barrier.block)
    barrier.go()
    tell("fast")
    (barrier.folder / "go").unlink()
    barrier.started.unlink()
    # The fast build is there and is loaded; the optimised one hangs in the barrier.
    assert tell()[:2] == [2, "fast"]
    wait_for(barrier.started)
    compilers = barrier.compilers()
    kernel("k", value(3), block=barrier.block)
    end = time.monotonic() + LIMIT
    while any(alive(pid) for pid in compilers):
        assert time.monotonic() < end, "the compiler goes on"
        time.sleep(0.05)
    assert tell("fast")[:2] == [3, "fast"]
    assert not list(Path(own_cache, "v1", "tmp").glob("build-*/scratch"))


def test_a_killed_background_leaves_the_fast_build(kernel, barrier, own_cache, tell):
    kernel("k", value(1), block=barrier.block)
    tell()
    kernel("k", barrier.wait + value(2), block=barrier.block)
    barrier.go()
    tell("fast")
    (barrier.folder / "go").unlink()
    barrier.started.unlink()
    assert tell()[:2] == [2, "fast"]
    wait_for(barrier.started)
    for pid in barrier.compilers():
        os.kill(pid, signal.SIGKILL)
    barrier.go()
    assert tell("auto")[0] == 2
    assert tell("optimized")[:2] == [2, "optimized"]


def test_a_subinterpreter_with_a_fast_build_ends_in_peace(kernel, run, tell):
    pytest.importorskip("_xxsubinterpreters", reason="PyO3 refuses subinterpreters from 3.12 on")
    kernel("k", value(1))
    tell("fast")
    program = """
    import _xxsubinterpreters as interpreters
    interpreter = interpreters.create()
    code = 'import sys; sys.path.insert(0, "")\\nimport rsimport.import_hook, k'
    interpreters.run_string(interpreter, code)
    interpreters.destroy(interpreter)
    print("ended")
    """
    assert run(program, env={"RSIMPORT_TIER": "auto"}).out == "ended"


def link_flags(cache: Path) -> list[Path]:
    """Where it is kept how a recorded call is linked without the C compiler's driver."""
    found = list((cache / "v1" / "toolchains").glob("link-*.json"))
    if not found:
        pytest.skip("this rustc does not link with a linker of its own here")
    return found


LINKED = """
use std::cell::RefCell;
struct Noted(String);
impl Drop for Noted {
    fn drop(&mut self) {
        let _ = std::fs::write(&self.0, "dropped");
    }
}
thread_local!(static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) });
#[pyfunction]
fn note(path: String) {
    std::thread::spawn(move || NOTED.set(Some(Noted(path)))).join().unwrap();
}
#[pyfunction]
fn fall() {
    panic!("fallen")
}
"""


@pytest.mark.parametrize("tier", ["fast", "optimized"])
def test_a_kernel_that_is_linked_without_cc_unwinds_and_ends_its_threads_as_any_other(
    kernel, run, own_cache, project, tier
):
    kernel("k", "use pyo3::prelude::*;\n" + LINKED)
    code = """
import rsimport, rsimport.import_hook, k
k.note("noted.txt")
try:
    k.fall()
except BaseException as raised:
    print(type(raised).__name__, raised, open("noted.txt").read(), rsimport.info(k).tier)
"""
    assert run(code, env={"RSIMPORT_TIER": tier}).out == f"PanicException fallen dropped {tier}"
    assert all(json.loads(path.read_text()) for path in link_flags(own_cache))


@pytest.mark.parametrize("tier", ["fast", "optimized"])
def test_where_linking_without_cc_fails_cc_links(kernel, tell, own_cache, tier):
    kernel("k", value(1))
    tell(tier)
    kernel("k", value(2))
    tell(tier)
    for path in link_flags(own_cache):
        path.write_text(path.read_text().replace("crti.o", "gone.o"))
    kernel("k", value(3))
    assert tell(tier) == [3, tier, True, "k.rs changed"]
    assert [json.loads(path.read_text()) for path in link_flags(own_cache)] == [[]]


def test_a_linker_of_the_users_own_is_used_for_an_edit_too(stub_kernel, tell, own_cache, project):
    (project / "cc-of-mine").write_text('#!/bin/sh\necho called >> "$(dirname "$0")/calls"\nexec cc "$@"\n')
    (project / "cc-of-mine").chmod(0o755)
    (project / ".cargo").mkdir()
    (project / ".cargo" / "config.toml").write_text(
        f'[target.x86_64-unknown-linux-gnu]\nlinker = "{project}/cc-of-mine"\n'
    )
    for number in (1, 2):
        stub_kernel(number)
        (project / "calls").unlink(missing_ok=True)
        assert tell("fast")[:2] == [number, "fast"]
        assert (project / "calls").exists()
