//! A log in memory: the bytes of the file, where its rows begin, and its columns.

use std::collections::{HashMap, TryReserveError};
use std::fs::{self, File};
use std::io::Read;
use std::iter::repeat;
use std::path::Path;
use std::sync::OnceLock;

use crate::format::{Entry, Fault, HEADER, Header, Kind, RECORD, TIMESTAMP, Value, decode_table};

/// Marks the ids that the table does not have: no column has this place.
const UNKNOWN: usize = usize::MAX;

/// A log that was read and checked. It never changes, so threads share it without a lock.
pub struct Log {
    pub columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    /// The place of a column by its id.
    by_id: Vec<usize>,
    timestamp: usize,
    bytes: Vec<u8>,
    /// The offset of the first record.
    body: usize,
    /// The record with which each row starts, and behind them the number of records.
    starts: Vec<usize>,
}

impl Log {
    /// Reads a file; the memory it takes is a small multiple of the file's length.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        // Opening a pipe would wait for its other end, and a device may never end.
        if !fs::metadata(path)?.is_file() {
            return Fault::format(0, "not a regular file");
        }
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut bytes = Vec::new();
        Read::by_ref(&mut file)
            .take(HEADER as u64)
            .read_to_end(&mut bytes)?;
        let header = Header::decode(&bytes, length)?;
        bytes.try_reserve_exact(length as usize - bytes.len())?;
        // Another process may cut the file or add to it meanwhile; what counts is what was read.
        file.take(length - HEADER as u64).read_to_end(&mut bytes)?;
        Self::parse(bytes, &header)
    }

    fn parse(bytes: Vec<u8>, header: &Header) -> Result<Self, Fault> {
        let (table, body) = decode_table(&bytes, header.columns)?;
        let end = body as u128 + u128::from(header.records) * RECORD as u128;
        if (bytes.len() as u128) < end {
            let text = format!(
                "the file ends early: {} records are announced",
                header.records
            );
            return Fault::format(bytes.len(), text);
        }
        if bytes.len() as u128 > end {
            let text = "the file goes on after the records that are announced";
            return Fault::format(end as usize, text);
        }
        let ids = table.iter().map(|entry| usize::from(entry.id) + 1);
        let mut by_id = vec![UNKNOWN; ids.max().unwrap_or(0)];
        let mut by_name = HashMap::new();
        for (place, entry) in table.iter().enumerate() {
            by_id[usize::from(entry.id)] = place;
            by_name.insert(entry.name.clone(), place);
        }
        let mut log = Self {
            timestamp: by_name[TIMESTAMP],
            columns: table.into_iter().map(Column::new).collect(),
            by_name,
            by_id,
            bytes: Vec::new(),
            body,
            starts: Vec::new(),
        };
        log.take(&bytes[body..])?;
        log.bytes = bytes;
        Ok(log)
    }

    /// Sorts all records into the columns.
    fn take(&mut self, records: &[u8]) -> Result<(), Fault> {
        for (index, record) in records.chunks_exact(RECORD).enumerate() {
            let (id, value) = split(record);
            let offset = || self.body + index * RECORD;
            let place = self.by_id.get(usize::from(id)).copied().unwrap_or(UNKNOWN);
            let Some(column) = self.columns.get_mut(place) else {
                return Fault::format(offset(), format!("the table has no id {id}"));
            };
            if place == self.timestamp {
                push(&mut self.starts, index)?;
            } else if self.starts.is_empty() {
                return Fault::format(offset(), "a record stands before the first timestamp");
            }
            if !column.take(self.starts.len() - 1, value)? {
                let text = format!("a row has two values of {:?}", column.entry.name);
                return Fault::format(offset(), text);
            }
        }
        push(&mut self.starts, records.len() / RECORD)?;
        Ok(())
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.by_name.get(name).map(|&place| &self.columns[place])
    }

    pub fn column_of(&self, id: u16) -> Option<&Column> {
        self.columns.get(*self.by_id.get(usize::from(id))?)
    }

    pub fn timestamps(&self) -> &Column {
        &self.columns[self.timestamp]
    }

    /// The records of a row without its timestamp, as they stand in the file.
    pub fn records(&self, row: usize) -> impl Iterator<Item = (u16, Value)> {
        let records = &self.bytes[self.body..];
        let row = &records[(self.starts[row] + 1) * RECORD..self.starts[row + 1] * RECORD];
        row.chunks_exact(RECORD).map(|record| {
            let (id, value) = split(record);
            (
                id,
                Value::decode(self.columns[self.by_id[usize::from(id)]].entry.kind, value),
            )
        })
    }
}

