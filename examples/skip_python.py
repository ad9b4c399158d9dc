"""Native loops that call a kernel without Python: SciPy, Numba, Cython and C, each against calls from Python.

Run `python examples/skip_python.py`. It imports callbacks.rs, which lies beside it, and the logistic map
that comes with rsimport. Every part computes the same on both ways, checks that, and prints both times. What
is not installed here is skipped, and its line says so.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import rsimport

HERE = Path(__file__).resolve().parent
ROUNDS = 5

STEPS, R, START = 1_000_000, 3.9, 0.5
"""Of the logistic map."""
AMOUNT, BAND = 0.05, (0.0, 20.0)
"""Of the gas, and the wave numbers in 1/cm."""
PICTURE = 96
"""Width and height in pixels."""
IDS = 200_000


class Part(NamedTuple):
    """The same work on two ways."""

    what: str
    native: Callable[[], float]
    other: Callable[[], float]
    against: str = "a Python callback"
    tolerance: float = 0.0

    def check(self) -> float:
        """The result, which has to be the same on both ways."""
        ours, theirs = self.native(), self.other()
        if not math.isclose(ours, theirs, rel_tol=self.tolerance):
            raise SystemExit(f"{self.what}: {ours!r} native, {theirs!r} by {self.against}")
        return ours


class Missing(Exception):
    """Something that a part needs is not installed."""


def main() -> None:
    callbacks = rsimport.imp_from_filepath(HERE / "callbacks.rs")
    print(f"callbacks.rs exports {', '.join(rsimport.native(callbacks).names)}\n")
    with tempfile.TemporaryDirectory() as folder:
        for number, make in enumerate(PARTS.values(), 1):
            with skipping(number):
                report(number, make(callbacks, Path(folder)))


@contextmanager
def skipping(number: int) -> Iterator[None]:
    try:
        yield
    except Missing as missing:
        print(f"{number}. skipped: {missing}\n")


def report(number: int, part: Part) -> None:
    value = part.check()
    native, other = best(part.native), best(part.other)
    print(f"{number}. {part.what}: {value:.12g} both ways")
    print(f"   native {native * 1e3:>10.4g} ms")
    print(f"   against {other * 1e3:>9.4g} ms by {part.against}: {other / native:.2f} x\n")


def best(run: Callable[[], object]) -> float:
    """Seconds, the best of a few rounds of which each is long enough for the clock."""
    times = []
    for _ in range(ROUNDS):
        start, calls = perf_counter(), 0
        while perf_counter() - start < 0.02:
            run()
            calls += 1
        times.append((perf_counter() - start) / calls)
    return min(times)


def needed(name: str) -> Any:
    """A module that may be missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Missing(f"{name.partition('.')[0]} is not installed") from None


def spectrum(callbacks: Any, folder: Path) -> Part:
    """An integrand with a parameter, which SciPy hands to it as a pointer."""
    scipy, integrate = needed("scipy"), needed("scipy.integrate")
    lines, width = callbacks.lines()

    def absorbed(x: float, amount: float) -> float:
        depth = sum(strength * width / ((x - at) ** 2 + width * width) for at, strength in lines)
        return 1.0 - math.exp(-amount * depth)

    amount = ctypes.c_double(AMOUNT)
    pointer = ctypes.cast(ctypes.pointer(amount), ctypes.c_void_p)
    native = scipy.LowLevelCallable.from_cython(callbacks, "absorbed", pointer)
    return Part(
        "scipy.integrate.quad, light absorbed by a gas with 20 lines",
        lambda: integrate.quad(native, *BAND, limit=500)[0],
        lambda: integrate.quad(absorbed, *BAND, (AMOUNT,), limit=500)[0],
        tolerance=1e-9,
    )


def bell(callbacks: Any, folder: Path) -> Part:
    """The smallest integrand: what is left is SciPy's own time."""
    scipy, integrate = needed("scipy"), needed("scipy.integrate")
    native = scipy.LowLevelCallable.from_cython(callbacks, "bell")
    return Part(
        "scipy.integrate.quad, 4 / (1 + x * x)",
        lambda: integrate.quad(native, 0, 1)[0],
        lambda: integrate.quad(lambda x: 4.0 / (1.0 + x * x), 0, 1)[0],
    )


