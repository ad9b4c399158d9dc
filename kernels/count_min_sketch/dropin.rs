//! The sketches that take one type of key, named as in the package cmsketch.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::CountMinSketch;
use super::keys::Keys;

/// A CountMinSketch of str only: takes the place of the class of this name in the package cmsketch.
///
/// It has the arguments and methods of CountMinSketch, and raises what that raises, TypeError for
/// keys that are no str. As in that package `insert` and `count` call the key `item` ("key" is
/// understood too), bytes and bytearray are the str that they are the UTF-8 of, and `top_k` keeps
/// candidates that come twice.
#[pyclass(frozen, subclass, extends = CountMinSketch)]
pub struct CountMinSketchStr;

#[pymethods]
impl CountMinSketchStr {
    #[new]
    #[classmethod]
    #[pyo3(
        signature = (*args, **kwargs),
        text_signature = "(width, depth, conservative=False, counter_bits=32, seed=0)"
    )]
    fn new(
        cls: &Bound<'_, PyType>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let sketch = CountMinSketch::made::<Self>(cls, Keys::Str, args, kwargs)?;
        Ok(PyClassInitializer::from(sketch).add_subclass(Self))
    }
}

/// A CountMinSketch of int only: takes the place of the class of this name in the package cmsketch.
///
/// It has the arguments and methods of CountMinSketch, and raises what that raises, TypeError for
/// keys that are no int. Ints of any size are taken, and True is 1. As in that package `insert` and
/// `count` call the key `item` ("key" is understood too), and `top_k` keeps candidates that come
/// twice.
#[pyclass(frozen, subclass, extends = CountMinSketch)]
pub struct CountMinSketchInt;

#[pymethods]
impl CountMinSketchInt {
    #[new]
    #[classmethod]
    #[pyo3(
        signature = (*args, **kwargs),
        text_signature = "(width, depth, conservative=False, counter_bits=32, seed=0)"
    )]
    fn new(
        cls: &Bound<'_, PyType>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let sketch = CountMinSketch::made::<Self>(cls, Keys::Int, args, kwargs)?;
        Ok(PyClassInitializer::from(sketch).add_subclass(Self))
    }
}

/// The class that takes these keys.
pub fn class(py: Python<'_>, keys: Keys) -> Bound<'_, PyType> {
    match keys {
        Keys::Any => py.get_type::<CountMinSketch>(),
        Keys::Str => py.get_type::<CountMinSketchStr>(),
        Keys::Int => py.get_type::<CountMinSketchInt>(),
    }
}

/// Is it the class that takes these keys, or a subclass of it?
pub fn takes(cls: &Bound<'_, PyType>, keys: Keys) -> PyResult<bool> {
    if keys != Keys::Any {
        return cls.is_subclass(&class(cls.py(), keys));
    }
    Ok(!takes(cls, Keys::Str)? && !takes(cls, Keys::Int)?)
}
