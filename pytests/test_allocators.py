"""Kernels with a `#[global_allocator]` of their own, in both tiers, across edits and reloads."""

from __future__ import annotations

import pytest
from helpers import value

HEADED = """
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

/// Puts 32 bytes before each block, as debugging allocators do, and notices who frees what is not its own.
struct Headed;

static ALLOCATED: AtomicIsize = AtomicIsize::new(0);

unsafe impl GlobalAlloc for Headed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(1, Relaxed);
        let block = unsafe { System.alloc(Layout::from_size_align(layout.size() + 32, 32).unwrap()) };
        unsafe {
            block.write(0x5a);
            block.add(32)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(1, Relaxed);
        let block = unsafe { block.sub(32) };
        if unsafe { block.read() } != 0x5a {
            std::process::abort();
        }
        unsafe { System.dealloc(block, Layout::from_size_align(layout.size() + 32, 32).unwrap()) }
    }
}

#[global_allocator]
static ALLOCATOR: Headed = Headed;

/// What stays allocated when the standard library, PyO3 and this kernel have allocated and freed.
#[pyfunction]
fn left(text: String) -> PyResult<isize> {
    let work = move || -> usize {
        let texts = (0..100).map(|i| format!("{i:>40}-{text}"));
        texts.map(|text| text.len() + std::env::vars_os().count()).sum()
    };
    work();
    let before = ALLOCATED.load(Relaxed);
    std::hint::black_box(work());
    let after = ALLOCATED.load(Relaxed);
    let threads = (0..4).map(|_| std::thread::spawn(|| "x".repeat(1000)));
    let texts: Vec<String> = threads.map(|thread| thread.join().unwrap()).collect();
    if texts.len() != 4 || before == 0 {
        return Err(pyo3::exceptions::PyValueError::new_err("the allocator is not used"));
    }
    Ok(after - before)
}

#[pyfunction]
fn panics() {
    panic!("{}", "x".repeat(1000));
}

#[pyclass]
struct Text(String);

#[pymethods]
impl Text {
    #[new]
    fn new(text: String) -> Self {
        Text(text)
    }

    fn get(&self) -> String {
        self.0.clone()
    }
}
"""

PROGRAM = """
import gc, pathlib
import rsimport, rsimport.import_hook, k

source = pathlib.Path("k.rs")
kept, seen = [], []
for number in range(1, 7):
    if number % 3:  # The third and the sixth are reloads without an edit.
        source.write_text(source.read_text() + "// edited\\n")
    rsimport.reload(k)
    try:
        k.panics()
    except BaseException as error:
        assert type(error).__name__ == "PanicException" and len(str(error)) == 1000
    kept.append(k.Text("x" * number))
    seen.append((k.value(), k.left("y" * number), rsimport.info(k).tier))
# Objects of earlier images are freed by these.
assert [text.get() for text in kept] == ["x" * number for number in range(1, 7)]
del kept
gc.collect()
print(seen == 6 * [(1, 0, TIER)], seen)
"""


@pytest.mark.parametrize("tier", ["fast", "optimized"])
def test_an_allocator_allocates_and_frees_all_of_its_kernel_in_every_version(kernel, run, tier):
    kernel("k", HEADED + value(1))
    # The first build of a kernel is optimised, whatever comes afterwards.
    assert (
        run("import rsimport.import_hook, k; print(k.left('z'))", env={"RSIMPORT_TIER": "optimized"}).out
        == "0"
    )
    seen = run(PROGRAM.replace("TIER", repr(tier)), env={"RSIMPORT_TIER": tier}).out
    assert seen.startswith("True"), seen
