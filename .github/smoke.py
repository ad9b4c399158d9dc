"""Imports a kernel, edits it and reloads it: what has to work wherever a wheel is installed."""

import os
import sys
import tempfile
from pathlib import Path

import rsimport

KERNEL = """\
// rsimport
#[pyfunction]
fn value() -> i64 {
    1
}
"""

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "smoke_kernel.rs")
    file.write_text(KERNEL, encoding="utf-8")
    sys.path.insert(0, folder)
    rsimport.install()
    import smoke_kernel

    assert smoke_kernel.value() == 1
    file.write_text(KERNEL.replace("1", "2"), encoding="utf-8")
    assert rsimport.reload(smoke_kernel).value() == 2
    artifact = rsimport.info(smoke_kernel)
    print(f"{artifact.path}: {artifact.reason}, {artifact.tier}, {artifact.seconds:.1f} s")
    # Windows deletes no library that is loaded; this one lies in the cache.
    assert not artifact.path.startswith(os.path.abspath(folder))
