//! What a library asks of the machine: other libraries, and the versions of their symbols, of which glibc's tell which one
//! it needs.

use std::path::Path;

use object::elf::DT_NEEDED;
use object::read::elf::{Dyn, ElfFile64};
use object::{Endianness, FileKind};

use crate::freshness::machine::{Glibc, parsed};

/// What a library of ELF asks for.
#[derive(Debug, Default)]
pub struct Asks {
    /// The names of libraries.
    pub libraries: Vec<String>,
    /// The versions of symbols, as `GLIBC_2.34`.
    pub versions: Vec<String>,
}

/// The newest version of glibc that a library's symbols ask for; `None` where it asks for none, or is no library of ELF.
pub fn needed(library: &Path) -> Option<Glibc> {
    newest(&asked(&std::fs::read(library).ok()?)?)
}

/// What a library asks for; `None` where it is no 64-bit library of ELF.
pub fn asks(library: &Path) -> Option<Asks> {
    asked(&std::fs::read(library).ok()?)
}

fn newest(asks: &Asks) -> Option<Glibc> {
    asks.versions.iter().filter_map(|name| parsed(name.strip_prefix("GLIBC_")?)).max()
}

fn asked(bytes: &[u8]) -> Option<Asks> {
    if !matches!(FileKind::parse(bytes), Ok(FileKind::Elf64)) {
        return None;
    }
    let file = ElfFile64::<Endianness>::parse(bytes).ok()?;
    let (endian, sections) = (file.endian(), file.elf_section_table());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut asks = Asks::default();
    if let Some((entries, names)) = sections.dynamic(endian, bytes).ok()? {
        let strings = sections.strings(endian, bytes, names).ok()?;
        let needed = entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED);
        asks.libraries.extend(needed.filter_map(|entry| entry.string(endian, strings).ok().map(text)));
    }
    if let Some((mut files, names)) = sections.gnu_verneed(endian, bytes).ok()? {
        let strings = sections.strings(endian, bytes, names).ok()?;
        while let Ok(Some((_, mut versions))) = files.next() {
            while let Ok(Some(version)) = versions.next() {
                asks.versions.extend(version.name(endian, strings).ok().map(text));
            }
        }
    }
    Some(asks)
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use crate::freshness::machine::has_glibc;

    #[test]
    fn a_program_of_this_machine_needs_a_glibc_that_it_has() {
        let own = std::env::current_exe().unwrap();
        assert!(asks(&own).unwrap().libraries.contains(&"libc.so.6".to_owned()));
        let found = needed(&own).unwrap();
        assert!(found >= (2, 2) && has_glibc(found), "{found:?}");
    }

    #[test]
    fn what_is_no_library_needs_none() {
        assert!(asked(b"").is_none() && asked(b"\x7fELF\x02\x01\x01").is_none());
        assert_eq!(needed(Path::new("/nowhere")), None);
    }
}
