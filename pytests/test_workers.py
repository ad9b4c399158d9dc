"""Kernels in other processes: what is pickled arrives with the text that it had, wherever it is read."""

from __future__ import annotations

import os
import re
import shutil
import textwrap

import pytest
from helpers import ALONE, value, write

KERNEL = """
#[pyfunction]
fn add(x: i64) -> i64 { x + 1 }

#[pyfunction]
fn fail(x: i64) -> PyResult<i64> { Err(Odd::new_err(x)) }

#[pyfunction]
fn panics(x: i64) -> i64 { panic!("no {x}") }

#[pyclass]
struct Point { n: i64 }

#[pymethods]
impl Point {
    #[new]
    fn new(n: i64) -> Self { Point { n } }
    #[staticmethod]
    fn origin() -> Self { Point { n: 0 } }
    fn twice(&self) -> i64 { self.n * 2 }
    fn panics(&self) -> i64 { panic!("no {}", self.n) }
    fn __getnewargs__(&self) -> (i64,) { (self.n,) }
}

#[pyclass]
struct Stateful { n: i64 }

#[pymethods]
impl Stateful {
    #[new]
    fn new() -> Self { Stateful { n: 0 } }
    fn twice(&self) -> i64 { self.n * 2 }
    fn __getstate__(&self) -> i64 { self.n }
    fn __setstate__(&mut self, n: i64) { self.n = n }
}

#[pyclass(subclass)]
struct Bare { #[pyo3(get)] n: i64 }

#[pymethods]
impl Bare {
    #[new]
    fn new(n: i64) -> Self { Bare { n } }
}

#[pyclass(eq)]
#[derive(PartialEq)]
enum Colour { Red, Green }

#[pyclass]
enum Shape { Circle { radius: f64 }, Pair(i64, i64) }

pyo3::create_exception!(k, Odd, pyo3::exceptions::PyValueError);

#[pyclass(extends = pyo3::exceptions::PyValueError)]
struct Coded { #[pyo3(get)] code: i64 }

#[pymethods]
impl Coded {
    #[new]
    fn new(code: i64) -> Self { Coded { code } }
}

#[pyfunction]
fn fail_with(py: Python<'_>, code: i64) -> PyResult<()> {
    Err(PyErr::from_value(py.get_type::<Coded>().call1((code,))?))
}

#[pymodule]
mod k {
    #[pymodule_export]
    use super::{add, fail, fail_with, panics, Bare, Coded, Colour, Odd, Point, Shape, Stateful};

    #[pymodule]
    mod inner {
        #[pymodule_export]
        use super::super::double;
        #[pymodule_export]
        use super::super::Deep;
    }
}

#[pyfunction]
fn double(x: i64) -> i64 { x * 2 }

#[pyclass]
struct Deep { depth: i64 }

#[pymethods]
impl Deep {
    #[new]
    fn new(depth: i64) -> Self { Deep { depth } }
    fn depth(&self) -> i64 { self.depth }
    fn __getnewargs__(&self) -> (i64,) { (self.depth,) }
}
""".replace("    mod inner {", "    mod inner {\n        use pyo3::prelude::*;").replace(
    "mod k {", "mod k {\n    use pyo3::prelude::*;"
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One kernel for all of these tests, in a folder of its own."""
    folder = tmp_path_factory.mktemp("shared")
    text = "// rsimport\nuse pyo3::prelude::*;\n" + KERNEL + f"// {folder}\n"
    write(folder, {"k.rs": text, "pkg/__init__.py": "", "pkg/k.rs": text})
    return folder


PROGRAM = '''
"""The hook is imported in main alone, so that children have to find everything by themselves."""
import functools, sys
from dataclasses import dataclass


@dataclass
class Holder:
    kind: type
    function: object


def held(holder):
    return holder.kind(holder.function(3)).twice()


def by_name(n):
    import k
    return k.add(n)


def with_panic(n):
    import k
    return k.Point(n).panics()


def same(thing):
    return thing


def tasks(k):
    point, shape, deep = k.Point, k.Shape, k.inner.Deep
    things = [point(3), point, k.Colour.Green, shape.Circle(2.0), shape.Pair, k.Odd("odd"), k.inner.double]
    return [
        (k.add, 1), (functools.partial(k.add), 2), (point(4).twice,), (point.origin,), (k.inner.double, 4),
        (held, Holder(point, k.add)), (by_name, 5), (same, k), (same, things), (same, k.add), (k.fail, 6),
        (k.fail_with, 9), (same, deep), (deep(2).depth,), (k.panics, 7), (with_panic, 8), (point(9).panics,),
        (k.add, 8),
    ]


def show(answer):
    try:
        answer = answer()
    except BaseException as error:
        answer = f"{type(error).__module__}.{type(error).__qualname__} {error}"
    shown = answer if isinstance(answer, str) else repr(answer)
    print(shown.partition(" object at")[0].partition(" from")[0])
    return answer


def main():
    import rsimport.import_hook, k
    way, answers = sys.argv[1], []
    if way == "joblib":
        from joblib import Parallel, delayed
        for function, *args in tasks(k):
            answers.append(show(lambda: Parallel(2)([delayed(function)(*args)])[0]))
        show(lambda: Parallel(2)([delayed(lambda n: k.add(n) + k.Point(n).twice())(1)])[0])
    elif way == "futures":
        import multiprocessing, concurrent.futures as futures
        with futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            answers = [show(pool.submit(function, *args).result) for function, *args in tasks(k)]
    else:
        import multiprocessing
        with multiprocessing.get_context(way).Pool(1) as pool:
            answers = [show(lambda: pool.apply_async(f, args).get(60)) for f, *args in tasks(k)]
    things = next(answer for answer in answers if isinstance(answer, list))
    assert type(things[0]) is things[1] is k.Point and things[0].twice() == 6
    assert things[2] == k.Colour.Green and things[3].radius == 2.0 and things[4] is k.Shape.Pair
    assert type(things[5]) is k.Odd and things[6] is k.inner.double
    assert k.add in answers and k.inner.Deep in answers


if __name__ == "__main__":
    main()
'''

ANSWERS = """
2
3
8
<k.Point
8
8
6
<module 'k'
[<k.Point
<built-in function add>
k.Odd 6
k.Coded 9
<class 'k.inner.Deep'>
2
rsimport.Panic no 7
rsimport.Panic no 8
rsimport.Panic no 9
9
"""


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver", "futures", "joblib"])
def test_whatever_is_of_a_kernel_is_used_in_a_child(shared, run, way):
    if way == "joblib":
        pytest.importorskip("joblib")
    write(shared, {"script.py": PROGRAM})
    out = run(["script.py", way], cwd=shared).out.splitlines()
    assert out == ANSWERS.split("\n")[1:-1] + (["4"] if way == "joblib" else [])


def test_joblib_works_in_a_script_without_a_main_function(shared, run):
    pytest.importorskip("joblib")
    program = """
        import rsimport.import_hook, k
        from joblib import Parallel, delayed
        print(*Parallel(2)(delayed(k.add)(n) for n in range(3)))
        print(*Parallel(2)(delayed(lambda n: k.Point(n).twice())(n) for n in range(3)))
    """
    write(shared, {"plain.py": textwrap.dedent(program)})
    assert run(["plain.py"], cwd=shared).out.splitlines() == ["1 2 3", "0 2 4"]


IN_PROCESS = """
import copy, pickle, sys, types
import rsimport.import_hook, rsimport, k
from pkg import k as inside
things = [
    k.add, k.Point, k.Odd, k.Shape, k.Shape.Circle, k.Colour.Red, k.inner.double, k.inner.Deep, k, inside,
    inside.add, inside.Point, inside.inner.Deep, inside.Odd,
]
for thing in things:
    assert pickle.loads(pickle.dumps(thing)) is thing or pickle.loads(pickle.dumps(thing)) == thing, thing
    assert len(pickle.dumps(thing)) <= 150, (thing, len(pickle.dumps(thing)))
    assert copy.deepcopy(thing) is thing or thing == k.Colour.Red, thing
    assert isinstance(thing, types.ModuleType) or copy.copy(thing) is thing or thing == k.Colour.Red, thing
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    for thing in (k.add, k.Point, k.Shape.Circle, inside.add, k.inner.double, k.inner.Deep, len):
        assert pickle.loads(pickle.dumps(thing, protocol)) is thing, (protocol, thing)
        assert pickle.loads(pickle._dumps(thing, protocol)) is thing, (protocol, thing)
for thing in (k.Point(3), copy.copy(k.Point(3)), copy.deepcopy(k.Point(3))):
    assert pickle.loads(pickle.dumps(thing)).twice() == 6
state = k.Stateful()
state.__setstate__(4)
assert pickle.loads(pickle.dumps(state)).twice() == 8
circle = pickle.loads(pickle.dumps(k.Shape.Circle(1.5)))
assert type(circle) is k.Shape.Circle and circle.radius == 1.5
assert pickle.loads(pickle.dumps(k.Point(5).twice))() == 10
assert pickle.loads(pickle.dumps(k.Coded(3))).code == copy.copy(k.Coded(3)).code == 3
assert pickle.loads(b"ck\\nadd\\n.") is k.add and pickle.loads(b"cpkg.k\\nPoint\\n.") is inside.Point
assert (k.add.__module__, k.Point.__module__, k.__name__, inside.__name__) == ("k", "k", "k", "pkg.k")
assert (str(k.Point), str(k.inner.Deep), str(k.Shape.Circle)) == (
    "<class 'k.Point'>", "<class 'k.inner.Deep'>", "<class 'k.Shape.Circle'>"
)
assert type(k) is types.ModuleType and type(k.add) is types.BuiltinFunctionType
class Sub(k.Bare):
    pass
for bare in (k.Bare(1), Sub(1)):
    try:
        pickle.dumps(bare)
    except TypeError as error:
        print(error)
try:
    k.panics(1)
except BaseException as error:
    assert not isinstance(error, Exception), type(error).__mro__
try:
    import k.inner
except ModuleNotFoundError as error:
    print(error)
"""


def test_a_pickle_is_short_and_gives_the_same_in_its_own_process(shared, run):
    out = run(IN_PROCESS, cwd=shared).out.splitlines()
    assert "cannot pickle 'k.Bare' object" in out[0] and "__getnewargs__" in out[1]
    assert "cannot pickle '__main__.Sub' object" in out[2] and "__getnewargs__" in out[3]
    assert out[4] == "No module named 'k.inner'; 'k' is not a package"


def test_pickling_costs_nothing_where_nobody_pickles(kernel, run):
    kernel("k", value(1) + "#[pyclass]\nstruct Thing;\n")
    program = """
        import sys, rsimport.import_hook, k
        print(*sorted({"copyreg", "pickle", "multiprocessing"} & set(sys.modules)), "-")
        import copyreg, types
        print(types.BuiltinFunctionType in copyreg.dispatch_table, types.ModuleType in copyreg.dispatch_table)
        print(*[name for name in sys.modules if name in ("rsimport._arrival", "rsimport._departure")], "-")
    """
    assert run(program).out.splitlines() == ["-", "False False", "-"]


RAY = """
import inspect
def _make_remote(function, options):
    if inspect.isclass(function):
        made = function.__new__(function)
        methods = inspect.getmembers(function, inspect.isfunction)
        return made, {name: str(inspect.signature(method)) for name, method in methods}
    if not inspect.isfunction(function):
        raise TypeError("must be applied to either a function or a class")
    return function, str(inspect.signature(function))
"""

REMOTE = """
    import pickle, sys
    if sys.argv[1] == "before":
        import ray
    import rsimport.import_hook, k
    import ray
    from ray._private import worker
    function, signature = worker._make_remote(k.add, {})
    print(function(1), function.__name__, function.__module__, signature)
    actor, signatures = worker._make_remote(k.Point, {})
    actor.__init__(4)
    print(actor.twice(), actor.origin().twice(), type(actor).__name__, type(actor.it) is k.Point)
    print(signatures["__init__"], signatures["twice"], signatures["origin"], "__reduce__" in signatures)
    try:
        worker._make_remote(len, {})
    except TypeError as error:
        print(error)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_ray_takes_functions_and_classes_of_kernels_whichever_is_imported_first(shared, run, tmp_path, when):
    # As Ray does it: benchmarks/ray_and_spark.py has the real one.
    write(tmp_path, {"ray/__init__.py": "from . import _private\n", "ray/_private/worker.py": RAY})
    write(tmp_path, {"ray/_private/__init__.py": "from . import worker\nimport multiprocessing.process\n"})
    out = run(["-c", textwrap.dedent(REMOTE), when], cwd=shared, env={"PYTHONPATH": str(tmp_path)}).out
    assert out.splitlines() == [
        "2 add k (x)",
        "8 0 Point True",
        "(self, /, n) (self, /) (self, /) False",
        "must be applied to either a function or a class",
    ]


THING = """
#[pyclass]
struct Thing;

#[pymethods]
impl Thing {
    #[new]
    fn new(_n: i64) -> Self {
        Thing
    }
    fn number(&self) -> i64 {
        1
    }
    fn __getnewargs__(&self) -> (i64,) {
        (0,)
    }
}
"""

RELOADED = """
import multiprocessing, pathlib, pickle, sys
import rsimport, rsimport.import_hook


def use(thing):
    return thing.number() if hasattr(thing, "number") else thing()


def edit(old, new):
    path = pathlib.Path("r.rs")
    path.write_text(path.read_text().replace(f"  {old}", f"  {new}"))


def main():
    import r
    function, kind, thing = r.value, r.Thing, r.Thing(0)
    before = [pickle.dumps(it) for it in (function, kind, thing)]
    edit(1, 2)
    rsimport.reload(r)
    # The old ones mean what they meant, also in pickles that were made before.
    assert [type(pickle.loads(it)) for it in before] == [type(function), type(kind), kind]
    assert pickle.loads(before[0]) is function and pickle.loads(before[1]) is kind
    for it in (function, kind, r.value, r.Thing):
        assert pickle.loads(pickle.dumps(it)) is it, it
    edit(2, 3)  # Nobody here has loaded this.
    tasks = [function, thing, r.value, r.Thing(0)]
    for way in sys.argv[1:]:
        with multiprocessing.get_context(way).Pool(1) as pool:
            print(way, *pool.map_async(use, tasks).get(60))
            print(*pool.map_async(use, map(pickle.loads, before[::2])).get(60))
            print(pool.apply_async(by_name).get(60))
    edit(3, 1)
    rsimport.reload(r)
    assert pickle.loads(pickle.dumps(r.Thing)) is r.Thing and str(r.Thing) == "<class 'r.Thing'>"
    pathlib.Path("kept").write_bytes(pickle.dumps([function, r.value, thing]))


def by_name():
    import r
    return r.value()


if __name__ == "__main__":
    main()
"""


def test_what_was_taken_before_a_reload_means_its_own_text_everywhere(kernel, run, project):
    path = kernel("r", value(1) + THING)
    write(project, {"script.py": RELOADED})
    out = run(["script.py", "spawn", "fork"]).out.splitlines()
    # By its name a child imports what the parent had when the child was started.
    assert out == ["spawn 1 1 2 2", "1 1", "2", "fork 1 1 2 2", "1 1", "2"]
    path.write_text(path.read_text().replace("    1\n", "    4\n"))
    read = "import pickle; a, b, thing = pickle.load(open('kept', 'rb')); print(a(), b(), thing.number())"
    assert run(read).out == "1 1 1"
    # Data that was kept is of the class that there is.
    assert run(f"import rsimport.import_hook, r; {read}").out == "1 1 4"


PYTEST = """
import concurrent.futures, multiprocessing, pytest, k

def work(n):
    return k.add(n)

@pytest.mark.parametrize("way", ["spawn", "fork"])
def test_in_a_child(way):
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(way)) as pool:
        assert pool.submit(k.add, 1).result(timeout=60) == pool.submit(work, 1).result(timeout=60) == 2
"""


def test_under_pytest(shared, run):
    write(
        shared,
        {
            "tests/conftest.py": "import rsimport.import_hook\n",
            "tests/test_it.py": PYTEST,
            "tests/pytest.ini": "[pytest]\npythonpath = ..\n",
        },
    )
    inner = {name: None for name in os.environ if name.startswith("PYTEST_")} | ALONE
    seen = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], env=inner, cwd=shared, check=False)
    assert "2 passed" in seen.out, seen.text