def contrast(callbacks: Any, folder: Path) -> Part:
    """A filter that SciPy calls for every pixel, with the 25 around it."""
    scipy, ndimage, np = needed("scipy"), needed("scipy.ndimage"), needed("numpy")
    picture = np.random.default_rng(7).uniform(1.0, 2.0, (PICTURE, PICTURE))
    native = scipy.LowLevelCallable.from_cython(callbacks, "contrast")

    def in_python(values: Any) -> float:
        low, high = values.min(), values.max()
        return float((high - low) / (high + low))

    return Part(
        f"scipy.ndimage.generic_filter, contrast of {PICTURE} x {PICTURE} pixels",
        lambda: float(ndimage.generic_filter(picture, native, size=5).sum()),
        lambda: float(ndimage.generic_filter(picture, in_python, size=5).sum()),
    )


def by_numba(callbacks: Any, folder: Path) -> Part:
    """A loop that Numba compiles, with a call for every step; Numba takes functions of ctypes as they are."""
    numba = needed("numba")
    from rsimport.kernels import logistic

    step = rsimport.native(logistic).ctypes("logistic_step")

    @numba.njit  # type: ignore[untyped-decorator]
    def iterate(steps: int, r: float, x: float) -> float:
        for _ in range(steps):
            x = step(r, x)
        return x

    return batched(f"numba, {STEPS:,} calls of logistic_step", lambda: iterate(STEPS, R, START))


def by_c(callbacks: Any, folder: Path) -> Part:
    """A loop in C that is given the address."""
    from rsimport.kernels import logistic

    address = rsimport.native(logistic).address("logistic_step")
    iterate = ctypes.CDLL(str(compiled_c(folder))).iterate
    iterate.restype = ctypes.c_double
    iterate.argtypes = (ctypes.c_void_p, ctypes.c_long, ctypes.c_double, ctypes.c_double)
    return batched(f"C, {STEPS:,} calls of logistic_step", lambda: iterate(address, STEPS, R, START))


def batched(what: str, native: Callable[[], float]) -> Part:
    """The same steps in one call of the kernel, which is the best that calls from Python can do."""
    from rsimport.kernels.logistic import logistic

    return Part(what, native, lambda: logistic(STEPS, R, START), "the batched kernel")


def by_cython(callbacks: Any, folder: Path) -> Part:
    """A loop in Cython, which finds the function by `cimport` as if the kernel were made with Cython."""
    letters = compiled_cython(folder).letters

    def in_python() -> float:
        return sum(len(callbacks.name_of(i & 7)) for i in range(IDS))

    return Part(
        f"Cython, letters in the names of {IDS:,} ids",
        lambda: float(letters(IDS)),
        in_python,
        "a call from Python for each id",
    )


PARTS: dict[str, Callable[[Any, Path], Part]] = {
    "spectrum": spectrum,
    "bell": bell,
    "contrast": contrast,
    "numba": by_numba,
    "cython": by_cython,
    "c": by_c,
}
"""Each takes the module `callbacks` and a folder for what it compiles; raises Missing where it cannot."""

C = """
double iterate(double (*step)(double, double), long steps, double r, double x) {
    for (long i = 0; i < steps; i++) x = step(r, x);
    return x;
}
"""

CYTHON = """
from libc.string cimport strlen
from callbacks cimport id_name

def letters(int ids):
    cdef size_t total = 0
    cdef int i
    for i in range(ids):
        total += strlen(id_name(i & 7))
    return total
"""


def compiled_c(folder: Path) -> Path:
    """A library made of the loop in C."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Missing("there is no C compiler (cc, gcc or clang)")
    (folder / "iterate.c").write_text(C)
    library = folder / "iterate.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, folder / "iterate.c"], check=True)
    return library


def compiled_cython(folder: Path) -> Any:
    """A module made of the loop in Cython; callbacks.pxd tells Cython about the kernel."""
    for name in ("Cython", "setuptools"):
        needed(name)
    if shutil.which("cc") is None:
        raise Missing("there is no C compiler (cc)")
    (folder / "letters.pyx").write_text(CYTHON)
    shutil.copy(HERE / "callbacks.pxd", folder)
    command = [sys.executable, "-m", "Cython.Build.Cythonize", "-3", "-i", "-q", "letters.pyx"]
    seen = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if seen.returncode:
        raise SystemExit(f"Cython: {seen.stderr}")
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("letters")
    finally:
        sys.path.remove(str(folder))


if __name__ == "__main__":
    main()
