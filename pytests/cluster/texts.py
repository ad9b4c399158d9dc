"""Kernels for more than one file of these tests."""

THING = """
#[pyclass]
struct Thing { n: i64 }

#[pymethods]
impl Thing {
    #[new]
    fn new(n: i64) -> Self { Thing { n } }
    fn number(&self) -> i64 { self.n }
    fn __getnewargs__(&self) -> (i64,) { (self.n,) }
}
"""
