//! The header, the table of columns and the values of a log, and what can be wrong with them.

use std::cmp::Ordering;
use std::collections::{HashMap, TryReserveError};
use std::io;
use std::path::Path;

use pyo3::exceptions::{PyMemoryError, PyOSError};
use pyo3::prelude::*;

use crate::LogError;

pub const MAGIC: [u8; 8] = *b"\x89ROWLOG\n";
pub const VERSION: u16 = 1;
/// Bytes of the header: magic, version, number of columns, number of records.
pub const HEADER: usize = 20;
/// Bytes of a record: id and value.
pub const RECORD: usize = 10;
/// Where the header has the number of records.
pub const RECORDS_AT: usize = 12;
/// The number of records in the header of a log that is still being written.
pub const UNFINISHED: u64 = u64::MAX;
/// The column whose records start a row.
pub const TIMESTAMP: &str = "timestamp";

/// Bytes of a column's entry in the table, without its name.
const ENTRY: usize = 4;

/// What the values of a column are; the number is its code in the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Int = 1,
    Float = 2,
}

impl Kind {
    /// The name that numpy has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int64",
            Self::Float => "float64",
        }
    }
}

/// A number out of a log, an int or a float in Python.
#[derive(Clone, Copy, Debug, IntoPyObject)]
pub enum Value {
    Int(i64),
    Float(f64),
}

impl Value {
    pub fn decode(kind: Kind, bytes: [u8; 8]) -> Self {
        match kind {
            Kind::Int => Self::Int(i64::from_le_bytes(bytes)),
            Kind::Float => Self::Float(f64::from_le_bytes(bytes)),
        }
    }

    pub fn encode(self) -> [u8; 8] {
        match self {
            Self::Int(value) => value.to_le_bytes(),
            Self::Float(value) => value.to_le_bytes(),
        }
    }
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: u16,
    pub kind: Kind,
    pub name: String,
}

impl Entry {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.id.to_le_bytes().to_vec();
        // A name has 255 bytes at most, here as in the reader.
        bytes.extend([self.kind as u8, self.name.len() as u8]);
        bytes.extend(self.name.as_bytes());
        bytes
    }
}

/// Why there is no log.
pub enum Fault {
    /// The byte at which the file stops being a log, and why.
    Format(usize, String),
    Io(io::Error),
    Memory(TryReserveError),
}

impl Fault {
    pub fn format<T>(offset: usize, text: impl Into<String>) -> Result<T, Self> {
        Err(Self::Format(offset, text.into()))
    }

    /// The exception: LogError with its `offset`, the OSError of the system, or MemoryError.
    pub fn raise(self, py: Python<'_>, path: &Path) -> PyErr {
        // Where Python cannot make the exception, it says so with another one.
        self.exception(py, path).unwrap_or_else(|other| other)
    }

