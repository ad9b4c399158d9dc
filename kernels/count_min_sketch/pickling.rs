//! Sketches in pickles, and copies of them.
//!
//! Nothing here calls the `__init__` of a subclass, which may want other arguments than a sketch does:
//! the counters and the attributes come back as they were.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use super::CountMinSketch;
use super::counts::Counts;
use super::dropin::{class, takes};
use super::keys::Keys;
use super::options::Options;
use super::saved::{self, Saved};

/// What `__reduce__` returns: a function, its arguments, and the attributes.
pub type Reduced<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Option<Bound<'py, PyAny>>,
);

/// A sketch as its bytes.
pub fn reduce<'py>(slf: &Bound<'py, CountMinSketch>) -> PyResult<Reduced<'py>> {
    let py = slf.py();
    let restore = slf.get_type().getattr("_restore")?;
    let arguments = (slf.get().to_bytes(py)?,).into_pyobject(py)?;
    Ok((restore, arguments.into_any(), state(slf)?))
}

/// A sketch as pickle's protocol `protocol` has it: from 5 on its counters are lent, not copied.
pub fn reduce_ex<'py>(
    slf: &Bound<'py, CountMinSketch>,
    protocol: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, base) = (slf.py(), slf.py().get_type::<CountMinSketch>());
    if !slf
        .get_type()
        .getattr("__reduce__")?
        .is(&base.getattr("__reduce__")?)
    {
        // That of a subclass, which `object` would have called.
        return slf.call_method0("__reduce__");
    }
    if !lends(protocol) {
        return Ok(reduce(slf)?.into_pyobject(py)?.into_any());
    }
    let (header, cells) = lent(slf.as_any(), slf.get().counts(py)?)?;
    let restore = slf.get_type().getattr("_restore")?;
    Ok((restore, (header, cells), state(slf)?)
        .into_pyobject(py)?
        .into_any())
}

/// Can counters stay out of a pickle? They lie in memory as in the saved bytes only where the lowest byte comes first.
pub fn lends(protocol: i32) -> bool {
    protocol >= 5 && cfg!(target_endian = "little")
}

/// All of a sketch but its counters, and these as a buffer of their owner, which is not copied.
pub fn lent<'py>(
    owner: &Bound<'py, PyAny>,
    counts: &Counts,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyAny>)> {
    let py = owner.py();
    let header = PyBytes::new(py, &saved::header(&counts.table, &counts.hasher));
    let cells = py
        .import("pickle")?
        .call_method1("PickleBuffer", (owner,))?;
    Ok((header, cells))
}

/// A sketch of what either of the two has put into a pickle.
pub fn restore<'py>(
    cls: &Bound<'py, PyType>,
    data: &[u8],
    cells: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, CountMinSketch>> {
    let Some(cells) = cells else {
        return restored(cls, &saved::read(data)?);
    };
    let lent = Lent::of(cells)?;
    restored(cls, &saved::parse(data, lent.bytes())?)
}

/// What an object of a pickle lends.
pub struct Lent(PyUntypedBuffer);

impl Lent {
    pub fn of(cells: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(cells)?;
        if !buffer.is_c_contiguous() {
            return Err(PyValueError::new_err("the pickled counters lie apart"));
        }
        Ok(Self(buffer))
    }

    pub fn bytes(&self) -> &[u8] {
        let first = self.0.buf_ptr().cast_const().cast::<u8>();
        match self.0.len_bytes() {
            0 => &[],
            // SAFETY: a contiguous buffer has so many bytes, which stay as long as it is held. Where Python
            // code writes to them meanwhile, one or the other count is read, as with NumPy's own functions.
            len => unsafe { std::slice::from_raw_parts(first, len) },
        }
    }
}

/// The attributes that a subclass has, as `copy` and `pickle` would ask for them.
fn state<'py>(slf: &Bound<'py, CountMinSketch>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let state = match slf.getattr_opt("__getstate__")? {
        Some(method) => Some(method.call0()?),
        // Python 3.10 has the method only where a class defines it.
        None => slf.getattr_opt("__dict__")?,
    };
    Ok(state.filter(|state| !state.is_none()))
}

/// A sketch of a saved one's counters.
fn restored<'py>(
    cls: &Bound<'py, PyType>,
    saved: &Saved<'_>,
) -> PyResult<Bound<'py, CountMinSketch>> {
    check_class(cls, saved.keys)?;
    let sketch = without_init(cls, saved.keys, saved.options)?;
    let counts = sketch.get().counts(cls.py())?;
    counts.table.restore(cls.py(), saved.total, saved.cells);
    Ok(sketch)
}

/// A sketch of a saved one's counters, by a call of its class.
pub fn remake<'py>(cls: &Bound<'py, PyType>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let saved = saved::read(data)?;
    check_class(cls, saved.keys)?;
    let sketch = saved.options.call(cls)?.cast_into::<CountMinSketch>()?;
    let counts = sketch.get().counts(cls.py())?;
    if counts.options() != saved.options {
        let text = "the class makes sketches of another size or of other options";
        return Err(PyTypeError::new_err(text));
    }
    counts.table.restore(cls.py(), saved.total, saved.cells);
    Ok(sketch.into_any())
}

/// A sketch with the counts of two, and the attributes of the first.
pub fn joined<'py>(
    one: &Bound<'py, CountMinSketch>,
    other: &Bound<'py, CountMinSketch>,
) -> PyResult<Bound<'py, CountMinSketch>> {
    let (py, counts) = (one.py(), one.get().counts(one.py())?);
    let theirs = other.get().counts(py)?;
    counts.check(theirs)?;
    let sketch = without_init(&one.get_type(), counts.hasher.keys, counts.options())?;
    let target = sketch.get().counts(py)?;
    // SAFETY: the sketch was made here.
    unsafe {
        target.table.become_sum(py, &counts.table, &theirs.table);
    }
    if let Some(attributes) = one.getattr_opt("__dict__")? {
        sketch
            .getattr("__dict__")?
            .call_method1("update", (attributes,))?;
    }
    Ok(sketch)
}

/// An empty sketch of a class, whose own `__new__` and `__init__` are passed over.
fn without_init<'py>(
    cls: &Bound<'py, PyType>,
    keys: Keys,
    options: Options,
) -> PyResult<Bound<'py, CountMinSketch>> {
    let (width, depth, conservative, counter_bits, seed) = options.all();
    let all = (cls, width, depth, conservative, counter_bits, seed);
    let sketch = class(cls.py(), keys).getattr("__new__")?.call1(all)?;
    Ok(sketch.cast_into()?)
}

fn check_class(cls: &Bound<'_, PyType>, keys: Keys) -> PyResult<()> {
    if takes(cls, keys)? {
        return Ok(());
    }
    let (saved, asked) = (keys.class(), cls.name()?);
    let text = format!("the saved sketch is a {saved}, not a {asked}");
    Err(PyValueError::new_err(text))
}
