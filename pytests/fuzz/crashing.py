"""A target that ends its process, for a test of who watches it."""

from __future__ import annotations

import os
from random import Random

from hypothesis import strategies as st

from fuzz.target import Target, trace


def one(shape: str, random: Random) -> None:
    number = random.randrange(1000)
    trace(shape, number)
    if number % 100 == 7:
        os.abort()


TARGET = Target("crashing", st.just("shape"), one)
