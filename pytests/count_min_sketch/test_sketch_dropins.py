"""kernels/count_min_sketch.rs: its classes for str and int in the place of those of the package cmsketch."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import ModuleType
from typing import Any

import pytest
from sketches import CLASSES, DUPLICATES, cells

KEYS = {"CountMinSketchStr": ["a", "b"], "CountMinSketchInt": [5, 6], "CountMinSketch": [b"a", None]}
"""Two keys for each class."""


@pytest.fixture(scope="module", params=["rsimport", "cmsketch"])
def either(request: pytest.FixtureRequest) -> Any:
    """This kernel, and where it is installed the package whose place it takes."""
    if request.param == "cmsketch":
        return pytest.importorskip("cmsketch")
    return request.getfixturevalue("kernel")


@pytest.fixture(params=["CountMinSketchStr", "CountMinSketchInt"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=CLASSES)
def cls(request: pytest.FixtureRequest, kernel: ModuleType) -> Any:
    return getattr(kernel, request.param)


class TestTheDropInsDoAsCmsketchDoes:
    def test_with_keywords(self, either: Any, name: str) -> None:
        key, other = KEYS[name]
        sketch = getattr(either, name)(width=1000, depth=5)
        sketch.insert(item=key)
        sketch.insert(key)
        getattr(either, name).insert(sketch, item=key)
        sketch.merge(other=getattr(either, name)(1000, 5))
        assert (sketch.count(item=key), sketch.count(key), sketch.count(item=other)) == (3, 3, 0)
        assert sketch.top_k(k=2, candidates=[other, key]) == [(key, 3), (other, 0)]

    @pytest.mark.parametrize(
        "call",
        [
            lambda sketch, key: sketch.insert(key, item=key),
            lambda sketch, key: sketch.insert(thing=key),
            lambda sketch, key: sketch.count(),
            lambda sketch, key: sketch.count(key, thing=key),
            lambda sketch, key: sketch.insert(None),
            lambda sketch, key: sketch.insert(1.5),
            lambda sketch, key: sketch.merge(None),
            lambda sketch, key: sketch.merge(5),
            lambda sketch, key: sketch.top_k(1, [key, None]),
            lambda sketch, key: sketch.top_k(1.0, [key]),
            lambda sketch, key: type(sketch)(),
            lambda sketch, key: type(sketch)(1),
            lambda sketch, key: type(sketch)("1", 2),
            lambda sketch, key: type(sketch)(1, 2, other=3),
            lambda sketch, key: type(sketch).__init__(5, 100, 3),
        ],
    )
    def test_in_what_raises_type_errors(
        self, either: Any, name: str, call: Callable[[Any, object], object]
    ) -> None:
        with pytest.raises(TypeError):
            call(getattr(either, name)(100, 3), KEYS[name][0])

    def test_when_sketches_do_not_fit(self, either: Any, name: str) -> None:
        sketch = getattr(either, name)(100, 3)
        for size in ((50, 3), (100, 2)):
            with pytest.raises(ValueError):
                sketch.merge(getattr(either, name)(*size))
        (another,) = {"CountMinSketchStr", "CountMinSketchInt"} - {name}
        with pytest.raises(TypeError):
            sketch.merge(getattr(either, another)(100, 3))

    def test_in_top_k_which_keeps_candidates_that_come_twice(self, either: Any, name: str) -> None:
        key, other = KEYS[name]
        sketch = getattr(either, name)(1000, 5)
        sketch.insert(key)
        assert sketch.top_k(3, [key, key, other]) == [(key, 1), (key, 1), (other, 0)]
        assert sketch.top_k(2, (key, other, key)) == [(key, 1), (key, 1)]

    def test_with_bytes_which_stand_for_their_text(self, either: Any) -> None:
        sketch = either.CountMinSketchStr(1000, 5)
        sketch.insert(b"a")
        sketch.insert(bytearray("Grüße".encode()))
        sketch.insert("a\0b")
        sketch.insert(b"\xff")
        counts = [
            sketch.count(key) for key in ("a", b"a", "Grüße", b"Gr\xc3\xbc\xc3\x9fe", "a\0b", b"\xff", b"x")
        ]
        assert counts == [1, 1, 1, 1, 1, 1, 0]

    def test_with_what_numpy_makes_of_keys(self, either: Any) -> None:
        numpy = pytest.importorskip("numpy")
        text, number = either.CountMinSketchStr(1000, 5), either.CountMinSketchInt(1000, 5)
        text.insert(numpy.str_("a"))
        number.insert(numpy.int64(1))
        number.insert(numpy.bool_(True))
        assert (text.count("a"), number.count(1)) == (1, 2)

    def test_in_top_k_which_gives_back_str_and_int(self, either: Any) -> None:
        numpy = pytest.importorskip("numpy")
        text, number = either.CountMinSketchStr(1000, 5), either.CountMinSketchInt(1000, 5)
        assert text.top_k(2, [b"a", "b"]) == text.top_k(2, numpy.array(["a", "b"])) == [("a", 0), ("b", 0)]
        keys = [key for key, _ in number.top_k(2, numpy.array([5, 6]))]
        assert (keys, {type(key) for key in keys}) == ([5, 6], {int})
        with pytest.raises(UnicodeDecodeError):
            text.top_k(1, [b"\xff"])

    def test_when_it_is_referred_to_weakly(self, either: Any, name: str) -> None:
        sketch = getattr(either, name)(100, 3)
        reference = weakref.ref(sketch)
        assert reference() is sketch
        del sketch
        gc.collect()
        assert reference() is None


class TestSubclassesOfTheDropInsDoAsThoseOfCmsketchDo:
    def test_with_an_init_of_the_same_and_of_other_arguments(self, either: Any, name: str) -> None:
        base: Any = getattr(either, name)
        key = KEYS[name][0]

        class Named(base):
            def __init__(self, width: int, depth: int) -> None:
                super().__init__(width, depth)
                self.name = "hits"

        class Small(base):
            def __init__(self) -> None:
                base.__init__(self, width=100, depth=3)
                self.insert(key)

        class Labelled(base):
            def __init__(self, label: str, *, factor: int = 1) -> None:
                super().__init__(100 * factor, 3)
                self.label = label

        class Doubled(base):
            def __init__(self, width: int, depth: int) -> None:
                super().__init__(2 * width, depth)

            def insert(self, item: object) -> None:
                super().insert(item)
                super().insert(item)

        named = Named(width=100, depth=3)
        assert (named.get_width(), named.name) == (100, "hits")
        assert Small().count(key) == 1
        labelled = Labelled("x", factor=2)
        assert (labelled.get_width(), labelled.label) == (200, "x")
        doubled = Doubled(50, 2)
        doubled.insert(key)
        assert (doubled.get_width(), doubled.get_depth(), doubled.count(key)) == (100, 2, 2)
        with pytest.raises(TypeError, match="positional argument"):
            Small(1, 2)

    def test_with_a_mixin_a_new_and_a_second_init(self, either: Any, name: str) -> None:
        base: Any = getattr(either, name)
        key = KEYS[name][0]

        class Loud:
            def __init__(self, *args: Any, **named: Any) -> None:
                super().__init__(*args, **named)
                self.loud = True

        class Mixed(Loud, base):
            pass

        class Made(base):
            def __new__(cls, size: int) -> Any:
                return super().__new__(cls)

            def __init__(self, size: int) -> None:
                super().__init__(size, 3)

        mixed = Mixed(100, depth=3)
        assert (mixed.get_width(), mixed.loud) == (100, True)
        made = Made(70)
        made.insert(key)
        made.__init__(50)
        assert (made.get_width(), made.count(key)) == (70, 1)

    def test_with_an_init_that_fails(self, either: Any, name: str) -> None:
        base: Any = getattr(either, name)

        class Empty(base):
            def __init__(self) -> None:
                super().__init__(0, 3)

        class Wrong(base):
            def __init__(self) -> None:
                super().__init__("a")

        with pytest.raises(ValueError):
            Empty()
        with pytest.raises(TypeError):
            Wrong()


class TestSubclasses:
    """Of all three classes, also in what those of cmsketch do not do or do not survive."""

    def test_need_not_call_init_where_their_arguments_fit(self, cls: Any) -> None:
        class Quiet(cls):
            def __init__(self, width: int, depth: int, *, seed: int = 0) -> None:
                self.mine = width

        class New(cls):
            def __new__(cls, size: int) -> Any:
                return super().__new__(cls, size, 3)

        class Both(New):
            def __init__(self, size: int) -> None:
                pass

        sketch = Quiet(100, 3, seed=5)
        assert (sketch.mine, sketch.width, sketch.depth, sketch.seed) == (100, 100, 3, 5)
        assert (New(70).width, Both(70).width) == (70, 70)

    def test_that_never_call_init_raise_an_error_at_their_first_use(self, cls: Any) -> None:
        class Forgetful(cls):
            def __init__(self, name: str) -> None:
                self.name = name

        key = KEYS[cls.__name__][0]
        sketch = Forgetful("a")
        message = rf"^{cls.__name__}.__init__\(\) must be called when overriding __init__$"
        uses: list[Callable[[], object]] = [
            lambda: sketch.insert(key),
            lambda: sketch.count(key),
            lambda: sketch.insert(key=key, count=2),
            lambda: sketch.insert_many([key]),
            lambda: sketch.count_many([key]),
            lambda: sketch.add(key),
            lambda: sketch.top_k(1, [key]),
            lambda: sketch.merge(cls(9, 3)),
            lambda: cls(9, 3).merge(sketch),
            lambda: sketch | sketch,
            lambda: sketch.get_width(),
            lambda: sketch.total,
            lambda: sketch.clear(),
            lambda: sketch.to_bytes(),
            lambda: pickle.dumps(sketch),
            lambda: copy.copy(sketch),
            lambda: memoryview(sketch),
        ]
        for use in uses:
            with pytest.raises(TypeError, match=message):
                use()
        assert repr(sketch) == f"<{cls.__name__} without counters>"
        assert sketch.__sizeof__() < 1000
        cls.__init__(sketch, 10, 2)
        sketch.insert(key)
        assert (sketch.count(key), sketch.name) == (1, "a")

    def test_that_are_used_before_init_raise_an_error_unless_it_makes_no_difference(self, cls: Any) -> None:
        key = KEYS[cls.__name__][0]

        class Early(cls):
            factor = 1

            def __init__(self, width: int, depth: int) -> None:
                self.insert(key)
                super().__init__(self.factor * width, depth)

        assert Early(100, 3).count(key) == 1
        Early.factor = 2
        with pytest.raises(TypeError, match=r"^the sketch was used before its __init__\(\) was called$"):
            Early(100, 3)

    def test_raise_what_is_wrong_with_their_arguments(self, cls: Any) -> None:
        class Plain(cls):
            pass

        for arguments, text in [((), "'width' and 'depth'"), ((1,), "'depth'"), ((1, 2.5), "integer")]:
            for each in (cls, Plain):
                with pytest.raises(TypeError, match=text):
                    each(*arguments)

    @pytest.mark.parametrize("duplicate", [*DUPLICATES, lambda s: pickle.loads(pickle.dumps(s, 5))])
    def test_are_pickled_and_copied_with_their_attributes_and_without_a_call(
        self, cls: Any, duplicate: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = KEYS[cls.__name__][0]

        class Labelled(cls):
            def __init__(self, label: str) -> None:
                super().__init__(100, 3, seed=7)
                self.label = label

            def __new__(cls, label: str) -> Any:
                return super().__new__(cls)

        Labelled.__qualname__ = "Labelled"
        monkeypatch.setitem(globals(), "Labelled", Labelled)
        sketch = Labelled("x")
        sketch.insert(key, 3)
        other = duplicate(sketch)
        assert type(other) is Labelled
        assert (other.label, other.count(key), repr(other)) == ("x", 3, repr(sketch))
        other.insert(key)
        assert sketch.count(key) == 3
        both = sketch | other
        assert (type(both), both.label, both.count(key), both.total) == (Labelled, "x", 7, 7)

    def test_are_called_by_from_error_and_from_bytes(self, cls: Any) -> None:
        key = KEYS[cls.__name__][0]

        class Named(cls):
            def __init__(self, width: int, depth: int, **options: Any) -> None:
                super().__init__(width, depth, **options)
                self.name = sorted(options)

        class Small(cls):
            def __init__(self) -> None:
                super().__init__(100, 3)

        sketch = Named.from_error(0.1, 0.1)
        assert (sketch.width, sketch.name) == (28, [])
        seeded = Named.from_error(0.1, 0.1, seed=3, counter_bits=64)
        assert (seeded.seed, seeded.counter_bits, seeded.name) == (3, 64, ["counter_bits", "seed"])
        seeded.insert(key)
        other = Named.from_bytes(seeded.to_bytes())
        assert (other.count(key), other.name, cells(other)) == (1, seeded.name, cells(seeded))
        with pytest.raises(TypeError, match="positional argument"):
            Small.from_error(0.1, 0.1)

    def test_use_a_reduce_of_their_own(self, kernel: ModuleType) -> None:
        class Mine(kernel.CountMinSketch):
            def __reduce__(self) -> Any:
                return kernel.CountMinSketch, (7, 2)

        assert repr(copy.copy(Mine(5, 5))) == "CountMinSketch(7, 2)"

    def test_lose_nothing_when_threads_call_init_at_once(self, kernel: ModuleType) -> None:
        class Shared(kernel.CountMinSketchInt):
            def __init__(self) -> None:
                pass

        for _ in range(50):
            sketch, barrier = Shared(), Barrier(4)

            def begin(n: int, sketch: Any = sketch, barrier: Barrier = barrier) -> None:
                barrier.wait()
                kernel.CountMinSketchInt.__init__(sketch, 100 + n, 2)
                sketch.insert_many(range(1000))

            with ThreadPoolExecutor(4) as pool:
                list(pool.map(begin, range(4)))
            assert (sketch.total, sum(cells(sketch)[0])) == (4000, 4000)


def test_the_base_class_tells_bytes_from_str_and_lists_a_candidate_once(kernel: ModuleType) -> None:
    sketch = kernel.CountMinSketch(1000, 5)
    sketch.insert(b"a")
    assert (sketch.count("a"), sketch.count(b"a")) == (0, 1)
    assert sketch.top_k(3, [b"a", "a", b"a"]) == [(b"a", 1), ("a", 0)]
    with pytest.raises(TypeError, match="item"):
        sketch.insert(item="a")


def test_the_drop_ins_take_bytes_in_batches(kernel: ModuleType) -> None:
    sketch = kernel.CountMinSketchStr(1000, 5)
    sketch.insert_many(["a", b"a", bytearray(b"a")])
    numpy = pytest.importorskip("numpy")
    sketch.insert_many(numpy.array([b"a", b"b"]))
    assert sketch.count_many(["a", "b"]).tolist() == [4, 1]
    pyarrow = pytest.importorskip("pyarrow")
    sketch.insert_many(pyarrow.array([b"a", b"b"]))
    assert sketch.count_many(["a", "b"]).tolist() == [5, 2]


def test_the_drop_ins_show_the_name_of_the_key_that_cmsketch_has(kernel: ModuleType) -> None:
    for name, key in (
        ("CountMinSketch", "key"),
        ("CountMinSketchStr", "item"),
        ("CountMinSketchInt", "item"),
    ):
        cls = getattr(kernel, name)
        assert list(inspect.signature(cls.insert).parameters) == ["self", key, "count"]
        assert list(inspect.signature(cls.count).parameters) == ["self", key]
        cls(9, 2).insert(key=KEYS[name][0])
        assert "width" in str(inspect.signature(cls))
