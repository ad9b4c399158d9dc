"""`rsimport.dask.count_min` and `heavy_hitters`: sketches of collections, partition by partition."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from cluster.conftest import Cluster

WORDS = random.Random(5).choices([f"w{n}" for n in range(200)], weights=range(200, 0, -1), k=3000)
SIZES = [len(word) for word in WORDS]


@pytest.fixture(scope="module", autouse=True)
def in_threads() -> Iterator[None]:
    import dask

    with dask.config.set(scheduler="threads"):
        yield


@pytest.fixture(scope="module")
def kernel(shared_cache: object) -> ModuleType:
    from rsimport.kernels import count_min_sketch

    return count_min_sketch


def frame() -> Any:
    pandas, frames = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    whole = pandas.DataFrame({"n": range(len(WORDS)), "word": WORDS, "size": SIZES})
    return frames.from_pandas(whole, npartitions=9)


def tables() -> list[Any]:
    import dask

    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"word": WORDS, "size": SIZES})
    return [dask.delayed(table.slice(at, 400)) for at in range(0, len(WORDS), 400)]


def bag(items: Any) -> Any:
    return pytest.importorskip("dask.bag").from_sequence(items, npartitions=11)


def array(items: Any, **shape: Any) -> Any:
    return pytest.importorskip("dask.array").from_array(items, **shape)


COLLECTIONS: dict[str, Callable[[], tuple[Any, dict[str, str]]]] = {
    "a bag": lambda: (bag(WORDS), {}),
    "a bag that is still to be made": lambda: (bag(WORDS).map(str.upper).map(str.lower).filter(None), {}),
    "a bag of records": lambda: (bag([{"word": word} for word in WORDS]), {"column": "word"}),
    "a series": lambda: (frame()["word"], {}),
    "categories": lambda: (frame()["word"].astype("category"), {}),
    "a data frame": lambda: (frame(), {"column": "word"}),
    "an index": lambda: (frame().set_index("word").index, {}),
    "delayed tables": lambda: (tables(), {"column": "word"}),
}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_collections_of_every_kind_are_counted_as_in_one_process(kernel: ModuleType, name: str) -> None:
    import rsimport.dask

    collection, names = COLLECTIONS[name]()
    alone = kernel.CountMinSketch(500, 3, seed=4)
    alone.insert_many(WORDS)
    sketch = rsimport.dask.count_min(collection, 500, 3, seed=4, split_every=2, **names).compute()
    assert sketch.to_bytes() == alone.to_bytes()


def test_arrays_of_any_shape_are_counted(kernel: ModuleType) -> None:
    import rsimport.dask

    numpy = pytest.importorskip("numpy")
    ints = numpy.random.default_rng(1).integers(0, 99, (60, 50))
    alone = kernel.CountMinSketchInt(500, 3)
    alone.insert_many(ints.ravel())
    for chunks in ((7, 50), (60, 9), (13, 13)):
        made = rsimport.dask.count_min(array(ints, chunks=chunks), 500, 3, of=kernel.CountMinSketchInt)
        assert made.compute().to_bytes() == alone.to_bytes()


@pytest.mark.parametrize("name", ["a data frame", "delayed tables", "a bag of records"])
def test_weights_are_a_column(kernel: ModuleType, name: str) -> None:
    import rsimport.dask

    collection, names = COLLECTIONS[name]()
    if name == "a bag of records":
        records = zip(WORDS, SIZES, strict=True)
        collection = bag([{"word": word, "size": size} for word, size in records])
    alone = kernel.CountMinSketchStr(500, 3, counter_bits=64)
    alone.insert_many(WORDS, SIZES)
    options: dict[str, Any] = {"of": kernel.CountMinSketchStr, "counter_bits": 64, "weights": "size", **names}
    sketch = rsimport.dask.count_min(collection, 500, 3, **options).compute()
    assert sketch.to_bytes() == alone.to_bytes()
    heavy = rsimport.dask.heavy_hitters(collection, 3, weights="size", **names).compute()
    assert heavy.total == sum(SIZES)


def test_heavy_hitters_are_found_and_counted_never_too_low(kernel: ModuleType) -> None:
    import rsimport.dask

    exact = Counter(WORDS)
    heavy = rsimport.dask.heavy_hitters(bag(WORDS), 5, 300, split_every=3).compute()
    assert heavy.total == len(WORDS)
    assert all(exact[word] <= count <= 1.2 * exact[word] + 5 for word, count in heavy.top())
    assert {word for word, _ in heavy.top(10)} >= {word for word, _ in exact.most_common(3)}


def test_a_conservative_sketch_depends_on_the_partitions_and_is_never_too_low(kernel: ModuleType) -> None:
    import rsimport.dask

    exact = Counter(WORDS)
    sketch = rsimport.dask.count_min(bag(WORDS), 40, 2, conservative=True).compute()
    alone = kernel.CountMinSketch(40, 2, conservative=True)
    alone.insert_many(WORDS)
    assert sketch.total == alone.total and sketch.to_bytes() != alone.to_bytes()
    assert all(sketch.count(word) >= count for word, count in exact.items())


def test_what_makes_no_sense_is_said_before_anything_runs(kernel: ModuleType) -> None:
    import rsimport.dask

    for wrong in ((0, 5), (5, 5, False, 16)):
        with pytest.raises(ValueError):
            rsimport.dask.count_min(bag(WORDS), *wrong)
    with pytest.raises(ValueError, match="split_every must be at least 2"):
        rsimport.dask.count_min(bag(WORDS), 5, 5, split_every=1)
    with pytest.raises(TypeError, match="a collection has partitions or delayed batches, not str"):
        rsimport.dask.count_min(WORDS, 5, 5)
    with pytest.raises(KeyError):
        rsimport.dask.count_min(frame(), 5, 5, column="wrd")
    assert rsimport.dask.count_min([], 5, 5).compute().total == 0


def test_columns_that_are_not_counted_are_not_read(kernel: ModuleType) -> None:
    import rsimport.dask

    frames = pytest.importorskip("dask.dataframe")
    whole, asked = frame().compute(), []

    def read(at: int, columns: list[str] | None = None) -> Any:
        asked.append(columns)
        return whole[at : at + 1000] if columns is None else whole[at : at + 1000][columns]

    made = frames.from_map(read, [0, 1000, 2000], meta=whole[:0])
    for names, wanted in (({}, ["word"]), ({"weights": "size"}, ["word", "size"])):
        asked.clear()
        assert rsimport.dask.count_min(made, 500, 3, column="word", **names).compute().total >= len(WORDS)
        assert [sorted(columns or ()) for columns in asked] == [sorted(wanted)] * 3


def test_the_same_collection_has_the_same_key(kernel: ModuleType) -> None:
    import rsimport.dask

    def key(width: int = 500, **options: Any) -> object:
        return rsimport.dask.count_min(bag(WORDS), width, 3, **options).key

    assert key() == key() != key(501)
    assert len({key(), key(seed=1), key(of=kernel.CountMinSketchStr), key(split_every=4)}) == 4


ON_SOME = """
import dask.bag
from distributed import wait
from rsimport.kernels.count_min_sketch import CountMinSketch

