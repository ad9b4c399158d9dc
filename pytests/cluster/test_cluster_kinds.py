"""Whatever is of a kernel is used on workers that have neither Rust nor its source."""

from __future__ import annotations

import pytest
from helpers import write
from test_workers import KERNEL

EVERYTHING = """
from dask import delayed, bag
import dask.array
from distributed.protocol.pickle import dumps
import k


def by_name(n):
    import k
    return k.add(n)


def use(point):
    return point.twice()


client.wait_for_workers(3)
rsimport.dask.enable(client)
show(lambda: client.submit(k.add, 1).result(60))
show(lambda: sum(client.gather(client.map(k.add, range(100)))))
show(lambda: client.submit(lambda n: k.add(n) + k.Point(n).twice(), 1).result(60))
show(lambda: delayed(k.add)(delayed(k.add)(1)).compute())
show(lambda: bag.from_sequence(range(6), npartitions=3).map(k.add).map(k.Point).map(use).sum().compute())
show(lambda: int(dask.array.ones(4, chunks=2).map_blocks(lambda block: block * k.add(1)).sum().compute()))
show(lambda: client.submit(by_name, 5).result(60))
show(lambda: client.submit(k.Point(4).twice).result(60))
show(lambda: client.submit(use, k.Point(5)).result(60))
show(lambda: client.submit(use, client.submit(k.Point, 6)).result(60))
show(lambda: type(client.submit(k.Point, 6).result(60)) is k.Point)
show(lambda: client.submit(k.inner.double, 7).result(60))
show(lambda: client.submit(lambda: k.Colour.Green).result(60) == k.Colour.Green)
show(lambda: client.submit(k.fail, 6).result(60))
show(lambda: client.submit(k.fail_with, 6).exception(60).code)
show(lambda: client.submit(k.panics, 7).result(60))
show(lambda: client.submit(lambda: k.Point(8).panics()).result(60))
show(lambda: client.submit(k.Point, 9, actor=True).result(60).twice().result(60))
show(lambda: sum(len(dumps(function)) for function in [k.add, k.Point] * 5000) <= 150 * 10000)
show(lambda: sum(client.run(lambda: k.add(1)).values()))
client.upload_file("above.py")
show(lambda: client.submit(lambda: __import__("above").three(1)).result(60))
status = rsimport.dask.status(client)
now = next(kernel for kernel in status.kernels if kernel["name"] == "k" and kernel["current"])
print(now["served"])
print({row[-1].partition(",")[0] for row in status.rows() if row[3] == now["content"][:8]})
print("fetched" in repr(status) and "<td>k</td>" in status._repr_html_())
from joblib import Parallel, delayed as later, parallel_config
with parallel_config(backend="dask"):
    show(lambda: Parallel()(later(k.add)(n) for n in range(3)))
show(lambda: client.run_on_scheduler(k.add, 1))
client.close()
with Client(processes=False, dashboard_address=":0") as client:
    rsimport.dask.enable(client)
    show(lambda: client.submit(k.add, 1).result(60) + client.submit(lambda: k.Point(2).twice()).result(60))
    show(lambda: client.submit(lambda: k.Point(3).panics()).result(60))
"""

ABOVE = """
from k import Point, add

twice = Point.twice


def three(n):
    return add(n) + 2
"""

ANSWERS = """
2
5050
4
3
42
8
6
8
10
12
True
14
True
k.Odd 6
6
rsimport.Panic no 7
rsimport.Panic no 8
18
True
6
4
2
"""


def test_whatever_is_of_a_kernel_is_used_where_there_is_neither_rust_nor_source(client, kernel, project):
    kernel("k", KERNEL)
    write(project, {"above.py": ABOVE})
    *out, by_joblib, by_scheduler, in_process, panic = client(EVERYTHING)
    assert "a scheduler only hands kernels on" in by_scheduler and "`client.run`" in by_scheduler
    assert (by_joblib, in_process, panic) == ("[1, 2, 3]", "6", "rsimport.Panic no 3")
    assert out[: ANSWERS.count("\n") - 1] == ANSWERS.split("\n")[1:-1]
    # Of two processes on one host one fetches, and the other finds it there.
    assert (
        out[-2] in ("{'fetched', 'was on the host'}", "{'was on the host', 'fetched'}") and out[-1] == "True"
    )


