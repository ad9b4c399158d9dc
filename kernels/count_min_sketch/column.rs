//! Items of an Arrow array, read where they lie.
//!
//! Source: the Arrow specification, "Arrow columnar format" and "The Arrow C data interface".

use std::ffi::CStr;
use std::ptr::null;
use std::slice::from_raw_parts;
use std::sync::OnceLock;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};

use super::array::{Kind, Strided};
use super::capsule::{ArrowArray, ArrowSchema};
use super::keys::{Hasher, Probe};

/// How the items of an array lie in its buffers.
#[derive(Clone, Copy)]
pub enum Layout {
    /// Items of one size.
    Ints { kind: Kind, size: usize },
    /// Offsets of 32 or 64 bits into one buffer.
    Strings { text: bool, wide: bool },
    /// Views of 16 bytes, with the short items in them and the long ones in other buffers.
    Views { text: bool },
}

impl Layout {
    /// # Safety
    ///
    /// The schema is valid or released.
    pub unsafe fn of(schema: &ArrowSchema) -> PyResult<Self> {
        if schema.release.is_none() || schema.format.is_null() {
            return Err(PyValueError::new_err("the Arrow schema has no format"));
        }
        // SAFETY: a schema that is not released has a format that ends in a zero byte.
        let format = unsafe { CStr::from_ptr(schema.format) };
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

/// The items of an array: those in its buffers, or those of its dictionary that the ints in them name.
pub struct Column {
    layout: Layout,
    pub len: usize,
    offset: usize,
    array: *const ArrowArray,
    words: Option<Box<Words>>,
    rows: Rows,
}

/// The part of an array that is read, as a column of an array of structs: where it begins, how long it is, and
/// which of the structs are there, a bitmap or null.
#[derive(Clone, Copy)]
pub struct Rows {
    pub from: usize,
    pub len: usize,
    pub bits: *const u8,
}

impl Rows {
    /// All of an array.
    pub fn all(array: &ArrowArray) -> PyResult<Self> {
        Ok(Self {
            from: 0,
            len: usize::try_from(array.length).map_err(|_| wrong())?,
            bits: null(),
        })
    }
}

/// What a dictionary holds.
struct Words {
    column: Column,
    hashes: OnceLock<Vec<u64>>,
}

impl Column {
    /// The items of some rows, which are of `layout`, or with `words` lead to those of a dictionary.
    ///
    /// # Safety
    ///
    /// The array is valid or released, has so many items, and stays as it is for as long as this is used.
    pub unsafe fn new(
        array: *const ArrowArray,
        layout: Layout,
        words: Option<Layout>,
        rows: Rows,
    ) -> PyResult<Self> {
        // SAFETY: the caller's promise.
        let raw = unsafe { &*array };
        let expected = match layout {
            Layout::Ints { .. } => raw.n_buffers == 2,
            Layout::Strings { .. } => raw.n_buffers == 3,
            Layout::Views { .. } => raw.n_buffers >= 3,
        };
        let own = usize::try_from(raw.offset).map_err(|_| wrong())?;
        let offset = own.checked_add(rows.from).ok_or_else(wrong)?;
        if raw.release.is_none() || !expected || raw.buffers.is_null() {
            return Err(wrong());
        }
        let words = match words {
            None => None,
            Some(_) if raw.dictionary.is_null() => return Err(wrong()),
            Some(layout) => {
                // SAFETY: a dictionary that is there is valid as long as its array.
                let all = Rows::all(unsafe { &*raw.dictionary })?;
                // SAFETY: as above.
                let column = unsafe { Self::new(raw.dictionary, layout, None, all)? };
                Some(Box::new(Words {
                    column,
                    hashes: OnceLock::new(),
                }))
            }
        };
        let column = Self {
            layout,
            len: rows.len,
            offset,
            array,
            words,
            rows,
        };
        if rows.len == 0 || !column.buffer::<u8>(1).is_null() && column.is_sound() {
            return Ok(column);
        }
        Err(wrong())
    }

    pub fn name(&self) -> &'static str {
        let words = self.words.as_deref();
        words
            .map_or(self.layout, |words| words.column.layout)
            .name()
    }

    /// Do the items lie within the buffers, as far as these tell how long they are?
    fn is_sound(&self) -> bool {
        let there = || (0..self.len).filter(|&n| self.is_valid(n));
        match (self.layout, &self.words) {
            (_, Some(words)) => there().all(|n| self.int(n) < words.column.len as u64),
            (Layout::Ints { .. }, None) => true,
            (Layout::Strings { wide: false, .. }, _) => self.ascends::<i32>(),
            (Layout::Strings { wide: true, .. }, _) => self.ascends::<i64>(),
            (Layout::Views { .. }, _) => there().all(|n| self.view(n).is_some()),
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
        unsafe { (*(*self.array).buffers.add(n)).cast() }
    }

    /// Is there something in the buffers for every item?
    fn is_whole(&self) -> bool {
        // SAFETY: the array is there as long as this is used.
        let none = unsafe { (*self.array).null_count } == 0;
        (none || self.buffer::<u8>(0).is_null()) && self.rows.bits.is_null()
    }

    /// Is there anything in the buffers for this item?
    #[inline(always)]
    fn is_valid(&self, n: usize) -> bool {
        // SAFETY: the array is there as long as this is used, and a bitmap has a bit for every item.
        unsafe {
            ((*self.array).null_count == 0 || bit(self.buffer(0), self.offset + n))
                && bit(self.rows.bits, self.rows.from + n)
        }
    }

    pub fn is_null(&self, n: usize) -> bool {
        let word = |words: &Words| words.column.is_null(self.int(n) as usize);
        !self.is_valid(n) || self.words.as_deref().is_some_and(word)
    }

    /// Hashes the items from `start` on.
    pub fn fill(&self, hasher: &Hasher, start: usize, block: &mut [Probe]) {
        assert!(start + block.len() <= self.len);
        let whole = self.is_whole();
        match (self.layout, &self.words) {
            (_, Some(words)) => {
                let hashes = words.hashes(hasher, self.len);
                for (n, probe) in (start..).zip(&mut *block) {
                    // The int of a null may be any.
                    if whole || self.is_valid(n) {
                        *probe = words.probe(hasher, hashes, self.int(n) as usize);
                    }
                }
            }
            (Layout::Ints { kind, size }, _) => {
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
            (Layout::Strings { text, wide }, _) => {
                for (n, probe) in (start..).zip(&mut *block) {
                    *probe = hash(hasher, text, self.string(wide, n));
                }
            }
            (Layout::Views { text }, _) => {
                for (n, probe) in (start..).zip(&mut *block) {
                    // The view of a null may point anywhere.
                    if whole || self.is_valid(n) {
                        *probe = hash(hasher, text, self.view(n).unwrap_or_default());
                    }
                }
            }
        }
        if !whole {
            for (n, probe) in (start..).zip(block) {
                if !self.is_valid(n) {
                    *probe = hasher.none();
                }
            }
        }
    }

    /// The item as a Python object.
    pub fn object<'py>(&self, py: Python<'py>, n: usize) -> PyResult<Bound<'py, PyAny>> {
        if self.is_null(n) {
            return Ok(py.None().into_bound(py));
        }
        if let Some(words) = &self.words {
            return words.column.object(py, self.int(n) as usize);
        }
        let (text, item) = match self.layout {
            Layout::Ints {
                kind: Kind::Unsigned,
                ..
            } => return Ok(PyInt::new(py, self.int(n)).into_any()),
            Layout::Ints { .. } => return Ok(PyInt::new(py, self.int(n) as i64).into_any()),
            Layout::Strings { text, wide } => (text, self.string(wide, n)),
            Layout::Views { text } => (text, self.view(n).unwrap_or_default()),
        };
        if text {
            Ok(PyString::from_bytes(py, item)?.into_any())
        } else {
            Ok(PyBytes::new(py, item).into_any())
        }
    }

    /// An int, one that is negative as the number of 64 bits that has the same bits.
    #[inline(always)]
    fn int(&self, n: usize) -> u64 {
        let Layout::Ints { kind, size } = self.layout else {
            return u64::MAX;
        };
        let at = self.buffer::<u8>(1).wrapping_add((self.offset + n) * size);
        macro_rules! read {
            ($signed:ty, $unsigned:ty) => {
                // SAFETY: the buffer has an int for each of the items.
                match kind {
                    Kind::Signed => unsafe { at.cast::<$signed>().read_unaligned() as i64 as u64 },
                    _ => unsafe { at.cast::<$unsigned>().read_unaligned().into() },
                }
            };
        }
        match size {
            1 => read!(i8, u8),
            2 => read!(i16, u16),
            4 => read!(i32, u32),
            _ => read!(i64, u64),
        }
    }

    /// The bytes between two offsets.
    #[inline(always)]
    fn string(&self, wide: bool, n: usize) -> &[u8] {
        let (from, to) = if wide {
            self.offsets::<i64>(n)
        } else {
            self.offsets::<i32>(n)
        };
        let data = self.buffer::<u8>(2);
        if to > from && from >= 0 && !data.is_null() {
            // SAFETY: the data has the bytes between two offsets, which ascend.
            unsafe { from_raw_parts(data.add(from as usize), (to - from) as usize) }
        } else {
            &[]
        }
    }

    #[inline(always)]
    fn offsets<O: Copy + Into<i64>>(&self, n: usize) -> (i64, i64) {
        let offsets = self.buffer::<O>(1).wrapping_add(self.offset + n);
        // SAFETY: there is one more offset than there are items.
        unsafe {
            (
                offsets.read_unaligned().into(),
                offsets.add(1).read_unaligned().into(),
            )
        }
    }

    /// The bytes of a view: its length, then up to 12 bytes, or 4 bytes, a buffer and an offset. None
    /// if they are not in that buffer.
    fn view(&self, n: usize) -> Option<&[u8]> {
        let view = self.buffer::<u8>(1).wrapping_add(16 * (self.offset + n));
        // SAFETY: there is a view of 16 bytes for every item.
        let part = |at: usize| unsafe { view.add(at).cast::<u32>().read_unaligned() as usize };
        let len = part(0);
        let (buffer, at) = if len <= 12 {
            (view, 4)
        } else {
            // After validity and views come the buffers of long items, then one with their lengths.
            // SAFETY: the array is there as long as this is used.
            let (last, buffer) = (unsafe { (*self.array).n_buffers } as usize - 1, 2 + part(8));
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
        Some(unsafe { from_raw_parts(buffer.add(at), len) })
    }
}

impl Words {
    /// The hashes of all words, unless there are more of them than items that name some.
    fn hashes(&self, hasher: &Hasher, items: usize) -> Option<&[u64]> {
        let column = &self.column;
        if column.len == 0 || column.len > items {
            return None;
        }
        let hashes = self.hashes.get_or_init(|| {
            let mut probes = vec![Probe::default(); column.len];
            column.fill(hasher, 0, &mut probes);
            probes.into_iter().map(Probe::hash).collect()
        });
        Some(hashes)
    }

    #[inline(always)]
    fn probe(&self, hasher: &Hasher, hashes: Option<&[u64]>, n: usize) -> Probe {
        if let Some(hashes) = hashes {
            return Probe::new(hashes[n]);
        }
        let mut probe = [Probe::default()];
        self.column.fill(hasher, n, &mut probe);
        probe[0]
    }
}

pub fn wrong() -> PyErr {
    PyValueError::new_err("the Arrow array contradicts its own format")
}

/// # Safety
///
/// There is no bitmap, in which all is there, or one with a bit of this number.
#[inline(always)]
unsafe fn bit(bits: *const u8, n: usize) -> bool {
    // SAFETY: the caller's promise.
    bits.is_null() || unsafe { *bits.add(n / 8) } >> (n % 8) & 1 == 1
}

#[inline(always)]
fn hash(hasher: &Hasher, text: bool, item: &[u8]) -> Probe {
    if text {
        hasher.text(item)
    } else {
        hasher.bytes(item)
    }
}
