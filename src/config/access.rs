//! Who can write to a file besides its owner: its group, everybody, and whom its access list names.
//!
//! Where there is such a list, the group's part of a mode is the most that anybody in the list gets, and says nothing of the
//! group.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Permission to write to a file, or to change what a folder holds.
pub const WRITE: u32 = 2;
/// Permission to enter a folder.
pub const ENTER: u32 = 1;

/// Somebody whom an access list names, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A user.
    User(u32),
    /// All users of a group.
    Group(u32),
}

/// What others than the owner may do with a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Its group.
    pub group: u32,
    /// Everybody.
    pub everybody: u32,
    /// Those whom the list names.
    pub named: Vec<(Named, u32)>,
}

impl Access {
    /// Asks the file system; for a link, about the file that it leads to.
    pub fn of(path: &Path, found: &Metadata) -> Access {
        let plain = Access { group: found.mode() >> 3 & 7, everybody: found.mode() & 7, named: Vec::new() };
        // Nobody whom a list names gets more than this, and an import looks at many files.
        if plain.group == 0 {
            return plain;
        }
        let list = list(path).and_then(|bytes| read(&bytes)).unwrap_or_default();
        let group = list.iter().find(|(tag, ..)| *tag == GROUP).map_or(plain.group, |(_, allowed, _)| *allowed);
        let named = list.iter().filter_map(|&(tag, allowed, number)| match tag {
            NAMED_USER => Some((Named::User(number), allowed & plain.group)),
            NAMED_GROUP => Some((Named::Group(number), allowed & plain.group)),
            _ => None,
        });
        Access { group: group & plain.group, named: named.collect(), ..plain }
    }

    /// Those whom the list lets write.
    pub fn writers(&self) -> impl Iterator<Item = Named> {
        self.named.iter().filter(|(_, allowed)| allowed & WRITE != 0).map(|(named, _)| *named)
    }

    /// May this one do that, as everybody or because the list says so?
    pub fn lets(&self, who: Named, what: u32) -> bool {
        let named = self.named.iter().filter(|(named, _)| *named == who).map(|(_, allowed)| allowed);
        self.everybody & what == what || named.fold(0, |all, allowed| all | allowed) & what == what
    }
}

const NAMED_USER: u16 = 2;
const GROUP: u16 = 4;
const NAMED_GROUP: u16 = 8;

/// The access list of a file as the file system keeps it, nothing where it has none.
#[cfg(target_os = "linux")]
fn list(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    match rustix::fs::getxattr(path, c"system.posix_acl_access", rustix::buffer::spare_capacity(&mut bytes)) {
        Err(rustix::io::Errno::RANGE) => bytes.reserve(1 << 16),
        read => return read.ok().map(|_| bytes),
    }
    let all = rustix::buffer::spare_capacity(&mut bytes);
    rustix::fs::getxattr(path, c"system.posix_acl_access", all).ok().map(|_| bytes)
}

/// Other systems have lists of other kinds, which are not looked at.
#[cfg(not(target_os = "linux"))]
fn list(_: &Path) -> Option<Vec<u8>> {
    None
}

/// Tag, permissions and number of each entry: a version of four bytes, then eight for each.
fn read(bytes: &[u8]) -> Option<Vec<(u16, u32, u32)>> {
    let (version, entries) = bytes.split_first_chunk()?;
    let entry = |entry: &[u8; 8]| {
        let [tag, allowed] = [0, 2].map(|at| u16::from_le_bytes([entry[at], entry[at + 1]]));
        (tag, u32::from(allowed), u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]))
    };
    let (entries, rest) = entries.as_chunks();
    (u32::from_le_bytes(*version) == 2 && rest.is_empty()).then(|| entries.iter().map(entry).collect())
}