def test_from_a_cell_in_a_notebook(run, project):
    pytest.importorskip("IPython")
    pytest.importorskip("joblib")
    program = '''
        from IPython.terminal.interactiveshell import TerminalInteractiveShell
        shell = TerminalInteractiveShell.instance(colors="nocolor")
        shell.run_line_magic("load_ext", "rsimport")
        shell.run_cell("from joblib import Parallel, delayed")
        shell.run_cell("print(*Parallel(2)(delayed(abs)(i) for i in range(2)))")
        shell.run_cell("%%rsimport -n cellk\\n#[pyfunction]\\nfn one(x: i64) -> i64 { x + 1 }\\n")
        shell.run_cell("""
        import cellk, multiprocessing
        print(*Parallel(2)(delayed(one)(i) for i in range(3)))
        print(*Parallel(2)(delayed(lambda i: cellk.one(i) + one(i))(i) for i in range(3)))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(*pool.map_async(one, range(3)).get(60))
        """)
    '''
    assert run(program).out.splitlines() == ["0 1", "1 2 3", "2 4 6", "1 2 3"]


def test_a_pool_without_a_main_file_and_kernels_that_no_import_finds(kernel, run, project):
    kernel("k", value(1) + '#[pyfunction]\nfn panics() {\n    panic!("no")\n}\n', folder=project / "aside")
    program = f"""
        import multiprocessing, rsimport
        k = rsimport.imp_from_filepath("aside/k.rs", "named", cache_dir={str(project / "cache")!r})
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.apply_async(k.value).get(60))
            try:
                pool.apply_async(k.panics).get(60)
            except rsimport.Panic as error:
                print("Panic", error)
    """
    # The cache of the call is not where a child would look by itself.
    cache = os.environ["RSIMPORT_CACHE_DIR"]
    os.symlink(cache, project / "cache")
    assert run(program).out.splitlines() == ["1", "Panic no"]


