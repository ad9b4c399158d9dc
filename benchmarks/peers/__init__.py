"""The contestants of the comparison of loops, in the order in which they take turns."""

from peers.contestant import Contestant
from peers.other_hooks import Cppimport, Numba, Pyximport
from peers.rust_hooks import MaturinImportHook, Rsimport, Rustimport, Shared
from peers.yardsticks import Cargo, Cpython, Rustc

CONTESTANTS: dict[str, Contestant] = {
    "rsimport": Rsimport(),
    "cpython": Cpython(),
    "cargo": Cargo(),
    "rustc": Rustc(),
    "rustimport": Rustimport(),
    "rustimport-shared": Shared(Rustimport()),
    "maturin-import-hook": MaturinImportHook(),
    "maturin-import-hook-shared": Shared(MaturinImportHook()),
    "cppimport": Cppimport(),
    "pyximport": Pyximport(),
    "numba": Numba(),
}
"""By the names of the command line."""