ADD = """
#[pyfunction]
fn add(x: i64) -> i64 { x + 1 }
"""

COLLECTIONS = """
import operator
import dask.array, dask.bag, dask.dataframe, numpy, pandas
from rsimport.kernels import strings
from rsimport.kernels.count_min_sketch import CountMinSketch, HeavyHitters
import k

WORDS = ["kitten", "sitting", "kitten", "mitten", "kitchen", "kitten", "sitting"] * 3
client.wait_for_workers(3)
rsimport.dask.enable(client)
array = dask.array.arange(6, chunks=2)
gufunc = dask.array.apply_gufunc
show(lambda: gufunc(k.add, "()->()", array, vectorize=True, output_dtypes=int).compute().tolist())
words = dask.array.from_array(numpy.array(WORDS[:6], dtype=object), chunks=4)
two = dask.array.from_array(numpy.array(["kitten", "mitten"], dtype=object), chunks=2)
show(lambda: gufunc(strings.cdist, "(),(n)->(n)", words, two, output_dtypes=int).compute().tolist())
to_kitten = {"new_axis": 1, "chunks": ((4, 2), (1,)), "dtype": int}
show(lambda: words.map_blocks(strings.cdist, ["kitten"], **to_kitten).compute().ravel().tolist())


def with_distance(part):
    return part.assign(distance=strings.cdist(part["word"], ["kitten"])[:, 0])


frame = dask.dataframe.from_pandas(pandas.DataFrame({"word": WORDS}), npartitions=3)
meta = {"word": str, "distance": int}
show(lambda: frame.map_partitions(with_distance, meta=meta).compute()["distance"].tolist()[:7])
bag = dask.bag.from_sequence(WORDS, npartitions=3)
show(lambda: [row.tolist() for row in bag.map_partitions(strings.cdist, ["kitten"]).compute()[:3]])


def sketch(part, kind, *args):
    made = kind(*args)
    made.insert_many(list(part))
    return [made]


whole = sketch(WORDS, CountMinSketch, 64, 3)[0]
parts = bag.map_partitions(sketch, CountMinSketch, 64, 3)
show(lambda: parts.fold(operator.or_).compute().to_bytes() == whole.to_bytes())
made = [sketch(WORDS[n::4], CountMinSketch, 64, 3)[0] for n in range(4)]
sent = dask.bag.from_sequence(made, npartitions=4)
show(lambda: sent.map(CountMinSketch.count, "kitten").sum().compute())
show(lambda: sent.fold(operator.or_).compute().to_bytes() == whole.to_bytes())
show(lambda: rsimport.dask.count_min(bag, 64, 3).compute().to_bytes() == whole.to_bytes())
show(lambda: rsimport.dask.heavy_hitters(bag, 2).compute().top())
heavy = sketch(WORDS, HeavyHitters, 2)[0]
show(lambda: client.submit(heavy.top, 1).result(60))
made = client.submit(sketch, WORDS, HeavyHitters, 2).result(60)[0]
show(lambda: client.submit(HeavyHitters.count, made, "kitten").result(60))
"""

OF_COLLECTIONS = """
[1, 2, 3, 4, 5, 6]
[[0, 1], [3, 3], [0, 1], [1, 0], [2, 3], [0, 1]]
[0, 3, 0, 1, 2, 0]
[0, 3, 0, 1, 2, 0, 3]
[[0], [3], [0]]
True
9
True
True
[('kitten', 9), ('sitting', 6)]
[('kitten', 9)]
9
"""


def test_collections_of_every_kind_are_worked_on_with_kernels(client, kernel):
    for needed in ("pandas", "dask.array", "dask.dataframe"):
        pytest.importorskip(needed)
    kernel("k", ADD)
    assert client(COLLECTIONS) == OF_COLLECTIONS.split("\n")[1:-1]


def test_the_package_costs_nothing_until_it_is_used(run):
    program = "import sys, rsimport.dask as d; print('enable' in dir(d), 'dask' in sys.modules)"
    assert run(program).out == "True False"