MISSING = """
import pickle, sys
if sys.argv[1] == "worker":
    import rsimport._workers
    rsimport._workers.serve()
function, thing, kind, method, odd = pickle.load(open("kept", "rb"))
for use in (function, lambda: thing.number(), lambda: kind(0).number(), method):
    try:
        print(use())
    except ImportError as error:
        print(type(error).__name__, str(error).splitlines()[0])
try:
    raise odd
except ValueError as error:
    print(f"{type(error).__qualname__} {error}")
again = pickle.loads(pickle.dumps([function, thing, kind, method, odd]))
print(again[-1])
"""


def test_what_is_not_in_the_cache_is_built_by_its_use_or_told_by_it(kernel, run, project, own_cache):
    odd = "pyo3::create_exception!(r, Odd, pyo3::exceptions::PyValueError);\n"
    path = kernel("r", value(1) + THING + odd)
    run(
        "import pickle, rsimport.import_hook, r\n"
        "pickle.dump([r.value, r.Thing(0), r.Thing, r.Thing(0).number, r.Odd(3)], open('kept', 'wb'))"
    )
    write(project, {"read.py": MISSING})

    def read(who):
        return run(["read.py", who]).out.splitlines()

    def clear():
        for folder in ("kernels", "origins"):
            shutil.rmtree(own_cache / "v1" / folder, ignore_errors=True)

    assert read("worker") == ["1"] * 4 + ["Odd 3", "3"]
    clear()
    *built, odd, again = read("worker")
    assert built == ["1"] * 4 and again == "3", "the source is the same"
    assert re.fullmatch(r"Odd 3 \(r\.Odd of kernel r \(\w+\), which cannot be had here: .*the cache\)", odd)
    clear()
    path.write_text(path.read_text().replace("    1\n", "    2\n"))
    *told, odd, again = read("worker")
    assert len(told) == 4 and all(line.startswith("RsimportError kernel r (") for line in told)
    assert odd == f"Odd {again}" and again.startswith("3 (r.Odd of kernel r ("), "as often as it is handed on"
    assert str(path) in told[0] and "another text" in told[0]
    assert all(line.startswith("RsimportError") for line in read("own")[:4]), "no hook, so no import by name"
    path.unlink()
    assert "its source is not found" in read("worker")[0]


