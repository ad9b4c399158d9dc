//! Many keys in one call: lists and other iterables here, arrays in `array.rs` and `arrow.rs`.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyException, PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList, PyString, PyTuple};

use super::array::Array;
use super::arrow::{self, Given};
use super::keys::{Hasher, Probe};
use super::table::{BLOCK, Table, Turn};

/// Keys of an iterable that are hashed before they are counted.
const CHUNK: usize = 1 << 13;
/// From this many keys on, other Python threads run meanwhile.
const DETACHED: usize = 1 << 12;
/// Keys between two looks at pending signals, a fraction of a second of work.
const BETWEEN_SIGNALS: usize = 1 << 21;

/// Keys of known number that lie in memory, readable without the GIL.
pub trait Source: Send + Sync {
    fn len(&self) -> usize;
    /// Hashes the keys from `start` on into a block that ends within the source.
    fn fill(&self, hasher: &Hasher, start: usize, block: &mut [Probe]);
    /// Raises TypeError if there is a key that the sketch does not take.
    fn check(&self, hasher: &Hasher) -> PyResult<()>;
}

/// Counts every key of a batch, once or as often as its weight says.
pub fn insert(
    table: &Table,
    hasher: &Hasher,
    items: &Bound<'_, PyAny>,
    weights: Option<&Bound<'_, PyAny>>,
    column: Option<&str>,
) -> PyResult<()> {
    let py = items.py();
    let weights = weights.map(read_weights).transpose()?;
    let (items, given) = &mut given(items, column)?;
    let source = match given.take() {
        Some(Given::Stream(mut stream)) if weights.is_none() => {
            while let Some(chunks) = stream.next(py)? {
                chunks.check(hasher)?;
                insert_source(py, table, hasher, &chunks, None)?;
                py.check_signals()?;
            }
            return Ok(());
        }
        given => source(hasher, items, given)?,
    };
    if let Some(source) = source {
        return insert_source(py, table, hasher, &*source, weights.as_deref());
    }
    if weights.is_some() {
        let source = hash_all(hasher, items)?;
        return insert_source(py, table, hasher, &source, weights.as_deref());
    }
    let mut chunk = Vec::with_capacity(CHUNK);
    for (n, key) in items.try_iter()?.enumerate() {
        chunk.push(hasher.item(n, &key?)?.hash());
        if chunk.len() == CHUNK {
            insert_source(py, table, hasher, &Hashed(chunk), None)?;
            chunk = Vec::with_capacity(CHUNK);
        }
    }
    insert_source(py, table, hasher, &Hashed(chunk), None)
}

/// The estimates of every key of a batch, as a NumPy array of uint64.
pub fn count<'py>(
    table: &Table,
    hasher: &Hasher,
    items: &Bound<'py, PyAny>,
    column: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = items.py();
    let (items, given) = &mut given(items, column)?;
    let source = match source(hasher, items, given.take())? {
        Some(source) => source,
        None => Box::new(hash_all(hasher, items)?),
    };
    let counts = PyByteArray::new_with(py, 8 * source.len(), |counts| {
        let (mut probes, mut found) = ([Probe::default(); BLOCK], [0; BLOCK]);
        let run = |start: usize, end: usize| {
            for from in (start..end).step_by(BLOCK) {
                let size = BLOCK.min(end - from);
                source.fill(hasher, from, &mut probes[..size]);
                table.estimate_block(&mut probes[..size], &mut found[..size]);
                let target = counts[8 * from..].chunks_exact_mut(8);
                for (bytes, count) in target.zip(&found[..size]) {
                    bytes.copy_from_slice(&count.to_ne_bytes());
                }
            }
        };
        in_parts(py, table, source.len(), run)
    })?;
    py.import("numpy")?
        .call_method1("frombuffer", (counts, "=u8"))
}

fn insert_source<'a>(
    py: Python<'_>,
    table: &'a Table,
    hasher: &Hasher,
    source: &dyn Source,
    weights: Option<&[u64]>,
) -> PyResult<()> {
    let len = source.len();
    if let Some(weights) = weights.filter(|weights| weights.len() != len) {
        let text = format!("there are {len} keys, but {} weights", weights.len());
        return Err(PyValueError::new_err(text));
    }
    let mut probes = [Probe::default(); BLOCK];
    let mut run = |start: usize, end: usize, turn: &dyn Fn() -> Turn<'a>| {
        for from in (start..end).step_by(BLOCK) {
            let to = end.min(from + BLOCK);
            let block = &mut probes[..to - from];
            source.fill(hasher, from, block);
            let weights = weights.map(|weights| &weights[from..to]);
            // Locked for a block and not longer, so that single inserts of other threads get in.
            table.add_block(&turn(), block, weights);
        }
    };
    if len < DETACHED {
        run(0, len, &|| table.turn_attached(py));
        return Ok(());
    }
    in_parts(py, table, len, |start, end| {
        run(start, end, &|| table.turn())
    })
}

