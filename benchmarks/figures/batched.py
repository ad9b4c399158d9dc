"""How fast the compiled code is: one call of the batched functions of each shipped kernel.

The kernel as rsimport builds it by default, against the same text built by cargo for speed, with one codegen
unit and for this processor. Both libraries are loaded into this process and take turns; their results have
to be equal.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import kernel
from crate import Crate
from line import Line, ratio
from measure import alternate, compare, seconds
from place import Place

import rsimport

RUNS = 30
BAR = 1.03
RATES = [2.5 + at / 4_000 for at in range(6_000)]
"""Values of r of the logistic map."""


def lines(place: Place, runs: int) -> list[Line]:
    """Measures a call of each kernel in both builds."""
    target = place.folder("fast-target")
    return [line for name in CALLS for line in _lines(place, target, name, runs)]


def _logistic(m: ModuleType) -> Callable[[], object]:
    return lambda: m.logistic(10_000_000, 3.9, 0.5)


def _logistic_nogil(m: ModuleType) -> Callable[[], object]:
    return lambda: m.logistic_nogil(10_000_000, 3.9, 0.5)


def _final_values(m: ModuleType) -> Callable[[], object]:
    return lambda: m.final_values(RATES, 10_000, threads=1).tolist()


def _bifurcation(m: ModuleType) -> Callable[[], object]:
    return lambda: m.bifurcation(RATES, 2_000, 50, threads=1).sum().item()


def _lyapunov(m: ModuleType) -> Callable[[], object]:
    return lambda: m.lyapunov(RATES, 2_000, threads=1).tolist()


def _iterate_into(m: ModuleType) -> Callable[[], object]:
    # The benchmark itself does without NumPy; this gives an array that can be written to.
    orbit = m.final_values([0.0] * 1_000_000, 0)
    return lambda: m.iterate_into(orbit, 3.9, 0.5)


def _sketch(m: ModuleType) -> Callable[[], object]:
    keys = [f"10.0.{at % 251}.{at % 199}" for at in range(100_000)]

    def inserted() -> object:
        sketch = m.CountMinSketch(10_000, 7)
        sketch.insert_many(keys)
        return sketch.count_many(keys[:20_000]).tolist()

    return inserted


def _strings(m: ModuleType) -> Callable[[], object]:
    names = [f"{'abcdefghij'[at % 10] * (at % 7)} company no. {at * 7919 % 10_007}" for at in range(400)]
    return lambda: m.cdist(names, names, threads=1).sum().item()


def _log(m: ModuleType) -> Callable[[], object]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "trades"))
        m.write_trades(path, 200_000)
        reader = m.RowReader(path)
    return lambda: repr(reader.mean_change_by("size", "signal"))


def _hot_loop(m: ModuleType) -> Callable[[], object]:
    example = m.native_example()
    return lambda: m.integrate_native(example, 0.0, 1.0, 2_000_000)


CALLS: dict[str, dict[str, Callable[[ModuleType], Callable[[], object]]]] = {
    "logistic": {"logistic": _logistic, "logistic_nogil": _logistic_nogil},
    "logistic_map": {
        "final_values": _final_values,
        "bifurcation": _bifurcation,
        "lyapunov": _lyapunov,
        "iterate_into": _iterate_into,
    },
    "count_min_sketch": {"insert_many and count_many": _sketch},
    "strings": {"cdist": _strings},
    "binary_log": {"mean_change_by": _log},
    "hot_loop": {"integrate_native": _hot_loop},
}
"""What is called of each kernel; the one without a loop of its own, and the one that waits, are left out."""


def _lines(place: Place, target: Path, name: str, runs: int) -> list[Line]:
    source = kernel.REPOSITORY / "kernels" / f"{name}.rs"
    theirs = Crate.of_kernel(place.folder(f"{name}-crate"), source)
    built = theirs.build(target, CARGO_PROFILE_RELEASE_CODEGEN_UNITS="1")
    artifact = rsimport.build_filepath(source)
    modules = [_loaded(name, library) for library in (Path(artifact), built.library)]
    found = []
    for function, prepare in CALLS[name].items():
        ours, others = (prepare(module) for module in modules)
        if ours() != others():
            raise RuntimeError(f"the two builds of {name} disagree about {function}")
        found.append(_line(f"{name}.{function}", runs, ours, others))
    return found


def _line(what: str, runs: int, ours: Callable[[], object], theirs: Callable[[], object]) -> Line:
    sides = alternate(runs, lambda: seconds(ours), lambda: seconds(theirs))
    return ratio(f"{what}, a batched call", "cargo, codegen-units = 1", compare(*sides), BAR)


def _loaded(name: str, library: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(name, str(library))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
