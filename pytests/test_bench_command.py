"""The command `rsimport bench` and the fixture `rsimport_crossing`, as a user meets them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from helpers import ALONE, LIMIT, wait_for

pytest.importorskip("pyperf", reason="the extra `bench` is not installed")

import rsimport

BODY = """
#[pyfunction]
fn logistic(steps: u64, r: f64, mut x: f64) -> f64 {
    for _ in 0..steps {
        x = r * x * (1.0 - x);
    }
    x
}

#[pyfunction]
fn total(values: Vec<f64>) -> f64 {
    values.iter().sum()
}

#[pyfunction]
fn panicking(steps: u64) -> u64 {
    assert!(steps < 5, "too many steps");
    steps
}
"""
BASELINE = """
def logistic(steps, r, x):
    for _ in range(steps):
        x = r * x * (1.0 - x)
    return x

def other(steps, r, x):
    return x

def failing(steps, r, x):
    raise KeyError("no")

def waiting(steps, r, x):
    import pathlib, time
    pathlib.Path("begun").write_text("yes")
    time.sleep(60)
"""


WHOLE = ["--args", "steps=9, r=3.9, x=0.5"]

WRONG: list[tuple[list[str], str | tuple[str, ...]]] = [
    (["nowhere.rs::f"], ("nowhere.rs: there is no such kernel", "in its folder are broken.rs, k.rs")),
    (["k.rs"], "names no function"),
    (["broken.rs::f"], "kernel `broken` does not compile"),
    (["k.rs::logistic", "--args", "steps=9, r=3.9, x=0.5, y=1"], "unexpected keyword argument 'y'"),
    (["k.rs::logistic", "--args", "9, 3.9, x=0.5"], 'hint: --args "steps=9, r=3.9, x=0.5"'),
    (["k.rs::logistic", *WHOLE, "--batch", "r"], "`r` is a float"),
    (["k.rs::total", "--args", "values='abc'", "--batch", "values"], "`values` is a str"),
    (["k.rs::total", "--args", "values=[1.0, 'a']", "--batch", "values"], "does not take these arguments"),
    (["k.rs::panicking", "--args", "steps=9"], "panicking panics: too many steps"),
    (["k.rs::logistic", *WHOLE, "--batch", "steps", "--plot", "a.gif"], "pictures can be .svg, .png, .pdf"),
    (["k.rs::logistic", *WHOLE, "--python", "nowhere:logistic"], "No module named 'nowhere'"),
    (["k.rs::logistic", "--json", "nowhere/a.json"], "there is no such folder"),
    (["k.rs::nope"], "it has logistic, panicking, total"),
    (["k.rs::logistic", "--args", "steps=1"], "missing a required argument"),
    (["k.rs::logistic", "--args", "steps=1, r='a', x=1.0"], "does not take these arguments"),
    (["k.rs::logistic", "--args", "steps="], "cannot be read"),
    (["k.rs::logistic", *WHOLE, "--batch", "n"], "has no argument `n`"),
    (["k.rs::logistic", *WHOLE, "--python", "baseline:nope"], "cannot be imported"),
    (["k.rs::logistic", *WHOLE, "--python", "baseline"], "names no function"),
    (["k.rs::logistic", *WHOLE, "--python", "baseline:other"], "disagree"),
    (["k.rs::logistic", *WHOLE, "--python", "baseline:failing"], "raises KeyError"),
    (["k.rs::logistic", *WHOLE, "--nogil", "nope"], ("no function `nope`", "it has logistic, panicking")),
    (["k.rs::logistic", *WHOLE, "--plot", "a.svg"], "nothing to draw"),
    (["k.rs::panicking", "--args", "steps=9", "--batch", "steps"], "too many steps"),
]
"""Words of the command, and what is said of them."""

ASKED = """
import json, os, sys
import rsimport._cli, rsimport.bench._command