/// Does long work in parts, with the GIL released, and raises KeyboardInterrupt between them.
fn in_parts(
    py: Python<'_>,
    table: &Table,
    len: usize,
    mut run: impl FnMut(usize, usize) + Send,
) -> PyResult<()> {
    if len < DETACHED {
        run(0, len);
        return Ok(());
    }
    for start in (0..len).step_by(BETWEEN_SIGNALS) {
        let end = len.min(start + BETWEEN_SIGNALS);
        table.detach(py, || run(start, end));
        py.check_signals()?;
    }
    Ok(())
}

/// What holds the keys, and the Arrow data that it offers: the items, or where a column is named and they are a
/// data frame of pandas, a dict or a structured array of NumPy, that of them.
///
/// pandas would convert all its columns to Arrow for the sake of one.
pub fn given<'py>(
    items: &Bound<'py, PyAny>,
    column: Option<&str>,
) -> PyResult<(Bound<'py, PyAny>, Option<Given>)> {
    let Some(name) = column else {
        if items.cast::<PyList>().is_ok() || items.cast::<PyTuple>().is_ok() {
            return Ok((items.clone(), None));
        }
        return match arrow::given(items, None) {
            Ok(given) => Ok((items.clone(), given)),
            Err(error) => match otherwise(items, &error)? {
                Some(list) => Ok((list, None)),
                None => Err(error),
            },
        };
    };
    if !items.hasattr("keys")? {
        match arrow::given(items, column) {
            Ok(Some(given)) => return Ok((items.clone(), Some(given))),
            Ok(None) => {}
            Err(error) => {
                let other = may_be_objects(items.py(), &error).then(|| items.get_item(name));
                return match other {
                    Some(Ok(items)) => given(&items, None),
                    _ => Err(error),
                };
            }
        }
    }
    given(&items.get_item(name)?, None)
}

/// The items as objects, where they cannot be read in place.
fn otherwise<'py>(items: &Bound<'py, PyAny>, error: &PyErr) -> PyResult<Option<Bound<'py, PyAny>>> {
    if !may_be_objects(items.py(), error) {
        return Ok(None);
    }
    let list = listed(items)?;
    Ok((!list.is(items)).then_some(list))
}

/// Is it an error about items that cannot be read in place, such as floats, dates, or whatever there is in a column
/// of pandas that has no type? A ValueError is about what cannot be read at all.
fn may_be_objects(py: Python<'_>, error: &PyErr) -> bool {
    !error.get_type(py).is(py.get_type::<PyValueError>()) && error.is_instance_of::<PyException>(py)
}

/// What can be read whole: lists, tuples, arrays. None for other iterables.
fn source(
    hasher: &Hasher,
    items: &Bound<'_, PyAny>,
    given: Option<Given>,
) -> PyResult<Option<Box<dyn Source>>> {
    if let Some(given) = given {
        let chunks = given.whole(items.py())?;
        chunks.check(hasher)?;
        return Ok(Some(Box::new(chunks)));
    }
    if items.cast::<PyList>().is_ok() || items.cast::<PyTuple>().is_ok() {
        return Ok(Some(Box::new(hash_all(hasher, items)?)));
    }
    if items.cast::<PyString>().is_ok() || items.cast::<PyBytes>().is_ok() {
        let name = items.get_type().name()?;
        let text = format!("a batch is an iterable or array of keys, not one {name}");
        return Err(PyTypeError::new_err(text));
    }
    if let Some(array) = Array::of(items)? {
        array.check(hasher)?;
        return Ok(Some(Box::new(array)));
    }
    Ok(None)
}

/// Hashes of the keys of a list, all of them before the first is counted. The ways that they make take
/// twice the memory, and so would leave the caches sooner.
struct Hashed(Vec<u64>);

impl Source for Hashed {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn fill(&self, _: &Hasher, start: usize, block: &mut [Probe]) {
        let hashes = &self.0[start..start + block.len()];
        for (probe, &hash) in block.iter_mut().zip(hashes) {
            *probe = Probe::new(hash);
        }
    }

