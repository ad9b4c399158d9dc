//! Keys: which of them a sketch takes, and the one hash that says where each is counted.

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::types::{PyByteArray, PyBytes, PyFloat, PyInt, PyString, PyTuple};
use pyo3::{ffi, prelude::*};
use xxhash_rust::xxh3::xxh3_64_with_seed;

// Seeds that set the kinds of keys apart, so that 1, "1" and b"1" are different keys.
const TEXT: u64 = 0;
const INT: u64 = 1;
const BYTES: u64 = 2;
const FLOAT: u64 = 3;
const NONE: u64 = 4;
const TUPLE: u64 = 5;
/// Ints of 64 bits that need all of them for their value, and so have no sign.
const UNSIGNED: u64 = 6;

/// Deeper tuples are refused before they exhaust the stack.
const MAX_DEPTH: usize = 64;

/// A key's way through the rows: its column in row i is a + i * b, scaled down to the width. Two
/// numbers from one good hash are enough for rows that err independently; b is odd, and so never
/// zero. Source: A. Kirsch and M. Mitzenmacher, "Less hashing, same performance", ESA 2006.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Probe {
    at: u64,
    step: u64,
}

impl Probe {
    /// The way of a key of this hash.
    #[inline(always)]
    pub fn new(hash: u64) -> Self {
        // The multiplier of Fibonacci hashing makes a number of it that is as good and goes its own way.
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            at: hash,
            step: mixed | 1,
        }
    }

    /// The hash of the key, as long as no column was asked for.
    pub fn hash(self) -> u64 {
        self.at
    }

    /// The column in this row; the next call is for the next row.
    #[inline(always)]
    pub fn next(&mut self, width: usize) -> usize {
        // Scales 0..2**64 down to 0..width, without the slow division of a remainder.
        let column = (u128::from(self.at) * width as u128) >> 64;
        self.at = self.at.wrapping_add(self.step);
        column as usize
    }
}

/// The types of key that a sketch takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    Any,
    Str,
    Int,
}

impl Keys {
    /// The name of the class that takes these keys.
    pub fn class(self) -> &'static str {
        match self {
            Self::Any => "CountMinSketch",
            Self::Str => "CountMinSketchStr",
            Self::Int => "CountMinSketchInt",
        }
    }
}

/// Hashes keys: XXH3 of 64 bits, a published hash that is the same on every machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hasher {
    pub keys: Keys,
    pub seed: u64,
    mixed: u64,
}

