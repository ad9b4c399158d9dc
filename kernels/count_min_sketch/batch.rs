//! Many keys in one call: lists and other iterables, NumPy's arrays, and Arrow's in `arrow.rs`.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList, PyString, PyTuple};

use super::arrow;
use super::keys::{Hasher, Keys, Probe};
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
) -> PyResult<()> {
    let py = items.py();
    let weights = weights.map(read_weights).transpose()?;
    if let Some(source) = source(hasher, items)? {
        return insert_source(py, table, hasher, &*source, weights.as_deref());
    }
    if weights.is_some() {
        let source = hash_all(hasher, items)?;
        return insert_source(py, table, hasher, &source, weights.as_deref());
    }
    let mut chunk = Vec::with_capacity(CHUNK);
    for (n, key) in items.try_iter()?.enumerate() {
        chunk.push(hasher.item(n, &key?)?);
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
) -> PyResult<Bound<'py, PyAny>> {
    let py = items.py();
    let source = match source(hasher, items)? {
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
                let target = counts[8 * from..].as_chunks_mut::<8>().0;
                for (bytes, count) in target.iter_mut().zip(&found[..size]) {
                    *bytes = count.to_ne_bytes();
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
    if let Some(weights) = weights
        && weights.len() != len
    {
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

/// What can be read whole: lists, tuples, arrays. None for other iterables.
fn source<'a>(hasher: &Hasher, items: &'a Bound<'_, PyAny>) -> PyResult<Option<Box<dyn Source>>> {
    if items.cast::<PyList>().is_ok() || items.cast::<PyTuple>().is_ok() {
        return Ok(Some(Box::new(hash_all(hasher, items)?)));
    }
    if items.cast::<PyString>().is_ok() || items.cast::<PyBytes>().is_ok() {
        let name = items.get_type().name()?;
        let text = format!("a batch is an iterable or array of keys, not one {name}");
        return Err(PyTypeError::new_err(text));
    }
    if let Some(source) = arrow::source(items)? {
        source.check(hasher)?;
        return Ok(Some(source));
    }
    if let Some(array) = Array::of(items)? {
        array.check(hasher)?;
        return Ok(Some(Box::new(array)));
    }
    Ok(None)
}

/// Hashes of the keys of a list, all of them before the first is counted.
struct Hashed(Vec<Probe>);

impl Source for Hashed {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn fill(&self, _: &Hasher, start: usize, block: &mut [Probe]) {
        block.copy_from_slice(&self.0[start..start + block.len()]);
    }

    fn check(&self, _: &Hasher) -> PyResult<()> {
        Ok(())
    }
}

fn hash_all(hasher: &Hasher, items: &Bound<'_, PyAny>) -> PyResult<Hashed> {
    let items = tuple(items)?;
    let mut probes = Vec::with_capacity(items.len());
    for (n, key) in items.as_slice().iter().enumerate() {
        probes.push(hasher.item(n, key)?);
    }
    Ok(Hashed(probes))
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

/// What the items of an array are.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Signed,
    Unsigned,
    Bytes,
}

/// Items of one size at equal distances, ints or byte strings.
pub struct Strided {
    pub kind: Kind,
    pub size: usize,
    pub len: usize,
    pub first: *const u8,
    pub stride: isize,
}

impl Strided {
    /// Hashes the items from `start` on.
    ///
    /// # Safety
    ///
    /// `len` items of `size` bytes can be read at `first` and every `stride` bytes from there.
    pub unsafe fn fill(&self, hasher: &Hasher, start: usize, block: &mut [Probe]) {
        assert!(start + block.len() <= self.len);
        let stride = self.stride;
        // SAFETY: the item of this number is within the array, as was asserted.
        let mut at = unsafe { self.first.offset(start as isize * stride) };
        macro_rules! ints {
            ($int:ty, $hash:ident) => {
                for probe in block {
                    // SAFETY: `at` is at an item; it is read whole, whatever its alignment.
                    let item = unsafe { at.cast::<$int>().read_unaligned() };
                    *probe = hasher.$hash(item.into());
                    at = at.wrapping_offset(stride);
                }
            };
        }
        match (self.kind, self.size) {
            (Kind::Signed, 1) => ints!(i8, int),
            (Kind::Signed, 2) => ints!(i16, int),
            (Kind::Signed, 4) => ints!(i32, int),
            (Kind::Signed, _) => ints!(i64, int),
            (Kind::Unsigned, 1) => ints!(u8, unsigned),
            (Kind::Unsigned, 2) => ints!(u16, unsigned),
            (Kind::Unsigned, 4) => ints!(u32, unsigned),
            (Kind::Unsigned, _) => ints!(u64, unsigned),
            (Kind::Bytes, size) => {
                for probe in block {
                    // SAFETY: `at` is at an item, which has this many bytes.
                    let item = unsafe { std::slice::from_raw_parts(at, size) };
                    // NumPy fills up with zero bytes, and leaves them off when it gives an item.
                    let end = item.iter().rposition(|&byte| byte != 0);
                    *probe = hasher.bytes(&item[..end.map_or(0, |end| end + 1)]);
                    at = at.wrapping_offset(stride);
                }
            }
        }
    }

    pub fn check(&self, hasher: &Hasher) -> PyResult<()> {
        match (hasher.keys, self.kind) {
            (Keys::Any, _) | (Keys::Int, Kind::Signed | Kind::Unsigned) => Ok(()),
            (keys, kind) => refuse(0, keys, if kind == Kind::Bytes { "bytes" } else { "int" }),
        }
    }
}

/// The error for a key of an array that the sketch does not take.
pub fn refuse(n: usize, keys: Keys, name: &str) -> PyResult<()> {
    let takes = if keys == Keys::Str { "str" } else { "int" };
    let text = format!("item {n}: a key must be {takes}, not {name}");
    Err(PyTypeError::new_err(text))
}

/// An array that keeps its items in memory, such as NumPy's.
struct Array {
    items: Strided,
    /// Keeps the memory.
    _buffer: PyUntypedBuffer,
}

// SAFETY: the pointer is only read, and the buffer that it points into stays as long as this does.
unsafe impl Send for Array {}
// SAFETY: as above. Python code that changes an array while it is counted makes one or the other
// int be counted, as with NumPy's own functions.
unsafe impl Sync for Array {}

impl Array {
    /// None if it is no such array, or has other items than ints and byte strings.
    fn of(items: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let Ok(buffer) = PyUntypedBuffer::get(items) else {
            return Ok(None);
        };
        let size = buffer.item_size();
        let kind = match buffer.format().to_bytes() {
            [b'@' | b'=', format @ ..] | [b'<', format @ ..] if cfg!(target_endian = "little") => {
                kind_of(format)
            }
            format => kind_of(format),
        };
        let Some(kind) = kind.filter(|&kind| kind == Kind::Bytes || matches!(size, 1 | 2 | 4 | 8))
        else {
            return Ok(None);
        };
        if buffer.dimensions() != 1 {
            let text = format!(
                "an array must have 1 dimension, not {}",
                buffer.dimensions()
            );
            return Err(PyValueError::new_err(text));
        }
        if buffer.suboffsets().is_some() {
            return Ok(None);
        }
        let items = Strided {
            kind,
            size,
            len: buffer.item_count(),
            first: buffer.buf_ptr().cast_const().cast(),
            stride: buffer.strides()[0],
        };
        let _buffer = buffer;
        Ok(Some(Self { items, _buffer }))
    }
}

impl Source for Array {
    fn len(&self) -> usize {
        self.items.len
    }

    fn fill(&self, hasher: &Hasher, start: usize, block: &mut [Probe]) {
        // SAFETY: first, len, size and stride are those of the buffer, which this holds.
        unsafe { self.items.fill(hasher, start, block) }
    }

    fn check(&self, hasher: &Hasher) -> PyResult<()> {
        self.items.check(hasher)
    }
}

/// From the format characters of Python's `struct`.
fn kind_of(format: &[u8]) -> Option<Kind> {
    match format {
        [b'b' | b'h' | b'i' | b'l' | b'q' | b'n'] => Some(Kind::Signed),
        [b'B' | b'H' | b'I' | b'L' | b'Q' | b'N' | b'?'] => Some(Kind::Unsigned),
        [digits @ .., b's'] if digits.iter().all(u8::is_ascii_digit) => Some(Kind::Bytes),
        _ => None,
    }
}

/// Weights, which are all known before the first key is counted.
fn read_weights(weights: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    let weights = weights.try_iter()?.enumerate();
    let read = |(n, weight): (usize, PyResult<Bound<'_, PyAny>>)| {
        let weight = weight?;
        weight.extract::<u64>().map_err(|error| {
            if error.is_instance_of::<PyOverflowError>(weight.py()) {
                PyOverflowError::new_err(format!("weight {n} is negative or beyond 64 bits"))
            } else if error.is_instance_of::<PyTypeError>(weight.py()) {
                PyTypeError::new_err(format!("weight {n}: {}", error.value(weight.py())))
            } else {
                error
            }
        })
    };
    weights.map(read).collect()
}