for number, words in enumerate(json.load(open("asked.json"))):
    if not os.fork():
        os.dup2(os.open(f"{number}.said", os.O_WRONLY | os.O_CREAT), 2)
        os.dup2(2, 1)
        sys.exit(rsimport._cli.main(words))
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""
"""Asks all of it, each in a process of its own. What they import takes longer than what they do."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_bad_input_is_one_clear_line(kernel, run, project):
    kernel("k", BODY, own=False)
    kernel("broken", "#[pyfunction]\nfn f() -> u64 { 0.5 }\n")
    (project / "baseline.py").write_text(BASELINE)
    asked = [["bench", *words, "--quick"] for words, _ in WRONG]
    (project / "asked.json").write_text(json.dumps(asked))
    assert run(ASKED).out.split() == ["1"] * len(WRONG)
    for number, (words, said) in enumerate(WRONG):
        seen = (project / f"{number}.said").read_text()
        errors = [line for line in seen.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1 and "Traceback" not in seen, (words, seen)
        for part in (said,) if isinstance(said, str) else said:
            assert part in seen, (words, seen)


def test_the_command_prints_and_writes_what_it_found(kernel, cli, project):
    pytest.importorskip("matplotlib")
    kernel("k", BODY, own=False)
    (project / "baseline.py").write_text(BASELINE)
    given = ["--args", "steps=100, r=3.9, x=0.5", "--batch", "steps", "--python", "baseline:logistic"]
    seen = cli("bench", "k.rs::logistic", *given, "--quick", "--plot", "a.svg", "--json", "a.json")
    assert seen.returncode == 0, seen.text
    assert "one crossing costs" in seen.out and "break-even" in seen.out
    assert json.loads((project / "a.json").read_text())["points"][-1]["steps"] == 100
    assert "<svg" in (project / "a.svg").read_text()


def test_a_shipped_kernel_is_measured_by_its_path(cli, shared_cache):
    path = Path(rsimport.__file__).parent / "kernels" / "increment.rs"
    seen = cli("bench", f"{path}::increment", "--args", "i=1", "--quick")
    assert seen.returncode == 0, seen.text
    assert "increment(i=1)" in seen.out and "one crossing costs" in seen.out


@pytest.mark.parametrize("arguments", [[], ["k.rs::f", "--nope"], ["k.rs::f", "--batch"]])
def test_wrong_usage_exits_with_2(cli, arguments):
    seen = cli("bench", *arguments)
    assert seen.returncode == 2 and "Traceback" not in seen.text and "hint: " in seen.stderr


def test_ctrl_c_ends_it_in_one_line(kernel, start, project):
    kernel("k", BODY, own=False)
    (project / "baseline.py").write_text(BASELINE)
    given = ["k.rs::logistic", "--args", "steps=9, r=3.9, x=0.5", "--python", "baseline:waiting"]
    process = start(["-m", "rsimport", "bench", *given])
    wait_for(project / "begun")
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 130 and stderr.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in stderr


@pytest.mark.parametrize("missing", ["pyperf", "numpy"])
def test_without_the_extra_it_says_what_to_install(run, missing):
    code = f"""
        import sys
        sys.modules[{missing!r}] = None
        from rsimport._cli import main
        sys.exit(main(["bench", "k.rs::f"]))
    """
    seen = run(code, check=False)
    assert seen.returncode == 1 and "Traceback" not in seen.text
    assert seen.stderr.splitlines() == [
        f"error: rsimport.bench needs {missing}, which is not installed",
        'hint: pip install "rsimport[bench]"',
    ]


PAYS = """
import rsimport.import_hook
import k
from baseline import logistic


def test_it_pays(rsimport_crossing):
    found = rsimport_crossing(k.logistic, "steps=100, r=3.9, x=0.5", "steps", python=logistic)
    assert found.break_even < 100
"""


def test_the_fixture_keeps_the_figures_of_a_crossing(kernel, run, project):
    pytest.importorskip("pytest_benchmark")
    kernel("k", BODY, own=False)
    (project / "baseline.py").write_text(BASELINE)
    (project / "test_pays.py").write_text(PAYS)
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "rsimport", "test_pays.py"]
    # pytest-benchmark measures nothing beside others.
    alone = {name: None for name in os.environ if name.startswith("PYTEST_")} | ALONE
    run([*command, "-p", "benchmark", "--benchmark-json=kept.json"], env=alone)
    (kept,) = json.loads((project / "kept.json").read_text())["benchmarks"]
    assert kept["extra_info"]["rsimport"]["points"][-1]["steps"] == 100
    without = run(command, env=alone, check=False)
    assert without.returncode == 1 and "needs pytest-benchmark" in without.text