impl Hasher {
    pub fn new(keys: Keys, seed: u64) -> Self {
        // The last steps of MurmurHash3: seed 0 stays 0, and neighbouring seeds end far apart, so
        // that one seed's ints never are another seed's strings.
        let mut mixed = (seed ^ (seed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^= mixed >> 33;
        Self { keys, seed, mixed }
    }

    /// The way of a Python object.
    #[inline(always)]
    pub fn key(&self, key: &Bound<'_, PyAny>) -> PyResult<Probe> {
        // The frequent case stands apart, so that its result stays in registers.
        match self.plain(key) {
            Some(probe) => Ok(probe),
            None => self.hash(key, 0).map(Probe::new),
        }
    }

    /// The way of a str, as its UTF-8; None for all else, for lone surrogates, which have none, and
    /// where strings are no keys.
    #[inline(always)]
    pub fn plain(&self, key: &Bound<'_, PyAny>) -> Option<Probe> {
        let text = key
            .cast::<PyString>()
            .ok()
            .filter(|_| self.keys != Keys::Int)?;
        Some(self.text(text.to_str().ok()?.as_bytes()))
    }

    /// The way of a str or of an int of 64 bits, for which no Python code has to run.
    #[inline(always)]
    pub fn frequent(&self, key: &Bound<'_, PyAny>) -> Option<Probe> {
        if let Some(probe) = self.plain(key) {
            return Some(probe);
        }
        let number = key
            .cast_exact::<PyInt>()
            .ok()
            .filter(|_| self.keys != Keys::Str)?;
        let mut overflow = 0;
        // SAFETY: it is an int, for which this function raises nothing.
        let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(number.as_ptr(), &mut overflow) };
        (overflow == 0).then(|| self.int(number))
    }

    /// The way of the n-th item of a batch, whose error says which one it is.
    #[inline(always)]
    pub fn item(&self, n: usize, key: &Bound<'_, PyAny>) -> PyResult<Probe> {
        self.key(key).map_err(|error| numbered(n, key.py(), error))
    }

    /// A str, as its UTF-8.
    #[inline(always)]
    pub fn text(&self, utf8: &[u8]) -> Probe {
        Probe::new(self.raw(TEXT, utf8))
    }

    /// Bytes, which to a sketch of str are the UTF-8 of one.
    #[inline(always)]
    pub fn bytes(&self, bytes: &[u8]) -> Probe {
        let kind = if self.keys == Keys::Str { TEXT } else { BYTES };
        Probe::new(self.raw(kind, bytes))
    }

    #[inline(always)]
    pub fn int(&self, number: i64) -> Probe {
        Probe::new(self.raw(INT, &number.to_le_bytes()))
    }

    #[inline(always)]
    pub fn unsigned(&self, number: u64) -> Probe {
        let kind = if number >> 63 == 0 { INT } else { UNSIGNED };
        Probe::new(self.raw(kind, &number.to_le_bytes()))
    }

    pub fn none(&self) -> Probe {
        Probe::new(self.raw(NONE, &[]))
    }

    #[inline(always)]
    fn raw(&self, kind: u64, bytes: &[u8]) -> u64 {
        xxh3_64_with_seed(bytes, self.mixed ^ kind)
    }

    #[inline(never)]
    fn hash(&self, key: &Bound<'_, PyAny>, depth: usize) -> PyResult<u64> {
        if self.keys != Keys::Int {
            if let Ok(text) = key.cast::<PyString>() {
                return self.any_text(text);
            }
            if let Ok(bytes) = key.cast::<PyBytes>() {
                return Ok(self.bytes(bytes.as_bytes()).hash());
            }
        }
        if self.keys == Keys::Str {
            if let Ok(bytes) = key.cast::<PyByteArray>() {
                return Ok(self.bytes(&bytes.to_vec()).hash());
            }
        } else {
            if key.cast::<PyInt>().is_ok() {
                return self.any_int(key);
            }
            if self.keys == Keys::Any {
                if let Ok(float) = key.cast::<PyFloat>() {
                    return self.float(float);
                }
                if key.is_none() {
                    return Ok(self.raw(NONE, &[]));
                }
                if let Ok(tuple) = key.cast::<PyTuple>() {
                    return self.tuple(tuple, depth);
                }
            }
            // Ints of other packages, NumPy's among them, whose bool is none but is as good as one.
            if key.getattr_opt("__index__")?.is_some() {
                return self.any_int(key);
            }
            let name = key.get_type().fully_qualified_name()?;
            if name == "numpy.bool" || name == "numpy.bool_" {
                return Ok(self.int(key.is_truthy()?.into()).hash());
            }
        }
        let takes = match self.keys {
            Keys::Any => "str, bytes, int, float, None or a tuple of these",
            Keys::Str => "str",
            Keys::Int => "int",
        };
        let name = key.get_type().name()?;
        let text = format!("a key must be {takes}, not {name}");
        Err(PyTypeError::new_err(text))
    }

    fn any_text(&self, text: &Bound<'_, PyString>) -> PyResult<u64> {
        if let Ok(text) = text.to_str() {
            return Ok(self.raw(TEXT, text.as_bytes()));
        }
        // Lone surrogates, as undecodable file names have them: no UTF-8, but bytes of their own.
        let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
        Ok(self.raw(TEXT, bytes.cast::<PyBytes>()?.as_bytes()))
    }

    fn any_int(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        match key.extract::<i64>() {
            Ok(number) => return Ok(self.raw(INT, &number.to_le_bytes())),
            Err(error) if !error.is_instance_of::<PyOverflowError>(key.py()) => return Err(error),
            Err(_) => {}
        }
        let number = key.call_method0("__index__")?;
        if let Ok(number) = number.extract::<u64>() {
            return Ok(self.raw(UNSIGNED, &number.to_le_bytes()));
        }
        // 16 hexadecimal digits and more, so no clash with the 8 bytes of the ints above.
        let digits: String = number.call_method1("__format__", ("x",))?.extract()?;
        Ok(self.raw(INT, digits.as_bytes()))
    }

    /// A float that Python holds equal to an int is that int's key.
    fn float(&self, float: &Bound<'_, PyFloat>) -> PyResult<u64> {
        let value = float.value();
        if value.is_finite() && value.fract() == 0.0 {
            if value.abs() < i64::MAX as f64 {
                return Ok(self.raw(INT, &(value as i64).to_le_bytes()));
            }
            return self.any_int(&float.call_method0("__int__")?);
        }
        let bits = if value.is_nan() {
            0x7ff8_0000_0000_0000
        } else {
            value.to_bits()
        };
        Ok(self.raw(FLOAT, &bits.to_le_bytes()))
    }

    fn tuple(&self, tuple: &Bound<'_, PyTuple>, depth: usize) -> PyResult<u64> {
        if depth == MAX_DEPTH {
            let text = format!("a key's tuples may lie at most {MAX_DEPTH} deep");
            return Err(PyValueError::new_err(text));
        }
        let mut hashes = Vec::with_capacity(8 * tuple.len());
        for item in tuple {
            hashes.extend(self.hash(&item, depth + 1)?.to_le_bytes());
        }
        Ok(self.raw(TUPLE, &hashes))
    }
}

#[cold]
fn numbered(n: usize, py: Python<'_>, error: PyErr) -> PyErr {
    if error.get_type(py).is(py.get_type::<PyTypeError>()) {
        PyTypeError::new_err(format!("item {n}: {}", error.value(py)))
    } else {
        error
    }
}
