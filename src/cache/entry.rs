//! What is known of one published build: its metadata, which stand beside its library and carry a digest of themselves.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::layout::read_bounded;
use crate::config::tier::Tier;
use crate::digest::{Digest, Stamp};
use crate::error::Diagnostic;
use crate::freshness::features::missing;
use crate::freshness::inputs::Input;
use crate::freshness::machine::{Glibc, glibc, has_glibc};
use crate::kernel::exports::Export;
use crate::limits::is_out_of_files;

/// The metadata in an entry's folder. The folder's date says when the entry was last used.
pub(super) const METADATA: &str = "entry.json";

/// The metadata of a published build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The module's name, the last component.
    pub module: String,
    /// The crate root that was compiled; a copy of it elsewhere finds this entry too.
    pub source: PathBuf,
    /// The ABI tag.
    pub abi: String,
    /// Cargo's profile.
    pub profile: String,
    /// How much it was optimised.
    pub tier: Tier,
    /// What the build has read besides.
    pub inputs: Vec<Input>,
    /// Why it was built.
    pub reason: String,
    /// How long that took.
    pub seconds: f64,
    /// The newest glibc that its symbols ask for.
    #[serde(default)]
    pub glibc: Option<Glibc>,
    /// The instruction sets that rustc could use for it; `None` where that is not known.
    #[serde(default)]
    pub cpu: Option<Vec<String>>,
    /// Was it compiled on another machine? Then nothing but its metadata says whether it runs here.
    #[serde(default)]
    pub foreign: bool,
    /// rustc's warnings about the user's code.
    pub warnings: Vec<Diagnostic>,
    /// What native callers find in the library.
    #[serde(default)]
    pub exports: Vec<Export>,
    /// The library's file name.
    pub library: String,
    /// The library's size in bytes and the digest of its content.
    pub checksum: (u64, String),
    /// What the file system said of the library when it was published.
    pub stamp: Option<Stamp>,
    /// Seconds since 1970.
    pub created: f64,
}

impl Entry {
    /// Why the library does not run on this machine, each as half a sentence.
    pub fn misfits(&self) -> Vec<String> {
        misfits(self.glibc, self.cpu.as_deref())
    }
}

/// Why what needs this glibc and these instruction sets does not run on this machine.
pub fn misfits(needed: Option<Glibc>, cpu: Option<&[String]>) -> Vec<String> {
    let old = needed.filter(|needed| !has_glibc(*needed)).map(|(major, minor)| match glibc() {
        Some((here, least)) => format!("it needs glibc {major}.{minor}, and this machine has {here}.{least}"),
        None => format!("it needs glibc {major}.{minor}"),
    });
    let missing = missing(cpu.unwrap_or_default());
    let lacking = (!missing.is_empty()).then(|| format!("this CPU lacks {}", missing.join(", ")));
    old.into_iter().chain(lacking).collect()
}

/// The metadata of a published library; none where it was removed or damaged since.
pub fn entry_of(library: &Path) -> Option<Entry> {
    entry_in(library.parent()?).ok()
}

/// Metadata as a text, with their digest.
pub fn text_of(entry: &Entry) -> Vec<u8> {
    with_digest(serde_json::to_vec(entry).unwrap_or_default())
}

/// The metadata in an entry's folder.
pub fn entry_in(folder: &Path) -> io::Result<Entry> {
    parsed_entry(&read_metadata(folder)?)
}

pub(super) fn read_metadata(folder: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(folder.join(METADATA)).map_err(|e| unreadable("its metadata", e))?;
    read_bounded(file).ok_or_else(|| io::Error::other("its metadata cannot be read"))
}

/// The metadata of an entry, from their text.
pub fn parsed_entry(text: &[u8]) -> io::Result<Entry> {
    let garbled = || io::Error::other("its metadata is garbled");
    if !has_its_digest(text) {
        return Err(garbled());
    }
    let entry: Entry = serde_json::from_slice(text).map_err(|_| garbled())?;
    // The name comes from a file; it must not lead out of the entry.
    match Path::new(&entry.library).components().collect::<Vec<_>>().as_slice() {
        [Component::Normal(_)] => Ok(entry),
        _ => Err(garbled()),
    }
}

/// The key behind which metadata have the digest of everything before it.
const DIGEST: &str = ",\"digest\":\"";

/// Metadata with their digest at the end.
pub(super) fn with_digest(mut json: Vec<u8>) -> Vec<u8> {
    json.pop();
    let digest = Digest::of(&json);
    json.extend_from_slice(format!("{DIGEST}{digest}\"}}").as_bytes());
    json
}

/// Is the text of metadata what was written?
pub(super) fn has_its_digest(text: &[u8]) -> bool {
    let at = memchr::memmem::rfind(text, DIGEST.as_bytes());
    at.is_some_and(|at| text[at..] == *format!("{DIGEST}{}\"}}", Digest::of(&text[..at])).as_bytes())
}

pub(super) fn unreadable(what: &str, error: io::Error) -> io::Error {
    if is_out_of_files(&error) { error } else { io::Error::other(format!("{what} cannot be read: {error}")) }
}
