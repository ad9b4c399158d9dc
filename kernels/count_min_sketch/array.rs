//! Arrays of ints and byte strings, such as NumPy's, read where they lie.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::batch::Source;
use super::keys::{Hasher, Keys, Probe};

/// What the items of an array are.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Signed,
    Unsigned,
    Bool,
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
            ($int:ty, $hash:ident) => {{
                let hash = |item| hasher.$hash(<$int>::from_ne_bytes(item).into());
                // SAFETY: there are as many items as in the block, at this stride.
                unsafe { fill_each(at, stride, block, hash) }
            }};
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
            (Kind::Bool, _) => {
                // Any byte but zero is True, for which Python has the int 1.
                let hash = |[item]: [u8; 1]| hasher.unsigned((item != 0).into());
                // SAFETY: as above.
                unsafe { fill_each(at, stride, block, hash) }
            }
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
            (Keys::Any, _)
            | (Keys::Int, Kind::Signed | Kind::Unsigned | Kind::Bool)
            | (Keys::Str, Kind::Bytes) => Ok(()),
            (keys, kind) => refuse(0, keys, if kind == Kind::Bytes { "bytes" } else { "int" }),
        }
    }
}

/// Hashes items of `N` bytes.
///
/// # Safety
///
/// As many items as the block has can be read at `at` and every `stride` bytes from there.
#[inline(always)]
unsafe fn fill_each<const N: usize>(
    mut at: *const u8,
    stride: isize,
    block: &mut [Probe],
    hash: impl Fn([u8; N]) -> Probe,
) {
    if stride == N as isize {
        // Side by side, several are hashed at once.
        // SAFETY: the caller's promise; bytes need no alignment.
        let items = unsafe { std::slice::from_raw_parts(at.cast::<[u8; N]>(), block.len()) };
        for (probe, item) in block.iter_mut().zip(items) {
            *probe = hash(*item);
        }
        return;
    }
    for probe in block {
        // SAFETY: the caller's promise; bytes need no alignment.
        *probe = hash(unsafe { at.cast::<[u8; N]>().read() });
        at = at.wrapping_offset(stride);
    }
}

/// The error for a key of an array that the sketch does not take.
pub fn refuse(n: usize, keys: Keys, name: &str) -> PyResult<()> {
    let takes = if keys == Keys::Str { "str" } else { "int" };
    let text = format!("item {n}: a key must be {takes}, not {name}");
    Err(PyTypeError::new_err(text))
}

/// An array that keeps its items in memory, such as NumPy's.
pub struct Array {
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
    pub fn of(items: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
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
        let Some(kind) = kind.filter(|&kind| {
            kind == Kind::Bytes
                || matches!(
                    (kind, size),
                    (Kind::Bool, 1) | (Kind::Signed | Kind::Unsigned, 1 | 2 | 4 | 8)
                )
        }) else {
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
            // Not by the size of an item, which may be 0.
            len: buffer.shape()[0],
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
        [b'B' | b'H' | b'I' | b'L' | b'Q' | b'N'] => Some(Kind::Unsigned),
        b"?" => Some(Kind::Bool),
        [digits @ .., b's'] if digits.iter().all(u8::is_ascii_digit) => Some(Kind::Bytes),
        _ => None,
    }
}