words = [f"w{n * n % 97}" for n in range(20_000)]
alone = CountMinSketch(20_000, 5)
alone.insert_many(words)
bag = dask.bag.from_sequence(words, npartitions=10)
client.wait_for_workers(4)
rsimport.dask.enable(client)
for workers in (["a1", "b"], ["a1", "a2", "b", "c"]):
    asked = rsimport.dask.count_min(bag, 20_000, 5, split_every=3), rsimport.dask.heavy_hitters(bag, 50)
    future, heavy = client.compute(list(asked), workers=workers)
    wait([future, heavy])
    sizes = client.run_on_scheduler(
        lambda dask_scheduler: {key: task.nbytes for key, task in dask_scheduler.tasks.items()}
    )
    made, kept = future.result(), heavy.result()
    print(made.to_bytes() == alone.to_bytes(), kept.total)
    print(abs(sizes[future.key] / made.memory_bytes - 1) < 0.01)
    print(1 < sizes[heavy.key] / (8 * kept.width * kept.depth) < 1.1)
    del future, heavy
"""


def test_two_and_four_workers_count_as_one_process_and_the_scheduler_knows_how_large_sketches_are(
    cluster: Cluster, client: Callable[..., list[str]]
) -> None:
    cluster.worker("c", "a", "--no-nanny")
    assert client(ON_SOME) == ["True 20000", "True", "True"] * 2


def test_sketches_come_back_from_threads_of_a_local_cluster(kernel: ModuleType) -> None:
    from distributed import Client

    import rsimport.dask

    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0"):
        sketch = rsimport.dask.count_min(bag(WORDS), 500, 3).compute()
    assert sketch.total == len(WORDS)
