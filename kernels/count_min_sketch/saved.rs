//! Sketches as bytes: a header, the counters and a checksum, everything in little-endian order.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use xxhash_rust::xxh3::xxh3_64;

use super::counter::spill;
use super::keys::{Hasher, Keys};
use super::options::Options;
use super::table::{Cells, Table, each_width};

/// The last byte is the version.
const MAGIC: [u8; 8] = *b"CMSKETC\x01";
/// Magic, four bytes of options, four of zeros, width, depth, seed and total.
const HEADER: usize = 48;
const CHECKSUM: usize = 8;

/// What the header says.
pub struct Saved<'a> {
    pub keys: Keys,
    pub options: Options,
    pub total: u64,
    pub cells: &'a [u8],
}

/// The bytes of a sketch.
pub fn write<'py>(
    py: Python<'py>,
    table: &Table,
    hasher: &Hasher,
) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, HEADER + table.memory() + CHECKSUM, |bytes| {
        table.detach(py, || {
            let turn = table.turn();
            let (body, checksum) = bytes.split_at_mut(HEADER + table.memory());
            body[..HEADER].copy_from_slice(&header(table, hasher));
            each_width!(table, counters => spill(counters, &mut body[HEADER..]));
            drop(turn);
            checksum.copy_from_slice(&xxh3_64(body).to_le_bytes());
        });
        Ok(())
    })
}

/// All of a sketch but its counters.
pub fn header(table: &Table, hasher: &Hasher) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    let size = table.bits() / 8;
    let options = [hasher.keys as u8, table.conservative.into(), size as u8];
    header[8..11].copy_from_slice(&options);
    let numbers = [
        table.width as u64,
        table.depth as u64,
        hasher.seed,
        table.total(),
    ];
    for (target, number) in header[16..].chunks_exact_mut(8).zip(numbers) {
        target.copy_from_slice(&number.to_le_bytes());
    }
    header
}

/// Reads a header, and believes it only as far as there are bytes.
///
/// Raises ValueError if anything is not as it was written.
pub fn read(bytes: &[u8]) -> PyResult<Saved<'_>> {
    if bytes.len() < HEADER + CHECKSUM {
        return Err(wrong("too few bytes"));
    }
    let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    let (header, cells) = body.split_at(HEADER);
    check_version(header)?;
    if xxh3_64(body).to_le_bytes() != checksum {
        return Err(wrong("the checksum differs"));
    }
    parse(header, cells)
}

/// Reads a header to which the counters were kept apart.
///
/// Raises ValueError if it is none, or one of other counters.
pub fn parse<'a>(header: &[u8], cells: &'a [u8]) -> PyResult<Saved<'a>> {
    if header.len() != HEADER {
        return Err(wrong("too few bytes"));
    }
    check_version(header)?;
    let keys = [Keys::Any, Keys::Str, Keys::Int].get(usize::from(header[8]));
    let (Some(&keys), 0 | 1, 4 | 8) = (keys, header[9], header[10]) else {
        return Err(wrong("its options are unknown"));
    };
    let number = |at: usize| {
        let bytes = header[at..].first_chunk().copied();
        u64::from_le_bytes(bytes.unwrap_or_default())
    };
    let (width, depth) = (number(16), number(24));
    let size = width
        .checked_mul(depth)
        .and_then(|n| n.checked_mul(header[10].into()));
    if size != Some(cells.len() as u64) {
        return Err(wrong("its size is not that of its width and depth"));
    }
    Ok(Saved {
        keys,
        options: Options {
            width: width as usize,
            depth: depth as usize,
            conservative: header[9] == 1,
            counter_bits: 8 * usize::from(header[10]),
            seed: number(32),
        },
        total: number(40),
        cells,
    })
}

fn check_version(header: &[u8]) -> PyResult<()> {
    if header[..7] != MAGIC[..7] {
        return Err(wrong("it begins with other bytes"));
    }
    if header[7] != MAGIC[7] {
        return Err(wrong(&format!("version {} is unknown", header[7])));
    }
    Ok(())
}

fn wrong(what: &str) -> PyErr {
    PyValueError::new_err(format!("no saved sketch: {what}"))
}
