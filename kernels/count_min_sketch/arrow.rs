//! Arrow arrays of strings, byte strings and ints, read where they lie.
//!
//! Source: the Arrow specification, "Arrow columnar format" and "The Arrow C data interface".

use std::ffi::{CStr, c_int};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::array::{Kind, Strided, refuse};
use super::batch::Source;
use super::capsule::{ArrowArray, ArrowArrayStream, ArrowSchema, Owned, Released, take};
use super::keys::{Hasher, Keys, Probe};

/// The keys of an object that offers Arrow data, None for all others.
pub fn source(items: &Bound<'_, PyAny>) -> PyResult<Option<Box<dyn Source>>> {
    if let Some(export) = items.getattr_opt("__arrow_c_array__")? {
        let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) =
            export.call0()?.extract()?;
        let schema = schema.pointer_checked(Some(c"arrow_schema"))?.cast();
        let array = array.pointer_checked(Some(c"arrow_array"))?.cast();
        // SAFETY: capsules of these names hold these structs, valid until their owner has been
        // asked to release them, which moving them out leaves to this code.
        let (schema, array) = unsafe { (take(schema.as_ptr())?, take(array.as_ptr())?) };
        let layout = Layout::of(&schema)?;
        return Ok(Some(Box::new(Chunks(vec![Chunk::new(layout, array)?]))));
    }
    if let Some(export) = items.getattr_opt("__arrow_c_stream__")? {
        let capsule = export.call0()?.cast_into::<PyCapsule>()?;
        let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
        // SAFETY: as above.
        let mut stream = unsafe { take::<ArrowArrayStream>(pointer.cast().as_ptr())? };
        return Ok(Some(Box::new(Chunks(stream.chunks()?))));
    }
    Ok(None)
}

impl Owned<ArrowArrayStream> {
    fn chunks(&mut self) -> PyResult<Vec<Chunk>> {
        let (Some(get_schema), Some(get_next)) = (self.0.get_schema, self.0.get_next) else {
            return Err(PyValueError::new_err("the Arrow stream cannot be read"));
        };
        let mut schema = Owned(ArrowSchema::EMPTY);
        // SAFETY: the stream is not released yet, and fills the struct or gives an error.
        let code = unsafe { get_schema(&mut self.0, &mut schema.0) };
        self.check(code)?;
        let layout = Layout::of(&schema)?;
        let mut chunks = Vec::new();
        loop {
            let mut array = Owned(ArrowArray::EMPTY);
            // SAFETY: as above. A released struct marks the end.
            let code = unsafe { get_next(&mut self.0, &mut array.0) };
            self.check(code)?;
            if array.0.release.is_none() {
                return Ok(chunks);
            }
            chunks.push(Chunk::new(layout, array)?);
        }
    }

    fn check(&mut self, code: c_int) -> PyResult<()> {
        if code == 0 {
            return Ok(());
        }
        let mut text = format!("the Arrow stream failed with error {code}");
        if let Some(get_last_error) = self.0.get_last_error {
            // SAFETY: called after an error; gives null or a string that lives until the next call.
            let message = unsafe { get_last_error(&mut self.0) };
            if !message.is_null() {
                // SAFETY: as above.
                let message = unsafe { CStr::from_ptr(message) };
                text = format!("{text}: {}", message.to_string_lossy());
            }
        }
        Err(PyValueError::new_err(text))
    }
}

/// How the items of an array lie in its buffers.
#[derive(Clone, Copy)]
enum Layout {
    /// Items of one size.
    Ints { kind: Kind, size: usize },
    /// Offsets of 32 or 64 bits into one buffer.
    Strings { text: bool, wide: bool },
    /// Views of 16 bytes, with the short items in them and the long ones in other buffers.
    Views { text: bool },
}

