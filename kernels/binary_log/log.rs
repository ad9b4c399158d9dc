//! A log in memory: its columns, and which of them each row has.

use std::collections::{HashMap, TryReserveError};
use std::fs::{self, File};
use std::io::Read;
use std::iter::repeat;
use std::path::Path;
use std::sync::OnceLock;

use crate::format::{Entry, Fault, HEADER, Header, Kind, RECORD, TIMESTAMP, Value, decode_table};

/// Marks the ids that the table does not have: no column has this place.
const UNKNOWN: usize = usize::MAX;

/// Records that are read at once: few enough for their bytes to stay in the processor's cache.
const BATCH: usize = 1 << 13;

/// A log that was read and checked. It never changes, so threads share it without a lock.
pub struct Log {
    pub columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    /// The place of a column by its id.
    by_id: Vec<usize>,
    timestamp: usize,
    /// The ids of all records; their values are in the columns.
    ids: Vec<u16>,
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
        let mut head = Vec::new();
        Read::by_ref(&mut file)
            .take(HEADER as u64)
            .read_to_end(&mut head)?;
        let header = Header::decode(&head, length)?;
        // The longest table that it may be; some of the records come along with a shorter one.
        Read::by_ref(&mut file)
            .take(header.longest_table())
            .read_to_end(&mut head)?;
        let (table, body) = decode_table(&head, header.columns)?;
        header.check_length(body, length)?;
        let mut log = Self::new(table);
        log.take(head[body..].chain(file), header.records, body)?;
        Ok(log)
    }

    fn new(table: Vec<Entry>) -> Self {
        let ids = table.iter().map(|entry| usize::from(entry.id) + 1);
        let mut by_id = vec![UNKNOWN; ids.max().unwrap_or(0)];
        let mut by_name = HashMap::new();
        for (place, entry) in table.iter().enumerate() {
            by_id[usize::from(entry.id)] = place;
            by_name.insert(entry.name.clone(), place);
        }
        Self {
            timestamp: by_name[TIMESTAMP],
            columns: table.into_iter().map(Column::new).collect(),
            by_name,
            by_id,
            ids: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// Sorts all records into the columns; the first is at the offset `at`.
    fn take(&mut self, mut file: impl Read, records: u64, mut at: usize) -> Result<(), Fault> {
        let mut bytes = Vec::with_capacity(BATCH * RECORD);
        let mut left = records;
        while left > 0 {
            let batch = left.min(BATCH as u64);
            bytes.clear();
            Read::by_ref(&mut file)
                .take(batch * RECORD as u64)
                .read_to_end(&mut bytes)?;
            if bytes.len() < batch as usize * RECORD {
                // Another process has cut the file since its length was looked at.
                return Fault::format(at + bytes.len(), "the file was cut while it was read");
            }
            self.take_batch(&bytes, at)?;
            at += bytes.len();
            left -= batch;
        }
        let end = self.ids.len();
        push(&mut self.starts, end)?;
        Ok(())
    }

    fn take_batch(&mut self, records: &[u8], at: usize) -> Result<(), Fault> {
        self.ids.try_reserve(records.len() / RECORD)?;
        for (index, record) in records.chunks_exact(RECORD).enumerate() {
            let (id, value) = split(record);
            let offset = || at + index * RECORD;
            let place = self.by_id.get(usize::from(id)).copied().unwrap_or(UNKNOWN);
            let Some(column) = self.columns.get_mut(place) else {
                return Fault::format(offset(), format!("the table has no id {id}"));
            };
            if place == self.timestamp {
                push(&mut self.starts, self.ids.len())?;
            } else if self.starts.is_empty() {
                return Fault::format(offset(), "a record stands before the first timestamp");
            }
            self.ids.push(id);
            if !column.take(self.starts.len() - 1, value)? {
                let text = format!("a row has two values of {:?}", column.entry.name);
                return Fault::format(offset(), text);
            }
        }
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

    /// The records of a row without its timestamp, in the order of the file.
    pub fn records(&self, row: usize) -> impl Iterator<Item = (&Column, Value)> {
        let ids = &self.ids[self.starts[row] + 1..self.starts[row + 1]];
        ids.iter().filter_map(move |&id| {
            let column = self.column_of(id)?;
            Some((column, column.value(row)?))
        })
    }

    /// How many values a row has, without its timestamp.
    pub fn width(&self, row: usize) -> usize {
        self.starts[row + 1] - self.starts[row] - 1
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

    /// The value of a row.
    pub fn value(&self, row: usize) -> Option<Value> {
        let place = match &self.rows {
            Some(rows) => rows.binary_search(&row).ok()?,
            None => row,
        };
        match &self.values {
            Values::Int(values) => values.get(place).copied().map(Value::Int),
            Values::Float(values) => values.get(place).copied().map(Value::Float),
        }
    }

    /// One value for each of the log's `length` rows; the missing ones are 0 and NaN.
    pub fn values(&self, length: usize) -> Result<&Values, TryReserveError> {
        if self.is_full(length) {
            return Ok(&self.values);
        }
        if let Some(filled) = self.filled.get() {
            return Ok(filled);
        }
        let filled = match &self.values {
            Values::Int(values) => Values::Int(self.spread(values.iter().copied(), length, 0)?),
            Values::Float(values) => {
                Values::Float(self.spread(values.iter().copied(), length, f64::NAN)?)
            }
        };
        // Where two threads come here at once, the first one's values stay.
        Ok(self.filled.get_or_init(|| filled))
    }

    /// For each row, whether it has a value.
    pub fn mask(&self, length: usize) -> Result<&[bool], TryReserveError> {
        if let Some(mask) = self.mask.get() {
            return Ok(mask);
        }
        let mask = self.spread(repeat(true), length, false)?;
        Ok(self.mask.get_or_init(|| mask))
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
