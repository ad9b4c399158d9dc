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
    fixed_error: float = 0.0
    step_error: float = 0.0
    misfit: float = 0.0
    """The largest relative difference between the line and a time."""

    def at(self, steps: float) -> float:
        """Seconds of a call of so many steps."""
        return self.fixed + self.step * steps

    @classmethod
    def through(
        cls, sizes: Sequence[int], seconds: Sequence[float], errors: Sequence[float] | None = None
    ) -> Line:
        """The line of least squares of the relative errors, as a clock errs in proportion to what it times.

        `errors` are the standard errors of `seconds`. Those of the line come from these or from what the line
        leaves unexplained, whichever is more. Where one size is all there is, all of its time counts as
        work: a step that forbids a second one hides what a call costs.
        """
        weights = 1.0 / numpy.asarray(seconds)
        noise = float(numpy.mean((numpy.asarray(errors) * weights) ** 2)) if errors else 0.0
        if len(sizes) == 1:
            each = seconds[0] / sizes[0]
            return cls(0.0, each, 0.0, each * math.sqrt(noise))
        (step, fixed), covariance = numpy.polyfit(sizes, seconds, 1, w=weights, cov="unscaled")
        misfits = (fixed + step * numpy.asarray(sizes)) * weights - 1.0
        free = len(sizes) - 2
        scatter = float(numpy.sum(misfits**2)) / free if free else 0.0
        step_error, fixed_error = numpy.sqrt(numpy.diag(covariance) * max(scatter, noise))
        misfit = float(numpy.max(numpy.abs(misfits)))
        return cls(
            max(float(fixed), 0.0), max(float(step), 0.0), float(fixed_error), float(step_error), misfit
        )


def break_even(native: Line, python: Line) -> float:
    """The smallest number of steps a call from which on the native side stays faster, or `math.inf`."""
    if native.step > python.step or (native.step == python.step and native.fixed >= python.fixed):
        return math.inf
    if native.at(1) <= python.at(1):
        return 1
    return math.ceil((native.fixed - python.fixed) / (python.step - native.step))


def ahead_below(native: Line, python: Line) -> int:
    """The number of steps a call below which the native side is faster, although its steps are slower."""
    if native.step <= python.step or native.at(1) >= python.at(1):
        return 0
    return math.ceil((python.fixed - native.fixed) / (native.step - python.step))


def even_from(line: Line, cost: float) -> int:
    """The number of steps whose work takes as long as something that costs so many seconds."""
    return max(1, math.ceil(cost / line.step)) if line.step > 0 else 1
