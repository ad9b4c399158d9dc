//! Arrow arrays and streams, and the columns of tables in them.
//!
//! Source: the Arrow specification, "The Arrow PyCapsule interface" and "The Arrow C stream interface".

use std::ffi::{CStr, c_int};
use std::ptr::null;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::array::refuse;
use super::batch::Source;
use super::capsule::{ArrowArray, ArrowArrayStream, ArrowSchema, Owned, Released, take};
use super::column::{Column, Layout, Rows, wrong};
use super::keys::{Hasher, Keys, Probe};
use super::table::BLOCK;

/// What an object gives that offers Arrow data.
pub enum Given {
    /// All that there is.
    Whole(Chunks),
    /// What comes one array after the other, and may never end.
    Stream(Stream),
}

impl Given {
    /// All keys at once.
    pub fn whole(self, py: Python<'_>) -> PyResult<Chunks> {
        match self {
            Self::Whole(chunks) => Ok(chunks),
            Self::Stream(stream) => stream.whole(py),
        }
    }
}

/// The keys of an object that offers Arrow data, those in `column` where it has several; None for all others.
pub fn given(items: &Bound<'_, PyAny>, column: Option<&str>) -> PyResult<Option<Given>> {
    if let Some(export) = items.getattr_opt("__arrow_c_array__")? {
        let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) =
            export.call0()?.extract()?;
        let schema = schema.pointer_checked(Some(c"arrow_schema"))?.cast();
        let array = array.pointer_checked(Some(c"arrow_array"))?.cast();
        // SAFETY: capsules of these names hold these structs, valid until their owner has been
        // asked to release them, which moving them out leaves to this code.
        let (schema, array) = unsafe { (take(schema.as_ptr())?, take(array.as_ptr())?) };
        let chunk = Chunk::new(Form::of(&schema, column)?, array)?;
        return Ok(Some(Given::Whole(Chunks::new(vec![chunk]))));
    }
    if let Some(export) = items.getattr_opt("__arrow_c_stream__")? {
        let capsule = export.call0()?.cast_into::<PyCapsule>()?;
        let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
        // SAFETY: as above.
        let stream = unsafe { take::<ArrowArrayStream>(pointer.cast().as_ptr())? };
        let stream = Stream::new(stream, column)?;
        // What has a length lies in memory already.
        return Ok(Some(if items.hasattr("__len__")? {
            Given::Whole(stream.whole(items.py())?)
        } else {
            Given::Stream(stream)
        }));
    }
    Ok(None)
}

/// Arrays of one form, each of which is there when it is asked for.
pub struct Stream {
    stream: Owned<ArrowArrayStream>,
    form: Form,
    /// Items so far.
    before: usize,
}

// SAFETY: a stream may be read from any thread, by one at a time.
unsafe impl Send for Stream {}

impl Stream {
    fn new(stream: Owned<ArrowArrayStream>, column: Option<&str>) -> PyResult<Self> {
        let mut schema = Owned(ArrowSchema::EMPTY);
        let get_schema = stream.0.get_schema.ok_or_else(unreadable)?;
        let mut stream = stream;
        // SAFETY: the stream is not released yet, and fills the struct or gives an error.
        let code = unsafe { get_schema(&mut stream.0, &mut schema.0) };
        check(&mut stream, code)?;
        Ok(Self {
            form: Form::of(&schema, column)?,
            stream,
            before: 0,
        })
    }

    /// The next array, None at the end. Whoever reads it from a disk lets other threads run meanwhile.
    pub fn next(&mut self, py: Python<'_>) -> PyResult<Option<Chunks>> {
        let get_next = self.stream.0.get_next.ok_or_else(unreadable)?;
        let (array, code) = py.detach(|| {
            let whole = &mut *self;
            let mut array = Owned(ArrowArray::EMPTY);
            // SAFETY: as above. A released struct marks the end.
            let code = unsafe { get_next(&mut whole.stream.0, &mut array.0) };
            (Sent(array), code)
        });
        check(&mut self.stream, code)?;
        let Sent(array) = array;
        if array.0.is_released() {
            return Ok(None);
        }
        let chunks = vec![Chunk::new(self.form, array)?];
        let before = self.before;
        self.before += chunks[0].column.len;
        Ok(Some(Chunks { chunks, before }))
    }

