"""The cache keeps house: what goes, in which order, and what stays whatever there is too much of."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from helpers import LIMIT, line_of, value, wait_for

DAY = 24 * 3600

NATIVE = '#[unsafe(no_mangle)]\npub extern "C" fn twice(x: f64) -> f64 {\n    2.0 * x\n}\n'

USER = """
import sys, rsimport, rsimport.import_hook, k
before = rsimport.info(k).path
print("ready", flush=True)
sys.stdin.readline()
native = rsimport.native(k)
print(k.value(), native.ctypes("twice")(4.0), native.signature("twice"))
seen = rsimport.info(k)
print(seen.path == before, seen.reason, seen.exports[0].name, seen.seconds > 0)
"""


def age(path: Path, days: float) -> None:
    """Gives everything below a path an old date, as if nobody had used it since."""
    then = time.time() - days * DAY
    for below in [*path.rglob("*"), path]:
        os.utime(below, (then, then), follow_symlinks=False)


def on_disk(folder: Path) -> int:
    """What `du` says."""
    return 1024 * int(
        subprocess.run(["du", "-sk", folder], capture_output=True, check=True).stdout.split()[0]
    )


def folders(cache: Path, part: str) -> set[str]:
    return {path.name for path in (cache / "v1" / part).glob("*/")}


@pytest.fixture
def user(start):
    """A process that has imported `k`, and what it says once it is told to go on."""

    def started():
        process = start(USER, stdin=subprocess.PIPE)
        assert process.stdout.readline() == "ready\n"

        def go_on():
            out, err = process.communicate("\n", timeout=LIMIT)
            assert process.returncode == 0, err
            return out.splitlines()

        return go_on

    return started


def test_of_three_sets_the_one_unused_for_longest_goes_and_a_kept_kernel_needs_nothing_new(
    stub_kernel, cli, run, user, empty_cache
):
    path = stub_kernel(1, more=NATIVE)
    sets: list[str] = []
    for flag in ("a", "b", "c"):
        assert cli("build", path, "--rustflags", f"--cfg={flag}").returncode == 0
        sets += folders(empty_cache, "targets") - set(sets)
    assert len(sets) == 3
    go_on = user()  # Its build is a fourth set.
    (fourth,) = folders(empty_cache, "targets") - set(sets)
    targets = empty_cache / "v1/targets"
    for days, name in ((5, sets[1]), (4, sets[0]), (3, sets[2])):
        # Its libraries keep their dates, which recorded calls know.
        os.utime(targets / name, (time.time() - days * DAY,) * 2)
    before = on_disk(empty_cache)
    limit = before - on_disk(targets / sets[1]) - on_disk(targets / sets[0]) // 2
    plan = cli("cache", "gc", "--max-size", limit, "--dry-run")
    assert plan.returncode == 0 and sets[1] in plan.out and sets[0] in plan.out, plan.text
    assert on_disk(empty_cache) == before and "would remove 2 dependency sets" in plan.out
    done = cli("cache", "gc", "--max-size", limit)
    assert done.returncode == 0 and "removed 2 dependency sets" in done.out, done.text
    assert folders(empty_cache, "targets") == {sets[2], fourth} and on_disk(empty_cache) <= 1.05 * limit
    assert len(list((empty_cache / "v1/recipes").glob("*-doubtful.json"))) == 2, "with what belongs to them"
    kept = (
        "import rsimport, rsimport.import_hook; rsimport.install(rustflags=['--cfg=c']); import k; print({})"
    )
    assert run(kept.format("rsimport.info(k).built, k.value()")).out == "False 1"
    gone = "import rsimport; print(rsimport.imp('k', rustflags=['--cfg=a']).value())"
    assert run(gone).out == "1", "without its dependencies it still loads"
    compiled = {file: file.stat().st_mtime_ns for file in targets.rglob("libstub*")}
    path.write_text(path.read_text().replace("    1\n", "    2\n"))
    assert run(kept.format("rsimport.info(k).built, k.value()")).out == "True 2"
    assert {file: file.stat().st_mtime_ns for file in targets.rglob("libstub*")} == compiled
    assert go_on()[0] == "1 8.0 double (double)"


def test_what_is_locked_loaded_or_young_stays(stub_kernel, cli, user, run, empty_cache):
    stub_kernel(1, more=NATIVE)
    go_on = user()
    (dependencies,), (work,) = folders(empty_cache, "targets"), folders(empty_cache, "work")
    nothing = cli("cache", "gc", "--max-size", "0")
    assert "removed nothing" in nothing.out and "used within a day" in nothing.out, nothing.text
    age(empty_cache / "v1", 3)
    with (empty_cache / f"v1/locks/{dependencies}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        seen = cli("cache", "gc", "--max-age", "2d")
    assert (
        seen.returncode == 0 and "removed 1 work folder;" in seen.out and "2 that had to go are" in seen.out
    )
    assert folders(empty_cache, "targets") == {dependencies} and not folders(empty_cache, "work"), work
    assert "removed 1 dependency set;" in cli("cache", "gc", "--max-age", "2d").out
    assert len(list(empty_cache.rglob("entry.json"))) == 1
    assert go_on()[0] == "1 8.0 double (double)"
    age(empty_cache / "v1/kernels", 3)
    assert run("import rsimport.import_hook, k; print(k.value())").out == "1"
    assert "removed nothing" in cli("cache", "gc", "--max-age", "2d").out, "an import is a use"
    age(empty_cache / "v1/kernels", 3)
    assert "removed 1 kernel;" in cli("cache", "clear", "--older-than", "2").out
    assert not list(empty_cache.rglob("entry.json"))


def test_a_build_under_way_is_left_alone(kernel, slow_dependency, barrier, start, cli, own_cache):
    kernel("k", value(1), block=slow_dependency)
    builder = start("import rsimport.import_hook, k; print(k.value())")
    wait_for(barrier.folder / "started")
    for part in ("targets", "work", "kernels"):
        age(own_cache / "v1" / part, 100)
    seen = cli("cache", "gc", "--max-age", "1d", "--max-size", "0")
    assert seen.returncode == 0 and "in use and left" in seen.out, seen.text
    barrier.go()
    out, err = builder.communicate(timeout=LIMIT)
    assert out == "1\n", err


def test_whoever_uses_a_kernel_can_ask_about_it_when_the_cache_is_gone(stub_kernel, cli, user, empty_cache):
    stub_kernel(1, more=NATIVE)
    go_on = user()
    seen = cli("cache", "clear")
    assert seen.returncode == 0 and seen.out.startswith("removed 1 kernel;"), seen.text
    assert not list(empty_cache.rglob("*.so"))
    assert go_on() == ["1 8.0 double (double)", "True first build twice True"]


def test_once_a_day_a_build_has_house_kept_in_the_background(stub_kernel, cli, empty_cache):
    path = stub_kernel(1)
    limits = {"RSIMPORT_CACHE_MAX_AGE": "30d"}
    assert cli("build", path, env=limits).returncode == 0
    (old,) = folders(empty_cache, "targets")
    age(empty_cache / "v1/targets", 40)
    assert cli("build", path, "--rustflags", "--cfg=a", env=limits).returncode == 0
    last = empty_cache / "v1/house/last.json"
    assert old in folders(empty_cache, "targets") and time.time() - json.loads(last.read_text()) < LIMIT
    last.write_text(json.dumps(time.time() - 2 * DAY))
    assert cli("build", path, "--rustflags", "--cfg=b").returncode == 0
    assert json.loads(last.read_text()) < time.time() - DAY, "without limits there is nothing to do"
    assert cli("build", path, "--rustflags", "--cfg=c", env=limits).returncode == 0
    end = time.monotonic() + LIMIT
    while old in folders(empty_cache, "targets"):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert len(folders(empty_cache, "targets")) == 3


def test_why_compares_every_input_with_the_last_build(stub_kernel, cli, project, empty_cache):
    (project / "table.txt").write_text("1")
    path = stub_kernel('include_str!("table.txt").len() as i64')

    def why(*options):
        seen = cli("cache", "why", "k.rs", *options)
        assert seen.returncode == 0, seen.text
        lines = [line.strip() for line in seen.out.splitlines()]
        return lines[0], [re.split(r"  +", line)[1:] for line in lines if line.startswith("changed")]

    assert why() == ("k.rs: would be built: first build", [])
    assert cli("build", "k.rs").returncode == 0
    assert why() == ("k.rs: cached", [])
    assert why("--profile", "dev")[1] == [["profile", "release -> dev"]]
    (project / "table.txt").write_text("22")
    assert why() == ("k.rs: would be built: table.txt changed", [["table.txt"]])
    path.write_text(path.read_text() + "//\n")
    verdict, changed = why("--features", "x")
    assert verdict == "k.rs: would be built: k.rs changed, features changed, table.txt changed"
    assert [row[0] for row in changed] == ["source", "features", "table.txt"]
    assert why("--force")[0] == "k.rs: would be built: forced"
    assert cli("cache", "why", "missing.rs").returncode == 2


def test_verify_finds_and_removes_what_is_damaged_and_says_so(stub_kernel, cli, run, empty_cache):
    paths = [stub_kernel(1), stub_kernel(1).rename(stub_kernel(1).with_name("j.rs"))]
    paths[0] = stub_kernel(1)
    paths[1].write_text(paths[1].read_text().replace("fn k()", "fn j()"))
    assert cli("build", *paths).returncode == 0
    seen = cli("cache", "verify")
    assert seen.returncode == 0 and seen.out == "2 of 2 entries intact"
    (library,) = empty_cache.rglob("k.*.so")
    with library.open("r+b") as file:
        file.seek(library.stat().st_size // 2)
        file.write(b"damage")
    (metadata,) = [path.with_name("entry.json") for path in empty_cache.rglob("j.*.so")]
    metadata.write_bytes(metadata.read_bytes()[:-9])
    seen = cli("cache", "verify")
    assert seen.returncode == 1 and seen.out == "0 of 2 entries intact", seen.text
    assert seen.stderr.count("removed; the next import builds it again") == 2
    assert f"{library.parent}: its library is not what was written" in seen.stderr
    assert f"{metadata.parent}: its metadata is garbled" in seen.stderr
    assert run("import rsimport, rsimport.import_hook, k; print(rsimport.info(k).built)").out == "True"
    assert cli("cache", "verify").out == "1 of 1 entry intact"


def test_the_list_has_whole_lines_in_a_pipe_and_all_parts(stub_kernel, cli, empty_cache):
    path = stub_kernel(1)
    assert cli("build", path).returncode == 0
    kernels, parts = cli("cache", "list").out.split("\n\n")
    assert kernels.splitlines()[1].split()[0] == "k" and kernels.splitlines()[1].rstrip().endswith(str(path))
    names = [re.split(r"  +", line)[0] for line in parts.splitlines()]
    assert names == [
        "part",
        "kernels",
        "dependency sets",
        "work folders",
        "builds under way",
        "others",
        "total",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["gc", "--max-size", "5 pounds"], 2, "--max-size': it has to be a size as 500M or 5G"),
        (["gc", "--max-age", "soon"], 2, "--max-age': it has to be an age as 12h or 90d"),
        (["clear", "--older-than", "-1"], 1, "the age has to be a number of days"),
        (["clear", "--older-than", "x"], 2, "'x' is not a valid float"),
        (["why"], 2, "Missing argument 'KERNEL'"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else None,
)
def test_bad_input_is_one_clear_line(cli, project, arguments, code, said):
    seen = cli("cache", *arguments)
    assert seen.returncode == code and said in seen.stderr and "Traceback" not in seen.stderr, seen.text


def test_a_wrong_limit_names_its_line(cli, project):
    (project / "pyproject.toml").write_text('[tool.rsimport]\ncache_max_age = "old"\n')
    seen = cli("cache", "gc")
    line = line_of(project / "pyproject.toml", "cache_max_age")
    assert seen.returncode == 1 and f"pyproject.toml:{line}: `cache_max_age` has to be an age" in seen.stderr


def test_what_is_no_cache_is_not_touched(cli, tmp_path):
    (tmp_path / "v1/targets/work").mkdir(parents=True)
    age(tmp_path / "v1", 400)
    seen = cli("cache", "gc", "--max-size", "0", env={"RSIMPORT_CACHE_DIR": str(tmp_path)})
    assert seen.returncode == 1 and "is not a cache of rsimport" in seen.stderr
    assert (tmp_path / "v1/targets/work").is_dir()