impl Layout {
    fn of(schema: &Owned<ArrowSchema>) -> PyResult<Self> {
        let schema = &schema.0;
        if schema.release.is_none() || schema.format.is_null() {
            return Err(PyValueError::new_err("the Arrow schema has no format"));
        }
        // SAFETY: a schema that is not released has a format that ends in a zero byte.
        let format = unsafe { CStr::from_ptr(schema.format) };
        if !schema.dictionary.is_null() {
            let text = "Arrow data with a dictionary must be decoded before its keys are counted";
            return Err(PyTypeError::new_err(text));
        }
        let (signed, unsigned) = (Kind::Signed, Kind::Unsigned);
        let ints = |kind, size| Ok(Self::Ints { kind, size });
        match format.to_bytes() {
            b"c" => ints(signed, 1),
            b"C" => ints(unsigned, 1),
            b"s" => ints(signed, 2),
            b"S" => ints(unsigned, 2),
            b"i" => ints(signed, 4),
            b"I" => ints(unsigned, 4),
            b"l" => ints(signed, 8),
            b"L" => ints(unsigned, 8),
            &[kind @ (b'u' | b'U' | b'z' | b'Z')] => Ok(Self::Strings {
                text: kind.eq_ignore_ascii_case(&b'u'),
                wide: kind.is_ascii_uppercase(),
            }),
            &[b'v', kind @ (b'u' | b'z')] => Ok(Self::Views { text: kind == b'u' }),
            _ => {
                let text = format!(
                    "Arrow keys must be strings, bytes or ints, not of format {:?}",
                    format.to_string_lossy()
                );
                Err(PyTypeError::new_err(text))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ints { .. } => "int",
            Self::Strings { text: true, .. } | Self::Views { text: true } => "str",
            Self::Strings { .. } | Self::Views { .. } => "bytes",
        }
    }
}

/// One array, which keeps its buffers alive.
struct Chunk {
    layout: Layout,
    len: usize,
    offset: usize,
    array: Owned<ArrowArray>,
}

// SAFETY: the buffers are never written, and the specification lets any thread read and release.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    fn new(layout: Layout, array: Owned<ArrowArray>) -> PyResult<Self> {
        let wrong = || PyValueError::new_err("the Arrow array contradicts its own format");
        let raw = &array.0;
        let expected = match layout {
            Layout::Ints { .. } => raw.n_buffers == 2,
            Layout::Strings { .. } => raw.n_buffers == 3,
            Layout::Views { .. } => raw.n_buffers >= 3,
        };
        if raw.release.is_none() || !expected || raw.buffers.is_null() {
            return Err(wrong());
        }
        let len = usize::try_from(raw.length).map_err(|_| wrong())?;
        let offset = usize::try_from(raw.offset).map_err(|_| wrong())?;
        let chunk = Self {
            layout,
            len,
            offset,
            array,
        };
        if len == 0 || !chunk.buffer::<u8>(1).is_null() && chunk.is_sound() {
            return Ok(chunk);
        }
        Err(wrong())
    }

    /// Do the items lie within the buffers, as far as these tell how long they are?
    fn is_sound(&self) -> bool {
        match self.layout {
            Layout::Ints { .. } => true,
            Layout::Strings { wide: false, .. } => self.ascends::<i32>(),
            Layout::Strings { wide: true, .. } => self.ascends::<i64>(),
            Layout::Views { .. } => (0..self.len)
                .filter(|&n| !self.is_null(n))
                .all(|n| self.view(self.offset + n).is_some()),
        }
    }

    /// Do the offsets of strings rise from 0 or more, and is there a buffer for them to lead into?
    fn ascends<O: Copy + Into<i64>>(&self) -> bool {
        let offsets = self.buffer::<O>(1).wrapping_add(self.offset);
        // SAFETY: there is one more offset than there are items.
        let offset = |n: usize| -> i64 { unsafe { offsets.add(n).read_unaligned() }.into() };
        let ascend = (0..self.len).fold(true, |so_far, n| so_far & (offset(n) <= offset(n + 1)));
        let empty = offset(0) == offset(self.len);
        ascend && offset(0) >= 0 && (empty || !self.buffer::<u8>(2).is_null())
    }

    fn buffer<T>(&self, n: usize) -> *const T {
        // SAFETY: asked for buffers only that `new` has seen to be there.
        unsafe { (*self.array.0.buffers.add(n)).cast() }
    }

    fn is_null(&self, n: usize) -> bool {
        let (bits, n) = (self.buffer::<u8>(0), self.offset + n);
        // SAFETY: a bitmap that is there has a bit for every item.
        self.array.0.null_count != 0
            && !bits.is_null()
            && unsafe { *bits.add(n / 8) } >> (n % 8) & 1 == 0
    }

    fn fill(&self, hasher: &Hasher, start: usize, block: &mut [Probe]) {
        assert!(start + block.len() <= self.len);
        match self.layout {
            Layout::Ints { kind, size } => {
                let ints = Strided {
                    kind,
                    size,
                    len: self.len,
                    first: self.buffer::<u8>(1).wrapping_add(self.offset * size),
                    stride: size as isize,
                };
                // SAFETY: the buffer has an int for each of the items.
                unsafe { ints.fill(hasher, start, block) }
            }
            Layout::Strings { text, wide: false } => {
                self.fill_strings::<i32>(hasher, text, start, block)
            }
            Layout::Strings { text, wide: true } => {
                self.fill_strings::<i64>(hasher, text, start, block)
            }
            Layout::Views { text } => {
                for (n, probe) in block.iter_mut().enumerate() {
                    // The view of a null may point anywhere.
                    if !self.is_null(start + n) {
                        let item = self.view(self.offset + start + n);
                        *probe = hash(hasher, text, item.unwrap_or_default());
                    }
                }
            }
        }
        for (n, probe) in block.iter_mut().enumerate() {
            if self.is_null(start + n) {
                *probe = hasher.none();
            }
        }
    }

    fn fill_strings<O: Copy + Into<i64>>(
        &self,
        hasher: &Hasher,
        text: bool,
        start: usize,
        block: &mut [Probe],
    ) {
        let (offsets, data) = (self.buffer::<O>(1), self.buffer::<u8>(2));
        // SAFETY: there is one more offset than there are items.
        let offset = |n: usize| unsafe { offsets.add(self.offset + start + n).read_unaligned() };
        let mut from: i64 = offset(0).into();
        for (n, probe) in block.iter_mut().enumerate() {
            let to: i64 = offset(n + 1).into();
            let item = if to > from && from >= 0 && !data.is_null() {
                // SAFETY: the data has the bytes between two offsets, which ascend.
                unsafe { std::slice::from_raw_parts(data.add(from as usize), (to - from) as usize) }
            } else {
                &[]
            };
            *probe = hash(hasher, text, item);
            from = to;
        }
    }

    /// The bytes of a view: its length, then up to 12 bytes, or 4 bytes, a buffer and an offset. None
    /// if they are not in that buffer.
    fn view(&self, n: usize) -> Option<&[u8]> {
        let view = self.buffer::<u8>(1).wrapping_add(16 * n);
        // SAFETY: there is a view of 16 bytes for every item.
        let part = |at: usize| unsafe { view.add(at).cast::<u32>().read_unaligned() as usize };
        let len = part(0);
        let (buffer, at) = if len <= 12 {
            (view, 4)
        } else {
            // After validity and views come the buffers of long items, then one with their lengths.
            let (last, buffer) = (self.array.0.n_buffers as usize - 1, 2 + part(8));
            let lengths = self.buffer::<i64>(last);
            if buffer >= last || lengths.is_null() {
                return None;
            }
            // SAFETY: there is a length for every buffer between.
            let length = unsafe { lengths.add(part(8)).read_unaligned() };
            let data = self.buffer::<u8>(buffer);
            if (part(12) + len) as i64 > length || data.is_null() {
                return None;
            }
            (data, part(12))
        };
        // SAFETY: the bytes lie in the view, or within the length of their buffer.
        Some(unsafe { std::slice::from_raw_parts(buffer.add(at), len) })
    }
}

