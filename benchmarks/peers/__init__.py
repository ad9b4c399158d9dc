"""The contestants of the comparison of loops, in the order in which they take turns."""

import kernel

from peers.contestant import Contestant
from peers.kernels import KERNELS
from peers.other_hooks import Cppimport, Numba, Pyximport
from peers.rust_hooks import MaturinImportHook, Rsimport, Rustimport, Shared
from peers.yardsticks import Cargo, Cpython, Rustc

CONTESTANTS: dict[str, Contestant] = {
    "rsimport": Rsimport(),
    "cpython": Cpython(),
    "cargo": Cargo(),
    "rustc": Rustc(),
    "rustimport": Rustimport(),
    "rustimport-shared": Shared(Rustimport(), [kernel.NAME]),
    "maturin-import-hook": MaturinImportHook(),
    "maturin-import-hook-shared": Shared(MaturinImportHook(), KERNELS),
    "cppimport": Cppimport(),
    "pyximport": Pyximport(),
    "numba": Numba(),
}
"""By the names of the command line."""