    fn exception(self, py: Python<'_>, path: &Path) -> PyResult<PyErr> {
        Ok(match self {
            Self::Format(offset, text) => {
                let text = format!("{}: {text}, at byte {offset}", path.display());
                let error = LogError::new_err(text);
                error.value(py).setattr("offset", offset)?;
                error
            }
            Self::Io(error) => match error.raw_os_error() {
                // Python finds the class by the number: FileNotFoundError and the like.
                Some(number) => {
                    let text = py.import("os")?.call_method1("strerror", (number,))?;
                    let path = path.as_os_str().to_owned();
                    PyOSError::new_err((number, text.unbind(), path))
                }
                None if error.kind() == io::ErrorKind::OutOfMemory => {
                    PyMemoryError::new_err(error.to_string())
                }
                None => error.into(),
            },
            Self::Memory(error) => PyMemoryError::new_err(error.to_string()),
        })
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TryReserveError> for Fault {
    fn from(error: TryReserveError) -> Self {
        Self::Memory(error)
    }
}

/// The header of a log.
pub struct Header {
    pub columns: u16,
    pub records: u64,
}

impl Header {
    /// Takes what the file starts with, and the length of the whole file in bytes.
    pub fn decode(bytes: &[u8], length: u64) -> Result<Self, Fault> {
        if !bytes.starts_with(&MAGIC) {
            return Fault::format(0, "not a log, for it does not start with the magic number");
        }
        let Some(bytes) = bytes.first_chunk::<HEADER>() else {
            return Fault::format(bytes.len(), "the file ends within the header");
        };
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            let text = format!("version {version} of the format is unknown");
            return Fault::format(MAGIC.len(), text);
        }
        let columns = u16::from_le_bytes([bytes[10], bytes[11]]);
        let [.., a, b, c, d, e, f, g, h] = *bytes;
        let records = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        if records == UNFINISHED {
            return Fault::format(RECORDS_AT, "the log was never finished");
        }
        // Counts that the file has no bytes for end here, before anything is allocated for them.
        let entries = u128::from(columns) * ENTRY as u128;
        let least = HEADER as u128 + entries + u128::from(records) * RECORD as u128;
        if u128::from(length) < least {
            return Self::ends_early(records, length);
        }
        Ok(Self { columns, records })
    }

    /// Bytes of the table if all names were as long as they can be.
    pub fn longest_table(&self) -> u64 {
        u64::from(self.columns) * (ENTRY as u64 + u64::from(u8::MAX))
    }

    /// Takes the offset of the first record and the length of the file.
    pub fn check_length(&self, body: usize, length: u64) -> Result<(), Fault> {
        let end = body as u128 + u128::from(self.records) * RECORD as u128;
        match u128::from(length).cmp(&end) {
            Ordering::Less => Self::ends_early(self.records, length),
            Ordering::Equal => Ok(()),
            Ordering::Greater => {
                let text = "the file goes on after the records that are announced";
                Fault::format(end as usize, text)
            }
        }
    }

    fn ends_early<T>(records: u64, length: u64) -> Result<T, Fault> {
        let text = format!("the file ends early: {records} records are announced");
        Fault::format(length as usize, text)
    }
}

/// Reads the table from the start of a log, which has all of it; returns it with its end.
pub fn decode_table(log: &[u8], columns: u16) -> Result<(Vec<Entry>, usize), Fault> {
    let mut at = HEADER;
    let mut table: Vec<Entry> = Vec::new();
    // The offsets by id and by name tell duplicates without comparing all with all.
    let (mut ids, mut names) = (HashMap::new(), HashMap::new());
    for column in 0..usize::from(columns) {
        let ends = || Fault::Format(log.len(), "the file ends within the table".into());
        let (head, rest) = log[at..].split_first_chunk::<ENTRY>().ok_or_else(ends)?;
        let name = rest.get(..usize::from(head[3])).ok_or_else(ends)?;
        let kind = match head[2] {
            1 => Kind::Int,
            2 => Kind::Float,
            code => return Fault::format(at + 2, format!("{code} is no type of a column")),
        };
        let name = match std::str::from_utf8(name) {
            Ok("") => return Fault::format(at + 3, "a column has no name"),
            Ok(TIMESTAMP) if kind == Kind::Float => {
                return Fault::format(at + 2, "the timestamp is not of type int64");
            }
            Ok(name) => name.to_owned(),
            Err(_) => return Fault::format(at + ENTRY, "the name of a column is not UTF-8"),
        };
        let id = u16::from_le_bytes([head[0], head[1]]);
        if ids.insert(id, column).is_some() {
            return Fault::format(at, format!("two columns have the id {id}"));
        }
        if names.insert(name.clone(), column).is_some() {
            return Fault::format(at + ENTRY, format!("two columns have the name {name:?}"));
        }
        at += ENTRY + name.len();
        table.push(Entry { id, kind, name });
    }
    if !names.contains_key(TIMESTAMP) {
        return Fault::format(at, "no column has the name \"timestamp\"");
    }
    Ok((table, at))
}