/// All values of one id.
pub struct Column {
    pub entry: Entry,
    /// The values that the file has, in its order.
    values: Values,
    /// The rows of these values where any was left out between them, else they are 0, 1, 2, ...
    rows: Option<Vec<usize>>,
    /// The row after the last one that has a value.
    next: usize,
    /// One value for every row, made when first asked for.
    filled: OnceLock<Values>,
    mask: OnceLock<Vec<bool>>,
}

/// The values of a column, one after the other.
pub enum Values {
    Int(Vec<i64>),
    Float(Vec<f64>),
}

impl Column {
    fn new(entry: Entry) -> Self {
        let values = match entry.kind {
            Kind::Int => Values::Int(Vec::new()),
            Kind::Float => Values::Float(Vec::new()),
        };
        Self {
            entry,
            values,
            rows: None,
            next: 0,
            filled: OnceLock::new(),
            mask: OnceLock::new(),
        }
    }

    /// Takes the value of a row, unless that row has one already.
    fn take(&mut self, row: usize, value: [u8; 8]) -> Result<bool, TryReserveError> {
        if row < self.next {
            return Ok(false);
        }
        // Gaps are not filled yet: a file of many columns and few values would grow without bound.
        if row > self.next && self.rows.is_none() {
            let mut rows = Vec::new();
            rows.try_reserve(self.next + 1)?;
            rows.extend(0..self.next);
            self.rows = Some(rows);
        }
        if let Some(rows) = &mut self.rows {
            push(rows, row)?;
        }
        self.next = row + 1;
        match &mut self.values {
            Values::Int(values) => push(values, i64::from_le_bytes(value))?,
            Values::Float(values) => push(values, f64::from_le_bytes(value))?,
        }
        Ok(true)
    }

    /// One value for each of the log's `length` rows; the missing ones are 0 and NaN.
    pub fn values(&self, length: usize) -> Result<&Values, TryReserveError> {
        if self.is_full(length) {
            return Ok(&self.values);
        }
        if self.filled.get().is_none() {
            let filled = match &self.values {
                Values::Int(values) => {
                    Values::Int(self.spread(values.iter().copied(), length, 0)?)
                }
                Values::Float(values) => {
                    Values::Float(self.spread(values.iter().copied(), length, f64::NAN)?)
                }
            };
            // Where two threads come here at once, the first one's values stay.
            let _ = self.filled.set(filled);
        }
        Ok(self.filled.wait())
    }

    /// For each row, whether it has a value.
    pub fn mask(&self, length: usize) -> Result<&[bool], TryReserveError> {
        if self.mask.get().is_none() {
            let _ = self.mask.set(self.spread(repeat(true), length, false)?);
        }
        Ok(self.mask.wait())
    }

    /// Whether every row has a value.
    pub fn is_full(&self, length: usize) -> bool {
        self.rows.is_none() && self.next == length
    }

    /// Puts the values into their rows, and `gap` into the others.
    fn spread<T: Copy>(
        &self,
        values: impl Iterator<Item = T>,
        length: usize,
        gap: T,
    ) -> Result<Vec<T>, TryReserveError> {
        let mut all = Vec::new();
        all.try_reserve_exact(length)?;
        all.resize(length, gap);
        match &self.rows {
            Some(rows) => rows
                .iter()
                .zip(values)
                .for_each(|(&row, value)| all[row] = value),
            None => all[..self.next]
                .iter_mut()
                .zip(values)
                .for_each(|(to, value)| *to = value),
        }
        Ok(all)
    }
}

/// Appends to a vector without ending the process where memory ends.
fn push<T>(vector: &mut Vec<T>, value: T) -> Result<(), TryReserveError> {
    if vector.len() == vector.capacity() {
        vector.try_reserve(1)?;
    }
    vector.push(value);
    Ok(())
}

/// A record's id and the bytes of its value.
fn split(record: &[u8]) -> (u16, [u8; 8]) {
    let [a, b, value @ ..] = *record
        .first_chunk::<RECORD>()
        .expect("a record has ten bytes");
    (u16::from_le_bytes([a, b]), value)
}
