"""Kernels on Ray and on Spark: what is used there of a kernel, with nothing done for it but an import.

    pip install ray pyspark; python benchmarks/ray_and_spark.py [ray] [spark]

Both run on this machine, Spark needs Java. Each is run twice: with workers that have the session's cache, and
with workers without Rust that have an empty cache and a bundle in RSIMPORT_SHARED_CACHES. Each line is what
came back, or the error; the script fails if one is not as expected.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KERNEL = """// rsimport
#[pyfunction]
fn twice(x: f64) -> f64 { FACTOR * x }

#[pyfunction]
fn panics(_x: f64) -> f64 { panic!("no") }

#[pyfunction]
fn fail(n: i64) -> PyResult<f64> { Err(Odd::new_err((n, "odd"))) }

pyo3::create_exception!(elsewhere, Odd, pyo3::exceptions::PyValueError);

#[pyclass(subclass)]
struct Thing { n: i64 }

#[pymethods]
impl Thing {
    #[new]
    fn new(n: i64) -> Self { Thing { n } }
    fn number(&self) -> i64 { self.n }
    fn __getnewargs__(&self) -> (i64,) { (self.n,) }
}
"""

wrong: list[str] = []


def main() -> None:
    chosen = sys.argv[1:] or ["ray", "spark"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "elsewhere.rs")
        path.write_text(KERNEL.replace("FACTOR", "2.0"))
        sys.path.insert(0, folder)
        import rsimport.import_hook  # noqa: F401

        import elsewhere  # isort: skip

        bundle = Path(folder, "bundle")
        command = [sys.executable, "-m", "rsimport", "export", str(path), str(bundle), "--bundle"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        bare = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "RSIMPORT_CACHE_DIR": str(Path(folder, "empty")),
            "RSIMPORT_SHARED_CACHES": str(bundle),
            "CARGO_HOME": str(Path(folder, "nothing")),
        }
        for workers, env in (("workers with this cache", {}), ("workers with a bundle and no Rust", bare)):
            for name, session, used in (("Ray", ray_session, on_ray), ("Spark", spark_session, on_spark)):
                if name.lower() in chosen:
                    print(f"{name}, {workers}", flush=True)
                    with session(env) as engine:
                        used(engine, elsewhere)
                        if not env:
                            edited(
                                path, elsewhere, lambda function, on=engine, of=used: one(of, on, function)
                            )
    if wrong:
        raise SystemExit(f"not as expected: {', '.join(wrong)}")


def show(what: str, action: Callable[[], object], expected: str) -> None:
    started = time.perf_counter()
    try:
        found = repr(action())
    except Exception as exc:
        found = f"{type(exc).__name__} {exc}"
        found = next((line for line in reversed(found.splitlines()) if expected in line), found[-300:])
    print(f"  {what:44} {found.strip()[:80]:40} {time.perf_counter() - started:6.2f} s", flush=True)
    if expected not in found:
        wrong.append(what)


def edited(path: Path, module: Any, call: Callable[[Any], object]) -> None:
    import rsimport

    before = module.twice
    path.write_text(KERNEL.replace("FACTOR", "3.0"))
    rsimport.reload(module)
    show("after an edit", lambda: call(module.twice), "6.0")
    show("a function from before the edit", lambda: call(before), "4.0")
    path.write_text(KERNEL.replace("FACTOR", "2.0"))
    rsimport.reload(module)


def one(used: object, engine: Any, function: Any) -> object:
    """The function of 2, there."""
    if used is on_ray:
        return engine.get(engine.remote(function).remote(2.0), timeout=20)
    return engine.sparkContext.parallelize([2.0], 1).map(function).collect()[0]


@contextmanager
def ray_session(env: dict[str, str]) -> Iterator[Any]:
    import ray

    runtime = {"env_vars": env} if env else None
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=runtime)
    try:
        yield ray
    finally:
        ray.shutdown()


def on_ray(ray: Any, k: Any) -> None:
    def got(future: Any) -> Any:
        return ray.get(future, timeout=20)

    apply = ray.remote(lambda function, *args: function(*args))
    show("ray.remote(kernel.function)", lambda: got(ray.remote(k.twice).remote(2.0)), "4.0")
    show("a lambda with a kernel in it", lambda: got(ray.remote(lambda: k.twice(3.0)).remote()), "6.0")
    show("a function as an argument", lambda: got(apply.remote(k.twice, 2.0)), "4.0")
    show("an instance as an argument, its method", lambda: got(apply.remote(k.Thing.number, k.Thing(7))), "7")
    show("an instance as a result", lambda: got(apply.remote(k.Thing, 8)).number(), "8")
    show("a class as an actor", lambda: got(ray.remote(k.Thing).remote(5).number.remote()), "5")
    show("ray.put of an instance", lambda: ray.get(ray.put(k.Thing(9))).number(), "9")
    show("an exception", lambda: got(ray.remote(k.fail).remote(6)), "Odd: (6, 'odd')")
    show("a panic", lambda: got(ray.remote(k.panics).remote(2.0)), "PanicException: no")
    show(
        "other tasks go on", lambda: sum(ray.get([ray.remote(k.twice).remote(n) for n in range(50)])), "2450"
    )


@contextmanager
def spark_session(env: dict[str, str]) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    for name, text in env.items():
        builder = builder.config(f"spark.executorEnv.{name}", text)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()


def on_spark(spark: Any, k: Any) -> None:
    from pyspark.sql.functions import udf

    def over(*items: object) -> Any:
        return spark.sparkContext.parallelize(items, 2)

    frame = spark.createDataFrame([(2.0,), (3.0,)], ["x"])
    show("rdd.map(kernel.function)", lambda: over(1.0, 2.0).map(k.twice).collect(), "[2.0, 4.0]")
    show("a lambda with a kernel in it", lambda: over(1, 2).map(lambda n: k.Thing(n).number()).sum(), "3")
    show("instances as results", lambda: [t.number() for t in over(1, 2).map(k.Thing).collect()], "[1, 2]")
    show("instances as items", lambda: over(k.Thing(3), k.Thing(4)).map(k.Thing.number).sum(), "7")
    broadcast = spark.sparkContext.broadcast(k.Thing(5))
    show("a broadcast instance", lambda: over(1).map(lambda n: n + broadcast.value.number()).sum(), "6")
    double = udf(k.twice, "double")
    show(
        "udf(kernel.function)", lambda: [row[0] for row in frame.select(double("x")).collect()], "[4.0, 6.0]"
    )
    show("an exception", lambda: over(6).map(k.fail).collect(), "Odd: (6, 'odd')")
    show("a panic", lambda: over(1.0).map(k.panics).collect(), "no")
    show("other tasks go on", lambda: over(*map(float, range(50))).map(k.twice).sum(), "2450")


if __name__ == "__main__":
    main()
