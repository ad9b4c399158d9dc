"""Long sessions: each load starts anew, and what a process has only so much of is told before it ends."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Result, read_only, value, write

Run = Callable[..., Result]

STATE = """
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
static CALLS: AtomicI64 = AtomicI64::new(0);

#[pyfunction]
fn count() -> i64 {
    CALLS.fetch_add(1, Relaxed) + 1
}

#[unsafe(no_mangle)]
pub extern "C" fn native_count() -> i64 {
    CALLS.fetch_add(1, Relaxed) + 1
}

#[pyclass]
struct Thing;

#[pymethods]
impl Thing {
    #[new]
    fn new() -> Self {
        Thing
    }
}

#[pymodule]
mod k {
    #[pymodule_export]
    use super::{Thing, count, value};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(m: &Bound<'_, PyModule>) -> PyResult<()> {
        m.add("table", pyo3::types::PyDict::new(m.py()))
    }
}
""" + value(1)

HEAD = """
import importlib, os, pathlib, sys
import rsimport, rsimport.import_hook
import k

source = pathlib.Path("k.rs")
first = source.read_text()

def edit(number):
    source.write_text(first.replace("    1\\n}", f"    {number}\\n}}"))

def used(module):
    for _ in range(5):
        module.count()
    module.table["old"] = 1
"""


@pytest.fixture
def state(kernel: Callable[..., Path]) -> Path:
    """A kernel `k` that keeps something in a static, in a class and in an object of Python."""
    return kernel("k", STATE)


@pytest.mark.parametrize("reload", ["rsimport.reload", "importlib.reload"])
def test_each_reload_starts_anew_with_and_without_an_edit(state: Path, run: Run, reload: str) -> None:
    program = f"""
before = k.Thing
for number in (1, 2, 1, 2, 2, 1):
    used(k)
    edit(number)
    {reload}(k)
    print(k.value(), k.count(), k.table, k.Thing is before, sys.modules["k"] is k)
    assert k.__file__ == k.__spec__.origin == rsimport.info(k).path and os.path.exists(k.__file__)
    assert k.Thing.__module__ == "k" and type(k.Thing()) is k.Thing
"""
    seen = run(HEAD + program).out.splitlines()
    assert seen == [f"{number} 1 {{}} False True" for number in (1, 2, 1, 2, 2, 1)]


def test_an_import_after_the_module_was_taken_away_starts_anew_and_the_old_one_lives_on(
    state: Path, run: Run
) -> None:
    program = """
used(k)
old = sys.modules.pop("k")
import k
print(k is old, k.count(), old.count(), k.table, old.table, k.Thing is old.Thing)
rsimport.reload(old)
print(sys.modules["k"] is k, old.count(), k.count())
"""
    assert run(HEAD + program).out.splitlines() == ["False 1 6 {} {'old': 1} False", "True 1 2"]


def test_modules_of_equal_text_in_different_folders_share_nothing(
    state: Path, run: Run, project: Path
) -> None:
    (project / "pkg").mkdir()
    write(project, {"pkg/k.rs": state.read_text()})
    program = """
used(k)
import pkg.k as other
print(rsimport.info(k).path == rsimport.info(other).path, other.count(), other.table, k.count())
print(k.Thing.__module__, other.Thing.__module__)
"""
    assert run(HEAD + program).out.splitlines() == ["True 1 {} 6", "k pkg.k"]


def test_the_same_unchanged_file_stays_the_same_module(state: Path, run: Run) -> None:
    program = "used(k)\nassert rsimport.imp_from_filepath('k.rs') is k is rsimport.imp('k')\nprint(k.count())"
    assert run(HEAD + program).out == "6"


def test_native_functions_are_those_of_the_image_that_the_module_shows(state: Path, run: Run) -> None:
    program = """
old = rsimport.native(k).ctypes("native_count")
used(k)
importlib.reload(k)
new = rsimport.native(k).ctypes("native_count")
print(new(), k.count(), old(), new(), "native_count" in k.__pyx_capi__)
"""
    assert run(HEAD + program).out == "1 2 6 3 True"


def test_a_reload_that_fails_leaves_the_functions_and_their_state(state: Path, run: Run) -> None:
    state.write_text(
        state.read_text().replace(
            'm.add("table"',
            'if std::env::var_os("FAIL").is_some() {\n'
            '            Err(pyo3::exceptions::PyValueError::new_err("no"))?;\n        }\n'
            '        m.add("table"',
        )
    )
    program = """