    fn whole(mut self, py: Python<'_>) -> PyResult<Chunks> {
        let mut chunks = Vec::new();
        while let Some(next) = self.next(py)? {
            chunks.extend(next.chunks);
        }
        Ok(Chunks::new(chunks))
    }
}

/// An array on its way from one thread to another.
struct Sent(Owned<ArrowArray>);

// SAFETY: the buffers are never written, and the specification lets any thread read and release.
unsafe impl Send for Sent {}

fn unreadable() -> PyErr {
    PyValueError::new_err("the Arrow stream cannot be read")
}

fn check(stream: &mut Owned<ArrowArrayStream>, code: c_int) -> PyResult<()> {
    if code == 0 {
        return Ok(());
    }
    let mut text = format!("the Arrow stream failed with error {code}");
    if let Some(get_last_error) = stream.0.get_last_error {
        // SAFETY: called after an error; gives null or a string that lives until the next call.
        let message = unsafe { get_last_error(&mut stream.0) };
        if !message.is_null() {
            // SAFETY: as above.
            let message = unsafe { CStr::from_ptr(message) };
            text = format!("{text}: {}", message.to_string_lossy());
        }
    }
    Err(PyValueError::new_err(text))
}

/// Where the keys of an array are, and how they lie there.
#[derive(Clone, Copy)]
struct Form {
    /// The number of the column, of an array of structs.
    column: Option<usize>,
    layout: Layout,
    /// Of keys that lie in a dictionary, to which the items lead.
    words: Option<Layout>,
}

impl Form {
    fn of(schema: &Owned<ArrowSchema>, column: Option<&str>) -> PyResult<Self> {
        let schema = &schema.0;
        let (number, schema) = match (columns(schema), column) {
            (None, None) => (None, schema),
            (None, Some(name)) => {
                return Err(other_columns(Some(name), &[]));
            }
            (Some(columns), name) => {
                let found = columns.iter().position(|(own, _)| Some(&**own) == name);
                let Some(number) = found else {
                    return Err(other_columns(name, &columns));
                };
                (Some(number), columns[number].1)
            }
        };
        // SAFETY: `schema` is that of the data or of a column, both valid or released; a dictionary that
        // is there is as valid.
        let (layout, words) = unsafe {
            let words = schema.dictionary.as_ref().map(|words| Layout::of(words));
            (Layout::of(schema)?, words.transpose()?)
        };
        if words.is_some() && !matches!(layout, Layout::Ints { .. }) {
            return Err(wrong());
        }
        Ok(Self {
            column: number,
            layout,
            words,
        })
    }
}

/// The columns of an array of structs, with their schemas.
fn columns(schema: &ArrowSchema) -> Option<Vec<(String, &ArrowSchema)>> {
    if schema.is_released() || schema.format.is_null() || schema.children.is_null() {
        return None;
    }
    // SAFETY: a schema that is not released has a format that ends in a zero byte.
    if unsafe { CStr::from_ptr(schema.format) } != c"+s" {
        return None;
    }
    let each = (0..usize::try_from(schema.n_children).ok()?).map(|n| {
        // SAFETY: there are as many children as it says, which are valid as long as their parent.
        let child = unsafe { (*schema.children.add(n)).as_ref() }?;
        let name = match child.name.is_null() {
            true => String::new(),
            // SAFETY: a name that is there ends in a zero byte.
            false => unsafe { CStr::from_ptr(child.name) }
                .to_string_lossy()
                .into_owned(),
        };
        Some((name, child))
    });
    each.collect()
}

