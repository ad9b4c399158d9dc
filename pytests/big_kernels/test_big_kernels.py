"""Five kernels as people write them, of some 150 lines each, in one process that keeps them all."""

from __future__ import annotations

import concurrent.futures
import copy
import gc
import importlib
import json
import pickle
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest

np = pytest.importorskip("numpy")

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def kernels(shared_cache):
    """All five, imported into this process."""
    import rsimport

    names = ("book", "image", "ode", "series", "text")
    with rsimport.install(), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})


def test_the_order_book(kernels):
    book = kernels.book
    b = book.Book()
    seen = []
    b.listen(seen.append)
    S = book.Side
    assert b.submit(book.Order(1, S.Sell, 101, 5)) == []
    t = b.submit(book.Order(2, S.Buy, 102, 7))
    assert [(x.maker, x.quantity, x.price) for x in t] == [(1, 5, 101)] and seen == t
    with pytest.raises(book.OrderError if hasattr(book, "OrderError") else ValueError):
        book.Order(3, S.Buy, 1, 0)
    assert len(b) == 1 and 2 in b and b.spread is None and b.depth() == {"bids": [(102, 2)], "asks": []}
    o = b.cancel(2)
    assert o.quantity == 2
    with pytest.raises(KeyError):
        b.cancel(9)
    b.submit_many([5, 6], [1, -1], [10, 11], [3, 4])
    c = pickle.loads(pickle.dumps(b))
    assert c.depth() == b.depth()
    d = copy.deepcopy(b)
    assert len(d) == 2

    class Mine(book.Book):
        def __init__(self, name):
            self.name = name

    m = Mine("x")
    m.submit(book.Order(1, S.Buy, 1, 1))
    assert m.name == "x" and len(m) == 1
    m.listen(m.submit)
    w = weakref.ref(m)
    del m
    gc.collect()
    assert w() is None
    assert book.simulate(10000, seed=3)[0] > 0
    assert pickle.loads(pickle.dumps(S.Buy)) == S.Buy
    with concurrent.futures.ThreadPoolExecutor(4) as p:
        assert len(set(p.map(book.simulate, [5000] * 8))) == 1


def test_the_solver_of_differential_equations(kernels):
    ode = kernels.ode
    y, n = ode.solve("harmonic", [2.0], np.array([[1.0, 0.0]] * 50), np.pi)
    assert y.shape == (50, 2) and abs(y[0, 0] - 1) < 1e-6 and n.dtype == np.uint64
    with pytest.raises(ValueError):
        ode.solve("lorenz", [1.0], np.zeros((1, 3)), 1.0)
    with pytest.raises(TypeError):
        ode.solve("harmonic", [1.0], np.zeros((1, 2), dtype=np.float32), 1.0)
    with pytest.raises(ArithmeticError):
        ode.solve("vanderpol", [1000.0], np.array([[2.0, 0.0]]), 3000.0, limit=100)
    a = np.ones((3, 4))[::-1, ::2]
    ode.scale_rows(a, np.array([1.0, 2, 3]))
    assert a.sum() == 12
    ro = np.ones((2, 2))
    ro.flags.writeable = False
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        ode.scale_rows(ro, np.ones(2))


def test_the_reader_of_texts(kernels):
    text = kernels.text
    d = text.parse_csv('a,b\n1,"x ""y"", z"\n2.5,\n')
    assert d == {"a": [1, 2.5], "b": ['x "y", z', None]}, d
    with pytest.raises(ValueError, match="never closed"):
        text.parse_csv('a\n"x')
    v = {"a": [1, 2.5, None, True, "ü"], "b": {"c": []}}
    assert text.loads(text.dumps(v)) == v == json.loads(text.dumps(v, pretty=True))
    with pytest.raises(ValueError, match="line 1"):
        text.loads("{")
    with pytest.raises(TypeError):
        text.dumps(object())
    assert text.words("a A b", r"\w") == {"a": 2, "b": 1} and text.is_date("2024-01-02")
    with pytest.raises(KeyError):
        text.pick({}, "x")


def test_the_series_of_times(kernels):
    series = kernels.series
    t = np.datetime64("2024-01-31T23:00", "ns") + np.arange(5) * np.timedelta64(30, "m").astype("m8[ns]")
    r = series.resample(t, np.array([1.0, 2, 3, np.nan, 5]), "mo")
    assert list(r["start"].astype("M8[D]").astype(str)) == ["2024-01-01", "2024-02-01"] and list(
        r["mean"]
    ) == [1.5, 4.0]
    with pytest.raises(ValueError):
        series.resample(t, np.zeros(5), "3y")
    with pytest.raises(TypeError):
        series.resample(t.astype("M8[s]"), np.zeros(5), "1h")
    assert list(series.rolling(np.arange(4.0), 2)) == [0.5, 1.5, 2.5]
    assert series.month_ends("2024-01-15", "2024-04-01") == ["2024-01-31", "2024-02-29", "2024-03-31"]


def test_the_filters_of_images(kernels):
    image = kernels.image
    g = np.random.default_rng(0).random((32, 40))
    b = image.blur(g, 1.5)
    assert b.shape == g.shape and b.std() < g.std()
    assert image.blur(g, 1.5, edge="wrap").shape == g.shape
    with pytest.raises(ValueError):
        image.blur(g, 1.0, edge="x")
    assert image.sobel(g).shape == (30, 38)
    assert image.to_grey(np.zeros((4, 5, 3), np.uint8)).shape == (4, 5)
    with pytest.raises(TypeError):
        image.to_grey("x")
    assert image.stack([g, g]).shape == (2, 32, 40)
    assert np.isclose(image.crop_sum(g, 0, 0, 2, 2), g[:2, :2].sum())
    h = g.copy()
    image.mix(h, g, 0.5)
    assert np.allclose(h, g)


SPAWNS = """
import concurrent.futures, multiprocessing
import rsimport.import_hook
import book

if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn) as pool:
        assert len(set(pool.map(book.simulate, [1000, 1000]))) == 1
        orders = book.Book()
        orders.submit_many([5, 6], [1, -1], [10, 11], [3, 4])
        print(pool.submit(len, orders).result())
"""


def test_a_spawned_process_takes_functions_and_objects(kernels, run, project):
    (project / "main.py").write_text(SPAWNS)
    assert run(["main.py"], env={"PYTHONPATH": str(HERE)}).out == "2"