used(k)
os.environ["FAIL"] = "1"
for reload in (rsimport.reload, importlib.reload):
    try:
        reload(k)
    except rsimport.RsimportError as error:
        print(error.message, type(error.__cause__).__name__)
print(k.count(), k.table)
del os.environ["FAIL"]
importlib.reload(k)
print(k.count(), k.table)
"""
    failed = "kernel k failed to initialise: no ValueError"
    assert run(HEAD + program).out.splitlines() == [failed, failed, "6 {'old': 1}", "1 {}"]


COPIES = """
for _ in range(3):
    importlib.reload(k)
copies = [path for path in pathlib.Path(FOLDER, "v1/tmp").rglob("*k*.so") if path.is_file()]
print(len(copies), k.count(), flush=True)
"""


def test_copies_go_with_the_process_or_with_the_next_build(
    state: Path, run: Run, own_cache: Path, kernel: Callable[..., Path]
) -> None:
    program = HEAD + COPIES.replace("FOLDER", repr(str(own_cache)))
    assert run(program).out == "3 1"
    assert list((own_cache / "v1/tmp").iterdir()) == []
    assert run(program + "os._exit(0)").out == "3 1"
    assert list((own_cache / "v1/tmp").iterdir()) != []
    kernel("other", value(1))
    run("import rsimport.import_hook, other")
    assert list((own_cache / "v1/tmp").iterdir()) == []


def test_copies_of_a_cache_that_cannot_be_written_to_lie_in_the_temporary_folder(
    state: Path, run: Run, own_cache: Path, tmp_path: Path
) -> None:
    run(HEAD)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = HEAD + "used(k)\nimportlib.reload(k)\nprint(k.count(), len(os.listdir(os.environ['TMPDIR'])))"
    options = {"wrap": read_only(own_cache), "env": {"TMPDIR": str(temporary)}}
    assert run(program, **options).out == "1 2"
    assert list(temporary.iterdir()) == []
    # A process that was killed leaves its own to the next; what is in use stays, and what was never of ours.
    write(temporary, {"rsimport-notes.lock/a": "", "rsimport-old/a": "", "folder/a": ""})
    (temporary / "rsimport-link.lock").symlink_to("folder")
    before = {path.name for path in temporary.iterdir()}
    run(f"{program}\nos._exit(0)", **options)
    left = {path.name for path in temporary.iterdir()} - before
    assert len(left) == 2
    (state.parent / "other.py").write_text(program)
    both = f"{program}\nimport subprocess\nsubprocess.run([sys.executable, 'other.py'])\n"
    both += f"print(*os.listdir({str(temporary)!r}))"
    seen = set(run(both, **options).out.splitlines()[-1].split())
    assert before < seen and len(seen - before) == 2 and not left & seen
    assert {path.name for path in temporary.iterdir()} == before


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system has no fork")
def test_a_child_of_a_fork_makes_copies_of_its_own(state: Path, run: Run, own_cache: Path) -> None:
    program = """
importlib.reload(k)
child = os.fork()
if child == 0:
    used(k)
    importlib.reload(k)
    print(k.count(), flush=True)
    sys.exit()
os.waitpid(child, 0)
importlib.reload(k)
print(k.count())
"""
    assert run(HEAD + program).out.split() == ["1", "1"]
    assert list((own_cache / "v1/tmp").iterdir()) == []


KEYS = """
import ctypes
libc = ctypes.CDLL(None)
key = ctypes.c_uint()
taken = []
while libc.pthread_key_create(ctypes.byref(key), None) == 0:
    taken.append(key.value)
for _ in range(LEFT):
    libc.pthread_key_delete(taken.pop())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts the keys of Linux")
def test_a_process_without_room_for_another_image_is_told_and_goes_on(state: Path, run: Run) -> None:
    program = """
used(k)
for number in range(100):
    try:
        importlib.reload(k)
    except rsimport.RsimportError as error:
        print(number, error.hint, k.count())
        print(error.message)
        break
import threading
threads = [threading.Thread(target=k.value) for _ in range(20)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
"""
    seen = run(HEAD + KEYS.replace("LEFT", "36") + program).out.splitlines()
    assert seen[0] in (f"{number} restart Python {1 if number else 6}" for number in range(2, 6)), seen
    assert "keys for thread-local variables" in seen[1] and seen[1].startswith(
        "kernel k cannot be loaded once"
    )


