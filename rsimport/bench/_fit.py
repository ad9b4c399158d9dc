"""The straight line through the times of calls: so much for crossing over, and so much for each step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy


@dataclass(frozen=True)
class Line:
    """A call of `n` steps takes `fixed + n * step` seconds; the errors are standard errors."""

    fixed: float
    step: float
    fixed_error: float
    step_error: float

    def at(self, steps: int) -> float:
        """Seconds of a call of so many steps."""
        return self.fixed + self.step * steps

    @classmethod
    def through(cls, sizes: Sequence[int], seconds: Sequence[float]) -> Line:
        """The line of least squares of the relative errors, as a clock errs in proportion to what it times.

        With one size only, all of the time counts as fixed.
        """
        if len(sizes) < 2:
            return cls(seconds[0], 0.0, 0.0, 0.0)
        weights = [1.0 / value for value in seconds]
        # Two points determine a line and leave nothing to tell the error from.
        if len(sizes) < 4:
            step, fixed = numpy.polyfit(sizes, seconds, 1, w=weights)
            errors = (0.0, 0.0)
        else:
            (step, fixed), covariance = numpy.polyfit(sizes, seconds, 1, w=weights, cov=True)
            errors = tuple(numpy.sqrt(numpy.diag(covariance)))
        return cls(max(float(fixed), 0.0), max(float(step), 0.0), float(errors[1]), float(errors[0]))


def break_even(native: Line, python: Line) -> int | None:
    """The smallest number of steps a call from which on the native side is faster; None where it never is."""
    if native.at(1) <= python.at(1) and native.step <= python.step:
        return 1
    if native.step >= python.step:
        return None
    return max(1, math.ceil((native.fixed - python.fixed) / (python.step - native.step)))


def even_from(line: Line, cost: float) -> int:
    """The number of steps whose work takes as long as something that costs so many seconds."""
    return max(1, math.ceil(cost / line.step)) if line.step > 0 else 1
