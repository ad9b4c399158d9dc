"""`rsimport test`: the Rust tests of a kernel, with the Python that runs them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from helpers import ALONE, Result, line_of, other_pythons, wait_for, write

import rsimport

Cli = Callable[..., Result]

KERNEL = """\
// rsimport
//! Doubles.
//!
//! >>> double(2)
//! 4
use pyo3::prelude::*;
mod part;

/// Doubles a number.
///
/// >>> import tested
/// >>> tested.double(3)
/// 6
/// >>> tested.double(4)
/// 9
#[pyfunction]
fn double(x: i64) -> i64 {
    2 * x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain() {
        assert_eq!(double(2), 4);
    }

    #[test]
    fn with_python() {
        Python::attach(|py| {
            let double = wrap_pyfunction!(double, py).unwrap();
            assert_eq!(double.call1((4,)).unwrap().extract::<i64>().unwrap(), 8);
            let sys = py.import("sys").unwrap();
            println!("prefix {}", sys.getattr("prefix").unwrap());
            let beside = std::fs::read_to_string("beside.txt").unwrap();
            println!("beside {beside}");
        });
    }

    #[test]
    #[should_panic(expected = "boom")]
    fn panics() {
        Python::attach(|_| panic!("boom"));
    }

    #[test]
    fn overflows() {
        assert_eq!(double(i64::MAX), 0);
    }

    #[test]
    #[ignore]
    fn crashes() {
        unsafe { std::ptr::null_mut::<u8>().write_volatile(1) }
    }

    #[test]
    #[ignore]
    fn waits() {
        std::fs::write("waiting", "now").unwrap();
        Python::attach(|py| py.run(c"import time; time.sleep(100)", None, None)).unwrap();
    }
}
"""
PART = '#[test]\nfn in_a_module_file() {\n    assert_eq!(1, 1 + 1, "on purpose");\n}\n'


@pytest.fixture
def tested(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(project, {"tested.rs": KERNEL, "part.rs": PART, "beside.txt": "it"})
    monkeypatch.delenv("RUST_BACKTRACE", raising=False)
    return project / "tested.rs"


def outcomes(text: str) -> dict[str, str]:
    return dict(re.findall(r"^test (\S+)(?: - should panic)? \.\.\. (\w+)$", text, re.M))


def test_tests_pass_and_fail_with_their_files_and_lines(tested: Path, cli: Cli, project: Path) -> None:
    seen = cli("test", "tested.rs")
    assert seen.returncode == 1, seen.text
    assert outcomes(seen.stdout) == {
        "part::in_a_module_file": "FAILED",
        "tests::crashes": "ignored",
        "tests::overflows": "FAILED",
        "tests::panics": "ok",
        "tests::plain": "ok",
        "tests::waits": "ignored",
        "tests::with_python": "ok",
    }
    assert "panicked at part.rs:3:5:" in seen.stdout
    assert f"panicked at tested.rs:{line_of(tested, '2 * x')}:5:" in seen.stdout
    assert "attempt to multiply with overflow" in seen.stdout
    # The module that has nothing for Python is no warning, and nothing of ours is named.
    assert "__rsimport" not in seen.text and not list(project.glob("target*"))


def test_filters_and_options_are_those_of_the_harness(tested: Path, cli: Cli) -> None:
    seen = cli("test", "tested.rs", "plain", "with_python", "--nocapture", "--", "--test-threads=1")
    assert seen.returncode == 0, seen.text
    assert f"prefix {sys.prefix}\nbeside it\n" in seen.stdout and "2 passed" in seen.stdout
    assert "tests::panics: test\n" in cli("test", "tested.rs", "--list").stdout
    # As an import has it: without checks, and so without a panic.
    seen = cli("test", "tested.rs", "overflows", "--release")
    assert seen.returncode == 1 and "attempt to multiply" not in seen.stdout and "-2" in seen.stdout


def test_tests_are_compiled_again_when_something_has_changed_and_not_before(
    stub_kernel: Callable[..., Path], cli: Cli, project: Path, shared_cache: Path
) -> None:
    write(project, {"part.rs": "#[test]\nfn passes() {}\n", "text.txt": "1"})
    included = '#[test]\nfn same() { assert_eq!(include_str!("text.txt"), "1"); }\n'
    kernel = stub_kernel(1, more="mod part;\nfn unused() {}\n" + included)

    def compiled() -> tuple[str, set[tuple[str, int]]]:
        seen = cli("test", "k.rs")
        # Other tests compile kernels of this name too, but none that includes this file.
        written = shared_cache.glob("v1/targets/*/*/deps/k-*.d")
        own = [file for file in written if str(project / "text.txt") in file.read_text()]
        assert own
        return seen.text, {(file.name, file.stat().st_mtime_ns) for file in own}

    text, first = compiled()
    assert "2 passed" in text and "`unused` is never used" in text, text
    again, programs = compiled()
    assert programs == first and "2 passed" in again and "`unused` is never used" in again, again
    write(project, {"part.rs": "#[test]\nfn fails() { panic!() }\n"})
    text, second = compiled()
    assert "1 passed; 1 failed" in text and second != first
    write(project, {"text.txt": "2"})
    text, third = compiled()
    assert "0 passed; 2 failed" in text and third != second
    kernel.write_text(kernel.read_text() + "#[test]\nfn more() {}\n")
    assert "1 passed; 2 failed" in compiled()[0]


def test_what_ends_the_tests_is_told(
    tested: Path, cli: Cli, start: Callable[..., subprocess.Popen[str]], project: Path
) -> None:
    seen = cli("test", "tested.rs", "crashes", "--ignored")
    assert seen.returncode == 1
    assert "error: the tests of tested.rs ended with SIGSEGV" in seen.stderr and "hint: " in seen.stderr
    child = start(["-m", "rsimport", "test", "tested.rs", "waits", "--ignored"])
    wait_for(project / "waiting")
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130 and said.endswith("error: interrupted\n") and "Traceback" not in said


ATTACHED = r"""
#[cfg(test)]
mod tests {
    use std::ffi::{c_char, c_int};