fn other_columns(name: Option<&str>, columns: &[(String, &ArrowSchema)]) -> PyErr {
    let names: Vec<String> = columns.iter().map(|(own, _)| format!("{own:?}")).collect();
    let there = match &*names {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    match name {
        None => PyValueError::new_err(format!(
            "there are columns, of which one is to be named: column={}",
            names.first().map_or("...", |name| name)
        )),
        Some(name) => PyValueError::new_err(format!("there is no column {name:?}, but {there}")),
    }
}

/// One array, which keeps its buffers alive.
struct Chunk {
    column: Column,
    /// In a box, where it stays when this is moved.
    _array: Box<Owned<ArrowArray>>,
}

// SAFETY: the buffers are never written, and the specification lets any thread read and release.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    fn new(form: Form, array: Owned<ArrowArray>) -> PyResult<Self> {
        let array = Box::new(array);
        let raw = &array.0;
        let mut rows = Rows::all(raw)?;
        let mut own = raw;
        if let Some(number) = form.column {
            let has = usize::try_from(raw.n_children).is_ok_and(|columns| number < columns);
            if raw.is_released() || raw.n_buffers != 1 || !has || raw.children.is_null() {
                return Err(wrong());
            }
            // SAFETY: there are as many children as it says, and those that are there are valid.
            own = unsafe { (*raw.children.add(number)).as_ref() }.ok_or_else(wrong)?;
            rows.from = usize::try_from(raw.offset).map_err(|_| wrong())?;
            let end = rows.from.checked_add(rows.len);
            if end.is_none_or(|end| i64::try_from(end).map_or(true, |end| end > own.length)) {
                return Err(wrong());
            }
            rows.bits = match raw.buffers.is_null() || raw.null_count == 0 {
                true => null(),
                // SAFETY: there is one buffer, the bitmap, or null instead of it.
                false => unsafe { *raw.buffers }.cast(),
            };
        }
        // SAFETY: the array, and with it its columns, is kept beside what reads it.
        let column = unsafe { Column::new(own, form.layout, form.words, rows)? };
        Ok(Self {
            column,
            _array: array,
        })
    }
}

/// Arrays, one after the other.
pub struct Chunks {
    chunks: Vec<Chunk>,
    /// Items that came before the first.
    before: usize,
}

impl Chunks {
    fn new(chunks: Vec<Chunk>) -> Self {
        Self { chunks, before: 0 }
    }

    /// Calls with each item's hash and column, and its place in that.
    pub fn each(
        &self,
        hasher: &Hasher,
        mut call: impl FnMut(Probe, &Column, usize) -> PyResult<()>,
    ) -> PyResult<()> {
        let mut probes = [Probe::default(); BLOCK];
        for Chunk { column, .. } in &self.chunks {
            for start in (0..column.len).step_by(BLOCK) {
                let block = &mut probes[..BLOCK.min(column.len - start)];
                column.fill(hasher, start, block);
                for (n, &probe) in (start..).zip(&*block) {
                    call(probe, column, n)?;
                }
            }
        }
        Ok(())
    }
}

impl Source for Chunks {
    fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.column.len).sum()
    }

    fn fill(&self, hasher: &Hasher, mut start: usize, mut block: &mut [Probe]) {
        for Chunk { column, .. } in &self.chunks {
            if start < column.len {
                let (part, rest) = block.split_at_mut(block.len().min(column.len - start));
                column.fill(hasher, start, part);
                (start, block) = (0, rest);
                if block.is_empty() {
                    return;
                }
            } else {
                start -= column.len;
            }
        }
    }

    fn check(&self, hasher: &Hasher) -> PyResult<()> {
        let mut before = self.before;
        for Chunk { column, .. } in &self.chunks {
            let fits = match hasher.keys {
                Keys::Any => return Ok(()),
                Keys::Str => column.name() != "int",
                Keys::Int => column.name() == "int",
            };
            for n in 0..column.len {
                if column.is_null(n) {
                    return refuse(before + n, hasher.keys, "NoneType");
                } else if !fits {
                    return refuse(before + n, hasher.keys, column.name());
                }
            }
            before += column.len;
        }
        Ok(())
    }
}
