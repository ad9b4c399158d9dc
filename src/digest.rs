//! Digests: sha-256 for what names a build, xxh3 for noticing a damaged file.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// File systems date a write by a clock that lags behind by up to this.
pub const CLOCK_LAG: Duration = Duration::from_millis(10);
/// Some count whole seconds, or every other one.
const COARSE_LAG: Duration = Duration::from_millis(2010);

/// A sha-256 over several parts, each of which is told apart from its neighbours.
#[derive(Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Adds a part.
    pub fn with(mut self, part: &[u8]) -> Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// The digest in hexadecimal, shortened to 160 bits so that paths stay short.
    pub fn hex(self) -> String {
        hexadecimal(&self.0.finalize()[..20])
    }

    /// The digest of one part.
    pub fn of(part: &[u8]) -> String {
        Digest::default().with(part).hex()
    }

    /// The digest of a file's content; `None` where it cannot be read.
    pub fn of_file(path: &Path) -> Option<String> {
        // Reading a FIFO or a device would block or never end.
        let regular = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        regular.then(|| std::fs::read(path).ok())?.map(|bytes| Digest::of(&bytes))
    }
}

/// The size of a file and the xxh3 of its content. It guards against accidents, not against an attacker, who could
/// as well replace the digest: what he must not have is write access to the cache, and that is checked elsewhere.
pub fn checksum(path: &Path) -> io::Result<(u64, String)> {
    checksum_of(File::open(path)?)
}

/// The same of an opened file.
pub fn checksum_of(mut file: File) -> io::Result<(u64, String)> {
    let mut hasher = Xxh3::new();
    let mut size = 0;
    // A piece that fits into the second-level cache is hashed while it is still there.
    let mut piece = vec![0; 128 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((size, format!("{:032x}", hasher.digest128()))),
            count => {
                hasher.update(&piece[..count]);
                size += count as u64;
            }
        }
    }
}

/// What the file system says of a file: where it is, its size, and when it was last changed by anything. Every write
/// renews the last of these, and no program can set it back.
pub fn stamp(path: &Path) -> Option<Stamp> {
    stamp_of(&std::fs::metadata(path).ok()?)
}

/// The stamp of a described file.
#[cfg(unix)]
pub fn stamp_of(metadata: &Metadata) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    Some(Stamp(metadata.dev(), metadata.ino(), metadata.size(), times))
}

/// There is no time of change that a program cannot set.
#[cfg(not(unix))]
pub fn stamp_of(_: &Metadata) -> Option<Stamp> {
    None
}

/// Device, inode, size, and the times of modification and change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp(u64, u64, u64, [i64; 4]);

impl Stamp {
    /// May its file system know nothing but whole seconds?
    fn is_coarse(&self) -> bool {
        self.3[3] == 0
    }

    /// When the file was last changed by anything.
    pub fn changed(&self) -> Option<SystemTime> {
        let [.., seconds, nanoseconds] = self.3;
        let since = Duration::new(seconds.try_into().ok()?, nanoseconds.try_into().ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}

/// Several stamps in 16 hexadecimal digits.
pub fn seal(stamps: &[Stamp]) -> String {
    let mut bytes = Vec::with_capacity(size_of_val(stamps));
    for Stamp(device, inode, size, times) in stamps {
        bytes.extend([device, inode, size].into_iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend(times.iter().flat_map(|time| time.to_le_bytes()));
    }
    hexadecimal(&xxh3_64(&bytes).to_be_bytes())
}

/// Without the machinery of `format!`, which a warm import has no other use for.
fn hexadecimal(bytes: &[u8]) -> String {
    let nibble = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [nibble(byte >> 4), nibble(byte & 15)]).collect()
}

/// Will a later write show? One that follows another so soon that the clock has not moved on would not.
pub fn is_settled(stamp: &Stamp) -> bool {
    let lag = if stamp.is_coarse() { COARSE_LAG } else { CLOCK_LAG };
    stamp.changed().is_some_and(|changed| changed < SystemTime::now() - lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_parts_are_told_apart() {
        let of = |parts: &[&str]| parts.iter().fold(Digest::default(), |d, part| d.with(part.as_bytes())).hex();
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
        assert_eq!(of(&["a"]).len(), 40);
    }

    #[test]
    fn one_flipped_bit_changes_the_checksum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut bytes = vec![7u8; 300_000];
        std::fs::write(&path, &bytes).unwrap();
        let before = checksum(&path).unwrap();
        bytes[299_999] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(before.0, 300_000);
        #[cfg(unix)]
        {
            // Even with its old date the file does not look as it did.
            let (stamped, modified) = (stamp(&path), std::fs::metadata(&path).unwrap().modified().unwrap());
            std::fs::write(&path, &bytes).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
            assert!(stamped.is_some() && stamp(&path) != stamped);
        }
        assert_ne!(checksum(&path).unwrap(), before);
    }
}
