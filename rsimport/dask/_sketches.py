"""Sketches of Dask collections: one for each partition, merged in a tree."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from dask.delayed import Delayed

    from rsimport.kernels.count_min_sketch import CountMinSketch, HeavyHitters

    Sketch = CountMinSketch | HeavyHitters


def count_min(
    collection: Any,
    width: int,
    depth: int,
    conservative: bool = False,
    counter_bits: int = 32,
    seed: int = 0,
    *,
    column: str | None = None,
    weights: str | None = None,
    of: type[CountMinSketch] | None = None,
    split_every: int = 8,
) -> Delayed:
    """A CountMinSketch of all items of a collection, when it is computed.

    `collection` is a bag, a series, an index, an array or a data frame of Dask, or an iterable of
    delayed batches such as tables of pyarrow; of frames, tables and dicts `column` names what is
    counted, and `weights` what says how often. `of` is the class of the sketch, such as
    CountMinSketchStr. Each partition is counted where it lies, and `split_every` sketches at a time
    are merged.

    The counters are those that one process counts, byte for byte, unless the sketch is conservative:
    then they depend on how the collection is divided. An estimate is never too low either way.

    Raises what the class raises for its arguments, and TypeError for what is no collection.
    """
    from rsimport.kernels.count_min_sketch import CountMinSketch

    options = (width, depth, conservative, counter_bits, seed)
    return _sketched(collection, of or CountMinSketch, options, column, weights, split_every)


def heavy_hitters(
    collection: Any,
    k: int,
    width: int | None = None,
    depth: int = 5,
    seed: int = 0,
    *,
    column: str | None = None,
    weights: str | None = None,
    split_every: int = 8,
) -> Delayed:
    """The HeavyHitters of all items of a collection, when it is computed; arguments as those of `count_min`.

    Its sketch is conservative, so its counts depend on how the collection is divided, though they are
    never too low; and of keys that are about as frequent as the least of the `k`, others may be found.
    """
    from rsimport.kernels.count_min_sketch import HeavyHitters

    return _sketched(collection, HeavyHitters, (k, width, depth, seed), column, weights, split_every)


def _sketched(
    collection: Any,
    cls: type[Sketch],
    options: tuple[Any, ...],
    column: str | None,
    weights: str | None,
    split_every: int,
) -> Delayed:
    from dask.base import tokenize
    from dask.delayed import delayed

    if split_every < 2:
        raise ValueError("split_every must be at least 2")
    cls(*options)  # What is wrong with the arguments is said here, and not by a worker.
    parts = list(_parts(collection, column, weights))
    token = tokenize([part.key for part in parts], cls, options, column, weights, split_every)

    def task(function: Any, name: str, *arguments: Any) -> Delayed:
        made = delayed(function, pure=False, traverse=False)
        found: Delayed = made(*arguments, dask_key_name=f"{cls.__name__}-{name}-{token}")
        return found

    if not parts:
        return task(_made, "empty", cls, options)
    sketches = [
        task(_count, f"part-{n}", part, cls, options, column, weights) for n, part in enumerate(parts)
    ]
    level = 0
    while len(sketches) > 1:
        groups = [sketches[at : at + split_every] for at in range(0, len(sketches), split_every)]
        sketches = [
            task(_merge, f"merged-{level}-{n}", group, cls, options) for n, group in enumerate(groups)
        ]
        level += 1
    return sketches[0]


def _parts(collection: Any, column: str | None, weights: str | None) -> Iterator[Delayed]:
    """The partitions, of data frames those of the columns that are counted: others need not be read."""
    if column is not None and hasattr(collection, "columns"):
        collection = collection[[column] if weights is None or weights == column else [column, weights]]
    if hasattr(collection, "to_delayed"):
        parts = collection.to_delayed()
        yield from parts.ravel() if hasattr(parts, "ravel") else parts
        return
    for part in collection:
        if not hasattr(part, "dask") and not hasattr(part, "key"):
            raise TypeError(f"a collection has partitions or delayed batches, not {type(part).__name__}")
        yield part


def _made(cls: type[Sketch], options: tuple[Any, ...]) -> Sketch:
    made: type[Sketch] = _real(cls)
    return made(*options)


def _count(
    part: Any, cls: type[Sketch], options: tuple[Any, ...], column: str | None, weights: str | None
) -> Sketch:
    """The sketch of one partition."""
    sketch = _made(cls, options)
    times: Any = None
    if column is not None and _is_records(part):
        records = list(part)
        part = [record[column] for record in records]
        times = None if weights is None else [record[weights] for record in records]
        column = None
    elif weights is not None:
        times = part[weights]
    if getattr(part, "ndim", 1) > 1 and not hasattr(part, "columns"):
        part = part.ravel()
    sketch.insert_many(part, times, column=column)
    return sketch


def _is_records(part: Any) -> bool:
    """Is it a partition of a bag, whose items have the columns?"""
    if isinstance(part, list | tuple):
        return True
    return not hasattr(part, "__getitem__") and not hasattr(part, "__arrow_c_stream__")


def _merge(parts: Sequence[Any], cls: type[Sketch], options: tuple[Any, ...]) -> Sketch:
    """The sum of some sketches, which stay as they are: a task that is repeated finds them so."""
    total: Any = _made(cls, options)
    for part in parts:
        total.merge(_real(part))
    merged: Sketch = total
    return merged


def _real(thing: Any) -> Any:
    """What arrived in place of something, on a worker that had no such kernel yet."""
    if "rsimport._stand_in" not in sys.modules:
        return thing
    from rsimport._stand_in import real

    return real(thing)