    fn check(&self, _: &Hasher) -> PyResult<()> {
        Ok(())
    }
}

fn hash_all(hasher: &Hasher, items: &Bound<'_, PyAny>) -> PyResult<Hashed> {
    let list = items.cast_exact::<PyList>().ok();
    if let Some(hashes) = list.and_then(|list| hash_frequent(hasher, list)) {
        return Ok(Hashed(hashes));
    }
    let items = tuple(items)?;
    let mut hashes = Vec::with_capacity(items.len());
    for (n, key) in items.as_slice().iter().enumerate() {
        hashes.push(hasher.item(n, key)?.hash());
    }
    Ok(Hashed(hashes))
}

/// The hashes of a list of strings and ints; None where there is anything else in it. No code of
/// Python runs meanwhile that could change the list, so no copy of it is needed.
pub fn hash_frequent(hasher: &Hasher, list: &Bound<'_, PyList>) -> Option<Vec<u64>> {
    let mut hashes = Vec::with_capacity(list.len());
    for item in list {
        hashes.push(hasher.frequent(&item)?.hash());
    }
    Some(hashes)
}

/// The items of an iterable, which stay as they are whatever their methods do to the iterable.
pub fn tuple<'py>(items: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    if let Ok(list) = items.cast_exact::<PyList>() {
        return Ok(list.to_tuple());
    }
    if let Ok(tuple) = items.cast_exact::<PyTuple>() {
        return Ok(tuple.clone());
    }
    let tuple = items.py().get_type::<PyTuple>().call1((items,))?;
    Ok(tuple.cast_into::<PyTuple>()?)
}

/// The items of an array of NumPy, pyarrow, pandas or polars as a list of Python's, if they are in one.
pub fn listed<'py>(items: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    for convert in ["to_pylist", "to_list", "tolist"] {
        if let Some(method) = items.getattr_opt(convert)? {
            return method.call0();
        }
    }
    Ok(items.clone())
}

/// Has Ctrl-C end what reads item by item from something that has no end, like itertools.repeat(1).
pub fn look_for_signals(py: Python<'_>, n: usize) -> PyResult<()> {
    match n % CHUNK {
        0 => py.check_signals(),
        _ => Ok(()),
    }
}

/// Weights, which are all known before the first key is counted. Those of an array are read without an object for each.
pub fn read_weights(weights: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    if let Some(read) = array_of_ints(weights)? {
        return Ok(read);
    }
    let weights = listed(weights)?.try_iter()?.enumerate();
    let read = |(n, weight): (usize, PyResult<Bound<'_, PyAny>>)| {
        let weight = weight?;
        look_for_signals(weight.py(), n)?;
        weight.extract::<u64>().map_err(|error| {
            if error.is_instance_of::<PyOverflowError>(weight.py()) {
                no_weight(n)
            } else if error.is_instance_of::<PyTypeError>(weight.py()) {
                PyTypeError::new_err(format!("weight {n}: {}", error.value(weight.py())))
            } else {
                error
            }
        })
    };
    weights.map(read).collect()
}

/// The ints of whatever gives NumPy an array of ints, as columns of pyarrow, pandas and polars do if none is missing.
fn array_of_ints(weights: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u64>>> {
    let py = weights.py();
    let Some(method) = weights.getattr_opt("__array__")? else {
        return Ok(None);
    };
    // Whatever is wrong with it is said of the item that it is about.
    let Ok(array) = method.call0() else {
        return Ok(None);
    };
    let kind = array.getattr("dtype")?.getattr("kind")?;
    let wide = match kind.extract::<char>()? {
        'i' => "=i8",
        'u' => "=u8",
        _ => return Ok(None),
    };
    if array.getattr("ndim")?.extract::<usize>()? != 1 {
        return Ok(None);
    }
    let array = array.call_method1("astype", (wide,))?;
    if wide == "=u8" {
        return PyBuffer::<u64>::get(&array)?.to_vec(py).map(Some);
    }
    let read = PyBuffer::<i64>::get(&array)?.to_vec(py)?;
    let read = read.into_iter().enumerate();
    read.map(|(n, weight)| u64::try_from(weight).map_err(|_| no_weight(n)))
        .collect::<PyResult<_>>()
        .map(Some)
}

fn no_weight(n: usize) -> PyErr {
    PyOverflowError::new_err(format!("weight {n} is negative or beyond 64 bits"))
}
