"""The three kernels of the comparison, and edits of them.

Each edit changes the machine code of one function so that one call returns the edit's number. A module that
still has the old code is noticed by that.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import kernel


class Kernel(NamedTuple):
    """A kernel in Rust, as text without a marker, a manifest or a `#[pymodule]`."""

    name: str
    crates: tuple[str, ...]
    """What it depends on."""
    call: str
    """A Python expression with the module `m`; its value is the number of the edit."""
    edited: Callable[[int], str]

    @property
    def lines(self) -> int:
        """Length without comments and empty lines."""
        lines = map(str.strip, self.edited(0).splitlines())
        return sum(1 for line in lines if line and not line.startswith("//"))


_SKETCH = Path(__file__).with_name("count_min_sketch.rs").read_text(encoding="utf-8")
_LEAST = "counts.min().unwrap_or(0)"
_GROUPS = 35
"""Of the generated kernel: one exposed function each, with what it calls."""


def _sketch(number: int) -> str:
    assert _SKETCH.count(_LEAST) == 1
    return _SKETCH.replace(_LEAST, f"{_LEAST} + {number}")


def _generated(number: int) -> str:
    groups = (_group(at, number if at == _GROUPS // 2 else 0) for at in range(_GROUPS))
    return "\n".join(("use pyo3::prelude::*;\n", *groups))


def _group(at: int, number: int) -> str:
    """About 65 lines: six functions of the kinds that kernels are made of, and one that Python sees."""
    text = _TEMPLATE.replace("@", f"{at:02}")
    for name, value in {"FACTOR": 2 * at + 3, "SHIFT": at % 7 + 1, "NUMBER": number}.items():
        text = text.replace(name, str(value))
    return text


_TEMPLATE = """
fn decay_@(x: f64, steps: u64) -> f64 {
    let mut value = x;
    for step in 0..steps {
        value = value * 0.5 + (step % FACTOR) as f64 * value;
        if value.abs() > 1e12 {
            value /= FACTOR.0;
        }
    }
    value
}

fn window_@(x: f64, steps: u64) -> Vec<f64> {
    let mut window = Vec::with_capacity(FACTOR);
    for step in 0..steps.min(64) {
        window.push(x * (step + SHIFT) as f64);
        if window.len() > FACTOR {
            window.remove(0);
        }
    }
    window
}

fn highest_@(window: &[f64]) -> f64 {
    let mut sorted = window.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.as_slice() {
        [] => 0.0,
        [only] => *only,
        [.., second, first] => (first + second) / 2.0,
    }
}

fn mixed_@(text: &str) -> u64 {
    text.bytes().fold(FACTOR, |hash: u64, byte| {
        let turned = hash.rotate_left(SHIFT) ^ u64::from(byte);
        turned.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

fn label_@(x: f64, steps: u64) -> String {
    let kind = match steps % 4 {
        0 => "quarter",
        1 => "half",
        2 => "third",
        _ => "whole",
    };
    format!("{kind}-@: {x:.3} after {steps}")
}

fn offset_@(x: f64, steps: u64) -> f64 {
    let scaled = if steps > FACTOR { x / SHIFT.0 } else { x };
    scaled + NUMBER.0
}

#[pyfunction]
fn entry_@(x: f64, steps: u64) -> PyResult<f64> {
    let window = window_@(decay_@(x, steps), steps);
    let label = label_@(x, steps);
    if mixed_@(&label) == 0 {
        return Err(pyo3::exceptions::PyValueError::new_err(label));
    }
    Ok(offset_@(highest_@(&window), steps))
}
"""

KERNELS = {
    kernel.NAME: Kernel(kernel.NAME, ("pyo3",), "m.logistic(1, 0.0, 0.0)", kernel.edited),
    "count_min_sketch": Kernel(
        "count_min_sketch",
        ("pyo3", "numpy"),
        "int(m.estimate(m.sketch(4, 64), __import__('numpy').array([1], dtype='u8'))[0])",
        _sketch,
    ),
    "generated": Kernel("generated", ("pyo3",), f"m.entry_{_GROUPS // 2:02}(0.0, 5)", _generated),
}