    unsafe extern "C" {
        fn PyGILState_Ensure() -> c_int;
        fn PyGILState_Release(state: c_int);
        fn PyRun_SimpleString(text: *const c_char) -> c_int;
    }

    #[test]
    fn attached() {
        let text = c"import click, sys; print(f'prefix {sys.prefix}', flush=True)";
        let result = unsafe {
            let state = PyGILState_Ensure();
            let result = PyRun_SimpleString(text.as_ptr());
            PyGILState_Release(state);
            result
        };
        assert_eq!(result, 0);
    }

    #[test]
    fn fails() {
        panic!("on purpose")
    }
}
"""


@pytest.mark.parametrize("python", [*other_pythons(), "/usr/bin/python3"])
def test_tests_run_with_every_kind_of_python(stub_kernel: Callable[..., Path], cli: Cli, python: str) -> None:
    """With a libpython of its own, as of pyenv, and with one that is a part of the program, as Debian's."""
    kernel = stub_kernel(1, more=ATTACHED)
    packages = [
        str(Path(rsimport.__file__).parents[1]),
        *(path for path in sys.path if path.endswith("site-packages")),
    ]
    env = {"PYTHONPATH": os.pathsep.join(packages), "VIRTUAL_ENV": None}
    probe = [python, "-c", "import click, rich, rsimport._engine, sys; print(sys.prefix)"]
    if not os.path.exists(python):
        pytest.skip("there is no such Python here")
    asked = subprocess.run(
        probe, env={**os.environ, "PYTHONPATH": env["PYTHONPATH"]}, capture_output=True, text=True
    )
    if asked.returncode != 0:
        pytest.skip(f"rsimport cannot be imported there: {asked.stderr}")
    seen = cli("test", "k.rs", "--nocapture", "--", "--test-threads=1", python=python, env=env)
    assert seen.returncode == 1 and "1 passed; 1 failed" in seen.stdout, seen.text
    assert f"prefix {asked.stdout}" in seen.stdout
    assert f"panicked at k.rs:{line_of(kernel, 'on purpose')}:9:" in seen.stderr


def test_examples_in_the_documentation_run_as_doctests(tested: Path, cli: Cli) -> None:
    seen = cli("test", "tested.rs", "--doc")
    assert seen.returncode == 1, seen.text
    assert "example tested (tested.rs:2) ... ok" in seen.stdout
    assert f'File "{tested}", line {line_of(tested, "double(4)")}, in tested.double' in seen.stdout
    assert "Expected:\n    9\nGot:\n    8\n" in seen.stdout and "1 passed, 1 failed" in seen.stdout
    tested.write_text(KERNEL.replace("/// 9", "/// 8"))
    assert cli("test", "tested.rs", "--doc").returncode == 0


def test_pytest_collects_them_if_it_is_asked_to(tested: Path, run: Callable[..., Result]) -> None:
    pytest_here = ["-m", "pytest", "-p", "no:cacheprovider", "-v", "-p", "rsimport"]
    run = partial(run, env=ALONE)
    write(tested.parent, {"test_python.py": "def test_python():\n    pass\n"})
    assert "1 passed" in run(pytest_here).stdout
    seen = run([*pytest_here, "--rsimport-tests", "-rs"], check=False)
    assert seen.returncode == 1 and "2 failed, 4 passed, 2 skipped" in seen.stdout, seen.text
    assert "tested.rs::tests::with_python PASSED" in seen.stdout
    assert "panicked at part.rs:3:5:\nassertion `left == right` failed: on purpose" in seen.stdout
    write(tested.parent, {"pytest.ini": "[pytest]\nrsimport_tests = true\n"})
    seen = run([*pytest_here, "-k", "plain"])
    assert "1 passed" in seen.stdout
    tested.write_text(KERNEL.replace("2 * x", "2 * y"))
    seen = run([*pytest_here], check=False)
    assert seen.returncode == 2 and f"{tested}:{line_of(tested, '2 * y')}" in seen.stdout
