//! What a library that lies outside of the cache says of its source: metadata behind the end of the library itself.
//!
//! No system that loads a library looks there, and whatever copies, packs and unpacks the file takes it along, while dates
//! and names tell nothing of a file that was installed. Tools that write the library anew, such as `strip`, drop it; then
//! nothing is known of the source.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::entry::{Entry, has_its_digest, with_digest};
use crate::cache::layout::{LARGEST_METADATA, copy_out};
use crate::error::Result;

/// The last bytes of a library that has it, behind the length of the metadata.
const MARK: &[u8; 16] = b"rsimport source\n";

/// What a library was compiled from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Provenance {
    /// The digest of the kernel's own text, and of a crate's manifest.
    pub text: String,
    /// The CPUs that it is for, as in the key of its build.
    pub cpu: String,
    /// Cargo's features.
    pub features: Vec<String>,
    /// The metadata of its build. Paths in it start from the kernel's folder, since they are for other machines.
    pub entry: Entry,
}

impl Provenance {
    /// What a library says; none where it says nothing, or where the library is not the one of which that was said.
    pub fn of(library: &Path) -> Option<Provenance> {
        let mut file = File::open(library).ok()?;
        let size = file.metadata().ok()?.len();
        let mut end = [0; 24];
        file.seek(SeekFrom::Start(size.checked_sub(24)?)).ok()?;
        file.read_exact(&mut end).ok()?;
        let (length, mark) = end.split_at(8);
        let length = u64::from_le_bytes(length.try_into().ok()?);
        if mark != MARK || length > LARGEST_METADATA {
            return None;
        }
        let start = size.checked_sub(24 + length)?;
        file.seek(SeekFrom::Start(start)).ok()?;
        let mut text = vec![0; usize::try_from(length).ok()?];
        file.read_exact(&mut text).ok()?;
        let found: Provenance = has_its_digest(&text).then(|| serde_json::from_slice(&text).ok())??;
        (found.entry.checksum.0 == start).then_some(found)
    }

    /// Copies a published library out of the cache, with this behind its end.
    pub fn copy_out(mut self, published: &Path, target: &Path) -> Result<()> {
        let base = self.entry.source.parent().unwrap_or(Path::new("")).to_path_buf();
        let below = |path: &Path| path.strip_prefix(&base).map_or_else(|_| path.to_path_buf(), Path::to_path_buf);
        self.entry.exports.iter_mut().for_each(|export| export.file = below(&export.file));
        self.entry.source = PathBuf::from(self.entry.source.file_name().unwrap_or_default());
        // What only concerns this machine, or whoever compiles it.
        (self.entry.stamp, self.entry.warnings) = (None, Vec::new());
        self.entry.inputs = self.entry.inputs.iter().map(|input| input.content()).collect();
        let mut end = with_digest(serde_json::to_vec(&self).unwrap_or_default());
        let length = end.len() as u64;
        end.extend_from_slice(&length.to_le_bytes());
        end.extend_from_slice(MARK);
        copy_out(published, target, &end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tier::Tier;
    use crate::digest::checksum;

    fn copied(folder: &Path) -> PathBuf {
        let (published, target) = (folder.join("libk.so"), folder.join("k.so"));
        std::fs::write(&published, "library").unwrap();
        let entry = Entry {
            module: "k".into(),
            source: "/made/here/k.rs".into(),
            abi: ".so".into(),
            profile: "release".into(),
            tier: Tier::Optimized,
            inputs: Vec::new(),
            reason: "first build".into(),
            seconds: 0.0,
            warnings: Vec::new(),
            glibc: None,
            cpu: None,
            foreign: false,
            exports: Vec::new(),
            library: "k.so".into(),
            checksum: checksum(&published).unwrap(),
            stamp: None,
            created: 0.0,
        };
        let said = Provenance { text: "digest".into(), cpu: "generic".into(), features: Vec::new(), entry };
        said.copy_out(&published, &target).unwrap();
        target
    }

    #[test]
    fn what_is_behind_a_library_is_read_back_without_paths_of_the_machine_that_made_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = copied(folder.path());
        let bytes = std::fs::read(&target).unwrap();
        assert!(bytes.starts_with(b"library") && memchr::memmem::find(&bytes, b"/made/here").is_none());
        let found = Provenance::of(&target).unwrap();
        assert_eq!((found.text.as_str(), found.entry.source.to_str()), ("digest", Some("k.rs")));
    }

    #[test]
    fn a_library_of_which_something_else_was_said_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = copied(folder.path());
        let bytes = std::fs::read(&target).unwrap();
        for garbled in [
            [b"longer ", &bytes[..]].concat(),
            bytes[..bytes.len() - 1].to_vec(),
            bytes[bytes.len() - 24..].to_vec(),
            [&bytes[..40], b"?", &bytes[41..]].concat(),
            Vec::new(),
        ] {
            std::fs::write(&target, garbled).unwrap();
            assert!(Provenance::of(&target).is_none());
        }
        assert!(Provenance::of(&folder.path().join("none")).is_none());
    }
}
