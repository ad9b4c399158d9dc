"""The Count-Min sketch against a dict of counts, other sketches, a bare loop in Rust, and plain Python."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from ipaddress import IPv4Address
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from line import Line, ratio
from measure import Spread, alternate, compare, seconds, steady

from classics._python_sketch import PythonSketch

RUNS = 15
WIDTH, DEPTH = 10_000, 7
KEYS = 100_000
BATCH = 1_000
BIG = 2**26 // DEPTH
"""The width of a table of 256 MB."""

Action = Callable[[], object]


def lines(runs: int) -> list[Line]:
    """All figures. Where one side takes long, it is measured less often."""
    return [*batches(runs), *loops(runs), *arrays(runs), *threads(runs), *classic_table(runs)]


def batches(runs: int) -> Iterator[Line]:
    keys, ours = stream(), new("Str")
    insert = partial(ours.insert_many, keys)
    yield measured(runs, "insert_many of a list", "collections.Counter", insert, partial(Counter, keys), 0.37)
    sketches = peer("datasketches")
    theirs = sketches and partial(own(each), keys, sketches.count_min_sketch(DEPTH, WIDTH).update)
    yield measured(runs, "insert_many of a list", "datasketches, a loop", insert, theirs, 0.09)


def loops(runs: int) -> Iterator[Line]:
    keys, ours, theirs = stream(), new("Str"), other(WIDTH, DEPTH)
    for name, bar in (("insert", 0.09), ("count", 0.12)):
        mine = partial(own(each), keys, getattr(ours, name))
        loop = theirs and partial(own(each), keys, getattr(theirs, name))
        yield measured(runs, f"{name} in a loop", "cmsketch, a loop", mine, loop, bar)
    # What is left where there is no work: the loop, and calls of a method that only says a number.
    idle = partial(own(each_none), keys, ours.get_width)
    loop = theirs and partial(own(each), keys, theirs.count)
    yield measured(runs, "get_width in a loop", "cmsketch, a loop", idle, loop)
    candidates = list(dict.fromkeys(keys))[:10]
    mine = partial(own(repeat), 2000, partial(ours.top_k, 3, candidates))
    loop = theirs and partial(own(repeat), 2000, partial(theirs.top_k, 3, candidates))
    yield measured(runs, "top_k(3) of 10", "cmsketch", mine, loop, 0.2)


def arrays(runs: int) -> Iterator[Line]:
    if (numpy := peer("numpy")) is None:
        yield measured(runs, "insert_many of int64", "a bare loop in Rust", None, None)
        return
    bare = import_rust("_bare_sketch").Bare
    rng = numpy.random.default_rng(1)
    # In the caches everything counts, in 256 MB the wait for memory: 7 misses a key, of which the processor
    # has many under way at once.
    for keys, width, bar, times in ((KEYS, WIDTH, 1.2, runs), (5_000_000, BIG, 1.5, min(runs, 5))):
        array = rng.integers(-(2**63), 2**63, keys, dtype="i8")
        ours, theirs = new("Int", width), bare(width, DEPTH)
        what = f"insert_many of int64, {width * DEPTH * 4 / 1e6:.2g} MB"
        pairs = alternate(
            times,
            lambda ours=ours, array=array: seconds(partial(ours.insert_many, array)),
            lambda theirs=theirs, array=array: seconds(partial(theirs.insert_many, array)),
        )
        yield ratio(what, "a bare loop in Rust", compare(*pairs), bar)
        note = f"{min(pairs[1]) / keys * 1e9:.3g} ns in the bare loop"
        bar = 5.5 if width == WIDTH else None
        yield Line(what, "the fastest run", Spread.of([min(pairs[0]) / keys * 1e9]), "ns a key", bar, note)


def threads(runs: int) -> Iterator[Line]:
    keys, ours, theirs = stream(), new("Str"), other(WIDTH, DEPTH)
    parts = [keys[start : start + BATCH] for start in range(0, KEYS, BATCH)]
    with ThreadPoolExecutor(10) as pool:
        mine = partial(spread_out, pool, parts, ours.insert_many)
        loop = theirs and partial(spread_out, pool, parts, inserting(theirs))
        yield measured(runs, "10 threads, batches of 1,000", "cmsketch, 10 threads", mine, loop, 1 / 20)
        idle = partial(spread_out, pool, parts, len)
        yield measured(runs, "10 threads, no work", "cmsketch, 10 threads", idle, loop)


def classic_table(runs: int) -> Iterator[Line]:
    """The table of cmsketch's own page, by its recipe.

    That page tells how many times faster the C++ is than the same in Python, which the package brings along;
    the bars are twice as many times. The sketch in plain Python here takes a tenth of the time of that one.
    """
    rng = random.Random(42)
    keys = [str(IPv4Address(rng.randrange(2**32))) for _ in range(10)]
    drawn = rng.choices(keys, weights=[10, 8, 6, 4, 2, 1, 1, 1, 1, 1], k=KEYS)
    ours, plain, cmsketch = new("Str", 1000, 10), PythonSketch(1000, 10), peer("cmsketch")
    fast = cmsketch and cmsketch.CountMinSketchStr(1000, 10)
    slow = cmsketch and cmsketch.PyCountMinSketchStr(1000, 10)
    with ThreadPoolExecutor(10) as pool:
        # The slow ones do a part of the work, of which the times are counted up.
        mine = workload(pool, ours, ours.insert_many, keys, drawn, 1)
        for name, times in (("insert threaded", 191), ("count", 182), ("top_k(3)", 334), ("streaming", 193)):
            for against, theirs, part in (
                ("cmsketch, in Python", slow, 100),
                ("plain Python", plain, 20),
                ("cmsketch", fast, 1),
            ):
                work = theirs and workload(pool, theirs, inserting(theirs), keys, drawn, part)[name]
                bar = None if part == 1 else 0.5 / times
                what = f"table: {name}"
                yield measured(min(runs, 5), what, against, mine[name], work, bar, part)


def workload(
    pool: ThreadPoolExecutor,
    sketch: Any,
    insert: Callable[[list[str]], object],
    keys: list[str],
    drawn: list[str],
    part: int,
) -> dict[str, Action]:
    """The four rows of the table, or one `part`-th of the work of each."""
    some = drawn[: KEYS // part]
    parts = [some[start : start + BATCH] for start in range(0, len(some), BATCH)]

    def streaming() -> None:
        insert(some)
        sketch.top_k(3, keys)

    return {
        "insert threaded": partial(spread_out, pool, parts, insert),
        "count": partial(own(repeat), 2000 // part, partial(own(each), keys, sketch.count)),
        "top_k(3)": partial(own(repeat), 2000 // part, partial(sketch.top_k, 3, keys)),
        "streaming": streaming,
    }


def measured(
    runs: int,
    what: str,
    against: str,
    ours: Action | None,
    theirs: Action | None,
    bar: float | None = None,
    share: int = 1,
) -> Line:
    """A line for two sides, theirs doing one `share`-th of the work; or one that says why there is none."""
    if ours is None or theirs is None:
        missing = "numpy" if ours is None else against.partition(",")[0]
        return Line(what, against, None, bar=bar, note=f"skipped: {missing} is not installed")
    mine, other = steady(ours), steady(theirs)
    pairs = alternate(runs, lambda: mine() / share, other)
    return ratio(what, against, compare(*pairs), bar)


def stream() -> list[str]:
    """Addresses, of which that of rank n comes about 1 / n as often as the first."""
    rng = random.Random(7)
    addresses = [str(IPv4Address(number)) for number in rng.sample(range(2**32), 10_000)]
    return rng.choices(addresses, weights=[1 / rank for rank in range(1, 10_001)], k=KEYS)


def new(keys: str, width: int = WIDTH, depth: int = DEPTH) -> Any:
    from rsimport.kernels import count_min_sketch

    return getattr(count_min_sketch, f"CountMinSketch{keys}")(width, depth)


def other(width: int, depth: int) -> Any:
    """cmsketch's sketch, None without it."""
    return (cmsketch := peer("cmsketch")) and cmsketch.CountMinSketchStr(width, depth)


def peer(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None


def import_rust(name: str) -> ModuleType:
    import rsimport

    return rsimport.imp_from_filepath(Path(__file__).with_name(f"{name}.rs"))


def own(loop: Callable[..., None]) -> Callable[..., None]:
    """A loop of its own for each side.

    CPython adapts a loop's bytecode to what is called there. One that is used for several sketches in turn
    would be adapted to none of them, unlike a user's.
    """
    assert isinstance(loop, FunctionType)
    return FunctionType(loop.__code__.replace(), loop.__globals__)


def each(keys: list[str], action: Callable[[str], object]) -> None:
    for key in keys:
        action(key)


def each_none(keys: list[str], action: Action) -> None:
    for _ in keys:
        action()


def inserting(sketch: Any) -> Callable[[list[str]], None]:
    """A function that inserts a list of keys one by one."""
    loop = own(each)
    return lambda keys: loop(keys, sketch.insert)


def repeat(times: int, action: Action) -> None:
    for _ in range(times):
        action()


def spread_out(
    pool: ThreadPoolExecutor, parts: list[list[str]], insert: Callable[[list[str]], object]
) -> None:
    for _ in pool.map(insert, parts):
        pass