THREADS = """
#[pyfunction]
fn start(count: usize) {
    for _ in 0..count {
        std::thread::Builder::new().stack_size(16384).spawn(std::thread::park).unwrap();
    }
}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads of Linux")
def test_threads_that_replaced_kernels_have_left_are_told_once(kernel: Callable[..., Path], run: Run) -> None:
    kernel("k", THREADS)
    program = """
for count in (10, 300, 300, 10, 10):
    importlib.reload(k)
    k.start(count)
"""
    said = [line for line in run(HEAD + program).stderr.splitlines() if "threads" in line]
    assert len(said) == 1 and said[0].startswith("k: this process runs 6"), said
    assert "until Python is restarted" in said[0]


STATIC_TLS = """
core::arch::global_asm!(
    ".section .tbss,\\"awT\\",@nobits",
    ".globl kept_apart",
    "kept_apart: .zero 700",
    ".text",
    ".globl offset_apart",
    "offset_apart: movq kept_apart@gottpoff(%rip), %rax",
    "ret",
    options(att_syntax),
);
unsafe extern "C" {
    fn offset_apart() -> isize;
}

#[pyfunction]
fn offset() -> isize {
    unsafe { offset_apart() }
}
"""


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="has the assembler of one machine"
)
def test_a_kernel_with_static_thread_local_storage_says_what_is_used_up(
    kernel: Callable[..., Path], run: Run
) -> None:
    """As an allocator written in C has it; the manifest stands for one that could do without."""
    mentioned = '//! mimalloc = { version = "0.1", default-features = false }\n'
    kernel("k", STATIC_TLS + mentioned.replace("//!", "//") + value(1))
    program = """
for number in range(1, 10):
    k.value(), k.offset()
    if number % 2:
        edit(number + 1)
    try:
        importlib.reload(k)
    except rsimport.RsimportError as error:
        print(number, k.value())
        print(error)
        break
"""
    seen = run(HEAD + program).out.splitlines()
    number, kept = map(int, seen[0].split())
    assert 1 <= number <= 3 and kept, seen
    assert "thread-local memory" in seen[1] and "tmp" not in seen[1]
    line = 'mimalloc = { version = "0.1", features = ["local_dynamic_tls"] }'
    assert seen[2] == f"hint: restart Python, or write `{line}`, with which it takes none of that room"


def test_a_kernel_that_is_only_built_is_never_opened(kernel: Callable[..., Path], run: Run) -> None:
    """What runs at loading would run where a kernel is built for others."""
    section = ".init_array" if sys.platform == "linux" else "__DATA,__mod_init_func"
    loaded = f"""
#[used]
#[unsafe(link_section = "{section}")]
static AT_LOADING: extern "C" fn() = {{
    extern "C" fn note() {{
        std::fs::write("loaded", "x").unwrap();
    }}
    note
}};
"""
    kernel("k", loaded + value(1))
    program = """
import os, rsimport
rsimport.build_filepath("k.rs")
print(os.path.exists("loaded"))
print(rsimport.imp_from_filepath("k.rs").value(), os.path.exists("loaded"))
"""
    assert run(program).out.splitlines() == ["False", "1 True"]


@pytest.mark.skipif(sys.platform == "win32", reason="there the linker wants all symbols")
def test_a_symbol_that_no_library_has_is_named_when_the_kernel_is_loaded(
    kernel: Callable[..., Path], run: Run
) -> None:
    lost = 'unsafe extern "C" {\n    fn lost_function() -> i64;\n}\n'
    kernel("k", lost + value("unsafe { lost_function() }"))
    program = """
import rsimport
for _ in range(2):
    try:
        rsimport.imp_from_filepath("k.rs")
    except rsimport.RsimportError as error:
        print(error)
"""
    seen = run(program).out.splitlines()
    assert len(seen) == 4 and seen[:2] == seen[2:]
    assert seen[0].startswith("kernel k cannot be loaded: ") and "lost_function" in seen[0]
    assert seen[1].startswith("hint: `lost_function` is declared in the kernel")