def test_what_has_come_by_its_content_is_not_what_an_import_finds(stub_kernel, run):
    """The stub makes its module as PyO3 did before 0.28: it enters itself into sys.modules."""
    stub_kernel(1)
    run("import pickle, rsimport.import_hook, k; pickle.dump(k.value, open('kept', 'wb'))")
    stub_kernel(2)
    found = run(
        "import pickle, sys, rsimport.import_hook\n"
        "old = pickle.load(open('kept', 'rb'))\n"
        "print(old(), 'k' in sys.modules)\n"
        "import k\n"
        "print(k.value(), old())"
    )
    assert found.out == "1 False\n2 1"


def test_modules_may_come_while_a_child_is_told_what_is_loaded(run):
    """Whatever makes objects may start the garbage collector, and that anything, an import too."""
    found = run("""
        import gc, sys, types
        import rsimport
        from rsimport._workers import loaded

        def more(phase, info):
            sys.modules[f"more{len(sys.modules)}"] = types.ModuleType("more")

        threshold = gc.get_threshold()
        # Python keeps some tuples for later use, whose making starts nothing.
        used_up = [(number, number) for number in map(str, range(10_000))]
        gc.callbacks.append(more)
        gc.set_threshold(1)
        try:
            print(loaded())
        finally:
            gc.set_threshold(*threshold)
            gc.callbacks.remove(more)
    """)
    assert found.out == "{}"


def test_the_hook_comes_along_with_its_settings(kernel, run, project):
    kernel("k", value(1))
    os.symlink(os.environ["RSIMPORT_CACHE_DIR"], project / "cache")
    script = """
        import multiprocessing

        def work():
            import k, rsimport
            return rsimport.info(k).path

        if __name__ == "__main__":
            import os, rsimport
            rsimport.install(cache_dir=os.path.abspath("cache"))
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply_async(work).get(100))
    """
    write(project, {"script.py": textwrap.dedent(script)})
    assert run(["script.py"]).out.startswith(str(project / "cache"))