#[inline(always)]
fn hash(hasher: &Hasher, text: bool, item: &[u8]) -> Probe {
    if text {
        hasher.text(item)
    } else {
        hasher.bytes(item)
    }
}

/// The arrays of a stream, or a single one.
struct Chunks(Vec<Chunk>);

impl Source for Chunks {
    fn len(&self) -> usize {
        self.0.iter().map(|chunk| chunk.len).sum()
    }

    fn fill(&self, hasher: &Hasher, mut start: usize, mut block: &mut [Probe]) {
        for chunk in &self.0 {
            if start < chunk.len {
                let (part, rest) = block.split_at_mut(block.len().min(chunk.len - start));
                chunk.fill(hasher, start, part);
                (start, block) = (0, rest);
                if block.is_empty() {
                    return;
                }
            } else {
                start -= chunk.len;
            }
        }
    }

    fn check(&self, hasher: &Hasher) -> PyResult<()> {
        let mut before = 0;
        for chunk in &self.0 {
            let fits = match hasher.keys {
                Keys::Any => return Ok(()),
                Keys::Str => chunk.layout.name() != "int",
                Keys::Int => chunk.layout.name() == "int",
            };
            for n in 0..chunk.len {
                if chunk.is_null(n) {
                    return refuse(before + n, hasher.keys, "NoneType");
                } else if !fits {
                    return refuse(before + n, hasher.keys, chunk.layout.name());
                }
            }
            before += chunk.len;
        }
        Ok(())
    }
}
