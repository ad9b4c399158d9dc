"""The logistic map, x -> r * x * (1 - x), for whole arrays of growth rates at once."""

import numpy as np
import numpy.typing as npt

__all__ = ["bifurcation", "final_values", "iterate_into", "lyapunov"]

def final_values(
    rs: npt.ArrayLike, steps: int, x: float = 0.5, threads: int | None = None
) -> npt.NDArray[np.float64]: ...
def iterate_into(out: npt.NDArray[np.float64], r: float, x: float) -> float: ...
def bifurcation(
    rs: npt.ArrayLike, warmup: int = 1000, keep: int = 200, x: float = 0.5, threads: int | None = None
) -> npt.NDArray[np.float64]: ...
def lyapunov(
    rs: npt.ArrayLike, steps: int = 10_000, x: float = 0.5000001, threads: int | None = None
) -> npt.NDArray[np.float64]: ...
